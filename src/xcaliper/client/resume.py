"""Measurements that an ECU keeps: stored lists, found running again after its start, and decoded."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from xcaliper.client.selection import Selection
from xcaliper.client.together import make_measurement
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    IntegrityError,
    LinkError,
    RemoteProtocolError,
    ResumeError,
    SourceError,
    UsageError,
)
from xcaliper.core.frames import DtoBatch
from xcaliper.daq.saved_plan import SavedPlan, session_configuration_id
from xcaliper.xcp.procedures import daq_setup, store
from xcaliper.xcp.procedures.connect import connect as connect_procedure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from xcaliper.client.calculated import Calculated
    from xcaliper.client.connection import Connection
    from xcaliper.client.measurement import Measurement
    from xcaliper.client.recording import Record
    from xcaliper.client.selection import PlanOptions
    from xcaliper.daq.plan import DaqPlan
    from xcaliper.daq.timeline import ClockReading
    from xcaliper.transport.pump import Link
    from xcaliper.xcp.procedures.connect import Session
    from xcaliper.xcp.procedures.store import StoreStatus

__all__ = [
    "EarlyPackets",
    "ResumedLists",
    "adopt",
    "clear_stored",
    "load_saved",
    "store_measurement",
    "wait_for",
    "wait_stored",
]

#: Bytes of DAQ packets that may wait until a measurement takes them.
MAX_EARLY_BYTES: Final = 128 << 20
_OVERHEAD: Final = 64
_FIRST_PAUSE_S: Final = 0.01
_LONGEST_PAUSE_S: Final = 0.25
_LOOK_S: Final = 0.05
_ANSWER_S: Final = 1.0
_MAX_WAIT_S: Final = 7 * 86_400.0


class EarlyPackets:
    """Keeps DAQ packets from the first one on until a measurement takes them; bounded.

    What finds no room is counted and handed over as a gap.
    """

    def __init__(self, max_bytes: int = MAX_EARLY_BYTES) -> None:
        self._lock = threading.Lock()
        self._sink: Callable[[DtoBatch], object] | None = None
        self._kept: list[DtoBatch] = []
        self._room = max_bytes
        self._missed = DtoBatch(0)

    def put(self, batch: DtoBatch) -> None:
        """Take packets; called by whoever delivers them."""
        with self._lock:
            if self._sink is not None:
                self._sink(batch)
                return
            self._room -= sum(map(len, batch.packets)) + _OVERHEAD * len(batch.packets)
            if self._room > 0:
                self._kept.append(batch)
            else:
                missed = len(batch.packets) + sum(count for _, count in batch.lost)
                before = sum(count for _, count in self._missed.lost)
                self._missed = DtoBatch(batch.t_ns, lost=[(0, before + missed)])

    def hand_over(self, sink: Callable[[DtoBatch], object]) -> None:
        """Give everything so far to a function, and what comes from now on as it comes."""
        with self._lock:
            kept, self._kept = self._kept, []
            for batch in kept:
                sink(batch)
            if self._missed.lost:
                sink(self._missed)
            self._sink = sink


class ResumedLists:
    """DAQ lists that a slave runs since its start; made by ``connect(…, resume=…)``.

    Attributes:
        saved: what they are.
        compared: True when mode and entries of the lists were read and are the stored ones; False
            when the slave does not show the entries.
    """

    def __init__(
        self, connection: Connection, saved: SavedPlan, early: EarlyPackets, *, compared: bool
    ) -> None:
        self.saved = saved
        self.compared = compared
        self.early = early
        self._connection = connection

    def __repr__(self) -> str:
        names, number = self.saved.names, self.saved.session_configuration_id
        return f"<ResumedLists {number:#06x}, {len(names)} signals>"

    def start_reading(self) -> ClockReading | None:
        """The slave's clock at its power-up, on the host's time; None when it does not tell.

        EV_RESUME_MODE carries the clock, and how long that is ago tells the clock now.
        """
        from xcaliper.daq.timeline import ClockReading

        port, clock = self._connection.port, self.saved.plan.clock
        ticks = port.resume_ticks()
        now = port.read_clock(clock) if clock is not None else None
        if clock is None or ticks is None or now is None:
            return None
        since = (now.ticks - ticks) % clock.modulus
        return ClockReading(ticks, now.t_ns - int(since * clock.tick_ns))

    def measure(  # options by name
        self,
        *,
        duration_s: float | None = None,
        record: Record | Sequence[Record] | None = None,
        overwrite: bool = False,
        raw: bool = False,
        keep: bool = True,
        calculated: Calculated | None = None,
        reconnect: bool | float = False,
    ) -> Measurement:
        """A measurement of the running lists, from the first packet that came; nothing is set up.

        Options are those of ``Connection.measure``. Its end stops the lists, and they stay stored.

        Raises:
            UsageError: another measurement is running, or these lists have been measured already.
        """
        connection = self._connection
        connection.port.check_free()
        if connection.port.resumed is not self:
            raise UsageError(
                "resume: these lists have been taken already.",
                hint="Start the ECU again, or make a new measurement with measure().",
            )
        signals = connection.memory.signals(self.saved.names)
        selection = Selection(signals, self.saved.plan, connection=connection)
        return make_measurement(
            [("", selection)],
            duration_s=duration_s,
            record=record,
            overwrite=overwrite,
            raw=raw,
            keep=keep,
            calculated=calculated,
            reconnect=reconnect,
        )


# -- storing ---------------------------------------------------------------------------------------


def store_measurement(  # what to store, how, and where the plan goes
    connection: Connection,
    names: str | Iterable[str],
    *,
    resume: bool,
    file: str | Path | None,
    timeout_s: float,
    options: PlanOptions,
) -> SavedPlan:
    """See :meth:`~xcaliper.client.connection.Connection.store_measurement`."""
    connection.port.check_free()
    plan = connection.select(names, **options).plan
    _check_storable(connection, plan, resume=resume)
    link = connection.link
    pids = link.run(daq_setup.setup(connection.session, plan.lists, habits=connection.port.habits))
    saved = SavedPlan(
        session_configuration_id=session_configuration_id(plan),
        plan=plan,
        first_pids={one.daq_list: pid for one, pid in zip(plan.lists, pids, strict=True)},
        names=tuple(name for raster in plan.rasters for name in raster.signals),
        url=link.name,
        epk=connection.description.epk,
        resume=resume,
    )
    data = saved.to_bytes()
    identifier = saved.session_configuration_id
    link.run(store.store_daq(identifier, resume=resume))
    found = wait_stored(connection, "EV_STORE_DAQ", timeout_s, wanted=identifier)
    if found.session_configuration_id != identifier:
        raise ResumeError(
            "session configuration id of what was stored",
            expected=identifier,
            actual=found.session_configuration_id,
        )
    if file is not None:
        _write(Path(file), data)
    return saved


def _check_storable(connection: Connection, plan: DaqPlan, *, resume: bool) -> None:
    what = f"{connection.link.name}: these signals cannot be stored for the next start"
    if plan.polled or not plan.lists:
        polled = ", ".join(one.name for one in plan.polled)
        raise UsageError(f"{what}, nobody would poll {polled or 'them'}.", hint="Leave them out.")
    if plan.stim_rasters:
        raise UsageError(f"{what}, as there are STIM signals among them.", hint="Leave out stim=…")
    daq = connection.daq
    if resume and daq is not None and not daq.resume:
        raise UsageError(
            f"{what}, the slave has no RESUME mode.",
            hint="resume=False stores the lists without starting them.",
        )


def _write(path: Path, data: bytes) -> None:
    """Replace the file as a whole."""
    temporary = path.with_name(f"{path.name}.new")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as cause:
        raise SourceError(
            f"the stored measurement cannot be written ({cause.strerror}).", source=str(path)
        ) from cause


def wait_stored(
    connection: Connection, event: str, timeout_s: float, *, wanted: int | None = None
) -> StoreStatus:
    """Wait until the slave has stored; its event tells, or GET_STATUS where that does not come.

    Args:
        connection: to the slave.
        event: name of what it sends.
        timeout_s: how long to wait.
        wanted: session configuration id that it has then; None = any.

    Raises:
        RemoteProtocolError: it is still at it.
    """
    deadline = time.monotonic() + timeout_s
    pause_s = _FIRST_PAUSE_S
    told = False
    while True:
        found = connection.link.run(store.store_status())
        told |= any(one.name == event for one in connection.port.take_events())
        reached = wanted is None or found.session_configuration_id == wanted
        if not found.is_storing and (told or reached):
            return found
        if time.monotonic() >= deadline:
            raise RemoteProtocolError(
                f"SET_REQUEST: the slave has not stored it within {timeout_s:g} s.",
                hint="Give it more time with timeout_s=…",
            )
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


# -- coming back -----------------------------------------------------------------------------------


def load_saved(resume: SavedPlan | str | Path) -> SavedPlan:
    """What :func:`store_measurement` gave, or the file that it has written.

    Raises:
        SourceError: the file cannot be read.
    """
    if isinstance(resume, SavedPlan):
        return resume
    path = Path(resume)
    try:
        data = path.read_bytes()
    except OSError as cause:
        raise SourceError(f"it cannot be read ({cause.strerror}).", source=str(path)) from cause
    return SavedPlan.from_bytes(data, source=str(path))


def wait_for(
    open_link: Callable[[], Link], scheme: str, wait_s: float
) -> tuple[Link, Session, EarlyPackets]:
    """A session with a slave that may still be off; its packets are kept from the first one on.

    On UDP one socket listens all the time, since a slave in RESUME mode sends to where its last
    master was.

    Args:
        open_link: opens a link.
        scheme: of the transport.
        wait_s: how long to look for the slave.

    Raises:
        LinkError: nobody listens there.
        ExchangeTimeoutError: no answer.
    """
    if not 0 <= wait_s <= _MAX_WAIT_S:
        raise UsageError(f"wait: {wait_s} s is not between 0 and a week.")
    deadline = time.monotonic() + wait_s
    while True:
        link: Link | None = None
        try:
            link = open_link()
            early = EarlyPackets()
            link.start_daq(early.put)
            session = _connect(link, scheme, deadline)
        except (LinkError, ExchangeTimeoutError):
            if link is not None:
                link.close()
            if time.monotonic() >= deadline:
                raise
            time.sleep(_LOOK_S)
        except BaseException:
            if link is not None:
                link.close()
            raise
        else:
            return link, session, early


def _connect(link: Link, scheme: str, deadline: float) -> Session:
    """CONNECT again and again on a link that stays open."""
    while True:
        try:
            return link.run(connect_procedure(attempts=1, transport=scheme))
        except (LinkError, ExchangeTimeoutError):
            if not link.is_open or time.monotonic() >= deadline:
                raise
        time.sleep(_LOOK_S)


def adopt(connection: Connection, saved: SavedPlan, early: EarlyPackets) -> Diagnostic | None:
    """Take over the lists that a slave runs since its start, after they were looked at.

    Args:
        connection: to the slave.
        saved: what they should be.
        early: gets their packets.

    Returns:
        What is worth to know about it.

    Raises:
        RemoteProtocolError: the slave does not run stored lists.
        ResumeError: it runs others.
        IntegrityError: it runs another program.
    """
    if saved.epk and connection.description.epk and saved.epk != connection.description.epk:
        raise IntegrityError(
            f"{connection.link.name}: another program than the lists are stored for, EPK",
            expected=saved.epk,
            actual=connection.description.epk,
        )
    found = connection.link.run(store.store_status())
    store.check_resumed(found, saved.session_configuration_id)
    compared = connection.link.run(store.compare_lists(saved.plan.lists))
    connection.port.resumed = ResumedLists(connection, saved, early, compared=compared)
    if compared:
        return None
    return Diagnostic(
        Severity.INFO,
        "resume-unseen",
        Where(),
        "the slave does not show the entries of its running lists; they are decoded as stored.",
        "The session configuration id is the stored one.",
        subject="DAQ",
    )


def clear_stored(connection: Connection, timeout_s: float) -> None:
    """Have the stored lists erased; see ``Connection.clear_stored``."""
    connection.link.run(store.clear_daq())
    wait_stored(connection, "EV_CLEAR_DAQ", timeout_s, wanted=0)
