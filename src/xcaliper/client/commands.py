"""Single commands over a connection: those of the table, of the ECU's maker, and whole packets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from xcaliper.core.errors import UsageError
from xcaliper.proto.procedure import Tell, ask
from xcaliper.xcp.procedures import user

if TYPE_CHECKING:
    from xcaliper.proto.command import CommandTable, Request, Response
    from xcaliper.proto.procedure import Procedure
    from xcaliper.transport.pump import Link

__all__ = ["Commands"]

R = TypeVar("R", bound="Response")


class Commands:
    """Sends commands one by one; what they change at the slave, nobody keeps track of.

    A command that the slave does not have raises
    :class:`~xcaliper.core.errors.UnknownCommandError`, any other refusal a
    :class:`~xcaliper.core.errors.NegativeResponseError`.

    Args:
        link: the road to the slave.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    @property
    def table(self) -> CommandTable:
        """Every command that is declared, those given to ``connect`` included."""
        return self._link.machine.table

    def names(self) -> list[str]:
        """Standard names of the declared commands, in the order of the table."""
        return [info.name for info in self.table]

    def ask(self, request: Request[R]) -> R:
        """Send a command; its typed answer.

        Raises:
            UsageError: the command has no answer; send it with :meth:`tell`.
        """
        if not request.__command__.answered:
            raise UsageError(
                f"{request.__command__.name}: it is not answered.", hint="Send it with tell()."
            )
        return self._link.run(ask(request))

    def tell(self, request: Request[Any]) -> None:
        """Send a command and wait for nothing."""
        self._link.run(_tell(request))

    def raw(self, packet: bytes) -> Response | None:
        """Send a command as bytes, code first; its answer decoded, None where there is none.

        Raises:
            UsageError: no declared command begins so, or the bytes are too short for it.
        """
        profile = self._link.machine.profile
        return self._link.run(user.send_packet(self.table, profile, bytes(packet)))

    def user(self, content: bytes) -> bytes:
        """USER_CMD: sub-command and parameters → what the slave answers (XCP Base, USER_CMD, 1.0).

        Raises:
            UsageError: there is no sub-command.
        """
        sub_command, parameters = _split(content, "USER_CMD")
        return self._link.run(user.user_cmd(sub_command, parameters))

    def transport(self, content: bytes) -> bytes:
        """TRANSPORT_LAYER_CMD, likewise (XCP Base, TRANSPORT_LAYER_CMD, 1.0).

        Raises:
            UsageError: there is no sub-command.
        """
        sub_command, parameters = _split(content, "TRANSPORT_LAYER_CMD")
        return self._link.run(user.transport_cmd(sub_command, parameters))


def _tell(request: Request[Any]) -> Procedure[None]:
    yield Tell(request)


def _split(content: bytes, name: str) -> tuple[int, bytes]:
    if not content:
        raise UsageError(f"{name}: it needs a sub-command, the first byte.")
    return content[0], bytes(content[1:])
