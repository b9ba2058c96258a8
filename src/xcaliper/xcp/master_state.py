"""What the master knows about the slave's pointers, and what it counts and tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xcaliper.core.address import Address
from xcaliper.xcp import cal, daq, pgm, std

if TYPE_CHECKING:
    from xcaliper.proto.command import Request
    from xcaliper.xcp.events import Event, Service
    from xcaliper.xcp.profile import Profile

__all__ = ["MasterCounters", "MasterEvent", "Pointers"]


@dataclass(frozen=True, slots=True)
class MasterEvent:
    """An event or service request of the slave.

    Attributes:
        t_ns: when it arrived.
        name: standard name, ``EV_DAQ_OVERLOAD`` or ``SERV_TEXT``; ``EV_`` and the code if unknown.
        content: the decoded packet; that of the last packet for texts.
        text: the whole text of SERV_TEXT.
    """

    t_ns: int
    name: str
    content: Event | Service
    text: str = ""


@dataclass(slots=True)
class MasterCounters:
    """What happened since the machine was made.

    Attributes:
        answers: responses and errors that came, whoever waited for them.
        exchanges: commands that were answered.
        timeouts: attempts without an answer.
        stray: answers that nobody waited for: late, repeated, or to nothing.
        malformed: packets that fit no layout.
        repeated_writes: commands that change memory, sent again although an attempt before may have
            been carried out: what the ECU changed there in between is then overwritten.
    """

    answers: int = 0
    exchanges: int = 0
    timeouts: int = 0
    stray: int = 0
    malformed: int = 0
    repeated_writes: int = 0


@dataclass(slots=True)
class Pointers:
    """Where the slave's pointers stand, as far as its answers tell.

    Attributes:
        mta: memory transfer address; None when nobody knows.
        mta_is_sure: the slave was told this address, or moved on from one that it was told. Where it
            only follows from a SHORT_ command or a checksum, slaves differ.
        daq: (DAQ list, ODT, entry) of the DAQ pointer; None when nobody knows.
        functional: programming counts packets and not elements.
    """

    mta: Address | None = None
    mta_is_sure: bool = False
    daq: tuple[int, int, int] | None = None
    functional: bool = False

    def forget(self) -> None:
        """Nobody knows any more."""
        self.mta = self.daq = None
        self.mta_is_sure = self.functional = False

    def doubt(self) -> None:
        """The slave may have moved on, or not; where it should be is still known."""
        self.mta_is_sure = False

    def is_at(self, request: Request[Any]) -> bool:
        """True when a SET_MTA would change nothing."""
        return (
            isinstance(request, std.SetMta)
            and self.mta_is_sure
            and self.mta == Address(request.address, request.address_extension)
        )

    def follow(self, request: Request[Any], profile: Profile, max_cto: int) -> None:
        """Move as the slave does when it has carried out a command.

        Args:
            request: the command.
            profile: of the session.
            max_cto: MAX_CTO that is in force; that of programming differs.
        """
        match request:
            case std.SetMta():
                self.mta = Address(request.address, request.address_extension)
                self.mta_is_sure = True
            case std.ShortUpload() | cal.ShortDownload():
                start = Address(request.address, request.address_extension)
                self.mta = start + request.count
                self.mta_is_sure = False
            case std.Upload() | cal.Download():
                self.advance(request.count)
            case cal.DownloadMax():
                self.advance(max_cto // profile.ag - 1)
            case std.BuildChecksum():
                self.advance(request.block_size)
                self.mta_is_sure = False
            case _ if type(request) in _LOSES_MTA:
                self.mta, self.mta_is_sure = None, False
                self.daq = None if type(request) in (std.Connect, std.Disconnect) else self.daq
            case _:
                self._follow_rest(request, profile.ag, max_cto)

    def _follow_rest(self, request: Request[Any], ag: int, max_cto: int) -> None:
        """The same for programming, where functional access counts packets, and for the DAQ pointer."""
        match request:
            case daq.SetDaqPtr():
                self.daq = (request.daq_list, request.odt, request.odt_entry)
            case daq.WriteDaq() | daq.ReadDaq():
                self._next_entry(1)
            case daq.WriteDaqMultiple():
                self._next_entry(request.count)
            case pgm.ProgramFormat():
                self.functional = request.access_method == 1
                if self.functional:
                    self.mta, self.mta_is_sure = Address(1), False
            case pgm.Program() | pgm.ProgramMax():
                full = max_cto // ag - 1
                count = request.count if isinstance(request, pgm.Program) else full
                self.advance(min(count, 1) if self.functional else count)
                if self.functional and self.mta is not None:
                    self.mta = Address(self.mta.value % _COUNTERS)
            case daq.FreeDaq() | daq.AllocDaq() | daq.AllocOdt() | daq.AllocOdtEntry():
                self.daq = None
            case _:
                pass

    def advance(self, count_ag: int) -> None:
        """The MTA has moved on by so many elements."""
        if self.mta is not None:
            self.mta += count_ag

    def _next_entry(self, steps: int) -> None:
        if self.daq is not None:
            daq_list, odt, odt_entry = self.daq
            self.daq = (daq_list, odt, odt_entry + steps)


_COUNTERS = 0x100  # block counters of functional access are bytes
#: Commands behind which the MTA points to something else, or nobody knows where.
_LOSES_MTA = frozenset(
    {
        std.Connect,
        std.Disconnect,
        std.GetId,
        std.UserCmd,
        std.TransportLayerCmd,
        daq.GetDaqEventInfo,
        pgm.ProgramStart,
        pgm.ProgramClear,
        pgm.ProgramReset,
        pgm.ProgramPrepare,
        pgm.GetSectorInfo,
    }
)
