"""The loop over every message of received bytes, in a subset of Python that numba compiles.

Nothing in here uses more than integers and arrays, so the same text runs compiled (the ``fast`` extra
replaces the primitives at the top by machine code) and as Python, which is what tests do.
State lives in int64 arrays, whose columns are named here.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

from xcaliper.xcp.framing.counter import LATE_PART

__all__ = [
    "AWAKE",
    "EMPTIED",
    "FUNCTIONS",
    "JOINED",
    "JOINS",
    "LARGE",
    "LARGEST",
    "LEAVE",
    "PIECE",
    "PRIMITIVES",
    "RECENT",
    "SLACK",
    "TIMESPEC",
    "UNTIL",
    "Conf",
    "Field",
    "Log",
    "Odt",
    "State",
    "Stop",
    "clock_ns",
    "copy_bytes",
    "drain",
    "load_u8",
    "load_u32",
    "nap",
    "receive",
    "reside",
    "scan",
]


class Conf(IntEnum):
    """Constants of a measurement, int64[len]."""

    KIND = 0  # identification field
    MASK = 1  # of the ODT number in the first byte
    HEADER = 2  # bytes of the identification field
    TIMESTAMP = 3  # bytes of the timestamp
    TIMESTAMP_AT = 4
    BIG = 5  # 1 = Motorola
    COUNTER_AT = 6  # position of the DTO counter, -1 = none
    ALIGNMENT = 7
    MAX_PACKET = 8
    STREAM = 9  # 1 = a stream, 0 = datagrams
    ID_MASK = 10  # of the identification field in four bytes, overload bit and fill byte included


class State(IntEnum):
    """What changes, int64[len]; everything from LOST on only grows until somebody takes it."""

    EXPECTED = 0  # CTR of the next message, -1 = any
    AT = 1  # next byte to look at
    SEGMENT_END = 2  # of the datagram that AT is in, -1 = AT is between two
    SEGMENT = 3  # bytes of a datagram in what was joined
    END = 4  # of what was received
    TRUSTED = 5  # 1 = this datagram is no copy of an earlier one
    SEEN = 6  # 1 = this feed has had a message
    GAP = 7  # messages missing before the next DAQ packet
    LOG = 8  # entries in the log
    FULL = 9  # 1 = a list has no room for another row
    ENDED = 10  # 1 = the peer closed the stream
    RECENT = 11  # datagrams noted
    LAP = 12  # of these, before the buffer was begun anew
    HELD = 13  # 1 = the log points into the buffer
    RUN = 14  # late messages in a row
    RUN_NEXT = 15  # CTR that would follow them
    RUN_EXPECTED = 16  # CTR that was expected meanwhile
    LONGEST = 17  # bytes of the longest datagram so far
    LOST = 18
    LATE = 19
    MESSAGES = 20
    EMPTY = 21
    MALFORMED = 22  # messages, or rests of datagrams
    DAQ = 23  # DAQ packets
    LOST_DAQ = 24  # messages missing before a DAQ packet
    SHORT = 25  # DAQ packets that are malformed
    INCOMPLETE = 26
    TAKEN = 27  # bytes received


class Field(IntEnum):
    """Columns of a list's state, int64[lists, len]."""

    FIRST_PID = 0
    ODTS = 1
    ODT_BASE = 2  # of its first ODT in the table of ODTs
    ROW_SIZE = 3
    ROWS_AT = 4  # of row 0 in the storage
    TICKS_AT = 5  # of row 0, in units of 8 bytes
    COUNTERS_AT = 6
    CAPACITY = 7
    ROW = 8  # being filled
    ODT = 9  # that comes next
    PENDING = 10  # messages lost since the row began
    SKIPPING = 11
    OVERLOAD = 12


class Odt(IntEnum):
    """Columns of the table of ODTs, int64[ODTs, len]."""

    PLANNED = 0  # bytes of the packet, at least
    DATA_AT = 1
    SIZE = 2
    ROW_AT = 3


class Log(IntEnum):
    """Kinds of log entries, int64[n, 4]: kind and what is said here."""

    OTHER = 0  # position and size of a packet that is not DAQ, how far it is behind EXPECTED
    GAP = 1  # messages missing, 1 = the first message of the feed
    BLAME = 2  # list, row, messages
    SEQUENCE = 3  # list, row
    OVERLOAD = 4  # list, row
    UNKNOWN = 5  # value of the identifying bytes


class Stop(IntEnum):
    """Why a scan came back."""

    DONE = 0
    LOG_FULL = 1
    ROWS_FULL = 2
    SUSPECT = 3  # a datagram that might be a copy


# Primitives: what the compiled tier replaces.


def load_u8(buffer: Any, at: int) -> int:
    """One byte of uint8[n]."""
    return int(buffer[at])


def load_u32(buffer: Any, at: int) -> int:
    """Four bytes of uint8[n], little endian."""
    return int.from_bytes(buffer[at : at + 4].tobytes(), "little")


def copy_bytes(target: Any, target_at: int, source: Any, source_at: int, size: int) -> None:
    """Bytes from one uint8[n] into another."""
    target[target_at : target_at + size] = source[source_at : source_at + size]


def receive(descriptor: int, buffer: Any, at: int, room: int, control: Any) -> int:
    """Bytes of the next datagrams or piece, 0 at the end of a stream, negative when none waits.

    ``control[0]`` gets the bytes of each datagram where several were joined, else 0; ``control[2]``
    says whether that can be.
    """
    del descriptor, buffer, at, room, control
    return -1


def clock_ns(control: Any) -> int:
    """Monotonic time; without machine code it is always time to leave."""
    return int(control[UNTIL])


def nap(control: Any) -> None:
    """Wait for the next tick, or until somebody wants :func:`reside` to end."""
    del control


#: Datagrams that are remembered, to know a copy by.
RECENT: Final = 16
#: Messages in a row that can be late.
MOST_LATE: Final = 0x1_0000 // LATE_PART
#: Bytes at the end of the buffer that are never received into, so that words can be read anywhere.
SLACK: Final = 64
#: Bytes of the buffer that datagrams go through, at least; more where it takes more to remember them.
WINDOW: Final = 48 << 10
#: Bytes of the buffer that a stream goes through, and of one receive; half of a usual second-level cache.
PIECE: Final = 256 << 10
#: Bytes of the largest datagram, joined ones included.
LARGEST: Final = 65536
#: Word of the control block that is 1 where the system may have joined datagrams.
JOINED: Final = 2
#: Words of the control block: 1 = leave, the time to leave, and bytes of a turn without a nap.
LEAVE: Final = 24
UNTIL: Final = 25
#: Time until which a stay looks again and again instead of sleeping: an answer is soon there, and
#: going to sleep for it costs more than looking.
AWAKE: Final = 34
#: Where ``clock_ns`` leaves the seconds and nanoseconds that it has read.
TIMESPEC: Final = 32
LARGE: Final = 26
#: Receives of several datagrams, and 1 = nothing waited any more; both only grow.
JOINS: Final = 35
EMPTIED: Final = 36
#: Receives in one drain.
MAX_RECEIVES: Final = 4096
#: Turns of one stay.
MAX_TURNS: Final = 1 << 20

PRIMITIVES: Final = ("load_u8", "load_u32", "copy_bytes", "receive", "clock_ns", "nap")

# Columns as plain globals: an enum inside a compiled function is slower to compile.

_KIND, _MASK, _HEADER = int(Conf.KIND), int(Conf.MASK), int(Conf.HEADER)
_TIMESTAMP, _TIMESTAMP_AT, _BIG = int(Conf.TIMESTAMP), int(Conf.TIMESTAMP_AT), int(Conf.BIG)
_COUNTER_AT, _ALIGNMENT = int(Conf.COUNTER_AT), int(Conf.ALIGNMENT)
_MAX_PACKET, _STREAM = int(Conf.MAX_PACKET), int(Conf.STREAM)
_ID_MASK = int(Conf.ID_MASK)

_EXPECTED, _AT, _SEGMENT_END = int(State.EXPECTED), int(State.AT), int(State.SEGMENT_END)
_SEGMENT, _END, _TRUSTED, _SEEN = map(int, (State.SEGMENT, State.END, State.TRUSTED, State.SEEN))
_GAP, _LOG, _FULL, _ENDED = int(State.GAP), int(State.LOG), int(State.FULL), int(State.ENDED)
_RECENT, _LAP, _HELD, _TAKEN = map(int, (State.RECENT, State.LAP, State.HELD, State.TAKEN))
_RUN, _RUN_NEXT, _RUN_EXPECTED = map(int, (State.RUN, State.RUN_NEXT, State.RUN_EXPECTED))
_LONGEST = int(State.LONGEST)
_LOST, _LATE, _MESSAGES = int(State.LOST), int(State.LATE), int(State.MESSAGES)
_EMPTY, _MALFORMED, _DAQ = int(State.EMPTY), int(State.MALFORMED), int(State.DAQ)
_LOST_DAQ, _SHORT, _INCOMPLETE = map(int, (State.LOST_DAQ, State.SHORT, State.INCOMPLETE))

_FIRST_PID, _ODTS, _ODT_BASE = int(Field.FIRST_PID), int(Field.ODTS), int(Field.ODT_BASE)
_ROW_SIZE, _ROWS_AT, _TICKS_AT = int(Field.ROW_SIZE), int(Field.ROWS_AT), int(Field.TICKS_AT)
_COUNTERS_AT, _CAPACITY, _ROW = int(Field.COUNTERS_AT), int(Field.CAPACITY), int(Field.ROW)
_ODT, _PENDING = int(Field.ODT), int(Field.PENDING)
_SKIPPING, _OVERLOAD = int(Field.SKIPPING), int(Field.OVERLOAD)

_PLANNED, _DATA_AT, _SIZE, _ROW_AT = map(int, (Odt.PLANNED, Odt.DATA_AT, Odt.SIZE, Odt.ROW_AT))

_LOG_OTHER, _LOG_GAP, _LOG_BLAME = int(Log.OTHER), int(Log.GAP), int(Log.BLAME)
_LOG_SEQUENCE, _LOG_OVERLOAD = int(Log.SEQUENCE), int(Log.OVERLOAD)
_LOG_UNKNOWN = int(Log.UNKNOWN)

_DONE, _LOG_FULL = int(Stop.DONE), int(Stop.LOG_FULL)
_ROWS_FULL, _SUSPECT = int(Stop.ROWS_FULL), int(Stop.SUSPECT)

_SERV = 0xFC  # RES, ERR, EV and SERV are from here on


def _note(log: Any, state: Any, kind: int, first: int, second: int, third: int) -> None:
    entry = state[_LOG]
    log[entry, 0] = kind
    log[entry, 1] = first
    log[entry, 2] = second
    log[entry, 3] = third
    state[_LOG] = entry + 1


def _see(state: Any, log: Any, counter: int) -> int:
    """A CTR that is not the expected one; gives how far behind a late one is, else 0."""
    expected = state[_EXPECTED]
    if expected >= 0:
        missing = (counter - expected) & 0xFFFF
        if missing >= 0x8000:
            state[_LATE] += 1
            if counter == state[_RUN_NEXT] and expected == state[_RUN_EXPECTED]:
                state[_RUN] += 1
            else:
                state[_RUN] = 1
            state[_RUN_NEXT] = (counter + 1) & 0xFFFF
            state[_RUN_EXPECTED] = expected
            if state[_RUN] < MOST_LATE:
                return int(0x1_0000 - missing)
            state[_LATE] -= state[_RUN]  # too many for that: they are behind a long gap
            missing -= state[_RUN] - 1
        state[_LOST] += missing
        state[_GAP] += missing
        _note(log, state, _LOG_GAP, missing, 1 - state[_SEEN], 0)
    state[_EXPECTED] = (counter + 1) & 0xFFFF
    return 0


def _blame_all(state: Any, lists: Any, log: Any) -> None:
    """Messages are missing, nobody knows of which list."""
    lost = state[_GAP]
    state[_GAP] = 0
    state[_LOST_DAQ] += lost
    for which in range(lists.shape[0]):
        _note(log, state, _LOG_BLAME, which, lists[which, _ROW], lost)
        if lists[which, _ODT]:
            lists[which, _PENDING] += lost
            if lists[which, _PENDING] >= lists[which, _ODTS]:
                state[_INCOMPLETE] += 1
                lists[which, _ODT] = 0
                lists[which, _PENDING] = 0
                lists[which, _SKIPPING] = 1


def _begin_row(  # arrays are the only state there is
    buffer: Any, start: int, conf: Any, lists: Any, which: int, rows: Any, ticks: Any
) -> None:
    """Take timestamp and counter of a first ODT."""
    row = lists[which, _ROW]
    size = conf[_TIMESTAMP]
    if size:
        at = start + conf[_TIMESTAMP_AT]
        value = 0
        if conf[_BIG]:
            for byte in range(size):
                value = value << 8 | load_u8(buffer, at + byte)
        elif size == 4:
            value = load_u32(buffer, at)
        else:
            for byte in range(size):
                value |= load_u8(buffer, at + byte) << (8 * byte)
        ticks[lists[which, _TICKS_AT] + row] = value
    if conf[_COUNTER_AT] >= 0:
        rows[lists[which, _COUNTERS_AT] + row] = load_u8(buffer, start + conf[_COUNTER_AT])
    lists[which, _OVERLOAD] = 0


def _irregular(state: Any, lists: Any, which: int, log: Any, usable: bool) -> None:  # noqa: FBT001
    """A DTO that does not continue the cycle of its list."""
    if not usable:
        state[_SHORT] += 1
    if lists[which, _ODT] or not lists[which, _SKIPPING]:
        state[_INCOMPLETE] += 1
        _note(log, state, _LOG_SEQUENCE, which, lists[which, _ROW], 1)
    lists[which, _ODT] = 0
    lists[which, _PENDING] = 0
    lists[which, _SKIPPING] = 1


def _finish_row(state: Any, lists: Any, which: int, log: Any) -> None:
    row = lists[which, _ROW]
    if lists[which, _OVERLOAD]:
        _note(log, state, _LOG_OVERLOAD, which, row, 0)
    lists[which, _ROW] = row + 1
    lists[which, _ODT] = 0
    lists[which, _PENDING] = 0
    if row + 1 >= lists[which, _CAPACITY]:
        state[_FULL] = 1


def _take(  # arrays are the only state there is
    buffer: Any,
    start: int,
    size: int,
    conf: Any,
    state: Any,
    routes: Any,
    lists: Any,
    odts: Any,
    rows: Any,
    ticks: Any,
    log: Any,
) -> int:
    """One DAQ packet; gives its list when it is as it should be, else -1."""
    if state[_GAP]:
        _blame_all(state, lists, log)
    if size < conf[_HEADER]:
        state[_SHORT] += 1
        return -1
    kind = conf[_KIND]
    head = load_u8(buffer, start)
    if kind == 1:
        key = load_u8(buffer, start + 1)
    elif kind == 0:
        key = head
    elif kind == 2:
        key = load_u8(buffer, start + 1) | load_u8(buffer, start + 2) << 8
    else:
        key = load_u8(buffer, start + 2) | load_u8(buffer, start + 3) << 8
    which: int = routes[key]
    if which < 0:
        _note(log, state, _LOG_UNKNOWN, key, 0, 0)
        return -1
    odt = (head & conf[_MASK]) - lists[which, _FIRST_PID]
    known = 0 <= odt < lists[which, _ODTS]
    place = lists[which, _ODT_BASE] + odt if known else 0
    usable = known and size >= odts[place, _PLANNED]
    if not usable or odt != lists[which, _ODT] or (odt and lists[which, _SKIPPING]):
        _irregular(state, lists, which, log, usable)
        if not usable or odt:
            return -1
    if odt == 0:
        lists[which, _SKIPPING] = 0
        _begin_row(buffer, start, conf, lists, which, rows, ticks)
    copy_bytes(
        rows,
        lists[which, _ROWS_AT]
        + lists[which, _ROW] * lists[which, _ROW_SIZE]
        + odts[place, _ROW_AT],
        buffer,
        start + odts[place, _DATA_AT],
        odts[place, _SIZE],
    )
    lists[which, _OVERLOAD] |= head & (conf[_MASK] ^ 0xFF)
    lists[which, _ODT] = odt + 1
    return which


def _go_on(  # arrays are the only state there is
    buffer: Any,
    at: int,
    end: int,
    identity: int,
    which: int,
    conf: Any,
    state: Any,
    lists: Any,
    odts: Any,
    rows: Any,
) -> int:
    """Take the messages that continue a cycle exactly as expected; gives where it stopped.

    Args:
        buffer: as for scan(), and so are conf, state, lists, odts, rows.
        at: where the next message begins.
        end: of the datagram, or of what was received.
        identity: identification field of the ODT that comes next, in four bytes.
        which: list.
    """
    odt, count = lists[which, _ODT], lists[which, _ODTS]
    place = lists[which, _ODT_BASE] + odt
    target = lists[which, _ROWS_AT] + lists[which, _ROW] * lists[which, _ROW_SIZE]
    expected, id_mask = state[_EXPECTED], conf[_ID_MASK]
    alignment, max_packet = conf[_ALIGNMENT], conf[_MAX_PACKET]
    begun = odt
    while odt < count and end - at >= 8:
        header = load_u32(buffer, at)
        size = header & 0xFFFF
        start = at + 4
        if (
            header >> 16 != expected
            or load_u32(buffer, start) & id_mask != identity
            or size < odts[place, _PLANNED]
            or start + size > end
            or size > max_packet
        ):
            break
        copy_bytes(
            rows,
            target + odts[place, _ROW_AT],
            buffer,
            start + odts[place, _DATA_AT],
            odts[place, _SIZE],
        )
        expected = (expected + 1) & 0xFFFF
        identity += 1
        odt += 1
        place += 1
        at = start + size
        if alignment > 1:
            at += -(size + 4) % alignment
    state[_EXPECTED] = expected
    state[_MESSAGES] += odt - begun
    state[_DAQ] += odt - begun
    lists[which, _ODT] = odt
    return at


def scan(  # arrays are the only state there is
    buffer: Any,
    conf: Any,
    state: Any,
    routes: Any,
    lists: Any,
    odts: Any,
    rows: Any,
    ticks: Any,
    log: Any,
) -> int:
    """Take the whole messages from AT to SEGMENT_END; gives why it stopped.

    Args:
        buffer: uint8[n], what was received; four bytes behind it belong to it.
        conf: int64, see Conf.
        state: int64, see State.
        routes: int32[256] or int32[65536], identifying bytes → list or -1.
        lists: int64[lists, fields], see Field.
        odts: int64[ODTs, fields], see Odt.
        rows: uint8[n], storage of rows and counters.
        ticks: int64[n/8], the same storage; timestamps as sent.
        log: int64[n, 4], see Log.
    """
    at = state[_AT]
    end = state[_SEGMENT_END]
    most_log = log.shape[0] - lists.shape[0] - 4
    alignment, max_packet = conf[_ALIGNMENT], conf[_MAX_PACKET]
    id_mask, overload = conf[_ID_MASK], conf[_MASK] ^ 0xFF
    why = _DONE
    while end - at >= 4:
        if state[_LOG] > most_log:
            why = _LOG_FULL
            break
        header = load_u32(buffer, at)
        size = header & 0xFFFF
        start = at + 4
        stop = start + size
        if stop > end or size > max_packet:
            break
        counter = header >> 16
        behind = 0
        if counter == state[_EXPECTED]:
            state[_EXPECTED] = (counter + 1) & 0xFFFF
        else:
            behind = _see(state, log, counter)
        state[_SEEN] = 1
        at = stop
        if alignment > 1:
            at += -(size + 4) % alignment
        if size == 0:
            state[_EMPTY] += 1
            continue
        state[_MESSAGES] += 1
        if load_u8(buffer, start) >= _SERV:
            _note(log, state, _LOG_OTHER, start, size, behind)
            state[_HELD] = 1
            continue
        state[_DAQ] += 1
        which = _take(buffer, start, size, conf, state, routes, lists, odts, rows, ticks, log)
        if which < 0:
            continue
        if lists[which, _ODT] < lists[which, _ODTS]:
            identity = (load_u32(buffer, start) & id_mask & ~overload) + 1
            at = _go_on(buffer, at, end, identity, which, conf, state, lists, odts, rows)
        if lists[which, _ODT] == lists[which, _ODTS]:
            _finish_row(state, lists, which, log)
            if state[_FULL]:
                why = _ROWS_FULL
                break
    state[_AT] = at
    return why


def _next_datagram(buffer: Any, state: Any, recent: Any) -> bool:
    """Go to the next datagram of what was received; False when it might be a copy."""
    begin = state[_AT]
    end = min(begin + state[_SEGMENT], state[_END])
    if end - begin > 4:
        if state[_EXPECTED] != load_u32(buffer, begin) >> 16 and not state[_TRUSTED]:
            return False
        place = state[_RECENT] % RECENT
        recent[place, 0] = begin
        recent[place, 1] = end
        state[_RECENT] += 1
    state[_SEGMENT_END] = end
    return True


def _begin_anew(buffer: Any, state: Any) -> int:
    """Bring what a stream has left over to the front of the buffer; gives its size."""
    at, end = state[_AT], state[_END]
    rest = max(end - at, 0)
    if rest > at:  # it would overwrite itself
        return int(end)
    copy_bytes(buffer, 0, buffer, at, rest)
    state[_AT] = max(at - end, 0)
    state[_END] = rest
    return int(rest)


def _receive_more(  # arrays are the only state there is
    descriptor: int, limit: int, control: Any, buffer: Any, conf: Any, state: Any
) -> bool:
    """Put what waits into the buffer; False when nothing does.

    Bytes go through a small part of it again and again, which stays in the cache.
    """
    end = state[_END]
    if conf[_STREAM]:
        if end >= PIECE and not state[_HELD]:
            end = _begin_anew(buffer, state)
        room = min(buffer.shape[0] - SLACK - end, limit - state[_TAKEN], PIECE)
        if room <= 0:
            return False
    else:
        # Those that are remembered lie behind what the next receive may overwrite.
        kept = RECENT * state[_LONGEST] + (LARGEST if control[JOINED] else state[_LONGEST])
        if end >= max(WINDOW, kept) and not state[_HELD]:
            end = 0
            state[_LAP] = state[_RECENT]
        room = buffer.shape[0] - SLACK - end
        if room < LARGEST:
            return False
    size = receive(descriptor, buffer, end, room, control)
    if size < 0:
        control[EMPTIED] = 1
        return False
    if not conf[_STREAM]:
        state[_AT] = end
        state[_SEGMENT] = size
        if control[0]:
            state[_SEGMENT] = control[0]
            control[JOINS] += 1
        state[_LONGEST] = max(state[_LONGEST], state[_SEGMENT])
    elif size == 0:
        state[_ENDED] = 1
        return False
    state[_END] = end + size
    state[_TAKEN] += size
    return True


def drain(  # arrays are the only state there is
    descriptor: int,
    limit: int,
    control: Any,
    buffer: Any,
    conf: Any,
    state: Any,
    routes: Any,
    lists: Any,
    odts: Any,
    rows: Any,
    ticks: Any,
    log: Any,
    recent: Any,
) -> int:
    """Scan what was received and receive more until nothing waits; gives why it stopped.

    Args:
        descriptor: of a socket, negative = scan only.
        limit: bytes after which nothing more is received.
        control: int64, belongs to ``receive``.
        buffer: uint8[n], what was received.
        conf: as for :func:`scan`, and so are state, routes, lists, odts, rows, ticks, log.
        recent: int64[RECENT, 2], begin and end of the latest datagrams, in a circle.
    """
    stream = conf[_STREAM]
    for _ in range(MAX_RECEIVES):
        while state[_AT] < state[_END] or state[_SEGMENT_END] >= 0:
            if stream:
                state[_SEGMENT_END] = state[_END]
            elif state[_SEGMENT_END] < 0 and not _next_datagram(buffer, state, recent):
                return _SUSPECT
            why = scan(buffer, conf, state, routes, lists, odts, rows, ticks, log)
            if why != _DONE:
                return why
            if stream:
                break
            if state[_AT] < state[_SEGMENT_END]:
                state[_MALFORMED] += 1
            state[_AT] = state[_SEGMENT_END]
            state[_SEGMENT_END] = -1
            state[_TRUSTED] = 0
        if descriptor < 0 or state[_TAKEN] >= limit:
            return _DONE
        if not _receive_more(descriptor, limit, control, buffer, conf, state):
            return _DONE
    return _DONE


def reside(  # arrays are the only state there is
    descriptor: int,
    hold: int,
    control: Any,
    buffer: Any,
    conf: Any,
    state: Any,
    routes: Any,
    lists: Any,
    odts: Any,
    rows: Any,
    ticks: Any,
    log: Any,
    recent: Any,
) -> int:
    """Go on receiving tick by tick; gives why it stopped.

    The interpreter is not needed meanwhile, so a thread that keeps it delays nothing. It ends at the
    time UNTIL, when somebody sets LEAVE, and with the first packet that is not DAQ.

    Args:
        descriptor: of a socket.
        hold: bytes between two looks at LEAVE.
        control: int64, belongs to the primitives.
        buffer: as for :func:`drain`, and so is everything behind it.
        conf: see there.
        state: see there.
        routes: see there.
        lists: see there.
        odts: see there.
        rows: see there.
        ticks: see there.
        log: see there.
        recent: see there.
    """
    for _ in range(MAX_TURNS):
        before = state[_TAKEN]
        why = drain(
            descriptor,
            before + hold,
            control,
            buffer,
            conf,
            state,
            routes,
            lists,
            odts,
            rows,
            ticks,
            log,
            recent,
        )
        if why != _DONE or state[_HELD] or state[_ENDED] or control[LEAVE]:
            return why
        now = clock_ns(control)
        if now >= control[UNTIL]:
            return why
        if now >= control[AWAKE] and state[_TAKEN] - before <= control[LARGE]:
            nap(control)
    return _DONE


#: Every function of the loop, callees first.
FUNCTIONS: Final = (
    "_note",
    "_see",
    "_blame_all",
    "_begin_row",
    "_irregular",
    "_finish_row",
    "_take",
    "_go_on",
    "scan",
    "_next_datagram",
    "_begin_anew",
    "_receive_more",
    "drain",
    "reside",
)
