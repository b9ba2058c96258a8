"""Timers T1 to T7 and what a master does after a time-out, as named row sets.

*(XCP Base, error handling matrix and time-out handling, 1.0)*
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RECOVERY", "PreAction", "RecoveryRule", "Timers"]

_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Timers:
    """Time-outs in nanoseconds, in the order of the A2L's PROTOCOL_LAYER."""

    t1_ns: int = 1000 * _MS
    t2_ns: int = 2000 * _MS
    t3_ns: int = 2000 * _MS
    t4_ns: int = 10_000 * _MS
    t5_ns: int = 1000 * _MS
    t6_ns: int = 100 * _MS
    t7_ns: int = 200 * _MS

    def __post_init__(self) -> None:
        for number, value in enumerate(self._values(), 1):
            if value <= 0:
                raise SettingsError(f"t{number}_ns", f"{value} is not a time")

    def _values(self) -> tuple[int, ...]:
        return (
            self.t1_ns,
            self.t2_ns,
            self.t3_ns,
            self.t4_ns,
            self.t5_ns,
            self.t6_ns,
            self.t7_ns,
        )

    @classmethod
    def of_ms(cls, *times_ms: int) -> Timers:
        """T1 to T7 in milliseconds; those left out, and zeros, keep their defaults.

        A time of 0 in a description means that nobody filled it in.
        """
        given = {f"t{i}_ns": ms * _MS for i, ms in enumerate(times_ms[:7], 1) if ms > 0}
        return cls(**given)

    def named(self, timer: str) -> int:
        """Nanoseconds of ``T1`` … ``T7``."""
        return self._values()[int(timer[1:]) - 1]


class PreAction:
    """What restores the slave's state between SYNCH and the repetition."""

    SET_MTA: Final = "SET_MTA"
    SET_DAQ_PTR: Final = "SET_DAQ_PTR"
    FREE_DAQ: Final = "FREE_DAQ"


@dataclass(frozen=True, slots=True)
class RecoveryRule:
    """Row set of the matrix for time-outs.

    Attributes:
        synch: SYNCH comes first.
        pre: what follows it before the repetition.
    """

    synch: bool = True
    pre: tuple[str, ...] = ()


#: Names are those of ``CommandInfo.recovery``. ``alloc``: a lost ALLOC_DAQ may add lists when it is
#: repeated, so FREE_DAQ precedes it; the other ALLOC commands are safe to repeat.
RECOVERY: Final[Mapping[str, RecoveryRule]] = MappingProxyType(
    {
        "synch": RecoveryRule(),
        "mta": RecoveryRule(pre=(PreAction.SET_MTA,)),
        "daq_ptr": RecoveryRule(pre=(PreAction.SET_DAQ_PTR,)),
        "block": RecoveryRule(pre=(PreAction.SET_MTA,)),
        "alloc": RecoveryRule(pre=(PreAction.FREE_DAQ,)),
        "connect": RecoveryRule(synch=False),
        "again": RecoveryRule(synch=False),
    }
)
