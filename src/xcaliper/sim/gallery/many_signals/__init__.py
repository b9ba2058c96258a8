"""An ECU of as many signals as wanted on one event, for load tests: what each one holds is known."""

from xcaliper.sim.gallery.many_signals.model import EVENT, ManySignals, many_signals, truth

__all__ = ["EVENT", "ManySignals", "many_signals", "truth"]
