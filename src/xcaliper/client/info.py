"""What a connection found out about its slave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from xcaliper.core.diagnostics import Diagnostic
    from xcaliper.daq.capabilities import DaqCapabilities
    from xcaliper.xcp.codes import Resource
    from xcaliper.xcp.page_access import PageRules
    from xcaliper.xcp.procedures.program import ProgramInfo
    from xcaliper.xcp.profile import Profile

__all__ = ["ConnectionInfo", "SegmentInfo"]


_MAX_EVENTS: Final = 5


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """A calibration segment as the slave has it now; None where it does not say.

    Attributes:
        number: segment number on the wire.
        name: from the A2L; may be empty.
        address: first address.
        size_bytes: length.
        pages: number of pages.
        ecu_page: page that the ECU works with.
        xcp_page: page that reading and writing see.
        extension: address extension.
        page_rules: who may use each page, by number; None = nobody says.
    """

    number: int
    name: str = ""
    address: int | None = None
    size_bytes: int | None = None
    pages: int | None = None
    ecu_page: int | None = None
    xcp_page: int | None = None
    extension: int = 0
    page_rules: tuple[PageRules | None, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """The slave, its description, its abilities; a snapshot.

    Attributes:
        url: where it listens.
        profile: byte order, granularity, packet sizes.
        resource: what it offers.
        protection: what is locked by seed and key.
        protocol_version: protocol layer, ``1.5``; only the major number when the slave says no more.
        transport_version: transport layer, likewise.
        ecu_name: identification type 0.
        epk: program identification, from the slave.
        a2l_name: name of the description.
        a2l_origin: ``file``, ``upload``, ``cache``, or empty when there is none.
        a2l_size: bytes.
        measurements: number of measurements in the description.
        characteristics: number of parameters in it.
        daq: merged DAQ abilities; None when there is no DAQ.
        segments: calibration segments.
        program: abilities of programming; None when there is none, or the slave does not tell.
        diagnostics: what is odd, each told once.
    """

    url: str
    profile: Profile
    resource: Resource
    protection: Resource
    protocol_version: str = ""
    transport_version: str = ""
    ecu_name: str = ""
    epk: str = ""
    a2l_name: str = ""
    a2l_origin: str = ""
    a2l_size: int = 0
    measurements: int = 0
    characteristics: int = 0
    daq: DaqCapabilities | None = None
    segments: tuple[SegmentInfo, ...] = ()
    program: ProgramInfo | None = None
    diagnostics: tuple[Diagnostic, ...] = field(default=())

    @property
    def events(self) -> tuple[Any, ...]:
        """Known event channels."""
        return self.daq.events if self.daq else ()

    def _offers(self, mask: Resource) -> str:
        return ", ".join(name for name, value in mask.fields().items() if value) or "nothing"

    def rows(self) -> list[tuple[str, str]]:
        """Label and text, for tables."""
        profile = self.profile
        order = profile.byte_order.name.capitalize()
        sizes = f"MAX_CTO {profile.max_cto}, MAX_DTO {profile.max_dto}"
        found = [
            ("slave", self.url),
            ("name", self.ecu_name or "–"),
            ("EPK", self.epk or "–"),
            ("XCP", f"protocol {self.protocol_version}, transport {self.transport_version}"),
            ("packets", f"{sizes}, {order}, {profile.ag} byte per address"),
            ("offers", self._offers(self.resource)),
            ("locked", self._offers(self.protection)),
            ("A2L", self._a2l_text()),
        ]
        if self.daq is not None:
            found.append(("DAQ", self._daq_text(self.daq)))
            if any(event.stim for event in self.daq.events):
                found.append(("STIM", self._stim_text(self.daq)))
        if self.program is not None:
            found.append(("PGM", self._program_text(self.program)))
        return found

    def _a2l_text(self) -> str:
        if not self.a2l_origin:
            return "none"
        return (
            f"{self.a2l_name} ({self.a2l_origin}, {self.a2l_size} bytes): "
            f"{self.measurements} measurements, {self.characteristics} parameters"
        )

    @staticmethod
    def _daq_text(daq: DaqCapabilities) -> str:
        kind = "dynamic" if daq.dynamic else "static"
        stamp = "no timestamp"
        if daq.clock is not None:
            tick_ns = float(daq.clock.tick_ns)
            tick = f"{tick_ns / 1000:g} µs" if tick_ns >= 1000 else f"{tick_ns:g} ns"
            stamp = f"{daq.clock.size_bytes}-byte timestamp of {tick}"
        keeps = ", keeps lists (RESUME)" if daq.resume else ""
        return f"{kind} lists, identification field {daq.identification_field}, {stamp}{keeps}"

    @staticmethod
    def _stim_text(daq: DaqCapabilities) -> str:
        events = [event.name or str(event.number) for event in daq.events if event.stim]
        shown = ", ".join(events[:_MAX_EVENTS])
        more = f" and {len(events) - _MAX_EVENTS} more" if len(events) > _MAX_EVENTS else ""
        bits = "; single bits" if daq.bit_stim else ""
        return f"at {shown}{more}{bits}"

    @staticmethod
    def _program_text(program: ProgramInfo) -> str:
        told = program.properties.fields()
        abilities = [name for name, value in told.items() if value] or ["no access mode told"]
        words = ", ".join(name.replace("_", " ") for name in abilities)
        return f"{words}; {program.max_sector} sectors"

    def event_rows(self) -> list[tuple[str, str, str, str, str]]:
        """Number, name, period, direction and list limit of each event."""
        return [
            (
                str(event.number),
                event.name or "–",
                f"{event.cycle_ns / 1e6:g} ms" if event.cycle_ns else "–",
                "/".join(n for n, on in (("DAQ", event.daq), ("STIM", event.stim)) if on),
                "no limit" if event.max_daq_list is None else str(event.max_daq_list),
            )
            for event in self.events
        ]

    def segment_rows(self) -> list[tuple[str, ...]]:
        """Number, name, address, length, pages, ECU page and XCP page of each segment."""
        return [
            tuple(
                "–" if value is None else value
                for value in (
                    str(segment.number),
                    segment.name or None,
                    None if segment.address is None else f"0x{segment.address:08X}",
                    _text(segment.size_bytes),
                    _text(segment.pages),
                    _text(segment.ecu_page),
                    _text(segment.xcp_page),
                )
            )
            for segment in self.segments
        ]

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        profile = self.profile
        return {
            "url": self.url,
            "name": self.ecu_name,
            "epk": self.epk,
            "protocol_version": self.protocol_version,
            "transport_version": self.transport_version,
            "byte_order": profile.byte_order.name,
            "address_granularity": profile.ag,
            "max_cto": profile.max_cto,
            "max_dto": profile.max_dto,
            "resource": self.resource.fields(),
            "protection": self.protection.fields(),
            "a2l": {
                "name": self.a2l_name,
                "origin": self.a2l_origin,
                "size_bytes": self.a2l_size,
                "measurements": self.measurements,
                "characteristics": self.characteristics,
            },
            "daq": None
            if self.daq is None
            else {
                "dynamic": self.daq.dynamic,
                "identification_field": self.daq.identification_field,
                "resume": self.daq.resume,
                "bit_stim": self.daq.bit_stim,
            },
            "events": [
                {
                    "number": event.number,
                    "name": event.name,
                    "cycle_ns": event.cycle_ns,
                    "daq": event.daq,
                    "stim": event.stim,
                }
                for event in self.events
            ],
            "segments": [
                {
                    "number": segment.number,
                    "name": segment.name,
                    "address": segment.address,
                    "size_bytes": segment.size_bytes,
                    "pages": segment.pages,
                    "ecu_page": segment.ecu_page,
                    "xcp_page": segment.xcp_page,
                }
                for segment in self.segments
            ],
            "program": None
            if self.program is None
            else {
                "properties": self.program.properties.fields(),
                "max_sector": self.program.max_sector,
            },
            "diagnostics": [str(diagnostic) for diagnostic in self.diagnostics],
        }

    def __str__(self) -> str:
        width = max(len(label) for label, _ in self.rows())
        return "\n".join(f"{label:<{width}}  {text}" for label, text in self.rows())


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)
