"""Time-outs of one connection: the user's word, else the description's, else the usual ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import UsageError
from xcaliper.xcp.recovery import Timers

if TYPE_CHECKING:
    from xcaliper.a2l.if_xcp import XcpProtocolLayer

__all__ = ["timers_of"]

_MAX_TIMEOUT_S: Final = 86_400.0
#: T1 and T2 while nothing is known; also of servers that are slow to accept.
_USUAL_NS: Final = 2_000_000_000


def timers_of(timeout_s: float | None, layer: XcpProtocolLayer | None = None) -> Timers:
    """T1 to T7 of a connection (XCP Base, time-out handling, 1.0; ASAP2, PROTOCOL_LAYER).

    Args:
        timeout_s: T1 as the user wants it, T2 at least; None leaves them to the description.
        layer: of the description; None = there is none, or it is not known yet.

    Raises:
        UsageError: the time is not between 0 and a day.
    """
    if timeout_s is not None and not 0 < timeout_s <= _MAX_TIMEOUT_S:
        raise UsageError(f"timeout: {timeout_s} s is not between 0 and a day.")
    found = replace(Timers(), t1_ns=_USUAL_NS)
    if layer is not None:
        times = (layer.t1, layer.t2, layer.t3, layer.t4, layer.t5, layer.t6, layer.t7)
        found = Timers.of_ms(*times)
    if timeout_s is None:
        return found
    limit_ns = int(timeout_s * 1e9)
    return replace(found, t1_ns=limit_ns, t2_ns=max(found.t2_ns, limit_ns))
