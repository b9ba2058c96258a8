"""A live connection to a slave, by name and in physical units."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self

from xcaliper.client.a2l_source import A2lCache
from xcaliper.client.binding import Signal
from xcaliper.client.description import Description, find_description
from xcaliper.client.info import ConnectionInfo
from xcaliper.client.live import LiveValues
from xcaliper.client.measurement import Measurement, Session
from xcaliper.client.names import expand_names, nearest_names
from xcaliper.client.parameters import WritePlan, WriteResult, carry_out, plan_write
from xcaliper.client.survey import survey_daq, survey_segments
from xcaliper.core.address import Address
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    IntegrityError,
    NegativeResponseError,
    NotFoundError,
    UsageError,
    XcaliperError,
)
from xcaliper.proto.procedure import ask
from xcaliper.quantity.catalog import Catalog
from xcaliper.quantity.characteristic import BoundCharacteristic
from xcaliper.quantity.measurement import BoundMeasurement
from xcaliper.xcp import std
from xcaliper.xcp.codes import ChecksumType
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.procedures import daq_setup, pages
from xcaliper.xcp.procedures.connect import connect as connect_procedure
from xcaliper.xcp.procedures.memory import XcpMemory
from xcaliper.xcp.recovery import Timers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from xcaliper.core.frames import DtoBatch
    from xcaliper.core.samples import SampleBlock
    from xcaliper.daq.capabilities import EventChannel
    from xcaliper.daq.decode import DaqDecoder
    from xcaliper.daq.plan import DaqPlan
    from xcaliper.quantity.catalog import Bound
    from xcaliper.quantity.dependents import Dependent
    from xcaliper.record.pipeline import Pipeline
    from xcaliper.transport.pump import Link
    from xcaliper.xcp.procedures.connect import Session as XcpSession


__all__ = ["Connection", "connect"]

_MAX_EVENTS: Final = 4096
_MAX_TIMEOUT_S: Final = 86_400.0
_SETTLE_S: Final = 0.02
_STOP_TIMEOUT_NS: Final = 500_000_000
_STOP_S: Final = 1.5
_FREE_S: Final = 1.0
_ALIVE_S: Final = 1.5
_MAX_ADDRESS: Final = 0xFFFF_FFFF
_PERIOD: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s)")
_UNIT_NS: Final = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9}
_ETHERNET: Final = 7
_BUS: Final = {"udp": _ETHERNET, "tcp": _ETHERNET}


def connect(
    url: str,
    a2l: str | Path | None = None,
    *,
    timeout_s: float = 2.0,
    cache: bool | A2lCache = True,
    low_latency: bool = False,
    on_upload: Callable[[int, int], None] | None = None,
) -> Connection:
    """Connect to a slave; use it as a context manager, as often as you like in one process.

    Args:
        url: ``udp://host:port`` or ``tcp://host:port``.
        a2l: description; without it the slave's own is uploaded (or taken from the cache).
        timeout_s: how long to wait for the answer to a command, per attempt.
        cache: False = neither use nor fill the cache of uploaded descriptions.
        low_latency: lower the thread switch interval of the interpreter while DAQ runs; helps when
            other threads of the process are busy.
        on_upload: called with bytes so far and bytes in all while the description is uploaded.

    Raises:
        UsageError: the URL is wrong.
        LinkError: nobody listens there.
        ExchangeTimeoutError: no answer.
        A2lError: the file cannot be read.
    """
    from xcaliper.transport.pump import Link
    from xcaliper.transport.url import open_transport, parse_url

    if not 0 < timeout_s <= _MAX_TIMEOUT_S:
        raise UsageError(f"timeout: {timeout_s} s is not between 0 and a day.")
    where = parse_url(url)
    limit_ns = int(timeout_s * 1e9)
    usual = Timers()
    timers = replace(usual, t1_ns=limit_ns, t2_ns=max(usual.t2_ns, limit_ns))
    machine = MasterMachine(timers=timers, transport=where.scheme)
    link = Link(
        open_transport(where),
        machine,
        alignment=where.alignment,
        switch_interval_s=0.001 if low_latency else None,
    )
    store = A2lCache() if cache is True else (cache or None)
    try:
        return _introduce(link, where.scheme, a2l, store, on_upload)
    except BaseException:
        link.close()
        raise


def _introduce(
    link: Link,
    scheme: str,
    a2l: str | Path | None,
    cache: A2lCache | None,
    on_upload: Callable[[int, int], None] | None,
) -> Connection:
    """CONNECT, identification, description, abilities: everything a connection begins with."""
    session = link.run(connect_procedure(transport=scheme))
    found = find_description(link, session, a2l, cache=cache, progress=on_upload)
    return Connection(link, session, found, scheme)


class Connection:
    """A slave, its description and what it can do; made by :func:`connect`.

    Attributes:
        link: the road to the slave.
        session: what CONNECT settled.
        description: where names come from.
        confirmed: True once the user says that a description with another EPK may be written
            with; see :meth:`confirm`.
    """

    def __init__(
        self, link: Link, session: XcpSession, description: Description, scheme: str
    ) -> None:
        self.link = link
        self.session = session
        self.description = description
        self.confirmed = False
        self._scheme = scheme
        self._memory = XcpMemory(session)
        self._catalog = (
            Catalog(description.file, ag=session.profile.ag) if description.file else None
        )
        self._daq, found = survey_daq(link, session, self._catalog)
        self._segments = survey_segments(link, session, description.file)
        self._measurement: Measurement | None = None
        self._live_values: LiveValues | None = None
        self._claim_lock = threading.Lock()
        self._silent = False
        self._events: deque[Any] = deque(maxlen=_MAX_EVENTS)
        self._epk_problem = self._compare_epk()
        findings = [*link.diagnostics, *description.diagnostics, *found]
        if self._epk_problem is not None:
            findings.append(self._epk_problem)
        self._diagnostics = tuple(findings)

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
            if self._measurement is not None:
                self._measurement.stop()
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
            diagnostics=self._diagnostics,
        )

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What is odd about slave, description, link and memory that was read, each told once."""
        read = self._live_values.diagnostics.values() if self._live_values else ()
        return (*self._diagnostics, *read)

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

    def _read(self, address: Address, size_bytes: int) -> bytes:
        return self.link.run(self._memory.read(address, size_bytes))

    def _write(self, address: Address, data: bytes) -> None:
        self.link.run(self._memory.write(address, data))

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
        return {one: self._live.read(one, raw=raw) for one in self.expand(name)}

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
            self._live_values = LiveValues(self.catalog, self._read, self.session.profile.ag)
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
        if self._measurement is None or not result.changed:
            return
        text = f"{name}{cell} changed"
        if result.is_scalar:
            text = f"{name}{cell}: {result.before} → {result.after} {unit}".rstrip()
        self._measurement.mark(text, name=name)

    def _carry_out(self, plan: WritePlan, *, verify: bool) -> WriteResult:
        ag = self.session.profile.ag
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

    # --- pages ---

    def pages(self) -> dict[int, tuple[int, int]]:
        """Segment → (page of the ECU, page of XCP), as it is now."""
        return {
            segment.number: self.link.run(pages.get_pages(segment.number))
            for segment in self._segments
        }

    def set_page(self, segment: int, page: int, *, ecu: bool = True, xcp: bool = True) -> None:
        """Choose the page of a segment (XCP Base, SET_CAL_PAGE, 1.0)."""
        self.link.run(pages.set_page(segment, page, ecu=ecu, xcp=xcp))
        if self._measurement is not None:
            self._measurement.mark(f"segment {segment}: page {page}", name="page")

    def copy_page(self, source: tuple[int, int], destination: tuple[int, int]) -> None:
        """Copy one (segment, page) onto another (XCP Base, COPY_CAL_PAGE, 1.0)."""
        self.link.run(pages.copy_page(source, destination))

    # --- measuring ---

    def _event_number(self, event: str | int) -> int:
        """Number of an event given by name or number.

        Raises:
            NotFoundError: no such event.
        """
        known: Sequence[EventChannel] = self._daq.events if self._daq else ()
        if isinstance(event, int):
            return event
        for channel in known:
            if channel.name.casefold() == event.casefold():
                return channel.number
        if event.isdecimal():
            return int(event)
        period = _PERIOD.fullmatch(event.strip())
        if period is not None:
            cycle_ns = float(period[1]) * _UNIT_NS[period[2]]
            same = [channel.number for channel in known if channel.cycle_ns == cycle_ns]
            if len(same) == 1:
                return same[0]
        raise NotFoundError(
            event, kind="event", nearest=tuple(channel.label for channel in known)[:8]
        )

    def _signals(self, names: str | Iterable[str]) -> dict[str, Signal]:
        catalog = self.catalog
        asked = [names] if isinstance(names, str) else list(names)
        found: dict[str, Signal] = {}
        for name in asked:
            wild = "*" in name or "?" in name
            for one in expand_names(catalog, [name]):
                node = self._live.computed(one)
                if node is not None and not node.has_memory:
                    if wild:
                        continue
                    raise UsageError(
                        f"{one}: it is virtual and cannot be measured.",
                        hint=f"Measure {', '.join(node.inputs)}, or read it with read().",
                    )
                bound = self._live.bound(one).resolve(self._read)
                if isinstance(bound, BoundMeasurement) or (
                    isinstance(bound, BoundCharacteristic) and not bound.axes
                ):
                    if wild and not isinstance(bound, BoundMeasurement) and not bound.events:
                        continue
                    found.setdefault(one, Signal(replace(bound, name=one)))
                elif not wild:
                    raise UsageError(
                        f"{one}: curves, maps and axes cannot be measured.",
                        hint="Read it with read().",
                    )
        if not found:
            raise UsageError(
                f"{', '.join(map(str, asked)) or 'nothing'}: no measurable signal among them."
            )
        return found

    def _plan(
        self,
        signals: Mapping[str, Signal],
        event: str | int | Mapping[str, str | int] | None,
        prescaler: int,
    ) -> DaqPlan:
        from xcaliper.daq.plan import compile_plan
        from xcaliper.daq.wanted import Wanted

        if self._daq is None:
            raise UsageError(
                f"{self.link.name}: the slave offers no data acquisition.",
                hint="Read values with read() in a loop.",
            )
        told: dict[str, int] = {}
        common: int | None = None
        if isinstance(event, str | int):
            common = self._event_number(event)
        elif event is not None:
            for pattern, one in event.items():
                number = self._event_number(one)
                told.update(dict.fromkeys(expand_names(self.catalog, [pattern]), number))
        wanted = Wanted(
            signals=tuple(signal.wanted() for signal in signals.values()),
            event_channel=common,
            event_channels={name: told[name] for name in signals if name in told},
            prescaler=prescaler,
        )
        return compile_plan(wanted, self._daq)

    def plan(
        self,
        names: str | Iterable[str],
        *,
        event: str | int | Mapping[str, str | int] | None = None,
        prescaler: int = 1,
    ) -> DaqPlan:
        """The DAQ lists a measurement would use; nothing is sent.

        Raises:
            PlanError: it does not fit; carries every reason.
        """
        return self._plan(self._signals(names), event, prescaler)

    def measure(  # noqa: PLR0913  # options by name
        self,
        names: str | Iterable[str],
        *,
        event: str | int | Mapping[str, str | int] | None = None,
        duration_s: float | None = None,
        record: str | Path | None = None,
        overwrite: bool = False,
        raw: bool = False,
        prescaler: int = 1,
        keep: bool = True,
    ) -> Measurement:
        """A measurement, planned and checked; it starts with the first block taken, or start().

        Args:
            names: names and patterns with ``*`` and ``?``.
            event: for all signals, by name, number or period such as ``"10ms"``; or pattern →
                event; None = as the description says.
            duration_s: length, None = until stopped.
            record: MDF4 file to record into.
            overwrite: replace the file when it exists.
            raw: blocks give ECU values; recordings always hold both.
            prescaler: take every n-th event only.
            keep: remember what was taken, for frames.

        Raises:
            NotFoundError: no such name or event.
            PlanError: it does not fit; carries every reason.
            UsageError: another measurement is running.
        """
        self._check_free()
        signals = self._signals(names)
        plan = self._plan(signals, event, prescaler)
        sink = None
        if record is not None:
            target = record

            def sink() -> Pipeline:
                return self._recording(target, plan, signals, overwrite=overwrite)

        daq = Session(
            claim=self._claim,
            setup=lambda: self._set_up(plan),
            listen=self._listen,
            go=self._go,
            halt=self._halt,
            is_alive=self._check_alive,
            overloads=self._overloads,
            sink=sink,
        )
        return Measurement(daq, plan, signals, duration_s=duration_s, raw=raw, keep=keep)

    def _check_free(self) -> None:
        if self._measurement is not None and self._measurement.is_running:
            raise UsageError(
                "measure: another measurement of this connection is running.",
                hint="Stop it, or put all signals into one.",
            )

    def _claim(self, measurement: Measurement) -> None:
        """Give the DAQ lists of the slave to one measurement."""
        with self._claim_lock:
            self._check_free()
            self._measurement = measurement
            self._silent = False

    def _set_up(self, plan: DaqPlan) -> DaqDecoder:
        from xcaliper.daq.decode import DaqDecoder
        from xcaliper.daq.framed import FramedDecoder, is_suitable
        from xcaliper.daq.timeline import ClockReading
        from xcaliper.transport.drain import control_block, drain_kernel, prepare

        prepare()
        multiple = self._daq.write_daq_multiple if self._daq else False
        pids = self.link.run(daq_setup.setup(self.session, plan.lists, multiple=multiple))
        numbered = {one.daq_list: pid for one, pid in zip(plan.lists, pids, strict=True)}
        ticks = self.link.run(daq_setup.clock()) if plan.clock is not None else None
        start = None if ticks is None else ClockReading(ticks, time.monotonic_ns())
        if not is_suitable(plan):
            return DaqDecoder(plan, numbered, start)
        control = control_block()
        return FramedDecoder(plan, numbered, start, kernel=drain_kernel, control=control)

    def _listen(
        self,
        decoder: DaqDecoder,
        sink: Callable[[DtoBatch], object],
        block_sink: Callable[[list[SampleBlock]], object],
    ) -> None:
        from xcaliper.daq.framed import FramedDecoder

        self._overloads()
        if isinstance(decoder, FramedDecoder):
            self.link.start_blocks(decoder, block_sink)
        else:
            self.link.start_daq(sink)

    def _go(self) -> None:
        self.link.run(daq_setup.start())

    def _halt(self) -> None:
        """Stop the lists, let the last packets arrive, stop listening, free the lists.

        Raises:
            ExchangeTimeoutError: the slave does not answer; listening has ended all the same.
        """
        reachable = self.link.is_open and not self._silent
        try:
            if reachable:
                self.link.run(daq_setup.stop(timeout_ns=_STOP_TIMEOUT_NS), _STOP_S)
                time.sleep(_SETTLE_S)
        except ExchangeTimeoutError as error:
            raise self._gone("stopping", error) from error
        finally:
            self.link.stop_daq()
        if reachable:
            self.link.run(daq_setup.free(attempts=1), _FREE_S)

    def _check_alive(self) -> None:
        try:
            self.link.run(ask(std.GetStatus()), _ALIVE_S)
        except ExchangeTimeoutError as error:
            raise self._gone("no data", error) from error

    def _gone(self, what: str, error: ExchangeTimeoutError) -> ExchangeTimeoutError:
        """Nobody waits for this slave a second time; says so in terms of the measurement."""
        self._silent = True
        return ExchangeTimeoutError(
            f"measurement: {what}",
            timer=error.timer,
            attempts=error.attempts,
            elapsed_ns=error.elapsed_ns,
            hint="The slave has gone; what came until then is kept.",
        )

    def events(self) -> list[Any]:
        """Events and service requests of the slave since the last call, oldest first."""
        self._events.extend(self.link.events())
        found = list(self._events)
        self._events.clear()
        return found

    def _overloads(self) -> int:
        fresh = self.link.events()
        self._events.extend(fresh)
        return sum(event.name == "EV_DAQ_OVERLOAD" for event in fresh)

    def _recording(
        self,
        path: str | Path,
        plan: DaqPlan,
        signals: Mapping[str, Signal],
        *,
        overwrite: bool,
    ) -> Pipeline:
        from xcaliper import __version__
        from xcaliper.record.description import RasterDescription, RecordingDescription
        from xcaliper.record.pipeline import Pipeline
        from xcaliper.record.sinks.mdf4 import Mdf4Sink

        local = time.localtime()
        info = self.info
        description = RecordingDescription(
            start_ns=time.time_ns(),
            rasters=tuple(
                RasterDescription(
                    name=raster.name,
                    event_channel=raster.event_channel,
                    cycle_ns=raster.cycle_ns,
                    dtype=raster.dtype,
                    signals=tuple(signals[name].description() for name in raster.signals),
                )
                for raster in plan.rasters
            ),
            source=info.ecu_name or "ECU",
            source_path=info.url,
            bus=_BUS.get(self._scheme, 0),
            epk=info.epk,
            a2l_name=info.a2l_name,
            a2l=self.description.data or None,
            tool_version=__version__,
            tz_offset_min=(local.tm_gmtoff - (3600 if local.tm_isdst > 0 else 0)) // 60,
            dst_offset_min=60 if local.tm_isdst > 0 else 0,
        )
        return Pipeline([Mdf4Sink(path, description, overwrite=overwrite)])


def _address(address: int | Address, extension: int) -> Address:
    if isinstance(address, Address):
        return address
    if not 0 <= address <= _MAX_ADDRESS or not 0 <= extension <= 0xFF:
        raise UsageError(
            f"address {address:#x}, extension {extension}: XCP has 32 bits for one, 8 for the other."
        )
    return Address(address, extension)
