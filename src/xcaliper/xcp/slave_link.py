"""What the commands of a transport work on: CAN identifiers, endpoints, FlexRay buffers, IP address."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from xcaliper.core.errors import SettingsError
from xcaliper.xcp.tlcmd import (
    CAN_COMMANDS,
    ETH_COMMANDS,
    FLEXRAY_COMMANDS,
    USB_COMMANDS,
    CanIdentifier,
    FlxPacketTypes,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.proto.command import Request

__all__ = [
    "CanLink",
    "EthLink",
    "EthPort",
    "FlexRayLink",
    "FlxBuffer",
    "LinkReply",
    "LinkSettings",
    "LinkState",
    "UsbLink",
    "commands_of",
]

_MAC_BYTES: Final = 6
_MAX_IDENTIFIER: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class CanLink:
    """A slave on CAN (XCP on CAN, 1.0).

    Attributes:
        can_id: identifier that it listens to for CMD and STIM.
        daq_ids: list → its own identifier from the start; others use that of responses.
        fixed: lists whose identifier cannot be changed.
        allowed: identifiers that SET_DAQ_ID may give; empty = any.
        response_id: identifier that it answers with, also that of lists without their own.
    """

    can_id: CanIdentifier
    daq_ids: Mapping[int, CanIdentifier] = field(default_factory=lambda: MappingProxyType({}))
    fixed: frozenset[int] = frozenset()
    allowed: frozenset[int] = frozenset()
    response_id: CanIdentifier = field(default_factory=lambda: CanIdentifier(0))

    def __post_init__(self) -> None:
        for number in (self.can_id, self.response_id, *self.daq_ids.values(), *self.allowed):
            if not 0 <= number <= _MAX_IDENTIFIER:
                raise SettingsError("link.can_id", f"{number} has more than 32 bits")


@dataclass(frozen=True, slots=True)
class UsbLink:
    """A slave on USB (XCP on USB, 1.0).

    Attributes:
        endpoint: IN endpoint for responses, which lists use unless told otherwise.
        daq_endpoints: IN endpoints that SET_DAQ_EP may give, beside the first.
        fixed: lists whose endpoint cannot be changed.
    """

    endpoint: int = 0x81
    daq_endpoints: frozenset[int] = frozenset()
    fixed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class FlxBuffer:
    """A FlexRay buffer and what it is bound to (XCP on FlexRay, FLX_ASSIGN, 1.0).

    Attributes:
        number: FLX_BUF.
        max_length: MAX_FLX_LEN_BUF, bytes; FLX_ASSIGN may only lower it.
        packet_types: what it carries; 0 = not assigned.
        slot_id: of the LPDU.
        offset: of the LPDU, 0 to 63 cycles.
        cycle_repetition: of the LPDU, 1, 2, 4 … 64 cycles.
        channel: 0 A, 1 B.
        header_crc: matches slot and length.
        active: events and services may be sent in it.
    """

    number: int
    max_length: int = 254
    packet_types: FlxPacketTypes = field(default_factory=lambda: FlxPacketTypes(0))
    slot_id: int = 0
    offset: int = 0
    cycle_repetition: int = 1
    channel: int = 0
    header_crc: int = 0
    active: bool = False


@dataclass(frozen=True, slots=True)
class FlexRayLink:
    """A slave on FlexRay: buffers as they are before CONNECT (XCP on FlexRay, 1.0).

    Attributes:
        buffers: each number once; those of CMD and RES/ERR cannot be moved.
        fixed: lists whose buffers cannot be changed.
    """

    buffers: tuple[FlxBuffer, ...]
    fixed: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        numbers = {buffer.number for buffer in self.buffers}
        if len(numbers) != len(self.buffers):
            raise SettingsError("link.buffers", "a buffer stands twice")


class EthPort(NamedTuple):
    """Where a slave listens: numeric IPv4 address, port, and whether that is TCP."""

    ip: str
    port: int
    tcp: bool


@dataclass(frozen=True, slots=True)
class EthLink:
    """A slave on Ethernet that can be found (XCP on Ethernet, GET_SLAVE_ID, 1.1).

    Attributes:
        mac: six bytes.
        ports: where it listens; one answer tells of each.
        settable: SET_SLAVE_IP_ADDRESS changes the address that is told.
    """

    mac: bytes = bytes(_MAC_BYTES)
    ports: tuple[EthPort, ...] = ()
    settable: bool = False

    def __post_init__(self) -> None:
        if len(self.mac) != _MAC_BYTES:
            raise SettingsError("link.mac", f"{len(self.mac)} bytes are not {_MAC_BYTES}")


LinkSettings: TypeAlias = CanLink | UsbLink | FlexRayLink | EthLink

_COMMANDS: Final[Mapping[type, tuple[type[Request[Any]], ...]]] = MappingProxyType(
    {
        CanLink: CAN_COMMANDS,
        UsbLink: USB_COMMANDS,
        FlexRayLink: FLEXRAY_COMMANDS,
        EthLink: ETH_COMMANDS,
    }
)


def commands_of(link: LinkSettings) -> tuple[type[Request[Any]], ...]:
    """The sub-commands of TRANSPORT_LAYER_CMD on a link, for ``COMMANDS.extended``."""
    return _COMMANDS[type(link)]


class LinkReply(NamedTuple):
    """An answer that goes to an address which the request named, not to a session."""

    ip: str
    port: int
    packet: bytes


class LinkState:
    """How the link is set up in this session.

    Attributes:
        settings: None for a slave whose transport has no commands.
        daq_ids: CAN identifiers of lists that have their own.
        daq_endpoints: USB endpoints of lists that have their own.
        buffers: FlexRay buffers by number, as they are now.
        daq_buffers: FlexRay buffers of lists that have their own.
        echoed: a GET_SLAVE_ID of mode 0 came directly before.
        ip: address that SET_SLAVE_IP_ADDRESS gave; empty = as in the settings. Sessions do not
            change it.
        replies: answers of discovery that wait for the transport.
    """

    def __init__(self, settings: LinkSettings | None) -> None:
        self.settings = settings
        self.ip = ""
        self.echoed = False
        self.replies: list[LinkReply] = []
        self.reset(connected=False)

    def reset(self, *, connected: bool) -> None:  # noqa: ARG002 -- as for every area
        """Everything is as configured again."""
        settings = self.settings
        self.daq_ids = dict(settings.daq_ids) if isinstance(settings, CanLink) else {}
        self.daq_endpoints: dict[int, int] = {}
        buffers = settings.buffers if isinstance(settings, FlexRayLink) else ()
        self.buffers = {buffer.number: buffer for buffer in buffers}
        self.daq_buffers: dict[int, tuple[int, ...]] = {}

    def before(self, name: str) -> None:
        """A command is about to be served: only directly behind an echo may a slave confirm it."""
        if name != "GET_SLAVE_ID":
            self.echoed = False

    @property
    def ports(self) -> tuple[EthPort, ...]:
        """Where the slave listens now."""
        if not isinstance(self.settings, EthLink):
            return ()
        ports = self.settings.ports
        return tuple(EthPort(self.ip, port.port, port.tcp) for port in ports) if self.ip else ports
