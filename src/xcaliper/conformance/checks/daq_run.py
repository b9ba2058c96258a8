"""Rules about lists that run: their packets, timestamps and states."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import daq_info, read, resolution
from xcaliper.conformance.lists import (
    choose_event,
    dto_format,
    record,
    tick_ns,
)
from xcaliper.conformance.model import Group, Permission, Rule, Severity, SkippedError, rule

if TYPE_CHECKING:
    from xcaliper.conformance.lists import Recorded
    from xcaliper.conformance.probe import Probe

__all__ = ["RULES"]

_RUN: Final = Group.DAQ_RUN
_MAY: Final = Permission.DAQ
_RUNNING: Final = 0x40
_SELECTED: Final = 0x01
_FEW: Final = 4
_TOLERANCE: Final = 0.5


def _first(probe: Probe) -> Recorded:
    """A run of one list with one ODT."""
    return probe.fact("run", record)


def _second(probe: Probe) -> Recorded:
    """A run of one list with two ODTs."""
    return probe.fact("two odts", lambda p: record(p, odts=2, entries=1))


def _counted(probe: Probe) -> Recorded:
    """A run with the DTO counter."""
    return probe.fact("counter", lambda p: record(p, counted=True))


@rule(
    "RUN-001",
    _RUN,
    "A list that runs sends packets",
    "A list bound to a cyclic event sends DAQ packets after its start.",
    "START_STOP_SYNCH, 1.0",
    needs=_MAY,
)
def _sends(probe: Probe) -> None:
    found = _first(probe)
    cycle = found.setup.event.cycle_ns
    if not 0 < cycle <= probe.limits.listen_ns // 3:
        raise SkippedError("no event channel is cyclic and fast enough to wait for.")
    probe.demand(found.packets, f"no packet came within {probe.limits.listen_ns // 1_000_000} ms.")


@rule(
    "RUN-002",
    _RUN,
    "GET_STATUS shows that lists run",
    "DAQ_RUNNING is set while a list runs.",
    "GET_STATUS, 1.0",
    needs=_MAY,
)
def _status(probe: Probe) -> None:
    probe.demand(_first(probe).status & _RUNNING, "DAQ_RUNNING is not set while a list runs.")


@rule(
    "RUN-003",
    _RUN,
    "The list shows that it runs",
    "RUNNING is set in the mode of a list that runs.",
    "GET_DAQ_LIST_MODE, 1.0",
    needs=_MAY,
)
def _mode(probe: Probe) -> None:
    mode = _first(probe).mode
    if mode is None:
        raise SkippedError("the mode of lists cannot be read.")
    probe.demand(mode & _RUNNING, f"the mode of the list is 0x{mode:02X} while it runs.")


@rule(
    "RUN-004",
    _RUN,
    "Starting clears SELECTED",
    "The answer to START_STOP_SYNCH clears the SELECTED flags.",
    "START_STOP_SYNCH, 1.0",
    needs=_MAY,
)
def _unselected(probe: Probe) -> None:
    mode = _first(probe).mode
    if mode is None:
        raise SkippedError("the mode of lists cannot be read.")
    probe.demand(not mode & _SELECTED, "SELECTED is still set after the start.")


@rule(
    "RUN-005",
    _RUN,
    "Answer before the first packet",
    "The answer to the start comes before the first DAQ packet.",
    "START_STOP_SYNCH, 1.0",
    severity=Severity.DEVIATION,
    needs=_MAY,
)
def _order(probe: Probe) -> None:
    found = _first(probe)
    probe.demand(not found.early, f"{found.early} packets came before the answer.")


@rule(
    "RUN-006",
    _RUN,
    "Length of DAQ packets",
    "A DAQ packet holds header, timestamp and the entries of its ODT.",
    "DTO, 1.0",
    needs=_MAY,
)
def _length(probe: Probe) -> None:
    found = _first(probe)
    if not found.packets:
        raise SkippedError("builds on DAQ packets; none came.")
    setup = found.setup
    need = (
        dto_format(probe, setup).first_header_size + setup.entries * setup.size * probe.profile.ag
    )
    wrong = {len(packet) for _, packet in found.packets if len(packet) < need}
    probe.demand(not wrong, f"packets of {sorted(wrong)} bytes came instead of {need}.")
    long = {len(packet) for _, packet in found.packets} - set(range(need, need + 4))
    probe.demand(not long, f"packets of {sorted(long)} bytes came instead of {need}.")


@rule(
    "RUN-007",
    _RUN,
    "Identification field",
    "DAQ packets carry ODT and list as the announced identification field says.",
    "DTO, 1.0",
    needs=_MAY,
)
def _identified(probe: Probe) -> None:
    found = _first(probe)
    absolute = daq_info(probe).daq_key_byte.identification_field == 0
    odt = found.setup.first_pid if absolute else 0
    right = (odt, None if absolute else found.setup.number)
    if not found.packets:
        raise SkippedError("builds on DAQ packets; none came.")
    wrong = {(d.odt, d.daq_list) for d in found.decoded(probe)} - {right}
    probe.demand(not wrong, f"ODT and list are {sorted(map(str, wrong))} instead of {right}.")


def _steps(probe: Probe, found: Recorded) -> list[int]:
    """Timestamp differences of consecutive samples, in ticks, modulo the width.

    Raises:
        SkippedError: there are no timestamps, or too few samples.
    """
    size = resolution(probe).timestamp_mode.size
    if not size or not found.setup.stamped:
        raise SkippedError("the slave has no timestamps.")
    if found.missed:
        raise SkippedError("packets were lost on their way.")
    stamps = [d.timestamp for d in found.decoded(probe) if d.timestamp is not None]
    if len(stamps) < _FEW:
        raise SkippedError("builds on DAQ packets; too few came.")
    return [(after - before) % (1 << 8 * size) for before, after in itertools.pairwise(stamps)]


@rule(
    "RUN-008",
    _RUN,
    "Timestamps go on",
    "Timestamps of a list grow from sample to sample.",
    "DTO, 1.0",
    needs=_MAY,
)
def _monotonous(probe: Probe) -> None:
    steps = _steps(probe, _first(probe))
    half = 1 << 8 * resolution(probe).timestamp_mode.size - 1
    if _wraps_within(probe):
        raise SkippedError("timestamps wrap within an event cycle.")
    back = [step for step in steps if step == 0 or step >= half]
    probe.demand(not back, f"{len(back)} of {len(steps)} timestamps did not grow.")


def _wraps_within(probe: Probe) -> bool:
    size, tick = resolution(probe).timestamp_mode.size, tick_ns(probe)
    cycle = choose_event(probe).cycle_ns
    return not size or not tick or (1 << 8 * size - 1) * tick < 2 * cycle


@rule(
    "RUN-009",
    _RUN,
    "Timestamps fit the event",
    "Samples of a cyclic event lie about a cycle apart, in the announced unit.",
    "GET_DAQ_RESOLUTION_INFO, 1.0",
    severity=Severity.DEVIATION,
    needs=_MAY,
)
def _cycle(probe: Probe) -> None:
    found = _first(probe)
    cycle, tick = found.setup.event.cycle_ns, tick_ns(probe)
    if not cycle or not tick or _wraps_within(probe):
        raise SkippedError("cycle or timestamps cannot be compared.")
    steps = sorted(_steps(probe, found))
    half = 1 << 8 * resolution(probe).timestamp_mode.size - 1
    if steps[0] == 0 or steps[-1] >= half:
        raise SkippedError("builds on timestamps that grow.")
    middle = steps[len(steps) // 2] * tick
    good = abs(middle - cycle) <= cycle * _TOLERANCE + tick
    probe.demand(good, f"samples lie {middle / 1e6:g} ms apart, the cycle is {cycle / 1e6:g} ms.")


@rule(
    "RUN-010",
    _RUN,
    "Packets carry the memory",
    "The data of a DAQ packet are the bytes of the measured memory.",
    "DTO, 1.0",
    needs=_MAY,
)
def _content(probe: Probe) -> None:
    found = _first(probe)
    setup, ag = found.setup, probe.profile.ag
    count = setup.entries * setup.size
    decoded = found.decoded(probe)
    before = read(probe, setup.address, count)
    if before != read(probe, setup.address, count):
        raise SkippedError("the memory changes all the time.")
    wrong = sum(d.data[: count * ag] != before for d in decoded)
    probe.demand(not wrong, f"{wrong} of {len(decoded)} packets differ from UPLOAD.")


@rule(
    "RUN-011",
    _RUN,
    "Lists stop",
    "After START_STOP_SYNCH stop all no list sends any more.",
    "START_STOP_SYNCH, 1.0",
    needs=_MAY,
)
def _stops(probe: Probe) -> None:
    late = _first(probe).late
    probe.demand(not late, f"{late} packets came long after the stop.")


@rule(
    "RUN-012",
    _RUN,
    "GET_STATUS shows that lists stopped",
    "DAQ_RUNNING falls when the last list stops.",
    "GET_STATUS, 1.0",
    needs=_MAY,
)
def _status_after(probe: Probe) -> None:
    probe.demand(not _first(probe).status_after & _RUNNING, "DAQ_RUNNING is set after the stop.")


@rule(
    "RUN-013",
    _RUN,
    "ODTs in order",
    "The ODTs of a sample come in ascending order, without gaps.",
    "DTO, 1.0",
    needs=_MAY,
)
def _odts(probe: Probe) -> None:
    found = _second(probe)
    if found.missed:
        raise SkippedError("packets were lost on their way.")
    decoded = found.decoded(probe)
    absolute = daq_info(probe).daq_key_byte.identification_field == 0
    base = found.setup.first_pid if absolute else 0
    numbers = [(d.odt or 0) - base for d in decoded]
    if set(numbers) - {0, 1}:
        raise SkippedError("builds on the identification field, which another rule judges.")
    while numbers and numbers[-1] == 0:
        numbers.pop()  # the stop came in between
    good = numbers == [0, 1] * (len(numbers) // 2) and numbers
    probe.demand(good, f"ODTs came as {numbers[:8]}.")


@rule(
    "RUN-014",
    _RUN,
    "Prescaler",
    "With prescaler 2 every second event is sampled.",
    "SET_DAQ_LIST_MODE, 1.0",
    needs=_MAY,
)
def _prescaled(probe: Probe) -> None:
    if not daq_info(probe).daq_properties.prescaler_supported:
        raise SkippedError("the slave has no prescaler.")
    if not choose_event(probe).cycle_ns or _wraps_within(probe):
        raise SkippedError("the event is not cyclic, or timestamps are too short.")
    plain = sorted(_steps(probe, _first(probe)))
    half = 1 << 8 * resolution(probe).timestamp_mode.size - 1
    if plain[0] == 0 or plain[-1] >= half:
        raise SkippedError("builds on timestamps that grow.")
    slow = sorted(_steps(probe, record(probe, prescaler=2)))
    one, two = plain[len(plain) // 2], slow[len(slow) // 2]
    probe.demand(
        1.5 * one <= two <= 2.5 * one,
        f"samples lie {two} ticks apart with prescaler 2, and {one} without.",
    )


@rule(
    "RUN-015",
    _RUN,
    "DTO counter",
    "With DTO_CTR the counter grows by 1 from sample to sample.",
    "DTO_CTR_PROPERTIES, 1.3",
    needs=_MAY,
)
def _counter(probe: Probe) -> None:
    found = _counted(probe)
    if found.missed:
        raise SkippedError("packets were lost on their way.")
    counters = [d.counter for d in found.decoded(probe) if d.counter is not None]
    if len(counters) < _FEW:
        raise SkippedError("builds on DAQ packets; too few came.")
    steps = {(b - a) & 0xFF for a, b in itertools.pairwise(counters)}
    probe.demand(steps == {1}, f"the counter moved by {sorted(steps)}.")


RULES: Final[tuple[Rule, ...]] = (
    _sends,
    _status,
    _mode,
    _unselected,
    _order,
    _length,
    _identified,
    _monotonous,
    _cycle,
    _content,
    _stops,
    _status_after,
    _odts,
    _prescaled,
    _counter,
)
