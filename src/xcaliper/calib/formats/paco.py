"""PaCo files, which went before CDF: read only *(PaCo, MSRSW with SW-UNITS and SW-CS-ENTRY)*.

Values stand among the axes, at index 0; units are referred to by name; block sizes are in the attribute SI as
columns@rows@layers behind a semicolon.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from xcaliper.calib.entries import label_of
from xcaliper.calib.formats.cdf_history import read_entries
from xcaliper.calib.formats.cdf_instance import bodies, full_name
from xcaliper.calib.formats.cdf_values import entry_values, point_values, read_cells
from xcaliper.calib.formats.cdf_words import normal
from xcaliper.calib.formats.findings import Findings
from xcaliper.calib.formats.model import Holds, ReadSet, SetFormat
from xcaliper.calib.formats.xml_records import Node, XmlRecords
from xcaliper.calib.paramset import AxisKind, Entry, EntryKind, ParameterSet, SetAxis, Variant

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FORMAT", "read_paco"]

_KINDS: Final = {
    "VALUE": EntryKind.VALUE,
    "ASCII": EntryKind.ASCII,
    "VALUE_BLOCK": EntryKind.VAL_BLK,
    "AXIS_VALUES": EntryKind.AXIS_PTS,
    "CURVE": EntryKind.CURVE,
    "MAP": EntryKind.MAP,
    "CUBOID": EntryKind.CUBOID,
}
_AXES: Final = {
    "INDIVIDUAL": AxisKind.STD,
    "FIXED": AxisKind.FIX,
    "GROUPED": AxisKind.COM,
}
_HISTORY: Final = {
    "state": "SW-CS-STATE",
    "date": "DATE",
    "user": "SW-CS-PERFORMED-BY",
    "project": "SW-CS-PROJECT-INFO",
    "work_package": "SW-CS-CONTEXT",
    "test_object": "SW-CS-TEST-OBJECT",
    "test_variant": "SW-CS-TARGET-VARIANT",
    "program": "SW-CS-PROGRAM-IDENTIFIER",
    "data": "SW-CS-DATA-IDENTIFIER",
}
_NO_VALUES: Final = ("SW_COMPONENT",)
_MARKS: Final = (b"SW-AXIS-INDEX", b"SW-UNITS", b"SW-CS-PERFORMED-BY")
_MAX_AXES: Final = 5


class _Reader:
    """Reads one file, record by record."""

    def __init__(self, source: str) -> None:
        self.findings = Findings(source)
        self.source = source
        self.entries: dict[tuple[str, Variant], Entry] = {}
        self.units: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.records: dict[str, Callable[[Node], None]] = {
            "SHORT-NAME": lambda node: self.names.__setitem__(node.outer, node.text.strip()),
            "SW-UNIT": self._unit,
            "SW-INSTANCE": self._instance,
        }

    def _unit(self, node: Node) -> None:
        self.units[node.value("SHORT-NAME")] = node.value("SW-UNIT-DISPLAY")

    def _instance(self, node: Node) -> None:
        name, category = full_name(node), normal(node.value("CATEGORY"))
        if not name:
            self.findings.error("no-name", "SW-INSTANCE without a name; left out.", line=node.line)
        elif category in _NO_VALUES:
            self.findings.note(
                "no-values", f"{name}: {category} has no values.", line=node.line, subject=name
            )
        else:
            for body, variant in bodies(node):
                self._body(name, category, node, body, variant)

    def _body(self, name: str, category: str, node: Node, body: Node, variant: Variant) -> None:
        key = name, variant
        try:
            entry = _entry(name, category, node, body, variant)
        except ValueError as error:
            self.findings.error(
                "bad-values",
                f"{label_of(key)}: {error}; left out.",
                line=body.line,
                subject=name,
                hint="Correct the file or write the value by hand.",
            )
            return
        if key in self.entries:
            self.findings.warn(
                "duplicate",
                f"{label_of(key)}: given again; the later one counts.",
                line=body.line,
                subject=name,
            )
        self.entries[key] = entry

    def unit_of(self, ref: str, name: str) -> str:
        """Text of a unit; its name where it is not defined."""
        if ref and ref not in self.units:
            self.findings.warn(
                "unit", f"{name}: the unit {ref[:40]!r} is not defined.", subject=name
            )
        return self.units.get(ref, ref)


def _entry(name: str, category: str, node: Node, body: Node, variant: Variant) -> Entry:
    """Entry whose units are still references."""
    base, _, how = category.rpartition("_")
    kind = _KINDS.get(base if how in _AXES else category)
    if kind is None:
        raise ValueError(f"CATEGORY {category[:40]!r} is not known")
    conts = _containers(body)
    if 0 not in conts:
        raise ValueError("no values, SW-AXIS-CONT with index 0")
    axes = tuple(_axis(conts[n], n, _AXES.get(how, AxisKind.STD)) for n in sorted(conts) if n)
    phys = conts[0].child("SW-VALUES-PHYS")
    if phys is None:
        raise ValueError("no SW-VALUES-PHYS")
    feature = node.value("SW-FEATURE-REF")
    return Entry(
        name,
        kind,
        entry_values(
            kind,
            read_cells(phys),
            _sizes(conts[0]) if kind is EntryKind.VAL_BLK else (),
            [None if axis.values is None else len(axis.values) for axis in axes],
        ),
        axes=axes,
        unit=conts[0].value("SW-UNIT-REF"),
        long_name=node.value("LONG-NAME"),
        display_name=node.value("DISPLAY-NAME"),
        functions=(feature,) if feature else (),
        variant=variant,
        history=read_entries(body, "SW-CS-ENTRY", _HISTORY, "SW-CS-FIELD"),
        where=f"line {node.line}",
    )


def _containers(body: Node) -> dict[int, Node]:
    """SW-AXIS-CONT by index: 0 has the values, 1 is X."""
    around = body.child("SW-AXIS-CONTS") or body
    found: dict[int, Node] = {}
    for one in around.all("SW-AXIS-CONT"):
        text = one.value("SW-AXIS-INDEX") or "0"
        index = int(text) if text.isascii() and text.isdigit() and len(text) < 3 else -1
        if not 0 <= index <= _MAX_AXES or index in found:
            raise ValueError(f"SW-AXIS-INDEX {text[:40]!r} is no index, or there twice")
        found[index] = one
    return found


def _axis(cont: Node, n: int, kind: AxisKind) -> SetAxis:
    phys, ref = cont.child("SW-VALUES-PHYS"), cont.value("SW-INSTANCE-REF")
    try:
        points = point_values(read_cells(phys)) if phys is not None else None
    except ValueError as error:
        raise ValueError(f"axis {n}: {error}") from error
    return SetAxis(kind, points, ref=ref, unit=cont.value("SW-UNIT-REF"))


def _sizes(cont: Node) -> tuple[int, ...]:
    """Sizes of the attribute SI, slowest dimension first; those that are 0 do not count."""
    _, _, text = cont.attributes.get("SI", "").rpartition(";")
    if "@" not in text:
        return ()
    words = [word.strip() for word in text.split("@")]
    if len(words) > _MAX_AXES or not all(
        w.isascii() and w.isdigit() and len(w) < 10 for w in words
    ):
        raise ValueError(f"SI {text[:40]!r} does not hold sizes")
    return tuple(int(word) for word in reversed(words) if int(word))


def read_paco(data: bytes, *, source: str = "") -> ReadSet:
    """Read a set from a PaCo file.

    Entries that are wrong are left out and reported; so is the rest of a file that breaks off.

    Args:
        data: bytes of the file, encoded as its XML declaration says.
        source: its name, for messages.

    Raises:
        ParameterSetError: no XML, another root than MSRSW, declared entities, or beyond the caps.
    """
    reader = _Reader(source)
    records = XmlRecords(
        source,
        "MSRSW",
        frozenset(reader.records),
        "SW-INSTANCE",
        lambda node: reader.records[node.tag](node),
    )
    broken = records.read(data)
    if broken is not None:
        reader.findings.error(*broken.finding(len(reader.entries)), line=broken.line)
    entries = [
        replace(
            one,
            unit=reader.unit_of(one.unit, one.name),
            axes=tuple(replace(a, unit=reader.unit_of(a.unit, one.name)) for a in one.axes),
        )
        for one in reader.entries.values()
    ]
    name = reader.names.get("SW-INSTANCE-TREE", "") or reader.names.get("MSRSW", "")
    return ReadSet(ParameterSet(entries, name=name), reader.findings.all())


def _looks_so(data: bytes) -> bool:
    return b"<MSRSW" in data and any(mark in data for mark in _MARKS)


FORMAT: Final = SetFormat(
    "paco",
    "PaCo (XML, read only)",
    (".paco",),
    read=read_paco,
    sniff=_looks_so,
    holds=frozenset(
        {
            Holds.TEXTS,
            Holds.AXES,
            Holds.CUBOIDS,
            Holds.UNITS,
            Holds.NAMES,
            Holds.FUNCTIONS,
            Holds.VARIANTS,
            Holds.HISTORY,
        }
    ),
)
