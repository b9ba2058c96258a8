"""How DTO counters of events behave: asked, and set to check stimulation against its inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.proto.procedure import ask
from xcaliper.xcp.timecorr import DtoCtrMode, DtoCtrModifier, DtoCtrProperties

if TYPE_CHECKING:
    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.timecorr import DtoCtrPropertiesResponse

__all__ = ["check_counter", "counter_of", "set_counter"]

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
