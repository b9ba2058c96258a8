"""How DTO counters of events behave: asked, and set to check stimulation against its inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import NegativeResponseError
from xcaliper.proto.procedure import ask
from xcaliper.xcp.procedures.connect import optional
from xcaliper.xcp.timecorr import DtoCtrMode, DtoCtrModifier, DtoCtrProperties

if TYPE_CHECKING:
    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.procedures.connect import Session
    from xcaliper.xcp.timecorr import DtoCtrPropertiesResponse

__all__ = ["check_counter", "count_own_events", "counter_of", "set_counter"]

#: Modify related event and STIM mode, leave the DAQ mode.
_STIM_SIDE: Final = DtoCtrModifier.of(related_event=1, stim_mode=1)


def counter_of(channel: int) -> Procedure[DtoCtrPropertiesResponse]:
    """How the counter of an event channel behaves now (XCP Base, DTO_CTR_PROPERTIES, 1.3).

    Raises:
        NegativeResponseError: the slave refuses.
    """
    return (yield from ask(DtoCtrProperties(event_channel=channel)))


def set_counter(channel: int, related: int, mode: DtoCtrMode) -> Procedure[None]:
    """Choose the related event channel and the STIM mode (XCP Base, DTO_CTR_PROPERTIES, 1.3).

    Raises:
        NegativeResponseError: the slave refuses.
    """
    yield from ask(
        DtoCtrProperties(
            modifier=_STIM_SIDE,
            event_channel=channel,
            related_event_channel=related,
            mode=mode,
        )
    )


def check_counter(channel: int, related: int) -> Procedure[tuple[int, DtoCtrMode]]:
    """Have an event refuse STIM of another cycle than the related event's.

    Returns:
        Related event channel and modes from before, to be set again.

    Raises:
        NegativeResponseError: the slave refuses.
    """
    before = yield from counter_of(channel)
    yield from set_counter(channel, related, DtoCtrMode.of(stim_mode=1))
    return before.related_event_channel, before.mode


def count_own_events(session: Session, channel: int) -> Procedure[bool]:
    """Have DAQ lists of an event carry its own counter, which alone tells what was lost.

    The counter of another event does not, nor does a copy of what came with STIM. Slaves that do not know
    the command, or not for this event, insert the own one.

    Returns:
        False when the slave keeps another counter (XCP Base, DTO_CTR_PROPERTIES, 1.3).
    """
    told = yield from optional(session, DtoCtrProperties(event_channel=channel))
    if told is None:
        return True
    bits = told.properties
    is_foreign = bits.related_event_present and told.related_event_channel != channel
    is_copy = bits.daq_mode_present and told.mode.daq_mode
    if not is_foreign and not is_copy:
        return True
    change = DtoCtrModifier.of(related_event=int(is_foreign), daq_mode=int(is_copy))
    request = DtoCtrProperties(
        modifier=change, event_channel=channel, related_event_channel=channel
    )
    try:
        yield from ask(request)
    except NegativeResponseError:
        return False
    return True
