"""How a slave takes CONNECT: at once or later, in a mode of its user, inside a session; and sleep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xcaliper.core.errors import SettingsError

if TYPE_CHECKING:
    from xcaliper.xcp.slave_state import SlaveState

__all__ = ["SessionSettings", "SessionState"]

_MAX_SILENT = 1000


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Habits of a slave at the beginning of sessions.

    Attributes:
        user_mode: CONNECT mode 1 begins a session in a mode of the user's, such as a boot loader; else
            it is refused with ERR_OUT_OF_RANGE (XCP Base, CONNECT, 1.0).
        silent_connects: so many CONNECTs outside of a session get no answer before one does, like those
            of an ECU that is still starting.
        keeps_lists: CONNECT inside a session leaves DAQ lists alone; else they are as after power-up.
            The standard allows both (XCP Base, states, 1.0).
    """

    user_mode: bool = False
    silent_connects: int = 0
    keeps_lists: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.silent_connects <= _MAX_SILENT:
            raise SettingsError(
                "silent_connects", f"{self.silent_connects} is not 0 to {_MAX_SILENT}"
            )


class SessionState:
    """What outlives a session: the mode of the user, sleep, CONNECTs that were not answered.

    Args:
        slave: the session.

    Attributes:
        user_mode: True from CONNECT in the user-defined mode to the next normal one.
        asleep: True between EV_SLEEP and EV_WAKE_UP: nothing is served or sampled.
    """

    __slots__ = ("_settings", "_slave", "_unanswered", "asleep", "user_mode")

    def __init__(self, slave: SlaveState) -> None:
        self._slave = slave
        self._settings = slave.config.session
        self._unanswered = 0
        self.user_mode = False
        self.asleep = False

    def takes(self, mode: int) -> bool:
        """Whether CONNECT in this mode is known at all."""
        return mode == 0 or (mode == 1 and self._settings.user_mode)

    def begin(self, mode: int) -> bool:
        """Begin a session, also inside one; False = CONNECT stays without an answer."""
        slave = self._slave
        if not slave.connected and self._unanswered < self._settings.silent_connects:
            self._unanswered += 1
            return False
        self._unanswered = 0
        changed = self.user_mode != (mode == 1)
        self.user_mode = mode == 1
        if slave.connected and self._settings.keeps_lists and not changed:
            slave.restart()
        else:
            slave.reset(connected=True)
        return True
