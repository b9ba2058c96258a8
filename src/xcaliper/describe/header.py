"""A description from a C header whose comments say what the compiler cannot: units, scaling, limits, axes.

The syntax is a line of ``@@ key value`` in a comment before a declaration, or behind one on its line; see the how-to
page. Addresses and structures come from the program, when there is one.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from xcaliper.a2l.ifdata import number_of
from xcaliper.a2l.keywords import project as kw_project
from xcaliper.a2l.keywords.axis import AxisDescr, AxisPts, FixAxisParList
from xcaliper.a2l.keywords.characteristic import Characteristic
from xcaliper.a2l.keywords.common import ExtendedLimits, SymbolLink
from xcaliper.a2l.keywords.compu import CoeffsLinear, CompuMethod, CompuVtab
from xcaliper.a2l.keywords.function import DefCharacteristic, Function, OutMeasurement
from xcaliper.a2l.keywords.group import Group, RefCharacteristic, RefMeasurement
from xcaliper.a2l.keywords.layout import AxisPtsX, RecordLayout
from xcaliper.a2l.keywords.measurement import Measurement
from xcaliper.a2l.keywords.typedef import Instance
from xcaliper.a2l.parse import A2lFile
from xcaliper.core.datatypes import DataType
from xcaliper.describe.annotations import Findings, Note, ident, notes_of
from xcaliper.describe.enums import a2l_name
from xcaliper.describe.generator import natural_alignment
from xcaliper.describe.takeover import free_name, matrix_dim
from xcaliper.describe.typedefs import NO_METHOD, Typedefs
from xcaliper.describe.updater import update
from xcaliper.image.c_types import Struct, Typedef, base_name, datatype_of, element_of, strip

if TYPE_CHECKING:
    from xcaliper.core.progress import Progress
    from xcaliper.image.program import Program

__all__ = ["parse_header"]

_PAIR: Final = re.compile(r"(-?\w+)\s*=\s*(\"[^\"]*\"|[^\s,]+)")
_TYPES: Final = {
    "bool": DataType.UBYTE, "_Bool": DataType.UBYTE, "boolean": DataType.UBYTE, "boolean_T": DataType.UBYTE,
    "char": DataType.SBYTE, "signed char": DataType.SBYTE, "unsigned char": DataType.UBYTE,
    "short": DataType.SWORD, "unsigned short": DataType.UWORD, "int": DataType.SLONG,
    "unsigned int": DataType.ULONG, "long": DataType.SLONG, "unsigned long": DataType.ULONG,
    "long long": DataType.A_INT64, "unsigned long long": DataType.A_UINT64,
    "float": DataType.FLOAT32_IEEE, "double": DataType.FLOAT64_IEEE, "real_T": DataType.FLOAT64_IEEE,
    **{f"{p}int{b}{s}": DataType[n] for b, n in ((8, "SBYTE"), (16, "SWORD"), (32, "SLONG"), (64, "A_INT64"))
       for p, s in (("", "_t"), ("", "_T"), ("", ""), ("s", ""))},
    **{f"uint{b}{s}": DataType[n] for b, n in ((8, "UBYTE"), (16, "UWORD"), (32, "ULONG"), (64, "A_UINT64"))
       for s in ("_t", "_T", "")},
    **{f"{w}{s}": DataType[n] for w, n in (("float32", "FLOAT32_IEEE"), ("float64", "FLOAT64_IEEE"), ("real32", "FLOAT32_IEEE"))
       for s in ("", "_t", "_T")},
}  # fmt: skip


def parse_header(
    text: str,
    *,
    source: str = "",
    project: str = "",
    program: Program | None = None,
    progress: Progress | None = None,
) -> A2lFile:
    """The description that a header's annotations spell; what is wrong with them stands in its diagnostics.

    Args:
        text: the header.
        source: its name, for messages.
        project: name of PROJECT and MODULE; from the source when empty.
        program: gives addresses, real data types and structures; without it addresses are 0, to be updated later.
        progress: as in ``update``, with a program.
    """
    name = a2l_name(
        project or source.replace("\\", "/").rpartition("/")[2].partition(".")[0] or "header"
    )
    module = kw_project.Module(name, "")
    if program is not None and program.byte_order is not None:
        module.mod_common = natural_alignment(program.byte_order)
    file = A2lFile(
        asap2_version=kw_project.Asap2Version(1, 71),
        project=kw_project.Project(name, "", module=[module]),
        source=source,
    )
    findings = Findings(text, source, file.diagnostics)
    maker = _Maker(module, program, findings)
    for note in notes_of(text, findings):
        maker.make(note)
    maker.axes()
    if program is not None:
        update(file, program, mode="full", progress=progress)
    return file


class _Maker:
    """Makes the objects of one header."""

    def __init__(
        self, module: kw_project.Module, program: Program | None, findings: Findings
    ) -> None:
        self.module = module
        self.program = program
        self.findings = findings
        self.typedefs = Typedefs(module)
        self.methods: dict[tuple[Any, ...], str] = {}
        self.names: set[str] = set()
        self.tables: list[tuple[Note, str]] = []
        self.groups: dict[str, Group] = {}
        self.functions: dict[str, Function] = {}

    def make(self, note: Note) -> None:
        """Add the object of an annotation."""
        if note.name in self.names:
            self.findings.add(
                note, "the name is there already.", "Give another name behind the kind."
            )
            return
        place = self.program.locate(note.link) if self.program else None
        element, dims = element_of(place.type) if place and place.type else (None, note.dims)
        if note.kind == "instance" or (element is not None and isinstance(strip(element), Struct)):
            self.instance(note, element, dims)
            return
        datatype = datatype_of(element) if element is not None else self.datatype(note)
        if datatype is None:
            asked = note.get("type")
            self.findings.add(
                note,
                f"the type {asked or note.type_name} is unknown.",
                f"Use one of {', '.join(DataType.__members__)}."
                if asked
                else "Add '@@ type UWORD' or the like, or give the ELF file.",
                "type",
            )
            return
        self.numbered(note)
        if 0 in dims:
            self.findings.add(
                note, "a dimension is no number.", "Write it as a number or a #define."
            )
            return
        self.names.add(note.name)
        handler = {
            "measurement": self.measurement,
            "parameter": self.parameter,
            "axis": self.axis,
            "curve": self.table,
            "map": self.table,
        }[note.kind]
        handler(note, datatype, dims)
        self.lists(note)

    def datatype(self, note: Note) -> DataType | None:
        """Data type by the annotation, else by the name of the type in C."""
        asked = note.get("type")
        if asked:
            return DataType(asked) if asked in DataType.__members__ else None
        words = note.type_name.split()
        names = (" ".join(words[at:]) for at in range(len(words)))  # macros may stand in front
        return next((t for name in names if (t := _TYPES.get(base_name(name)))), None)

    def numbered(self, note: Note) -> None:
        """Report keys whose numbers cannot be read, instead of passing over them."""
        for key, what, example in (
            ("limits", "a lower and an upper number", "0 8000"),
            ("hard", "a lower and an upper number", "0 8000"),
            ("linear", "a factor and an offset", "0.25 -40"),
        ):
            if key in note.keys and len(note.numbers(key)) != 2:
                self.findings.add(note, f"{key} needs {what}.", f"Write '@@ {key} {example}'.", key)
        texts = note.get("enum")
        if "enum" in note.keys and (not _PAIR.search(texts) or _PAIR.sub("", texts).strip(" ,")):
            self.findings.add(
                note,
                "enum needs VALUE=TEXT pairs.",
                "Write '@@ enum 0=Off 1=\"Running hot\"'.",
                "enum",
            )

    def limits(self, note: Note, datatype: DataType) -> tuple[Any, Any]:
        """Soft limits, else what the raw type allows under the scaling."""
        asked = note.numbers("limits")
        if len(asked) == 2:
            return min(asked), max(asked)
        low, high = datatype.limits
        linear = note.numbers("linear")
        if len(linear) == 2 and linear[0]:
            ends = sorted((low * linear[0] + linear[1], high * linear[0] + linear[1]))
            return ends[0], ends[1]
        return low, high

    def method(self, note: Note) -> str:
        """Name of the conversion; equal ones are shared."""
        linear, unit, form = note.numbers("linear"), note.get("unit"), note.get("format") or "%8.3"
        pairs = _PAIR.findall(note.get("enum"))
        texts = [(v, t.strip('"')) for n, t in pairs if isinstance(v := number_of(n), int)]
        if not (linear or unit or texts):
            return NO_METHOD
        key = (tuple(linear), unit, form, tuple(texts))
        if key in self.methods:
            return self.methods[key]
        name = self.methods[key] = free_name(f"{note.name}_conversion", set(self.methods.values()))
        made = CompuMethod(name, "", "IDENTICAL", form, unit)
        if texts:
            made.conversion_type, made.compu_tab_ref = "TAB_VERB", name
            self.module.compu_vtab.append(CompuVtab(name, "", "TAB_VERB", len(texts), list(texts)))
        elif linear:
            if len(linear) == 2 and not linear[0]:
                self.findings.add(
                    note, "a factor of 0 has no way back.", "Write '@@ linear 0.25 -40'.", "linear"
                )
            elif len(linear) == 2:
                made.conversion_type, made.coeffs_linear = "LINEAR", CoeffsLinear(*linear)
        self.module.compu_method.append(made)
        return name

    def shared(self, note: Note) -> dict[str, Any]:
        """Optional keywords of every kind of object."""
        return {"format": note.get("format") or None, "symbol_link": SymbolLink(note.link, 0)}

    def hard(self, note: Note) -> ExtendedLimits | None:
        asked = note.numbers("hard")
        return ExtendedLimits(min(asked), max(asked)) if len(asked) == 2 else None

    def measurement(self, note: Note, datatype: DataType, dims: tuple[int, ...]) -> None:
        """A measurement, perhaps an array."""
        lower, upper = self.limits(note, datatype)
        self.module.measurement.append(
            Measurement(
                note.name,
                note.get("text"),
                datatype.value,
                self.method(note),
                0,
                0.0,
                lower,
                upper,
                ecu_address=0,
                discrete=bool(note.get("enum")),
                layout="ROW_DIR" if len(dims) > 1 else None,
                matrix_dim=matrix_dim(dims, "1.71") or None,
                read_write="writable" in note.keys,
                **self.shared(note),
            )
        )

    def parameter(self, note: Note, datatype: DataType, dims: tuple[int, ...]) -> None:
        """A value or a block; a character array is text."""
        text = note.type_name == "char" and len(dims) == 1
        lower, upper = (0, 255) if text else self.limits(note, datatype)
        self.module.characteristic.append(
            Characteristic(
                note.name,
                note.get("text"),
                "ASCII" if text else "VAL_BLK" if dims else "VALUE",
                0,
                self.typedefs.layout(DataType.UBYTE if text else datatype),
                0.0,
                self.method(note),
                lower,
                upper,
                discrete=bool(note.get("enum")),
                extended_limits=self.hard(note),
                matrix_dim=None if text else matrix_dim(dims, "1.71") or None,
                number=dims[0] if text else None,
                **self.shared(note),
            )
        )

    def axis(self, note: Note, datatype: DataType, dims: tuple[int, ...]) -> None:
        """Points of an axis that curves and maps name."""
        lower, upper = self.limits(note, datatype)
        if len(dims) != 1:
            self.findings.add(note, "an axis is an array with one dimension.", "Declare it so.")
            return
        layout = f"RL_AXIS_{datatype.value}"
        if all(made.name != layout for made in self.module.record_layout):
            points = AxisPtsX(1, datatype.value, "INDEX_INCR", "DIRECT")
            self.module.record_layout.append(RecordLayout(layout, axis_pts_x=points))
        self.module.axis_pts.append(
            AxisPts(
                note.name,
                note.get("text"),
                0,
                ident(note.get("x")) or "NO_INPUT_QUANTITY",
                layout,
                0.0,
                self.method(note),
                dims[0],
                lower,
                upper,
                extended_limits=self.hard(note),
                **self.shared(note),
            )
        )

    def table(self, note: Note, datatype: DataType, dims: tuple[int, ...]) -> None:
        """A curve or a map over axis objects or fixed points; the last index of C is X."""
        wanted = ("x",) if note.kind == "curve" else ("x", "y")
        if len(dims) != len(wanted) or not all(note.get(axis) for axis in wanted):
            self.findings.add(
                note,
                f"a {note.kind} has {len(wanted)} dimensions and as many axes.",
                f"Add {' and '.join(f'@@ {axis} AXIS' for axis in wanted)}.",
            )
            return
        self.tables += [(note, axis) for axis in wanted]
        counts = tuple(reversed(dims))
        lower, upper = self.limits(note, datatype)
        self.module.characteristic.append(
            Characteristic(
                note.name,
                note.get("text"),
                note.kind.upper(),
                0,
                self.typedefs.layout(datatype),
                0.0,
                self.method(note),
                lower,
                upper,
                axis_descr=[
                    self.axis_descr(note.get(axis), count)
                    for axis, count in zip(wanted, counts, strict=True)
                ],
                extended_limits=self.hard(note),
                **self.shared(note),
            )
        )

    def axes(self) -> None:
        """Report tables whose axis is nowhere; an axis may stand behind its table."""
        known = [made.name for made in self.module.axis_pts]
        for note, key in self.tables:
            wanted = ident(note.get(key))
            if not note.numbers(key) and wanted not in known:
                near = get_close_matches(wanted, known, n=1)
                self.findings.add(
                    note,
                    f"axis {wanted} is not there.",
                    f"Did you mean {near[0]}?" if near else f"Add '@@ axis {wanted}' to its array.",
                    key,
                )

    def axis_descr(self, text: str, count: int) -> AxisDescr:
        """An axis object by name, or fixed points."""
        points = [number_of(word) for word in text.replace(",", " ").split()]
        if points and all(point is not None for point in points):
            values = [float(point) for point in points if point is not None]
            made = AxisDescr(
                "FIX_AXIS", "NO_INPUT_QUANTITY", NO_METHOD, len(values), min(values), max(values)
            )
            made.fix_axis_par_list = FixAxisParList(values)
            return made
        axis = next((a for a in self.module.axis_pts if a.name == ident(text)), None)
        ends = (axis.lower_limit, axis.upper_limit) if axis else (-1e38, 1e38)
        return AxisDescr(
            "COM_AXIS",
            axis.input_quantity if axis else "NO_INPUT_QUANTITY",
            axis.conversion if axis else NO_METHOD,
            count,
            ends[0],
            ends[1],
            axis_pts_ref=ident(text),
        )

    def instance(self, note: Note, element: Any, dims: tuple[int, ...]) -> None:
        """A structure; its members come from the program."""
        bare = strip(element) if element is not None else None
        if not isinstance(bare, Struct):
            self.findings.add(note, "its members are not known.", "Give the ELF file.")
            return
        self.names.add(note.name)
        label = element.name if isinstance(element, Typedef) else ""
        typedef = self.typedefs.structure(bare, label, parameter=note.kind == "parameter")
        self.module.instance.append(
            Instance(
                note.name,
                note.get("text"),
                typedef,
                0,
                matrix_dim=matrix_dim(dims, "1.71") or None,
                symbol_link=SymbolLink(note.link, 0),
            )
        )

    def lists(self, note: Note) -> None:
        """Put the object into its groups and functions."""
        measured = note.kind == "measurement"
        for name in note.keys.get("group", []):
            group = self.groups.get(name)
            if group is None:
                group = self.groups[name] = Group(a2l_name(name), name, root=True)
                self.module.group.append(group)
            if measured:
                group.ref_measurement = group.ref_measurement or RefMeasurement()
                group.ref_measurement.names.append(note.name)
            else:
                group.ref_characteristic = group.ref_characteristic or RefCharacteristic()
                group.ref_characteristic.names.append(note.name)
        for name in note.keys.get("function", []):
            function = self.functions.get(name)
            if function is None:
                function = self.functions[name] = Function(a2l_name(name), name)
                self.module.function.append(function)
            if measured:
                function.out_measurement = function.out_measurement or OutMeasurement()
                function.out_measurement.names.append(note.name)
            else:
                function.def_characteristic = function.def_characteristic or DefCharacteristic()
                function.def_characteristic.names.append(note.name)
