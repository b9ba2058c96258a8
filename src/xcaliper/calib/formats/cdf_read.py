"""CDF files → parameter sets *(CDF 2.0, MSRSW to SW-CS-FLAG)*."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from xcaliper.calib.entries import label_of
from xcaliper.calib.formats.cdf_history import read_flags, read_history
from xcaliper.calib.formats.cdf_instance import bodies, full_name
from xcaliper.calib.formats.cdf_values import (
    Cells,
    entry_values,
    point_values,
    read_cells,
    read_sizes,
)
from xcaliper.calib.formats.cdf_words import (
    CATEGORY_OF_KIND,
    CONTAINERS,
    EXTRA,
    KINDS,
    QUANTITY,
    VARIANT,
    axis_kind_of,
    normal,
)
from xcaliper.calib.formats.findings import Findings
from xcaliper.calib.formats.model import ReadSet
from xcaliper.calib.formats.xml_records import Node, XmlRecords
from xcaliper.calib.paramset import (
    CollectionInfo,
    Entry,
    EntryKind,
    Origin,
    ParameterSet,
    SetAxis,
    Variant,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CdfReader"]

_CUBES: Final = {
    0: EntryKind.VAL_BLK,
    1: EntryKind.CURVE,
    2: EntryKind.MAP,
    3: EntryKind.CUBOID,
    4: EntryKind.CUBE_4,
    5: EntryKind.CUBE_5,
}
_FLAGS: Final = {"true": 1, "false": 0}


@dataclass(slots=True)
class _Extra:
    """What the SDG at the end says of the set."""

    texts: dict[str, str] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    criteria: dict[str, tuple[str, ...]] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)


class CdfReader:
    """Reads one file, record by record.

    Args:
        source: its name, for messages.
    """

    def __init__(self, source: str) -> None:
        self.findings = Findings(source)
        self._source = source
        self._entries: dict[tuple[str, Variant], Entry] = {}
        self._functions: list[CollectionInfo] = []
        self._names: dict[str, str] = {}
        self._a2l = self._image = ""
        self._extra = _Extra()
        self._extended: set[tuple[str, Variant]] = set()
        self._records: dict[str, Callable[[Node], None]] = {
            "SHORT-NAME": self._short_name,
            "CATEGORY": self._category,
            "SW-INSTANCE-TREE-ORIGIN": self._origin,
            "SW-CS-COLLECTION": self._collection,
            "SW-INSTANCE": self._instance,
            "SDGS": self._special,
        }

    def read(self, data: bytes) -> ReadSet:
        """Read the whole file.

        Raises:
            ParameterSetError: no such file, see :class:`~xcaliper.calib.formats.xml_records.XmlRecords`.
        """
        records = XmlRecords(
            self._source,
            "MSRSW",
            frozenset(self._records),
            "SW-INSTANCE",
            lambda node: self._records[node.tag](node),
        )
        broken = records.read(data)
        if broken is not None:
            self.findings.error(
                *broken.finding(len(self._entries)),
                line=broken.line,
                hint="Get the file again before using it.",
            )
        texts = self._extra.texts
        tool = " ".join(
            filter(None, map(records.attributes.get, ("CREATOR", "CREATOR-VERSION")))
        ).strip()
        origin = Origin(
            a2l=self._a2l,
            epk=texts.get("EPK", ""),
            image=self._image,
            tool=tool,
            time=texts.get("TIME", ""),
            user=texts.get("USER", ""),
        )
        long_names = self._extra.functions
        values = ParameterSet(
            self._entries.values(),
            name=self._names.get("SW-INSTANCE-TREE", "") or self._names.get("MSRSW", ""),
            origin=origin,
            functions=[
                replace(one, long_name=long_names.get(one.name, "")) for one in self._functions
            ],
            criteria=self._extra.criteria.items(),
            comments=self._extra.comments,
        )
        return ReadSet(values, self.findings.all())

    # -- around the instances ---------------------------------------------------------------------

    def _short_name(self, node: Node) -> None:
        self._names.setdefault(node.outer, node.text.strip())

    def _category(self, node: Node) -> None:
        if node.outer == "MSRSW" and normal(node.text) not in ("CDF20", "CDF21"):
            self.findings.warn(
                "edition",
                f"CATEGORY is {node.text.strip()[:40]!r}; CDF20 and CDF21 are known.",
                line=node.line,
                hint="Compare the values with another tool.",
            )

    def _origin(self, node: Node) -> None:
        self._a2l = self._a2l or node.value("SYMBOLIC-FILE")
        self._image = self._image or node.value("DATA-FILE")

    def _collection(self, node: Node) -> None:
        is_collection = normal(node.value("CATEGORY")) == "COLLECTION"
        tags = ("SW-COLLECTION-REF", "SW-FEATURE-REF")
        name = next(filter(None, map(node.value, tags if is_collection else tags[::-1])), "")
        if not name:
            self.findings.note("no-name", "SW-CS-COLLECTION without a name.", line=node.line)
            return
        self._functions.append(
            CollectionInfo(
                name,
                version=node.value("REVISION"),
                is_collection=is_collection,
                history=read_history(node),
            )
        )

    def _special(self, node: Node) -> None:
        for group in node.all("SDG"):
            if group.attributes.get("GID") == EXTRA:
                self._read_extra(group)
            else:
                self.findings.note(
                    "special-data",
                    f"SDG {group.attributes.get('GID', '')[:40]!r} is not kept.",
                    line=group.line,
                )

    def _read_extra(self, group: Node) -> None:
        for one in group.all("SD"):
            kind = one.attributes.get("GID", "")
            if kind == "COMMENT":
                self._extra.comments.append(one.text)
            else:
                self._extra.texts[kind] = one.text
        for one in group.all("SDG"):
            caption = one.child("SDG-CAPTION")
            name = caption.value("SHORT-NAME") if caption is not None else ""
            told = [(sd.attributes.get("GID", ""), sd.text) for sd in one.all("SD")]
            kind = one.attributes.get("GID", "")
            if kind == "CRITERION":
                self._extra.criteria[name] = tuple(text for _, text in told)
            elif kind == "FUNCTION":
                self._extra.functions[name] = dict(told).get("LONG-NAME", "")
            elif kind == "INSTANCE":
                self._extend(name, told)

    def _extend(self, name: str, told: list[tuple[str, str]]) -> None:
        """Further functions and the input quantities of one entry."""
        variant = tuple(
            (kind.removeprefix(VARIANT), text) for kind, text in told if kind.startswith(VARIANT)
        )
        entry = self._entries.get((name, variant))
        if entry is None or entry.key in self._extended:
            return
        self._extended.add(entry.key)
        more = tuple(text for kind, text in told if kind == "FUNCTION")
        quantities = {kind.removeprefix(QUANTITY): text for kind, text in told}
        axes = tuple(
            replace(axis, quantity=quantities.get(str(n), axis.quantity))
            for n, axis in enumerate(entry.axes)
        )
        self._entries[entry.key] = replace(entry, functions=entry.functions + more, axes=axes)

    # -- instances --------------------------------------------------------------------------------

    def _instance(self, node: Node) -> None:
        name = full_name(node)
        if not name:
            self.findings.error("no-name", "SW-INSTANCE without a name; left out.", line=node.line)
            return
        for body, variant in bodies(node):
            try:
                entry = self._entry(name, node, body, variant)
            except ValueError as error:
                self.findings.error(
                    "bad-values",
                    f"{label_of((name, variant))}: {error}; left out.",
                    line=body.line,
                    subject=name,
                    hint="Correct the file or write the value by hand.",
                )
                continue
            if entry is not None:
                self._keep(entry, body.line)

    def _entry(self, name: str, node: Node, body: Node, variant: Variant) -> Entry | None:
        category = node.value("CATEGORY")
        container = body.child("SW-VALUE-CONT")
        values = container.child("SW-VALUES-PHYS") if container is not None else None
        if container is None or values is None:
            if not node.has_inner and normal(category) not in CONTAINERS:
                self.findings.warn(
                    "no-values",
                    f"{label_of((name, variant))}: no values; left out.",
                    line=body.line,
                    subject=name,
                )
            return None
        axes = self._axes(name, body)
        cells = read_cells(values)
        kind = self._kind(name, category, cells, axes, node.line)
        if normal(category) == "BOOLEAN":
            cells = Cells([_truth(cell) for cell in cells.flat], cells.shape)
        feature = node.value("SW-FEATURE-REF")
        return Entry(
            name,
            kind,
            entry_values(
                kind,
                cells,
                read_sizes(container),
                [None if one.values is None else len(one.values) for one in axes],
                pairs=normal(category) == "RES_AXIS",
            ),
            axes=axes,
            unit=_unit(container),
            long_name=node.value("LONG-NAME"),
            display_name=node.value("DISPLAY-NAME"),
            functions=(feature,) if feature else (),
            variant=variant,
            history=read_history(body),
            flags=read_flags(body),
            category="" if normal(category) == CATEGORY_OF_KIND[kind] else category,
            where=f"line {node.line}",
        )

    def _kind(
        self, name: str, category: str, cells: Cells, axes: tuple[SetAxis, ...], line: int
    ) -> EntryKind:
        known = KINDS.get(normal(category))
        if known is not None and not (known is EntryKind.VALUE and len(cells.flat) > 1):
            return known
        if len(cells.flat) == 1 and cells.shape == (1,) and not axes:
            kind = EntryKind.VALUE
        else:
            kind = _CUBES.get(len(axes), EntryKind.VAL_BLK)
        self.findings.note(
            "category",
            f"{name}: CATEGORY {category[:40]!r} is not that of its values; they are read as {kind}.",
            line=line,
            subject=name,
        )
        return kind

    def _axes(self, name: str, body: Node) -> tuple[SetAxis, ...]:
        conts = body.child("SW-AXIS-CONTS")
        if conts is None:
            return ()
        axes = []
        for n, one in enumerate(conts.all("SW-AXIS-CONT")):
            ref = one.value("SW-INSTANCE-REF")
            kind = axis_kind_of(one.value("CATEGORY"), ref)
            values = one.child("SW-VALUES-PHYS")
            points = None
            if values is not None and (values.children or not ref):
                try:
                    points = point_values(read_cells(values))
                except ValueError as error:
                    raise ValueError(f"axis {n}: {error}") from error
            elif not ref:
                self.findings.warn(
                    "no-points", f"{name}: axis {n} has neither points nor a reference.",
                    line=one.line, subject=name,
                )  # fmt: skip
            axes.append(SetAxis(kind, points, ref=ref, unit=_unit(one)))
        return tuple(axes)

    def _keep(self, entry: Entry, line: int) -> None:
        if entry.key in self._entries:
            self.findings.warn(
                "duplicate",
                f"{label_of(entry.key)}: given again; the later one counts.",
                line=line,
                subject=entry.name,
            )
        self._entries[entry.key] = entry


def _unit(node: Node) -> str:
    unit = node.child("UNIT-DISPLAY-NAME")
    return unit.text if unit is not None else ""


def _truth(cell: float | str) -> int | float | str:
    return _FLAGS.get(cell.strip().lower(), cell) if isinstance(cell, str) else cell
