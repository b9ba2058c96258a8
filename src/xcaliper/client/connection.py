"""A live connection to a slave, by name and in physical units."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, Unpack
from zlib import crc32

from xcaliper.client.a2l_source import A2lCache
from xcaliper.client.ahead import ReadAhead
from xcaliper.client.checksums import verify
from xcaliper.client.commands import Commands
from xcaliper.client.daq_port import DaqPort
from xcaliper.client.description import Description, find_description, fingerprint
from xcaliper.client.info import ConnectionInfo
from xcaliper.client.live import LiveValues
from xcaliper.client.names import expand_names, nearest_names
from xcaliper.client.paging import Paging
from xcaliper.client.parameters import WritePlan, WriteResult, carry_out, plan_write
from xcaliper.client.programming import Programming
from xcaliper.client.restore import SlaveMemoir
from xcaliper.client.resume import (
    EarlyPackets,
    ResumedLists,
    adopt,
    clear_stored,
    load_saved,
    store_measurement,
    wait_for,
    wait_stored,
)
from xcaliper.client.security import KeyRing, Security, described_keys
from xcaliper.client.selection import NameSpace, PlanOptions, Selection, event_number, select
from xcaliper.client.survey import survey_daq, survey_program, survey_segments
from xcaliper.client.timing import timers_of
from xcaliper.client.together import make_measurement
from xcaliper.client.write_access import WriteAccess
from xcaliper.core.address import Address
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import (
    IntegrityError,
    NegativeResponseError,
    NotFoundError,
    UsageError,
    XcaliperError,
)
from xcaliper.quantity.catalog import Catalog
from xcaliper.quantity.measurement import BoundMeasurement
from xcaliper.xcp.codes import ChecksumType, Resource
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.page_access import Side
from xcaliper.xcp.procedures import pages
from xcaliper.xcp.procedures.connect import connect as connect_procedure
from xcaliper.xcp.procedures.identify import IdType, identify
from xcaliper.xcp.procedures.memory import XcpMemory
from xcaliper.xcp.procedures.unlock import protection
from xcaliper.xcp.table import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from xcaliper.client.bypass import Bypass
    from xcaliper.client.calculated import Calculated
    from xcaliper.client.checksums import Checksums
    from xcaliper.client.keys import Keys
    from xcaliper.client.measurement import Measurement
    from xcaliper.client.recording import Record
    from xcaliper.client.stim_plan import StimOptions
    from xcaliper.client.stimulation import Stimulation
    from xcaliper.daq.capabilities import DaqCapabilities
    from xcaliper.daq.plan import DaqPlan
    from xcaliper.daq.saved_plan import SavedPlan
    from xcaliper.proto.command import Request
    from xcaliper.quantity.catalog import Bound
    from xcaliper.quantity.dependents import Dependent
    from xcaliper.transport.pump import Link
    from xcaliper.xcp.procedures.connect import Session as XcpSession


__all__ = ["Connection", "connect"]

_MAX_MODE_WAIT_S: Final = 86_400.0
_MAX_ADDRESS: Final = 0xFFFF_FFFF


def connect(  # noqa: PLR0913  # options by name
    url: str,
    a2l: str | Path | None = None,
    *,
    timeout_s: float | None = None,
    cache: bool | A2lCache = True,
    low_latency: bool | None = None,
    commands: Sequence[type[Request[Any]]] = (),
    on_upload: Callable[[int, int], None] | None = None,
    resume: SavedPlan | str | Path | None = None,
    wait_s: float = 0.0,
    restore: bool = False,
    mode: int = 0,
    mode_wait_s: float = 10.0,
    keys: Keys | None = None,
) -> Connection:
    """Connect to a slave; use it as a context manager, as often as you like in one process.

    Args:
        url: ``udp://host:port`` or ``tcp://host:port``.
        a2l: description; without it the slave's own is uploaded (or taken from the cache).
        timeout_s: how long to wait for the answer to a command, per attempt; None = as the description
            says (T1 to T7 of its PROTOCOL_LAYER), 2 s until it is known.
        cache: False = neither use nor fill the cache of uploaded descriptions.
        low_latency: lower the thread switch interval of the interpreter while DAQ runs, which helps
            when other threads of the process are busy: True = all the time, None = while it starts,
            and once such a thread delays the reception of much data, False = never.
        commands: of the maker of the ECU, declared with ``@command``, beside those of the standard.
        resume: what :meth:`Connection.store_measurement` gave, or its file: the slave runs these lists
            since its start. They are looked at, their packets are kept from the first one on, and
            :attr:`Connection.resumed` measures them.
        wait_s: with ``resume``, how long to look for a slave that is still off.
        on_upload: called with bytes so far and bytes in all while the description is uploaded.
        restore: whenever the slave is found again after a loss, set the pages again that were set, and
            unlock what was unlocked; what could not be restored is among the diagnostics.
        mode: of CONNECT; 1 = one that the user of the slave defines, such as its boot loader, which may
            listen for a moment after power-up only (XCP Base, CONNECT, 1.0).
        mode_wait_s: how long CONNECT is repeated in such a mode, each time after T6 and T7; no longer
            than that, but T6 at least.
        keys: what opens protected resources when a command needs them: a function of resource and seed
            that gives the key; a mapping of ``cal``, ``daq``, ``stim``, ``pgm``, ``dbg`` to functions or
            libraries; the path of a library with the ASAM interface; or ``"a2l"`` for the library that
            the description names, which must lie beside it. Libraries run in a process of their own.

    Raises:
        UsageError: the URL is wrong, or the keys are none.
        LibraryError: the library of the description is not beside it, or did not do its work.
        UnlockError: the slave refused a key.
        LinkError: nobody listens there.
        ExchangeTimeoutError: no answer.
        A2lError: the file cannot be read.
        ResumeError: the slave runs other lists than those of ``resume``.
        RemoteProtocolError: it does not run stored lists.
    """
    from xcaliper.transport.pump import Link
    from xcaliper.transport.url import open_transport, parse_url

    if mode not in (0, 1) or not 0 <= mode_wait_s <= _MAX_MODE_WAIT_S:
        raise UsageError(f"mode {mode}, {mode_wait_s} s: modes are 0 and 1, a day is the limit.")
    timers = timers_of(timeout_s)
    where = parse_url(url)

    table = COMMANDS.extended(*commands)

    def open_link() -> Link:
        return Link(
            open_transport(where),
            MasterMachine(table, timers=timers, transport=where.scheme),
            alignment=where.alignment,
            switch_interval_s=0.001 if low_latency else None,
            may_hurry=low_latency is not False,
        )

    store = A2lCache() if cache is True else (cache or None)
    if resume is not None:
        saved = load_saved(resume)
        link, session, early = wait_for(open_link, where.scheme, wait_s)
    else:
        link = open_link()
    try:
        if resume is None:
            within_ns = max(int(mode_wait_s * 1e9), timers.t6_ns) if mode else 0
            session = link.run(connect_procedure(mode, within_ns=within_ns, transport=where.scheme))
        found = find_description(link, session, a2l, cache=store, progress=on_upload)
        ring = KeyRing(keys, a2l=Path(a2l) if a2l is not None else None)
        made = Connection(link, session, found, where.scheme, open_link, ring)
        made.restores = restore
        if resume is not None:
            made.adopt(saved, early)
        described = made.catalog.xcp.merged() if found.file and made.catalog.xcp else None
        timers = timers_of(timeout_s, described.protocol_layer if described else None)
        link.machine.timers = timers
    except BaseException:
        link.close()
        raise
    return made


class Connection:
    """A slave, its description and what it can do; made by :func:`connect`.

    Attributes:
        link: the road to the slave.
        session: what CONNECT settled.
        description: where names come from.
        confirmed: True once the user says that a description with another EPK may be written
            with; see :meth:`confirm`.
        restores: whether :meth:`reconnect` sets pages and opens locks again.
    """

    def __init__(
        self,
        link: Link,
        session: XcpSession,
        description: Description,
        scheme: str,
        reopen: Callable[[], Link],
        ring: KeyRing | None = None,
    ) -> None:
        ring = ring or KeyRing()
        self.link = link
        self.session = session
        self.description = description
        self.confirmed = self.restores = False
        self._scheme = scheme
        self._reopen = reopen
        self._memory = XcpMemory(session)
        self._catalog = (
            Catalog(description.file, ag=session.profile.ag) if description.file else None
        )
        self._memoir = SlaveMemoir()
        ring.described = described_keys(self._catalog)
        ring.serve(link, session)
        self._security = Security(self, ring)
        self._notes = (*link.diagnostics, *description.diagnostics)
        described = self._catalog.xcp.merged() if self._catalog and self._catalog.xcp else None
        self._pgm = described.pgm if described is not None else None
        self._look()
        if session.protection and ring.keys is not None:  # looking may have opened something
            self.session = replace(session, protection=link.run(protection()))
        self._port = DaqPort(self, multiple=self._daq.write_daq_multiple if self._daq else None)
        self._live_values: LiveValues | None = None
        self._ahead = ReadAhead(self._read, self._read_many)
        self._epk_problem = self._compare_epk()

    def _look(self) -> None:
        """Ask the slave what it can and has."""
        self._daq, self._found = survey_daq(self.link, self.session, self._catalog)
        self._segments = survey_segments(self.link, self.session, self.description.file)
        self._program = survey_program(self.link, self.session)
        self._access = WriteAccess(self._segments, self.session.profile.ag)
        self._paging = Paging(
            lambda: self.link,
            self._segments,
            mark=self._mark_page,
            note=self._memoir.note_page,
            wait=lambda event, timeout_s: wait_stored(self, event, timeout_s),
            ag=self.session.profile.ag,
        )

    def look_again(self) -> None:
        """Ask anew what the slave can and has, as after a resource was unlocked; not while measuring."""
        if self._port.measurement is None or not self._port.measurement.is_running:
            noted = self._access.notes
            self._look()
            self._access.notes.update(noted)
        self.session = replace(self.session, protection=self.link.run(protection()))

    # --- life ---

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop what runs, disconnect, close the link; bounded in time, harmless when repeated."""
        try:
            if self._port.measurement is not None:
                self._port.measurement.stop()
        except XcaliperError:
            pass  # closing goes on; a measurement reports its troubles when it is stopped itself
        finally:
            self.link.close()

    @property
    def is_open(self) -> bool:
        """True while the link can be used."""
        return self.link.is_open

    def __repr__(self) -> str:
        state = "open" if self.is_open else "closed"
        return f"<Connection {self.link.name}, {state}, A2L: {self.description.name or 'none'}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(label)}</th><td>{escape(text)}</td></tr>"
            for label, text in self.info.rows()
        )
        return f"<table><caption>{escape(repr(self)[1:-1])}</caption>{rows}</table>"

    # --- facts ---

    @property
    def info(self) -> ConnectionInfo:
        """What is known about the slave; a snapshot of the time of connecting."""
        session, description = self.session, self.description
        texts = description.texts
        return ConnectionInfo(
            url=self.link.name,
            profile=session.profile,
            resource=session.resource,
            protection=session.protection,
            protocol_version=".".join(map(str, session.protocol_version)),
            transport_version=".".join(map(str, session.transport_version)),
            ecu_name=texts.get(0, ""),
            epk=description.epk,
            a2l_name=description.name,
            a2l_origin=description.origin,
            a2l_size=len(description.data),
            measurements=len(self._catalog.measurements) if self._catalog else 0,
            characteristics=len(self._catalog.characteristics) if self._catalog else 0,
            daq=self._daq,
            segments=self._segments,
            program=self._program,
            diagnostics=self.diagnostics,
        )

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What is odd about slave, description, link and memory that was read, each told once."""
        read = self._live_values.diagnostics.values() if self._live_values else ()
        epk = (self._epk_problem,) if self._epk_problem is not None else ()
        told = (*self._notes, *self._found, *epk, *self._access.notes.values())
        return (*told, *read)

    @property
    def catalog(self) -> Catalog:
        """Every object of the description.

        Raises:
            UsageError: there is no description.
        """
        if self._catalog is None:
            raise UsageError(
                f"{self.link.name}: there is no description, so names mean nothing.",
                hint="Give a file with a2l=…, or use addresses with read_memory().",
            )
        return self._catalog

    def names(self, pattern: str = "*", *, kind: str = "all") -> list[str]:
        """Names that match; kind is ``all``, ``measurement``, ``characteristic`` or ``axis``."""
        catalog = self.catalog
        pools = {
            "all": catalog.names,
            "measurement": catalog.measurements,
            "characteristic": catalog.characteristics,
            "axis": catalog.axis_pts,
        }
        if kind not in pools:
            raise UsageError(f"kind {kind!r} is none of {', '.join(pools)}.")
        pool = set(pools[kind])
        return [name for name in catalog.find(pattern) if name in pool]

    def expand(self, names: str | Iterable[str]) -> list[str]:
        """Names and patterns as names, each once, in order.

        Raises:
            NotFoundError: a name does not exist; carries the nearest ones.
        """
        return expand_names(self.catalog, names)

    def describe(self, name: str) -> dict[str, Any]:
        """What the description says about an object, ready for JSON.

        Raises:
            NotFoundError: no such name.
        """
        self._check_name(name)
        node = self._live.computed(name)
        if node is not None and not node.has_memory:
            return self._describe_virtual(node)
        bound = self._bound(name)
        events = getattr(bound, "events", None)
        datatype = getattr(bound, "datatype", None)
        return {
            "name": bound.name,
            "kind": bound.type if not isinstance(bound, BoundMeasurement) else "MEASUREMENT",
            "text": bound.description,
            "unit": bound.unit,
            "lower": bound.lower,
            "upper": bound.upper,
            "address": bound.address.value,
            "address_extension": bound.address.extension,
            "datatype": datatype.value if datatype is not None else "",
            "shape": list(bound.shape),
            "writable": bound.writable,
            "events": list(events.fixed or events.default) if events else [],
        }

    def _describe_virtual(self, node: Dependent) -> dict[str, Any]:
        made: Any = self.catalog.index.object(node.name)
        return {
            "name": node.name,
            "kind": "MEASUREMENT" if node.kind == "measurement" else made.type,
            "text": made.long_identifier,
            "unit": node.unit,
            "lower": node.lower,
            "upper": node.upper,
            "address": None,
            "address_extension": 0,
            "datatype": "",
            "shape": [],
            "writable": False,
            "events": [],
            "inputs": list(node.inputs),
        }

    def _compare_epk(self) -> Diagnostic | None:
        """The A2L must belong to the program in the ECU."""
        file, live = self.description.file, self.description.epk
        mod_par = file.module.mod_par if file is not None else None
        paper = mod_par.epk if mod_par is not None else None
        if not live or not paper or live.strip("\0 ") == paper.strip("\0 "):
            return None
        return Diagnostic(
            Severity.ERROR,
            "epk-mismatch",
            Where(self.description.name),
            f"the description is for EPK {paper!r}, the slave runs {live!r}.",
            "Writing is refused until confirm() is called.",
        )

    def confirm(self) -> None:
        """Allow writing although the description's EPK is not the slave's."""
        self.confirmed = True

    @property
    def security(self) -> Security:
        """What is locked, and how to open it."""
        return self._security

    # --- memory ---

    def short_upload(self, address: int, size: int, extension: int = 0) -> bytes:
        """Read a few bytes in one round trip (XCP Base, SHORT_UPLOAD, 1.0).

        Args:
            address: in units of the address granularity.
            size: bytes; at most what fits into one answer.
            extension: address extension.
        """
        return self.link.short_upload(address, size, extension)

    def read_memory(self, address: int | Address, size: int, extension: int = 0) -> bytes:
        """Bytes of memory as XCP sees it, of any length.

        Args:
            address: in units of the address granularity.
            size: bytes.
            extension: address extension.
        """
        return self._read(_address(address, extension), size)

    def write_memory(self, address: int | Address, data: bytes, extension: int = 0) -> None:
        """Replace bytes of memory as XCP sees it; not verified, no limits: prefer :meth:`write`."""
        self._memoir.note_write(str(_address(address, extension)))
        self._write(_address(address, extension), bytes(data))

    def checksum(self, address: int | Address, size: int, extension: int = 0) -> tuple[str, int]:
        """Checksum over memory: name of the algorithm and result (XCP Base, BUILD_CHECKSUM, 1.0).

        Raises:
            UsageError: the slave can do it only in several blocks.
        """
        blocks = self.link.run(self._memory.checksum(_address(address, extension), size))
        if len(blocks) != 1:
            raise UsageError(
                f"checksum: the slave takes {blocks[0].size_bytes} bytes at once, not {size}.",
                hint="Ask for each block alone.",
            )
        return ChecksumType(blocks[0].checksum_type).name, blocks[0].value

    def verify_memory(
        self,
        address: int | Address,
        data: bytes,
        extension: int = 0,
        *,
        checksums: Checksums | None = None,
    ) -> bool:
        """Whether memory holds these bytes, by checksum (XCP Base, BUILD_CHECKSUM, 1.0).

        Args:
            address: in units of the address granularity.
            data: what should be there.
            extension: address extension.
            checksums: for slaves with an algorithm of their own (XCP_USER_DEFINED): a function of bytes
                that gives the number, the path of a library, or ``"a2l"`` for the library that the
                description names for the segment, which must lie beside it.

        Raises:
            UsageError: the slave's algorithm is its own, and ``checksums`` is missing.
            LibraryError: the library did not do its work.
        """
        return verify(self, _address(address, extension), bytes(data), checksums)

    def _read(self, address: Address, size_bytes: int) -> bytes:
        self._paging.check(address, size_bytes, Side.XCP_READ)
        return self.link.run(self._memory.read(address, size_bytes))

    def _read_many(self, places: Sequence[tuple[Address, int]]) -> list[bytes]:
        return self.link.run(self._memory.read_many(places))

    def _write(self, address: Address, data: bytes) -> None:
        self._paging.check(address, len(data), Side.XCP_WRITE)
        self._access.write(self.link, self._memory, address, data)

    # --- values ---

    def read(self, name: str | Iterable[str], *, raw: bool = False) -> Any:
        """Values by name: a number, text, array or :class:`~xcaliper.client.values.Table`.

        Args:
            name: one name; or several names and patterns, which gives a dict.
            raw: ECU values instead of physical ones.

        Raises:
            NotFoundError: no such name; carries the nearest ones.
        """
        if isinstance(name, str):
            self._check_name(name)
            return self._live.read(name, raw=raw)
        names = self.expand(name)
        if self.session.queue_size and len(names) > 1:
            live = self._live
            self._ahead.fetch(live.placed(one) for one in names)
        try:
            return {one: self._live.read(one, raw=raw) for one in names}
        finally:
            self._ahead.drop()

    def variants(self) -> dict[str, str]:
        """Variant criterion → value in effect: the chosen one, else what the ECU says.

        Raises:
            UsageError: the ECU does not tell.
        """
        return self._live.variants()

    def choose_variant(self, criterion: str, value: str | None) -> None:
        """Take a value of a variant criterion as in effect, whatever the ECU says.

        Args:
            criterion: its name.
            value: one of its values; None asks the ECU again.

        Raises:
            NotFoundError: no such criterion.
            UsageError: it has no such value.
        """
        self._live.choose(criterion, value)

    @property
    def _live(self) -> LiveValues:
        if self._live_values is None:
            self._live_values = LiveValues(self.catalog, self._ahead, self.session.profile.ag)
        return self._live_values

    def _bound(self, name: str) -> Bound:
        """The object of one name, in the variant in effect."""
        self._check_name(name)
        return self._live.bound(name)

    def _check_name(self, name: str) -> None:
        """Refuse what is no name; the nearest ones regardless of case when there is none."""
        made = self.catalog.index.object(name)
        if made is not None and made.KEYWORD != "INSTANCE":
            return
        try:
            self.catalog.bind(name)
        except NotFoundError:
            if self.catalog.find(name):
                raise UsageError(
                    f"{name}: a pattern is not one name.", hint=f"Give a list: [{name!r}]."
                ) from None
            raise NotFoundError(
                name, kind="name in the description", nearest=nearest_names(self.catalog, name)
            ) from None

    def write(
        self,
        name: str,
        value: Any,
        *,
        at: int | tuple[int, ...] | None = None,
        raw: bool = False,
        verify: bool = True,
        dependents: bool = True,
    ) -> WriteResult:
        """Write a parameter; shape and limits are checked before a byte is sent.

        Parameters that are computed from it *(ASAP2, DEPENDENT_CHARACTERISTIC)* are checked with it
        and written after it.

        Args:
            name: of the parameter.
            value: physical value: number, text, array, nested lists or table.
            at: one cell of an array, curve or map, as numpy counts: ``(y, x)`` for a map.
            raw: the value is an ECU value.
            verify: read back and compare.
            dependents: compute and write what depends on it.

        Raises:
            NotFoundError: no such name; carries the nearest ones.
            LimitError: the value, or one computed from it, is outside of its limits; nothing was sent.
            UsageError: wrong shape or kind, read-only or computed; nothing was sent.
            IntegrityError: the EPK differs, or the ECU did not take the value.
            NegativeResponseError: the slave refused.
        """
        self._check_name(name)
        self._live.check_writable(name)
        bound = self._bound(name)
        self._check_confirmed(name)
        cell_at = (at,) if isinstance(at, int) else at
        try:
            plan = plan_write(bound, value, at=cell_at, raw=raw, read=self._read)
            followers = self._live.followers(name, plan) if dependents else []
            result, *rest = [self._carry_out(one, verify=verify) for one in (plan, *followers)]
            result = replace(result, dependents=tuple(rest))
        except NegativeResponseError as error:
            error.message = f"{name}: {error.message}"  # the command alone does not say what for
            raise
        cell = "" if cell_at is None else str(list(cell_at))
        self._mark(name, cell, result, bound.unit)
        for follower, one in zip(followers, result.dependents, strict=True):
            self._mark(one.name, "", one, follower.bound.unit)
        return result

    def _mark(self, name: str, cell: str, result: WriteResult, unit: str) -> None:
        """Leave a mark of a change in the running measurement."""
        if self._port.measurement is None or not result.changed:
            return
        text = f"{name}{cell} changed"
        if result.is_scalar:
            text = f"{name}{cell}: {result.before} → {result.after} {unit}".rstrip()
        self._port.measurement.mark(text, name=name)

    def _carry_out(self, plan: WritePlan, *, verify: bool) -> WriteResult:
        ag = self.session.profile.ag
        self._memoir.note_write(plan.bound.name)
        return carry_out(plan, verify=verify, read=self._read, write=self._write, ag=ag)

    def _check_confirmed(self, name: str) -> None:
        if self._epk_problem is None or self.confirmed:
            return
        mod_par = self.catalog.index.module.mod_par
        raise IntegrityError(
            f"{name}: not written, EPK",
            expected=mod_par.epk if mod_par else "",
            actual=self.description.epk,
            hint="Use the description of this program, or call confirm() first.",
        )

    # --- commands and flash ---

    @property
    def commands(self) -> Commands:
        """Single commands: typed, as bytes, and those of the ECU's maker."""
        return Commands(self.link)

    @property
    def program(self) -> Programming:
        """The flash of the slave."""
        return Programming(self.link, self.session, self._pgm, self._check_confirmed)

    # --- pages ---

    def pages(self) -> dict[int, tuple[int, int]]:
        """Segment → (page of the ECU, page of XCP), as it is now."""
        return {
            segment.number: self.link.run(pages.get_pages(segment.number))
            for segment in self._segments
        }

    def set_page(self, segment: int, page: int, *, ecu: bool = True, xcp: bool = True) -> None:
        """Choose the page of a segment (XCP Base, SET_CAL_PAGE, 1.0)."""
        if self._paging.knows(segment, page):
            self._paging.set(segment, page, ecu=ecu, xcp=xcp)
        else:  # the slave says what is wrong with it
            self.link.run(pages.set_page(segment, page, ecu=ecu, xcp=xcp))
            self._paging.forget()
            self._memoir.note_page(segment, page, ecu=ecu, xcp=xcp)
            self._mark_page(f"segment {segment}: page {page}")

    def _mark_page(self, text: str) -> None:
        """Leave a mark of a switched page in the running measurement."""
        if self._port.measurement is not None:
            self._port.measurement.mark(text, name="page")

    @property
    def paging(self) -> Paging:
        """Segments with their pages: who uses which, switch, copy, freeze."""
        return self._paging

    def copy_page(self, source: tuple[int, int], destination: tuple[int, int]) -> None:
        """Copy one (segment, page) onto another (XCP Base, COPY_CAL_PAGE, 1.0)."""
        if self._paging.knows(*source) and self._paging.knows(*destination):
            self._paging.copy(source, destination)
        else:
            self.link.run(pages.copy_page(source, destination))

    # --- measuring ---

    @property
    def daq(self) -> DaqCapabilities | None:
        """What the slave can measure; None without data acquisition."""
        return self._daq

    def event_number(self, event: str | int) -> int:
        """Number of an event given by name, number, or a period that only it has.

        Raises:
            NotFoundError: no such event; carries those that there are.
        """
        return event_number(self._daq.events if self._daq else (), event)

    @property
    def memory(self) -> NameSpace:
        """Names of the description as this ECU has them; see :class:`NameSpace`."""
        return NameSpace(self.catalog, self._live.bound, self._live.computed, self._read)

    def select(self, names: str | Iterable[str], **options: Unpack[PlanOptions]) -> Selection:
        """Signals with their plan, for :func:`xcaliper.measure_together`; nothing is sent.

        Args:
            names: names and patterns with ``*`` and ``?``.
            options: as those of :meth:`measure` that concern the plan.

        Raises:
            NotFoundError: no such name or event.
            PlanError: it does not fit; carries every reason.
        """
        return select(
            self.memory,
            names,
            self._daq,
            self.session.profile,
            subject=self.link.name,
            options=options,
            connection=self,
        )

    def plan(self, names: str | Iterable[str], **options: Unpack[PlanOptions]) -> DaqPlan:
        """The DAQ lists a measurement would use; nothing is sent. Options are those of ``measure``.

        Raises:
            PlanError: it does not fit; carries every reason.
        """
        return self.select(names, **options).plan

    def measure(  # noqa: PLR0913  # options by name
        self,
        names: str | Iterable[str],
        *,
        duration_s: float | None = None,
        record: Record | Sequence[Record] | None = None,
        overwrite: bool = False,
        raw: bool = False,
        keep: bool = True,
        calculated: Calculated | None = None,
        reconnect: bool | float = False,
        **options: Unpack[PlanOptions],
    ) -> Measurement:
        """A measurement, planned and checked; it starts with the first block taken, or start().

        Args:
            names: names and patterns with ``*`` and ``?``.
            duration_s: length, None = until stopped.
            record: file to record into, its suffix tells the format; or a
                :class:`~xcaliper.client.recording.Recording` with triggers and more; or several.
            overwrite: replace a file that exists.
            raw: blocks give ECU values; recordings always hold both.
            keep: remember what was taken, for frames.
            calculated: name → expression of signals that are computed from others, such as
                ``{"Power": "EngineSpeed * Torque / 9549"}``; or a list of ``CalculatedSignal``.
            reconnect: look for a slave that was lost or has restarted, up to 60 s or as many seconds as
                given, and go on with a gap marked; False = the loss ends the measurement, because an
                ECU that restarted has lost what was written to it.
            options: what concerns the plan, see :class:`~xcaliper.client.selection.PlanOptions`:
                ``event`` for all signals (name, number or period such as ``"10ms"``), or pattern →
                event; ``prescaler``; ``polling``; ``timestamp``; ``priority``; ``packed`` and others.

        Raises:
            NotFoundError: no such name or event.
            PlanError: it does not fit; carries every reason.
            UsageError: another measurement is running.
        """
        self._port.check_free()
        selection = self.select(names, **options)
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

    # --- stimulating ---

    def stimulate(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        event: str | int | None = None,
        stream: Mapping[str, Any] | Iterable[Mapping[str, Any]] | None = None,
        names: Sequence[str] = (),
        t_s: Any = None,
        **options: Unpack[StimOptions],
    ) -> Stimulation:
        """Values to be written by the slave at every event, in place of what the ECU computes.

        Args:
            values: name → physical value, held until ``set()`` changes it.
            event: event for all of them (name, number or period); None = as the description says.
            stream: name → array of values, one for each event or over ``t_s``; or an iterable of
                name → value, one for each event.
            names: what an iterable gives values of.
            t_s: times of the arrays in seconds, from the first event on.
            options: what concerns the plan, see :class:`~xcaliper.client.stim_plan.StimOptions`.

        Raises:
            NotFoundError: no such name or event.
            PlanError: it does not fit, or the event does not serve STIM; carries every reason.
            UsageError: something else has the lists, or a value is missing.
        """
        from xcaliper.client.stim_plan import make_stimulation

        return make_stimulation(self, values or {}, event, stream, names, t_s, options)

    def bypass(  # noqa: PLR0913  # options by name
        self,
        inputs: str | Sequence[str],
        outputs: str | Sequence[str],
        algorithm: Callable[..., Any],
        *,
        event: str | int | None = None,
        output_event: str | int | None = None,
        arrays: bool = False,
        check_counter: bool = False,
        keep: int = 100_000,
        **options: Unpack[StimOptions],
    ) -> Bypass:
        """A function of the ECU replaced: inputs are sampled, outputs computed here and sent back.

        Args:
            inputs: names of what the algorithm gets.
            outputs: names of what it gives.
            algorithm: called for every sample of the inputs with physical values, in the thread that
                receives; see :func:`~xcaliper.client.bypass.adapt_algorithm` for its forms.
            event: at which inputs are sampled; None = as the description says.
            output_event: at which outputs are written; None = that of the inputs.
            arrays: the algorithm takes ``float64[inputs]`` and fills ``float64[outputs]``; compiled where
                numba is installed.
            check_counter: have the slave refuse answers to another cycle *(1.3)*.
            keep: samples that the result remembers.
            options: what concerns the plan, see :class:`~xcaliper.client.stim_plan.StimOptions`.

        Raises:
            NotFoundError: no such name or event.
            PlanError: it does not fit, or an event does not serve STIM; carries every reason.
            UsageError: something else has the lists, or the algorithm does not fit.
        """
        from xcaliper.client.bypass import Bypass
        from xcaliper.client.stim_plan import select_bypass

        self._port.check_free()
        selection = select_bypass(self, inputs, outputs, event, output_event, options)
        return Bypass(
            self, selection, algorithm, arrays=arrays, check_counter=check_counter, keep=keep
        )

    def store_measurement(
        self,
        names: str | Iterable[str],
        *,
        resume: bool = True,
        file: str | Path | None = None,
        timeout_s: float = 30.0,
        **options: Unpack[PlanOptions],
    ) -> SavedPlan:
        """Have the slave keep a measurement in its non-volatile memory (XCP Base, STORE_DAQ_REQ, 1.0).

        Args:
            names: names and patterns with ``*`` and ``?``.
            resume: the lists start with the slave, before anybody connects; False = they only wait,
                set up and selected.
            file: where to keep what :func:`connect` needs for ``resume=…``.
            timeout_s: how long storing may take.
            options: as those of :meth:`measure` that concern the plan.

        Raises:
            UsageError: the slave cannot store them.
            NegativeResponseError: the slave refuses.
            RemoteProtocolError: it has not finished in time.
            ResumeError: it tells another session configuration id than it was given.
        """
        return store_measurement(
            self, names, resume=resume, file=file, timeout_s=timeout_s, options=options
        )

    def clear_stored(self, timeout_s: float = 30.0) -> None:
        """Have the slave forget stored lists (XCP Base, CLEAR_DAQ_REQ, 1.0)."""
        clear_stored(self, timeout_s)

    @property
    def resumed(self) -> ResumedLists | None:
        """The lists that the slave runs since its start, until they are measured; see :func:`connect`."""
        return self._port.resumed

    def adopt(self, saved: SavedPlan, early: EarlyPackets) -> None:
        """Take lists over that the slave runs since its start; :func:`connect` does it.

        Raises:
            ResumeError: the slave runs others.
            RemoteProtocolError: it runs none.
        """
        finding = adopt(self, saved, early)
        if finding is not None:
            self._notes = (*self._notes, finding)

    @property
    def port(self) -> DaqPort:
        """The DAQ lists, for measurements."""
        return self._port

    @property
    def scheme(self) -> str:
        """Transport: ``udp`` or ``tcp``."""
        return self._scheme

    def events(self) -> list[Any]:
        """Events and service requests of the slave since the last call, oldest first."""
        return self._port.events()

    # --- again ---

    def forget(self) -> None:
        """Forget which optional commands the slave refused, so that they are tried again."""
        self.session.forget()
        self._port.forget()

    def abandon(self) -> None:
        """Give up a link that does not serve any more; :meth:`reconnect` makes another one."""
        with suppress(XcaliperError):
            self.link.stop_daq()
        self.link.close()

    def reconnect(self, *, restore: bool | None = None) -> tuple[Diagnostic, ...]:
        """A new session with the same slave, after it restarted or the link was lost.

        The description and what it was found to be able to do stay. Gives what was not restored, such
        as parameters that were written: they may have the values of power-up.

        Args:
            restore: set pages again that were set, unlock what was unlocked; None = as :func:`connect`
                was told.

        Raises:
            LinkError: nobody listens there.
            ExchangeTimeoutError: no answer.
            IntegrityError: it runs another program now (EPK), or is another slave.
        """
        self.link.close()
        link = self._reopen()
        try:
            refused = self.session.refused
            session = link.run(
                connect_procedure(attempts=1, transport=self._scheme, refused=refused)
            )
            texts = link.run(identify(session))
            self._check_same(session, texts.get(int(IdType.EPK), ""))
            self._check_description(link)
        except BaseException:
            link.close()
            raise
        before, self.link, self.session = self.session, link, session
        self._paging.forget()
        self._memory = XcpMemory(session)
        self._security.serve()
        if not (self.restores if restore is None else restore):
            return ()
        locked = Resource(session.protection & ~before.protection)
        lost = self._memoir.restore(link, locked=locked, unlock=self._security.unlock)
        self._notes = (*self._notes, *(one for one in lost if one not in self._notes))
        return lost

    def _check_same(self, session: XcpSession, epk: str) -> None:
        if epk != self.description.epk:
            raise IntegrityError(
                f"{self.link.name}: another program answers, EPK",
                expected=self.description.epk,
                actual=epk,
                hint="Connect anew, so that names are looked up in its own description.",
            )
        if session.profile != self.session.profile:
            raise IntegrityError(
                f"{self.link.name}: another slave answers, its packets",
                expected=self.session.profile,
                actual=session.profile,
                hint="Connect anew.",
            )

    def _check_description(self, link: Link) -> None:
        """A description of the slave's own may be another one after a restart, for the same EPK."""
        mine = self.description
        told = link.run(fingerprint()) if mine.origin in ("upload", "cache") else None
        if told is not None and told != (len(mine.data), crc32(mine.data)):
            raise IntegrityError(
                f"{self.link.name}: the slave has another description now, bytes and CRC-32",
                expected=(len(mine.data), crc32(mine.data)),
                actual=told,
                hint="Connect anew, so that names are looked up in it.",
            )


def _address(address: int | Address, extension: int) -> Address:
    if isinstance(address, Address):
        return address
    if not 0 <= address <= _MAX_ADDRESS or not 0 <= extension <= 0xFF:
        raise UsageError(
            f"address {address:#x}, extension {extension}: XCP has 32 bits for one, 8 for the other."
        )
    return Address(address, extension)
