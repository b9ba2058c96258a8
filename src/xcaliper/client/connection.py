"""A live connection to a slave, by name and in physical units."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, Self, Unpack

from xcaliper.client.binding import described_xcp
from xcaliper.client.checksums import verify
from xcaliper.client.commands import Commands
from xcaliper.client.connection_lists import bypass, stimulate, store_measurement
from xcaliper.client.daq_port import DaqPort
from xcaliper.client.description import epk_problem
from xcaliper.client.info import ConnectionInfo
from xcaliper.client.memory_access import MemoryAccess, as_address
from xcaliper.client.named_objects import NamedObjects
from xcaliper.client.named_values import LiveHost, NamedValues
from xcaliper.client.paging import Paging
from xcaliper.client.programming import Programming
from xcaliper.client.reconnecting import find_again
from xcaliper.client.restore import SlaveMemoir
from xcaliper.client.resume import (
    EarlyPackets,
    ResumedLists,
    adopt,
    clear_stored,
    wait_stored,
)
from xcaliper.client.security import KeyRing, Security, described_keys
from xcaliper.client.selection import NameSpace, PlanOptions, Selection, event_number, select
from xcaliper.client.survey import survey_daq, survey_program, survey_segments
from xcaliper.client.together import make_measurement
from xcaliper.core.errors import (
    IntegrityError,
    UsageError,
    XcaliperError,
)
from xcaliper.quantity.catalog import Catalog
from xcaliper.xcp.codes import Resource
from xcaliper.xcp.procedures import pages
from xcaliper.xcp.procedures.unlock import protection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from xcaliper.calib.parameters import WriteResult
    from xcaliper.client.calculated import Calculated
    from xcaliper.client.calibration import Calibration
    from xcaliper.client.checksums import Checksums
    from xcaliper.client.description import Description
    from xcaliper.client.measurement import Measurement
    from xcaliper.client.recording import Record
    from xcaliper.core.address import Address
    from xcaliper.core.diagnostics import Diagnostic
    from xcaliper.daq.capabilities import DaqCapabilities
    from xcaliper.daq.plan import DaqPlan
    from xcaliper.daq.saved_plan import SavedPlan
    from xcaliper.transport.pump import Link
    from xcaliper.xcp.procedures.connect import Session as XcpSession


__all__ = ["Connection"]


class Connection(NamedObjects):
    """A slave, its description and what it can do; made by :func:`~xcaliper.client.connecting.connect`.

    Attributes:
        link: the road to the slave.
        session: what CONNECT settled.
        description: where names come from.
        described: what the description says about XCP, the blocks of the transport in use over the
            common ones; None when it says nothing.
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
        self._memory = MemoryAccess(self)
        self._catalog = (
            Catalog(description.file, ag=session.profile.ag) if description.file else None
        )
        self._memoir = SlaveMemoir()
        self.described = described_xcp(self._catalog, link.name)
        ring.described = described_keys(self.described)
        ring.serve(link, session)
        self._security = Security(self, ring)
        self._notes = (*link.diagnostics, *description.diagnostics)
        self._look()
        if session.protection and ring.keys is not None:  # looking may have opened something
            self.session = replace(session, protection=link.run(protection()))
        self._port = DaqPort(self, multiple=self._daq.write_daq_multiple if self._daq else None)
        self._named = NamedValues(LiveHost(self), self._memory, note=self._memoir.note_write)
        self._epk_problem = epk_problem(description)

    def _look(self) -> None:
        """Ask the slave what it can and has."""
        self._daq, self._found = survey_daq(self.link, self.session, self.described)
        self._segments = survey_segments(self.link, self.session, self.description.file)
        self._program = survey_program(self.link, self.session)
        self._memory.know(self._segments)
        self._paging = Paging(
            lambda: self.link,
            self._segments,
            mark=self._mark_page,
            note=self._memoir.note_page,
            wait=lambda event, timeout_s: wait_stored(self, event, timeout_s),
            ag=self.session.profile.ag,
        )
        self._paging.watchers = self._memory.page_watchers

    def look_again(self) -> None:
        """Ask anew what the slave can and has, as after a resource was unlocked; not while measuring."""
        if self._port.measurement is None or not self._port.measurement.is_running:
            self._look()
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
            if "calib" in self.__dict__:
                self.calib.close()

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
        epk = (self._epk_problem,) if self._epk_problem is not None else ()
        told = (*self._notes, *self._found, *epk, *self._memory.notes)
        return (*told, *self._named.diagnostics)

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

    @property
    def has_other_program(self) -> bool:
        """True when the description is for another EPK than the slave's."""
        return self._epk_problem is not None

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
        return self._memory.read(as_address(address, extension), size)

    def write_memory(self, address: int | Address, data: bytes, extension: int = 0) -> None:
        """Replace bytes of memory as XCP sees it; not verified, no limits: prefer :meth:`write`."""
        self._memoir.note_write(str(as_address(address, extension)))
        self._memory.write(as_address(address, extension), bytes(data))

    def checksum(self, address: int | Address, size: int, extension: int = 0) -> tuple[str, int]:
        """Checksum over memory: name of the algorithm and result (XCP Base, BUILD_CHECKSUM, 1.0).

        Raises:
            UsageError: the slave can do it only in several blocks.
        """
        return self._memory.checksum(as_address(address, extension), size)

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
        return verify(self, as_address(address, extension), bytes(data), checksums)

    # --- values ---

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
        cell = (at,) if isinstance(at, int) else at
        self._named.check_writable(name)
        self.check_confirmed(name)
        counters = self.link.machine.counters
        before = counters.repeated_writes
        done = self._named.write(
            name, value, at=cell, raw=raw, verify=verify, dependents=dependents
        )
        return done.with_repeated(counters.repeated_writes - before)

    def check_confirmed(self, name: str) -> None:
        """Refuse to write with the description of another program.

        Raises:
            IntegrityError: the EPK differs, and nobody has called :meth:`confirm`.
        """
        if self._epk_problem is None or self.confirmed:
            return
        mod_par = self.catalog.index.module.mod_par
        raise IntegrityError(
            f"{name}: not written, EPK",
            expected=mod_par.epk if mod_par else "",
            actual=self.description.epk,
            hint="Use the description of this program, or call confirm() first.",
        )

    @cached_property
    def calib(self) -> Calibration:
        """Calibration with a memory: groups, undo, history, what differs, what is in which file.

        Raises:
            UsageError: there is no description.
        """
        from xcaliper.client.calibration import Calibration

        return Calibration(self, self._memory, self._named.live.chosen, self._memoir.note_write)

    # --- commands and flash ---

    @property
    def commands(self) -> Commands:
        """Single commands: typed, as bytes, and those of the ECU's maker."""
        return Commands(self.link)

    @property
    def program(self) -> Programming:
        """The flash of the slave."""
        pgm = self.described.pgm if self.described is not None else None
        return Programming(self.link, self.session, pgm, self.check_confirmed)

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
            self._port.measurement.mark(text, name="page", port=self._port)

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
        return NameSpace(
            self.catalog, self._named.live.bound, self._named.live.computed, self._memory.read
        )

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

    stimulate = stimulate
    bypass = bypass
    store_measurement = store_measurement

    def clear_stored(self, timeout_s: float = 30.0) -> None:
        """Have the slave forget stored lists (XCP Base, CLEAR_DAQ_REQ, 1.0)."""
        clear_stored(self, timeout_s)

    @property
    def resumed(self) -> ResumedLists | None:
        """The lists that the slave runs since its start, until they are measured; see :func:`~xcaliper.client.connecting.connect`."""
        return self._port.resumed

    def adopt(self, saved: SavedPlan, early: EarlyPackets) -> None:
        """Take lists over that the slave runs since its start; :func:`~xcaliper.client.connecting.connect` does it.

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

    def _renew(self) -> Link:
        """Another session with the same slave; gives its link."""
        self.link.close()
        self.link, self.session = find_again(self, self._reopen)
        self._paging.forget()
        self._memory.forget()
        self._security.serve()
        return self.link

    def reconnect(self, *, restore: bool | None = None) -> tuple[Diagnostic, ...]:
        """A new session with the same slave, after it restarted or the link was lost.

        The description and what it was found to be able to do stay. Gives what was not restored, such
        as parameters that were written: they may have the values of power-up.

        Args:
            restore: set pages again that were set, unlock what was unlocked; None = as :func:`~xcaliper.client.connecting.connect`
                was told.

        Raises:
            LinkError: nobody listens there.
            ExchangeTimeoutError: no answer.
            IntegrityError: it runs another program now (EPK), or is another slave.
        """
        before = self.session
        self._renew()
        if not (self.restores if restore is None else restore):
            return ()
        locked = Resource(self.session.protection & ~before.protection)
        lost = self._memoir.restore(
            self.link, locked=locked, unlock=self._security.unlock, renew=self._renew
        )
        self._notes = (*self._notes, *(one for one in lost if one not in self._notes))
        return lost
