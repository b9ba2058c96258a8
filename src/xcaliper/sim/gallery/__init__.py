"""Ready virtual ECUs, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcaliper.core.errors import NotFoundError

if TYPE_CHECKING:
    from xcaliper.sim.ecu import VirtualEcu
    from xcaliper.sim.faults import Faults
    from xcaliper.xcp.slave_config import SlaveConfig

__all__ = ["NAMES", "build_ecu"]

#: Names of the ECUs, as the shell knows them.
NAMES = ("demo-engine", "many-signals")


def build_ecu(  # each one is a choice of its own
    name: str,
    settings: SlaveConfig | None = None,
    *,
    seed: int = 1,
    signals: int = 10_000,
    rate_hz: float = 1000,
    faults: Faults | None = None,
) -> VirtualEcu:
    """A fresh ECU of the gallery.

    Args:
        name: one of :data:`NAMES`.
        settings: of its slave; the memory follows its byte order.
        seed: of the model's noise.
        signals: how many ``many-signals`` has.
        rate_hz: of the event of ``many-signals``.
        faults: what goes wrong on purpose.

    Raises:
        NotFoundError: there is no such ECU.
    """
    if name not in NAMES:
        raise NotFoundError(name, kind="virtual ECU", nearest=NAMES)
    from xcaliper.core.datatypes import ByteOrder
    from xcaliper.sim.ecu import VirtualEcu

    order = settings.byte_order if settings else ByteOrder.INTEL
    if name == "many-signals":
        from xcaliper.sim.gallery.many_signals import ManySignals, many_signals

        declaration = many_signals(signals, rate_hz, byte_order=order)
        return VirtualEcu(declaration, ManySignals, settings, faults=faults)
    from xcaliper.sim.gallery.demo_engine import DemoEngine, demo_engine

    return VirtualEcu(
        demo_engine(byte_order=order),
        lambda memory: DemoEngine(memory, seed=seed),
        settings,
        faults=faults,
    )
