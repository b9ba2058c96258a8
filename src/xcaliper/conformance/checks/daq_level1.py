"""Rules about packed lists and DTO counters: commands that came after the first edition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import daq_info, event_infos
from xcaliper.conformance.lists import cleared, set_up
from xcaliper.conformance.model import Group, Permission, Rule, SkippedError, rule
from xcaliper.xcp.codes import PID_RES, ErrorCode
from xcaliper.xcp.level1 import GetDaqPackedMode, SetDaqPackedMode
from xcaliper.xcp.timecorr import DtoCtrProperties

if TYPE_CHECKING:
    from xcaliper.conformance.probe import Probe

__all__ = ["RULES"]

_DQC: Final = Group.DAQ_CONFIG
_MAY: Final = Permission.DAQ
_RANGE: Final = ErrorCode.ERR_OUT_OF_RANGE
_SAMPLES: Final = 2


def _packing(number: int, mode: int) -> SetDaqPackedMode:
    return SetDaqPackedMode(
        daq_list=number, daq_packed_mode=mode, timestamp_mode=0, sample_count=_SAMPLES
    )


@rule(
    "DQC-031",
    _DQC,
    "Packed mode can be read back",
    "GET_DAQ_PACKED_MODE gives mode and number of samples as SET_DAQ_PACKED_MODE set them.",
    "SET_DAQ_PACKED_MODE, 1.4",
    needs=_MAY,
)
def _packed(probe: Probe) -> None:
    with cleared(probe):
        setup = set_up(probe)
        probe.use(GetDaqPackedMode(daq_list=setup.number))
        for mode in (1, 2):
            wish = _packing(setup.number, mode)
            answer = probe.ask(wish)
            if answer is None or answer[0] != PID_RES:
                continue
            told = probe.use(GetDaqPackedMode(daq_list=setup.number))
            found = (told.daq_packed_mode, told.sample_count)
            probe.demand(found == (mode, _SAMPLES), f"it gives {found}, not {(mode, _SAMPLES)}.")
            return
    raise SkippedError("no packed mode with 2 samples can be set.")


@rule(
    "DQC-032",
    _DQC,
    "Packed mode that does not exist",
    "SET_DAQ_PACKED_MODE with a mode above 2 is refused.",
    "SET_DAQ_PACKED_MODE, 1.4",
    needs=_MAY,
)
def _no_packed(probe: Probe) -> None:
    with cleared(probe):
        setup = set_up(probe)
        probe.use(GetDaqPackedMode(daq_list=setup.number))
        wrong = _packing(setup.number, 0x7E)
        probe.refused(
            wrong,
            _RANGE,
            ErrorCode.ERR_MODE_NOT_VALID,
            ErrorCode.ERR_CMD_SYNTAX,
            ErrorCode.ERR_DAQ_CONFIG,
        )


@rule(
    "DQC-033",
    _DQC,
    "DTO_CTR_PROPERTIES response is complete",
    "The answer to DTO_CTR_PROPERTIES has 5 bytes.",
    "DTO_CTR_PROPERTIES, 1.3",
)
def _counter(probe: Probe) -> None:
    seen = 0
    for event in event_infos(probe):
        answer = probe.ask(DtoCtrProperties(event_channel=event.number))
        if answer is None or answer[0] != PID_RES:
            continue
        seen += 1
        size = len(answer)
        probe.demand(size >= 5, f"the answer for channel {event.number} has {size} bytes.")
    if not seen:
        raise SkippedError("no event channel has properties of DTO counters.")


@rule(
    "DQC-034",
    _DQC,
    "DTO counter of an event that does not exist",
    "DTO_CTR_PROPERTIES of an event channel that does not exist is refused with ERR_OUT_OF_RANGE.",
    "DTO_CTR_PROPERTIES, 1.3",
)
def _no_counter(probe: Probe) -> None:
    if daq_info(probe).max_event_channel == 0:
        raise SkippedError("the slave does not tell how many event channels it has.")
    probe.refused(DtoCtrProperties(event_channel=0xFFFE), _RANGE)


RULES: Final[tuple[Rule, ...]] = (_packed, _no_packed, _counter, _no_counter)
