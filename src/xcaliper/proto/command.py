"""Requests, responses and the command table: one written-out list, many readers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Final,
    Generic,
    TypeVar,
    dataclass_transform,
    get_args,
)

from xcaliper.wire.layout import (
    Packet,
    data,
    elements,
    f64,
    fixed,
    i16,
    make_layout,
    sized,
    u8,
    u16,
    u32,
    u64,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CommandInfo", "CommandTable", "Request", "Response", "command", "standard_name"]

_ACRONYM_BREAK: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Response(Packet):
    """Base of positive answers."""

    __slots__ = ()


R_co = TypeVar("R_co", bound=Response, covariant=True)


class Request(Packet, Generic[R_co]):
    """Base of commands; the parameter is the class of the positive answer."""

    __slots__ = ()
    __command__: ClassVar[CommandInfo]


@dataclass(frozen=True, slots=True)
class CommandInfo:
    """What the table knows about a command besides its layout.

    Attributes:
        name: name in the standard, ``SHORT_UPLOAD``.
        prefix: command code, and sub-command codes behind it.
        request: class of the command.
        response: class of the positive answer.
        group: group in the standard.
        timer: time-out class, T1 to T7.
        recovery: name of the recovery rule for time-outs (row set of the error matrix).
        resource: resource that must be unlocked, empty for none.
        since: first protocol-layer version that has it.
        mandatory: True when every slave (of the group) must have it.
        answered: False when the slave sends no positive answer.
        errors: error codes that the standard lists for it.
        confirmed: False when the layout has a single public source.
    """

    name: str
    prefix: bytes
    request: type[Request[Any]]
    response: type[Response]
    group: str
    timer: str = "T1"
    recovery: str = "synch"
    resource: str = ""
    since: str = "1.0"
    mandatory: bool = False
    answered: bool = True
    errors: frozenset[int] = frozenset()
    confirmed: bool = True

    @property
    def code(self) -> int:
        """Command code, the first byte."""
        return self.prefix[0]


def standard_name(class_name: str) -> str:
    """``ShortUpload`` → ``SHORT_UPLOAD``."""
    return _ACRONYM_BREAK.sub("_", class_name).upper()


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(u8, u16, i16, u32, u64, f64, sized, fixed, data, elements),
)
def command(  # noqa: PLR0913 - one keyword per column of the table
    *prefix: int,
    group: str,
    name: str = "",
    timer: str = "T1",
    recovery: str = "synch",
    resource: str = "",
    since: str = "1.0",
    mandatory: bool = False,
    answered: bool = True,
    errors: frozenset[int] = frozenset(),
    confirmed: bool = True,
) -> Any:
    """Declare a command: ``@command(0xF4, group=Group.STD)`` on a ``Request`` subclass."""

    def wrap(cls: type[Any]) -> type[Any]:
        response = next(
            (
                arg
                for base in getattr(cls, "__orig_bases__", ())
                for arg in get_args(base)
                if isinstance(arg, type)
            ),
            None,
        )
        assert response is not None, f"{cls.__name__}: name the answer, Request[EmptyResponse]"
        made = make_layout(cls, bytes(prefix))
        made.__command__ = CommandInfo(
            name=name or standard_name(made.__name__),
            prefix=bytes(prefix),
            request=made,
            response=response,
            group=group,
            timer=timer,
            recovery=recovery,
            resource=resource,
            since=since,
            mandatory=mandatory,
            answered=answered,
            errors=errors,
            confirmed=confirmed,
        )
        return made

    return wrap


class CommandTable:
    """Every command of a protocol, found by name, class or first bytes."""

    def __init__(self, *requests: type[Request[Any]]) -> None:
        self._infos = tuple(request.__command__ for request in requests)
        self._by_name = {info.name: info for info in self._infos}
        self._by_prefix = {info.prefix: info for info in self._infos}
        if len(self._by_name) != len(self._infos) or len(self._by_prefix) != len(self._infos):
            names = [info.name for info in self._infos]
            prefixes = [info.prefix for info in self._infos]
            twice = [
                info.name
                for info in self._infos
                if names.count(info.name) > 1 or prefixes.count(info.prefix) > 1
            ]
            raise ValueError(f"command table: {', '.join(twice)} stands twice")
        self._longest = max((len(info.prefix) for info in self._infos), default=0)

    def __iter__(self) -> Iterator[CommandInfo]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> CommandInfo:
        return self._by_name[name]

    def find(self, packet: bytes) -> CommandInfo | None:
        """The command whose code, and longest sub-command code, starts the packet."""
        for length in range(min(self._longest, len(packet)), 0, -1):
            info = self._by_prefix.get(bytes(packet[:length]))
            if info is not None:
                return info
        return None

    def has_family(self, code: int) -> bool:
        """True when some command (or sub-command) starts with the code."""
        return any(info.code == code for info in self._infos)

    def extended(self, *requests: type[Request[Any]]) -> CommandTable:
        """A new table with more commands; vendor commands go this way."""
        return CommandTable(*(info.request for info in self._infos), *requests)
