"""The options of the verbs that plan or measure: what is chosen about DAQ lists and their packets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from xcaliper.client.selection import PlanOptions

__all__ = ["ListOptions", "ListOptionsOfVerb", "plan_options"]

_Flag = Parameter(negative=(), show_default=False)
_Several = Parameter(negative=(), show_default=False, consume_multiple=False)
_Usual = Parameter(negative="--no-timestamp", show_default=False)


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Choices about lists, where the slave leaves any.

    Attributes:
        priority: of the lists; 0 = the slave may buffer them.
        timestamp: packets carry the slave's timestamps, the default; without them the time of arrival counts.
        dto_ctr: packets carry a counter, which tells samples that the slave dropped.
        pid_off: packets carry no identification field; one packet per list, and a CAN identifier of its own.
        can_id: CAN identifier for a list that has none of its own, such as 0x601; + 0x80000000 for one of
            29 bits; repeat it for several.
        alternating: lists of the display event are sampled every second time, without timestamps.
    """

    priority: int = 0
    timestamp: Annotated[bool, _Usual] = True
    dto_ctr: Annotated[bool, _Flag] = False
    pid_off: Annotated[bool, _Flag] = False
    can_id: Annotated[tuple[int, ...], _Several] = ()
    alternating: Annotated[bool, _Flag] = False


ListOptionsOfVerb = Annotated[ListOptions | None, Parameter(name="*")]


def plan_options(options: ListOptions | None) -> PlanOptions:
    """The same for a plan."""
    chosen = options or ListOptions()
    return {
        "priority": chosen.priority,
        "timestamp": chosen.timestamp,
        "dto_ctr": chosen.dto_ctr,
        "pid_off": chosen.pid_off,
        "can_ids": chosen.can_id,
        "alternating": chosen.alternating,
    }
