"""Programming in the slave: settings, the port to the flash, what lasts from start to reset."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, runtime_checkable

from xcaliper.core.errors import SettingsError
from xcaliper.xcp.codes import PID_ERR, ErrorCode
from xcaliper.xcp.pgm import PgmProperties
from xcaliper.xcp.slave_work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xcaliper.core.address import Address
    from xcaliper.proto.command import CommandInfo, Response
    from xcaliper.xcp.events import Event
    from xcaliper.xcp.pgm import ProgramFormat

__all__ = [
    "CAL_AREA",
    "CODE_AREA",
    "NVRAM_AREA",
    "Decoder",
    "FlashMemory",
    "ProgramBlock",
    "ProgramSettings",
    "ProgramState",
    "SectorConfig",
]

#: Areas of functional clearing and of verification *(XCP Base, PROGRAM_CLEAR, 1.0)*.
CAL_AREA: Final = 0x1
CODE_AREA: Final = 0x2
NVRAM_AREA: Final = 0x4

_MS: Final = 1_000_000
_MAX_SECTORS: Final = 0xFF
_USER_METHOD: Final = 0x80
#: What stays available while programming, though it may answer ERR_PGM_ACTIVE at other slaves.
_STAY: Final = frozenset(
    {"SET_MTA", "UPLOAD", "SHORT_UPLOAD", "BUILD_CHECKSUM", "DISCONNECT", "PROGRAM_RESET"}
)
#: What does not end a transfer; any other command does *(XCP Base, PROGRAM_FORMAT, 1.0)*.
_TRANSFER: Final = frozenset(
    {"PROGRAM", "PROGRAM_NEXT", "PROGRAM_MAX", "PROGRAM_FORMAT", "SYNCH", "GET_STATUS"}
)

#: Data of the master → bytes for the flash.
Decoder: TypeAlias = "Callable[[bytes], bytes]"


@dataclass(frozen=True, slots=True)
class SectorConfig:
    """A sector of the flash (XCP Base, GET_SECTOR_INFO, 1.0).

    Attributes:
        number: counts from 0 without holes.
        name: may be empty *(mode 2, 1.1)*.
        address: first address.
        size_bytes: length.
        clear_sequence_number: order of clearing, unique over both orders.
        program_sequence_number: order of programming.
        programming_method: 0 sequential, 0x80 to 0xFF of the maker.
        area: bits of functional access that the sector belongs to.
    """

    number: int
    name: str
    address: Address
    size_bytes: int
    clear_sequence_number: int = 0
    program_sequence_number: int = 0
    programming_method: int = 0
    area: int = CODE_AREA


@dataclass(frozen=True, slots=True)
class ProgramSettings:
    """How a slave programs its flash.

    Attributes:
        sectors: in order of number.
        absolute: access by address.
        functional: access by areas and block counter.
        decoders: (compression method, encryption method) → what makes bytes for the flash of the
            master's data; methods are 0 or 0x80 to 0xFF. Plain data (0, 0) needs none.
        compression_required: plain data is refused.
        encryption_required: plain data is refused.
        non_sequential: methods 0x80 to 0xFF of PROGRAM_FORMAT, addresses in any order.
        non_sequential_required: a method other than 0 must be named.
        max_cto: MAX_CTO_PGM in bytes, None = MAX_CTO.
        slave_block_mode: UPLOAD may be answered by several responses while programming.
        master_block_mode: PROGRAM blocks are accepted.
        max_bs: packets per block.
        min_st: separation in 100 µs.
        kernel: memory that PROGRAM_PREPARE accepts, first address and bytes; None = the command
            is unknown.
        counter_max: largest value of the functional block counter; 0 follows it.
        reset_answered: PROGRAM_RESET is answered before the slave is gone.
        start_ns: how long PROGRAM_START takes.
        clear_ns: how long clearing a sector takes.
        program_ns: how long a packet or block takes.
        verify_ns: how long PROGRAM_VERIFY takes.
        pending_ns: time from one EV_CMD_PENDING to the next meanwhile.
    """

    sectors: tuple[SectorConfig, ...]
    absolute: bool = True
    functional: bool = False
    decoders: Mapping[tuple[int, int], Decoder] = field(default_factory=dict)
    compression_required: bool = False
    encryption_required: bool = False
    non_sequential: bool = False
    non_sequential_required: bool = False
    max_cto: int | None = None
    slave_block_mode: bool = True
    master_block_mode: bool = True
    max_bs: int = 32
    min_st: int = 0
    kernel: tuple[Address, int] | None = None
    counter_max: int = 0xFF
    reset_answered: bool = True
    start_ns: int = 0
    clear_ns: int = 0
    program_ns: int = 0
    verify_ns: int = 0
    pending_ns: int = 100 * _MS

    def __post_init__(self) -> None:
        numbers = [sector.number for sector in self.sectors]
        if numbers != list(range(len(numbers))) or len(numbers) > _MAX_SECTORS:
            raise SettingsError("program.sectors", "numbers must count from 0, at most 255 sectors")
        if not (self.absolute or self.functional):
            raise SettingsError("program", "neither absolute nor functional access is possible")
        if self.pending_ns <= 0:
            raise SettingsError("program.pending_ns", f"{self.pending_ns} is not a time")
        for methods in self.decoders:
            if any(0 < method < _USER_METHOD or method > 0xFF for method in methods):
                raise SettingsError("program.decoders", f"{methods} are not 0 or 0x80 to 0xFF")

    @property
    def properties(self) -> PgmProperties:
        """PGM_PROPERTIES (XCP Base, GET_PGM_PROCESSOR_INFO, 1.0)."""
        return PgmProperties.of(
            absolute_mode=int(self.absolute),
            functional_mode=int(self.functional),
            compression_supported=int(any(one[0] for one in self.decoders)),
            compression_required=int(self.compression_required),
            encryption_supported=int(any(one[1] for one in self.decoders)),
            encryption_required=int(self.encryption_required),
            non_seq_pgm_supported=int(self.non_sequential),
            non_seq_pgm_required=int(self.non_sequential_required),
        )

    def takes(self, wanted: ProgramFormat) -> bool:
        """Whether the slave can do what PROGRAM_FORMAT asks for."""
        methods = (wanted.compression_method, wanted.encryption_method)
        compression, encryption = methods
        order = wanted.programming_method
        return (
            (methods == (0, 0) or methods in self.decoders)
            and (compression > 0 or not self.compression_required)
            and (encryption > 0 or not self.encryption_required)
            and (order == 0 or (order >= _USER_METHOD and self.non_sequential))
            and (order > 0 or not self.non_sequential_required)
            and wanted.access_method in ((0,) * self.absolute + (1,) * self.functional)
        )

    @property
    def format_required(self) -> bool:
        """True when PROGRAM without PROGRAM_FORMAT means nothing that the slave can do."""
        return (
            self.compression_required
            or self.encryption_required
            or self.non_sequential_required
            or not self.absolute
        )


@runtime_checkable
class FlashMemory(Protocol):
    """What programming works on, besides reading and writing.

    Errors are raised as :class:`~xcaliper.core.errors.NegativeResponseError`.
    """

    def clear(self, sector: SectorConfig) -> None:
        """Erase a whole sector."""
        ...

    def program(self, address: Address, data: bytes) -> None:
        """Write cells that were erased; the same bytes again do no harm."""
        ...

    def end_segment(self) -> None:
        """Write what may still be buffered."""
        ...

    def verify(self, mode: int, verification_type: int, value: int) -> bool:
        """Whether the flash is as it should be (XCP Base, PROGRAM_VERIFY, 1.0)."""
        ...


@dataclass(slots=True)
class ProgramBlock:
    """A block of PROGRAM and PROGRAM_NEXT that is not complete yet; data as on the wire."""

    total: int
    data: bytearray


class ProgramState:
    """Programming from PROGRAM_START to PROGRAM_RESET.

    Attributes:
        settings: None for a slave that cannot.
        active: between PROGRAM_START and PROGRAM_RESET.
        engaged: active, or at work on a command that takes its time.
        prepared: where PROGRAM_PREPARE announced a kernel, and its bytes.
        format: of the transfer in progress; None = all methods are 0.
        block: of a block in progress.
        cleared: sectors that were cleared since the start, in order of programming.
        stream_at: bytes of functional access that were stored in them.
        stored: counter of the functional packet that was stored last.
        restart: PROGRAM_RESET came: the ECU starts anew.
        forbidden: device code with which PROGRAM_START is refused (the vehicle moves, the voltage
            is low); None = allowed. The ECU around the slave sets it.
        accessible: False = the flash cannot be reached now. The ECU sets it as well.
    """

    def __init__(self, settings: ProgramSettings | None) -> None:
        self.settings = settings
        self.forbidden: int | None = None
        self.accessible = True
        self.restart = False
        self.reset(connected=False)

    def reset(self, *, connected: bool) -> None:  # noqa: ARG002 -- as for every area
        """Leave programming; work in progress ends."""
        self.active = False
        self.engaged = False
        self.prepared: tuple[Address, int] | None = None
        self.format: ProgramFormat | None = None
        self.block: ProgramBlock | None = None
        self.cleared: list[SectorConfig] = []
        self.stream_at = 0
        self.stored: int | None = None
        self._work = Work()

    # -- what other commands find -----------------------------------------------------------------

    def refuses(self, info: CommandInfo) -> bytes | None:
        """The refusal of a command that has no place now; None lets it pass.

        *(XCP Base, ERR_PGM_ACTIVE, 1.0)*
        """
        busy = self._work.refuses(info)
        if busy is not None:
            return busy
        if self.active and ErrorCode.ERR_PGM_ACTIVE in info.errors and info.name not in _STAY:
            return bytes((PID_ERR, ErrorCode.ERR_PGM_ACTIVE))
        if not self.accessible and info.group == "PGM":
            return bytes((PID_ERR, ErrorCode.ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE))
        return None

    def before(self, info: CommandInfo) -> None:
        """A command is about to be served: it may end block, transfer and work."""
        if info.name == "SYNCH":
            self._work.end()
            self.engaged = self.active
            self.block = None
        if info.name != "PROGRAM_NEXT":
            self.block = None
        functional = self.format is not None and self.format.access_method == 1
        if info.name not in _TRANSFER and not (functional and info.name == "SET_MTA"):
            self.format = None

    # -- work that lasts --------------------------------------------------------------------------

    def work(
        self, now_ns: int, duration_ns: int, finish: Callable[[], Response]
    ) -> Response | None:
        """Do something now, or after its time; the answer, or None when it comes later."""
        assert self.settings is not None, "only a slave that programs has work"
        answer = self._work.begin(now_ns, duration_ns, self.settings.pending_ns, finish)
        self.engaged = self.engaged or answer is None
        return answer

    def due(self) -> int | None:
        """When something is to be sent; None while nothing lasts."""
        return self._work.due()

    def on_time(self, now_ns: int) -> list[Response | Event]:
        """What is to be sent by now (XCP Base, EV_CMD_PENDING, 1.0)."""
        if not self._work:
            return []
        said = self._work.on_time(now_ns)
        if not self._work:
            self.engaged = self.active
        return said
