"""What is locked in a slave, and how a connection opens it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from xcaliper.client.keys import Keys, key_function
from xcaliper.core.errors import SettingsError
from xcaliper.xcp.codes import Resource
from xcaliper.xcp.procedures.unlock import protection, unlock
from xcaliper.xcp.seed_key import each_resource, resource_name, resource_named

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from xcaliper.a2l.if_xcp import XcpDescription
    from xcaliper.client.connection import Connection
    from xcaliper.proto.procedure import Procedure
    from xcaliper.transport.pump import Link
    from xcaliper.xcp.procedures.connect import Session
    from xcaliper.xcp.seed_key import KeyFunction

__all__ = ["KeyRing", "Security", "described_keys"]

#: Resource that a command needs by its group → the one that may be meant where it is open.
_ALSO: Final[Mapping[int, int]] = MappingProxyType({0x01: 0x10, 0x04: 0x08, 0x08: 0x04})
_HINT: Final = "Give one: connect(…, keys=…) or unlock(…, keys=…)."


@dataclass(slots=True)
class KeyRing:
    """The keys that the user gave, and what is needed to use them.

    Attributes:
        keys: as given; None = none.
        a2l: file of the description, None where the slave gave it.
        described: library that the description names, None where it names none.
    """

    keys: Keys | None = None
    a2l: Path | None = None
    described: str | None = None

    def function(self, keys: Keys | None = None) -> KeyFunction:
        """The key function, of these keys or of those that were given with :func:`connect`.

        Raises:
            SettingsError: there are none, or they cannot be used.
            LibraryError: the library is not beside the description.
        """
        wanted = self.keys if keys is None else keys
        if wanted is None:
            raise SettingsError("keys", "there is no key function", hint=_HINT)
        return key_function(wanted, a2l=self.a2l, described=self.described)

    def serve(self, link: Link, session: Session) -> None:
        """Let commands that a link finds locked be unlocked on demand, where there are keys.

        Raises:
            SettingsError: the keys cannot be used.
            LibraryError: the library is not beside the description.
        """
        if self.keys is None:
            return
        self.function()  # what cannot be used is said before anything is sent

        def unlocker(resource: Resource) -> Procedure[Any]:
            return _open_on_demand(session, resource, self.function())

        link.machine.unlocker = unlocker


def _open(session: Session, mask: Resource, function: KeyFunction) -> Procedure[Resource]:
    """Open every resource of a mask; what stays locked."""
    left = Resource(0)
    for resource in each_resource(mask):
        left = yield from unlock(session, resource, function)
    return left


def _open_on_demand(
    session: Session, resource: Resource, function: KeyFunction
) -> Procedure[Resource]:
    """Open what a refused command needs, by its group; or, where that is open, what may be meant.

    Slaves protect reading with calibration or with programming, and lists by their direction
    *(XCP Base, resource protection, 1.0)*.
    """
    locked = yield from protection()
    wanted = locked & (resource or Resource(0xFF))
    if not wanted:
        wanted = locked & _ALSO.get(resource, 0)
    return (yield from _open(session, Resource(wanted), function))


def described_keys(xcp: XcpDescription | None) -> str | None:
    """The library that a description names (ASAP2, IF_DATA XCP, SEED_AND_KEY_EXTERNAL_FUNCTION)."""
    layer = xcp.protocol_layer if xcp is not None else None
    return layer.seed_and_key if layer is not None else None


class Security:
    """Protection of a connected slave; made by :attr:`Connection.security`.

    Args:
        connection: whose slave it is.
        ring: the user's keys.
    """

    def __init__(self, connection: Connection, ring: KeyRing) -> None:
        self._connection = connection
        self._ring = ring

    @property
    def a2l(self) -> Path | None:
        """File of the description; libraries that it names lie beside it."""
        return self._ring.a2l

    def serve(self) -> None:
        """Let the link of now unlock on demand."""
        self._ring.serve(self._connection.link, self._connection.session)

    def state(self) -> dict[str, bool]:
        """Resource that the slave offers → True while it is locked (XCP Base, GET_STATUS, 1.0)."""
        connection = self._connection
        locked = connection.link.run(protection())
        offered = Resource(connection.session.resource | locked)
        return {resource_name(one): bool(locked & one) for one in each_resource(offered)}

    def unlock(self, *resources: str, keys: Keys | None = None) -> dict[str, bool]:
        """Open resources; what is locked afterwards, as :meth:`state` tells it.

        What the slave could not tell while it was locked is asked for again. A wrong key ends the
        session, and slaves count wrong keys: after a few they give no seeds for a while.

        Args:
            resources: ``cal``, ``daq``, ``stim``, ``pgm``, ``dbg``; none = all that are locked.
            keys: key function, mapping, library or ``"a2l"``, see :func:`connect`; None = those that
                were given there.

        Raises:
            NotFoundError: there is no such resource.
            SettingsError: there is no key function.
            UnlockError: the slave refused the key.
            BusyError: the slave gives no seed now.
            LibraryError: a library did not do its work.
        """
        connection, link = self._connection, self._connection.link
        function = self._ring.function(keys)
        wanted = [resource_named(name) for name in resources]
        mask = Resource(sum(set(wanted))) if wanted else link.run(protection())
        link.run(_open(connection.session, mask, function))
        connection.look_again()
        return self.state()

    def __repr__(self) -> str:
        keys = "no keys" if self._ring.keys is None else f"keys {self._ring.keys!r}"
        return f"<Security of {self._connection.link.name}, {keys}>"
