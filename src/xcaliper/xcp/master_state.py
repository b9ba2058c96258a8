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
    """What was unusual since the machine was made.

    Attributes:
        exchanges: commands that were answered.
        timeouts: attempts without an answer.
        stray: answers that nobody waited for: late, repeated, or to nothing.
        malformed: packets that fit no layout.
    """

    exchanges: int = 0
    timeouts: int = 0
    stray: int = 0
    malformed: int = 0


@dataclass(slots=True)
class Pointers:
    """Where the slave's pointers stand, as far as its answers tell.

    Attributes:
        mta: memory transfer address; None when nobody knows.
        mta_is_sure: the slave was told this address, or moved on from one that it was told. Where it
            only follows from a SHORT_ command or a checksum, slaves differ.
        daq: (DAQ list, ODT, entry) of the DAQ pointer; None when nobody knows.
    """

    mta: Address | None = None
    mta_is_sure: bool = False
    daq: tuple[int, int, int] | None = None

    def forget(self) -> None:
        """Nobody knows any more."""
        self.mta = self.daq = None
        self.mta_is_sure = False

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
            case std.Upload() | cal.Download() | pgm.Program():
                self.advance(request.count)
            case cal.DownloadMax() | pgm.ProgramMax():
                self.advance(max_cto // profile.ag - 1)
            case std.BuildChecksum():
                self.advance(request.block_size)
                self.mta_is_sure = False
            case daq.FreeDaq() | daq.AllocDaq() | daq.AllocOdt() | daq.AllocOdtEntry():
                self.daq = None
            case daq.SetDaqPtr():
                self.daq = (request.daq_list, request.odt, request.odt_entry)
            case daq.WriteDaq() | daq.ReadDaq():
                self._next_entry(1)
            case daq.WriteDaqMultiple():
                self._next_entry(request.count)
            case _ if type(request) in _LOSES_MTA:
                self.mta, self.mta_is_sure = None, False
                if isinstance(request, std.Connect | std.Disconnect):
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
