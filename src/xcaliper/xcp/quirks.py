"""Quirks: what real slaves do differently, one named switch each; and what a master needs for it.

The enum is the only place that lists them. Settings switch them on (``SlaveConfig.quirks``);
:mod:`xcaliper.xcp.quirky_slave` acts on packets, the virtual ECU on memory, description and ports.
"""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from xcaliper.core.errors import NotFoundError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["ALL_COMPATIBLE", "CONFLICTS", "Quirk", "check_quirks", "quirks_named"]


class Quirk(Enum):
    """One thing that a slave does differently.

    Attributes:
        meaning: what the slave does.
        need: what a master needs to work with it all the same.
    """

    meaning: str
    need: str

    def __new__(cls, meaning: str, need: str) -> Self:
        """A member with its two sentences; the value is a running number."""
        member = object.__new__(cls)
        member._value_ = len(cls.__members__) + 1
        member.meaning, member.need = meaning, need
        return member

    CONTRADICTING_A2L = (
        (
            "The A2L says that DTOs have a two-byte identification field and an overload bit; they "
            "have a four-byte one and no such bit, as GET_DAQ_PROCESSOR_INFO says."
        ),
        "Believe the slave, and report each contradiction once.",
    )
    FILLED_DTOS = (
        "DTOs carry up to three bytes of fill behind their content, and their length counts them.",
        "Accept longer DTOs; decode by the plan and not by the length.",
    )
    STALE_RESERVED = (
        "Reserved bytes of answers keep what earlier answers had there.",
        "Never look at reserved bytes.",
    )
    PADDED_ANSWERS = (
        "Answers, errors, events and service requests are filled up to multiples of four bytes.",
        "Take answers that are longer than expected.",
    )
    COUNTED_LISTS = (
        "MAX_DAQ tells how many lists are allocated now, so it is 0 before ALLOC_DAQ.",
        "Do not plan from MAX_DAQ of a slave with dynamic lists.",
    )
    EMPTY_STOP_REFUSED = (
        "START_STOP_SYNCH to stop all is refused with ERR_DAQ_CONFIG while there are no lists.",
        "Steps that clean up take a refusal.",
    )
    SYNCHRONOUS_START_ONLY = (
        "START_STOP_DAQ_LIST cannot start a list (ERR_MODE_NOT_VALID), it can only select it.",
        "Start selected lists with START_STOP_SYNCH.",
    )
    ONE_SET_AT_A_TIME = (
        "A start while lists run is refused with ERR_DAQ_ACTIVE.",
        "Stop, plan everything together, start.",
    )
    STRICT_LIST_MODE = (
        (
            "Timestamps are fixed, so SET_DAQ_LIST_MODE without them is ERR_CMD_SYNTAX; a prescaler, "
            "direction STIM, alternating display and PID_OFF are ERR_OUT_OF_RANGE."
        ),
        "Keep to TIMESTAMP_FIXED and to PRESCALER_SUPPORTED.",
    )
    EVENT_IN_ADDRESS = (
        (
            "Measurements have addresses that hold the event: extension 2, event in the upper half, "
            "offset in the lower; a list takes those of its own event only."
        ),
        "Group signals by event before they are packed.",
    )
    PARAMETERS_NOT_MEASURED = (
        "Entries of DAQ lists that lie in calibration segments are refused with ERR_ACCESS_DENIED.",
        "Poll parameters.",
    )
    MIXED_EXTENSIONS = (
        "Neighbours in memory have different address extensions, also within one ODT.",
        "Merge neighbours only where the extension is the same.",
    )
    NANOSECOND_CLOCK = (
        "Timestamps count nanoseconds in four bytes, so they wrap after 4.29 s.",
        "Extend them by the clock, by the other lists and by the time of arrival.",
    )
    COUNTED_LOSSES = (
        (
            "Messages that found no room in the queue use up their transport counter, which answers "
            "and DTOs share: a gap tells how many messages are missing."
        ),
        "Watch the counter over all messages, not per kind.",
    )
    BURSTS = (
        "DTOs of lists without priority are held back and arrive in bursts, up to 50 ms late.",
        "Draw on the slave's time; ask for a priority where values are needed at once.",
    )
    SILENT_TAKEOVER = (
        (
            "A datagram of any other sender ends the session; CONNECT takes it over, and the first "
            "master hears nothing of it."
        ),
        "Find out by silence, within bounded time; use one socket for everything.",
    )
    BARE_CONNECT = (
        "CONNECT must be exactly two bytes; whatever comes before it is ignored.",
        "Do not fill packets up on Ethernet.",
    )
    PRIVATE_COMMANDS = (
        (
            "Command 0xC1 does nothing and is not answered; sub-commands that do not exist give "
            "ERR_CMD_UNKNOWN and not ERR_SUBCMD_UNKNOWN."
        ),
        "Trying commands costs one time-out, and both errors mean the same.",
    )
    EMPTY_IDS = (
        (
            "GET_ID answers length 0 for texts that are empty, ERR_OUT_OF_RANGE for types that it "
            "does not know, and never gives a text within the answer."
        ),
        "An empty identification is no error; take texts by UPLOAD.",
    )
    A2L_PER_RUN = (
        "The A2L differs from run to run: addresses move with each power-up, the EPK stays.",
        "Know descriptions by their content, and not by the EPK alone.",
    )
    PAGE_AS_INIT_SEGMENT = (
        "GET_PAGE_INFO answers INIT_SEGMENT 1 for every page.",
        "Do not use INIT_SEGMENT.",
    )
    DENIED_PAGES = (
        (
            "Pages and segments that do not exist give ERR_ACCESS_DENIED; COPY_CAL_PAGE only copies "
            "page 1 onto page 0, and then in all segments."
        ),
        "Error codes are hints; read back.",
    )
    SEGMENT_NAMES = (
        "GET_SEGMENT_INFO mode 0 knows a third value, the name of the segment by UPLOAD.",
        "Nothing; who wants the name may take it.",
    )
    EXTENDED_CLOCK_CLAIMED = (
        (
            "TIME_CORRELATION_PROPERTIES always claims the extended format and ignores the cluster, "
            "while GET_DAQ_CLOCK goes on as before."
        ),
        "Trust the length of the next answer to GET_DAQ_CLOCK.",
    )
    UNKNOWN_CYCLES = (
        "Events have cycle 0 and unit 0, in the slave and in the A2L.",
        "Estimate rates from timestamps; do not take such events for sporadic ones.",
    )
    LATE_STOP = (
        "The answer to a stop comes 250 ms late, and DTOs follow it.",
        "Wait longer for a stop; go on reading; tell late DTOs by the state and not by the order.",
    )
    DEAF_AFTER_CLOSE = (
        "A TCP connection that ends without DISCONNECT leaves the server deaf for good.",
        "Close with DISCONNECT, take what still comes, shut down, close.",
    )
    UNAPPLIED_WRITES = (
        (
            "Writes into calibration segments are taken and read back, but the ECU does not use "
            "them; a SERV_TEXT says so afterwards."
        ),
        "Show what the slave says; where it matters, look at what the ECU does.",
    )
    UNUSUAL_A2L = (
        (
            "The A2L has arrays to measure as CHARACTERISTIC VAL_BLK with DAQ_EVENT, limits rounded "
            "to six digits that exceed the type, UTF-8 text, and its AML only by /include."
        ),
        "Measure characteristics too and split them; tolerate limits; a missing file is a warning.",
    )
    UNKNOWN_INFO = (
        "GET_DAQ_PROCESSOR_INFO, GET_DAQ_RESOLUTION_INFO and GET_STATUS are unknown commands.",
        "Take the DAQ section of the A2L.",
    )
    SILENT_INFO = (
        "GET_DAQ_PROCESSOR_INFO, GET_DAQ_RESOLUTION_INFO and GET_STATUS are not answered.",
        "Take the DAQ section of the A2L; each costs one time-out, once, and the first one two.",
    )
    PADDED_FRAMES = (
        (
            "MAX_CTO is 8, MAX_DTO as small as the header allows, and every packet is filled up to "
            "eight bytes, each time with something else."
        ),
        "Cut every answer to its length.",
    )
    PAGE_BEFORE_WRITE = (
        (
            "Writing is refused with ERR_WRITE_PROTECTED until SET_CAL_PAGE has chosen a page for XCP "
            "in this session."
        ),
        "Choose the page that is in use, repeat the write, and say so.",
    )
    ODTS_BEFORE_ENTRIES = (
        "ALLOC_ODT_ENTRY is refused with ERR_SEQUENCE until every list has got its ODTs.",
        "Allocate lists, then all ODTs, then all entries.",
    )
    STIM_IGNORED = (
        "SET_DAQ_LIST_MODE takes direction STIM and makes the list one of direction DAQ.",
        "Read the mode back where it can be read.",
    )
    NO_EVENT_INFO = (
        "GET_DAQ_EVENT_INFO is an unknown command, and event numbers have eight bits.",
        "Take the events of the A2L.",
    )
    SECOND_CONNECT = (
        "After power-up the first CONNECT is not answered.",
        "Repeat CONNECT; no SYNCH before its first answer.",
    )
    BUSY_AFTER_WRITE = (
        (
            "A write keeps the slave busy for a second and a half, in which it answers every command "
            "with ERR_CMD_BUSY and never sends EV_CMD_PENDING."
        ),
        "Repeat for a bounded time, and say what is waited for.",
    )
    EARLY_DTOS = (
        "The answer to START_STOP_SYNCH follows the first DTOs.",
        "DTOs of lists that were set up count from the moment that the start is sent.",
    )
    DOUBLE_CONNECT = (
        "CONNECT is answered twice.",
        "Drop the second answer.",
    )

    @property
    def label(self) -> str:
        """The name as the shell knows it, ``filled-dtos``."""
        return self.name.lower().replace("_", "-")


#: Quirks that exclude each other, and why.
CONFLICTS: Final[Mapping[frozenset[Quirk], str]] = MappingProxyType(
    {
        frozenset({Quirk.UNKNOWN_INFO, Quirk.SILENT_INFO}): "a command is refused or silent",
        frozenset(
            {Quirk.CONTRADICTING_A2L, Quirk.UNKNOWN_INFO}
        ): "nobody would say what DTOs are like",
        frozenset(
            {Quirk.CONTRADICTING_A2L, Quirk.SILENT_INFO}
        ): "nobody would say what DTOs are like",
        frozenset(
            {Quirk.EVENT_IN_ADDRESS, Quirk.MIXED_EXTENSIONS}
        ): "the extension would mean two things",
    }
)


def check_quirks(quirks: Iterable[Quirk]) -> None:
    """Refuse quirks that exclude each other.

    Raises:
        SettingsError: which ones, and why.
    """
    chosen = frozenset(quirks)
    for pair, why in CONFLICTS.items():
        if pair <= chosen:
            names = " and ".join(sorted(one.label for one in pair))
            raise SettingsError("quirks", f"{names} exclude each other: {why}")


def _compatible() -> frozenset[Quirk]:
    """As many as go together; of two that do not, the one that is listed first."""
    found: set[Quirk] = set()
    for quirk in Quirk:
        if not any(quirk in pair and pair & found for pair in CONFLICTS):
            found.add(quirk)
    return frozenset(found)


#: Every quirk that goes with those listed before it.
ALL_COMPATIBLE: Final = _compatible()


def quirks_named(names: Iterable[str]) -> frozenset[Quirk]:
    """Quirks by label; ``all-compatible`` gives all that go together.

    Raises:
        NotFoundError: there is no such quirk; carries similar ones.
        SettingsError: two exclude each other.
    """
    by_label = {quirk.label: quirk for quirk in Quirk}
    found: set[Quirk] = set()
    for name in names:
        wanted = name.strip().lower().replace("_", "-")
        if wanted == "all-compatible":
            found |= ALL_COMPATIBLE
        elif wanted in by_label:
            found.add(by_label[wanted])
        else:
            near = [label for label in by_label if set(wanted.split("-")) & set(label.split("-"))]
            raise NotFoundError(name, kind="quirk", nearest=tuple(near or sorted(by_label))[:5])
    check_quirks(found)
    return frozenset(found)
