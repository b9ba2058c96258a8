"""A declaration and its image as an ASAP2 1.7.1 description, slave settings included."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

from xcaliper.a2l import A2lFile, write
from xcaliper.a2l.builtin_aml import xcp_aml_text
from xcaliper.a2l.if_xcp import XcpDaqEvent, write_daq_event, write_xcp
from xcaliper.a2l.ifdata import A2ml
from xcaliper.a2l.keywords import axis as kw_axis
from xcaliper.a2l.keywords import compu as kw_compu
from xcaliper.a2l.keywords import function as kw_function
from xcaliper.a2l.keywords import group as kw_group
from xcaliper.a2l.keywords import layout as kw_layout
from xcaliper.a2l.keywords import memory as kw_memory
from xcaliper.a2l.keywords import project as kw_project
from xcaliper.a2l.keywords import typedef as kw_typedef
from xcaliper.a2l.keywords.characteristic import Characteristic
from xcaliper.a2l.keywords.common import ExtendedLimits
from xcaliper.a2l.keywords.measurement import Measurement as KwMeasurement
from xcaliper.core.datatypes import ByteOrder
from xcaliper.sim.conversion import (
    Conversion,
    Enum,
    Formula,
    Identical,
    Linear,
    RatFunc,
    TableInterpolated,
)
from xcaliper.sim.image import record_elements, struct_dtype
from xcaliper.sim.items import (
    Axis,
    BitField,
    Curve,
    FixAxis,
    Map,
    Measurement,
    Parameter,
    Scalar,
    Signal,
    StdAxis,
    StructArray,
    TableAxis,
    Text,
    TextMeasurement,
    ValueBlock,
)
from xcaliper.sim.memory_section import describe_memory
from xcaliper.sim.xcp_section import describe_slave

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcaliper.sim.image import EcuImage, Element
    from xcaliper.sim.xcp_section import Endpoint
    from xcaliper.xcp.slave_config import SlaveConfig

__all__ = ["describe", "describe_tree"]

_ORDER_WORDS: Final = {
    ByteOrder.INTEL: "MSB_LAST",
    ByteOrder.MOTOROLA: "MSB_FIRST",
    ByteOrder.MSB_FIRST_MSW_LAST: "MSB_FIRST_MSW_LAST",
    ByteOrder.MSB_LAST_MSW_FIRST: "MSB_LAST_MSW_FIRST",
}
_SHORT: Final = {"NO_AXIS_PTS_": "N", "AXIS_PTS_": "", "FNC_VALUES": "V"}
_Layout: TypeAlias = tuple[tuple[tuple[str, str], ...], bool]


def describe(image: EcuImage, config: SlaveConfig, endpoints: tuple[Endpoint, ...] = ()) -> str:
    """The A2L text of an ECU.

    Args:
        image: where everything lies.
        config: settings of its slave.
        endpoints: where it can be reached.
    """
    return write(describe_tree(image, config, endpoints))


def describe_tree(
    image: EcuImage, config: SlaveConfig, endpoints: tuple[Endpoint, ...] = ()
) -> A2lFile:
    """The same as a tree of keywords."""
    declaration = image.declaration
    maker = _Maker(image)
    module = kw_project.Module(declaration.name, declaration.text)
    module.a2ml = A2ml(f"\n{xcp_aml_text()}\n")
    module.mod_common = _mod_common(declaration.byte_order)
    module.mod_par = describe_memory(image, config)
    module.if_data.append(write_xcp(describe_slave(config, declaration, endpoints)))
    for signal in declaration.signals:
        maker.signal(signal, module)
    for item in declaration.parameters:
        if isinstance(item, Axis):
            module.axis_pts.append(maker.axis_pts(item))
        else:
            module.characteristic.append(maker.characteristic(item))
    maker.tables(module)
    _groups(image, module)
    _functions(image, module)
    project = kw_project.Project(
        declaration.name,
        declaration.text,
        header=kw_project.Header(f"{declaration.name}, virtual ECU", version=declaration.epk),
        module=[module],
    )
    return A2lFile(asap2_version=kw_project.Asap2Version(1, 71), project=project)


def _mod_common(order: ByteOrder) -> kw_memory.ModCommon:
    return kw_memory.ModCommon(
        "natural alignment",
        alignment_byte=1,
        alignment_word=2,
        alignment_long=4,
        alignment_int64=8,
        alignment_float16_ieee=2,
        alignment_float32_ieee=4,
        alignment_float64_ieee=8,
        byte_order=_ORDER_WORDS[order],
        deposit="ABSOLUTE",
    )


class _Maker:
    """Makes objects; collects the conversions and layouts that they name."""

    def __init__(self, image: EcuImage) -> None:
        self._image = image
        self._declaration = image.declaration
        self._channels = {event.name: event.channel for event in image.declaration.events}
        self._methods: dict[Conversion, str] = {}
        self._layouts: dict[_Layout, str] = {}
        self._functions: dict[str, list[str]] = {}

    def _method(self, conversion: Conversion) -> str:
        if conversion not in self._methods:
            wanted = _method_name(conversion)
            name, count = wanted, 1
            while name in self._methods.values():
                count += 1
                name = f"{wanted}_{count}"
            self._methods[conversion] = name
        return self._methods[conversion]

    def _layout(self, elements: tuple[Element, ...], *, by_column: bool = False) -> str:
        key = tuple((item.keyword, item.datatype.name) for item in elements), by_column
        if key not in self._layouts:
            words = [f"{_short(keyword)}_{datatype}" for keyword, datatype in key[0]]
            self._layouts[key] = "_".join(["RL", *words, *(["COL"] if by_column else [])])
        return self._layouts[key]

    def _extension(self, name: str) -> int | None:
        return self._image[name].extension or None

    # signals

    def signal(self, signal: Signal, module: kw_project.Module) -> None:
        """Add a signal in the form it takes."""
        if isinstance(signal, StructArray):
            self._instance(signal, module)
        elif isinstance(signal, TextMeasurement):
            module.characteristic.append(self._text(signal))
        elif isinstance(signal, BitField):
            module.measurement.append(self._bits(signal))
        else:
            module.measurement.append(self._measurement(signal))

    def _measurement(self, signal: Measurement) -> KwMeasurement:
        lower, upper = signal.phys_limits
        return KwMeasurement(
            signal.name,
            signal.text,
            signal.datatype.name,
            self._method(signal.conversion),
            0,
            0.0,
            lower,
            upper,
            ecu_address=self._image[signal.name].address,
            ecu_address_extension=self._extension(signal.name),
            matrix_dim=_matrix_dim(signal.shape),
            layout="ROW_DIR" if len(signal.shape) > 1 else None,
            discrete=isinstance(signal.conversion, Enum),
            read_write=signal.writable,
            if_data=[write_daq_event(self._events(signal.event))],
        )

    def _bits(self, signal: BitField) -> KwMeasurement:
        holder = self._declaration[signal.of]
        assert isinstance(holder, Measurement), "checked at construction"
        ends = [float(end) for end in signal.conversion.to_phys([0, signal.top])]
        return KwMeasurement(
            signal.name,
            signal.text,
            holder.datatype.name,
            self._method(signal.conversion),
            0,
            0.0,
            min(ends),
            max(ends),
            ecu_address=self._image[signal.name].address,
            ecu_address_extension=self._extension(signal.name),
            bit_mask=signal.mask,
            discrete=isinstance(signal.conversion, Enum),
            if_data=[write_daq_event(self._events(holder.event))],
        )

    def _text(self, signal: TextMeasurement) -> Characteristic:
        letters = record_elements(
            Text(name=signal.name, size_bytes=1, default="", text="", segment="")
        )
        return Characteristic(
            signal.name,
            signal.text,
            "ASCII",
            self._image[signal.name].address,
            self._layout(letters),
            0.0,
            "NO_COMPU_METHOD",
            0.0,
            255.0,
            matrix_dim=(signal.size_bytes,),
            read_only=True,
            ecu_address_extension=self._extension(signal.name),
            if_data=[write_daq_event(self._events(signal.event))],
        )

    def _instance(self, signal: StructArray, module: kw_project.Module) -> None:
        dtype = struct_dtype(signal, self._declaration.byte_order, self._image.ag)
        assert dtype.fields is not None, "a structure has members"
        structure = kw_typedef.TypedefStructure(signal.type_name, signal.text, dtype.itemsize)
        for member in signal.members:
            lower, upper = member.phys_limits
            name = f"{signal.type_name}_{member.name}"
            module.typedef_measurement.append(
                kw_typedef.TypedefMeasurement(
                    name,
                    member.text,
                    member.datatype.name,
                    self._method(member.conversion),
                    0,
                    0.0,
                    lower,
                    upper,
                    discrete=isinstance(member.conversion, Enum),
                )
            )
            structure.structure_component.append(
                kw_typedef.StructureComponent(
                    member.name,
                    name,
                    dtype.fields[member.name][1] // self._image.ag,  # addresses, not bytes
                    matrix_dim=_matrix_dim(member.shape),
                )
            )
        module.typedef_structure.append(structure)
        module.instance.append(
            kw_typedef.Instance(
                signal.name,
                signal.text,
                signal.type_name,
                self._image[signal.name].address,
                ecu_address_extension=self._extension(signal.name),
                matrix_dim=_matrix_dim(signal.shape),
                if_data=[write_daq_event(self._events(signal.event))],
            )
        )

    def _events(self, event: str) -> XcpDaqEvent:
        return XcpDaqEvent(variable=True, default=(self._channels[event],))

    # parameters

    def axis_pts(self, item: Axis) -> kw_axis.AxisPts:
        """AXIS_PTS of a shared axis."""
        lower, upper = item.phys_limits
        return kw_axis.AxisPts(
            item.name,
            item.text,
            self._image[item.name].address,
            item.input or "NO_INPUT_QUANTITY",
            self._layout(record_elements(item)),
            0.0,
            self._method(item.conversion),
            len(item.default),
            lower,
            upper,
            ecu_address_extension=self._extension(item.name),
            monotony="STRICT_INCREASE",
            ref_memory_segment=item.segment,
        )

    def characteristic(self, item: Scalar | Text | ValueBlock | Curve | Map) -> Characteristic:
        """CHARACTERISTIC of any other parameter."""
        kind = _KINDS[type(item)]
        lower, upper = (0.0, 255.0) if isinstance(item, Text) else item.phys_limits
        made = Characteristic(
            item.name,
            item.text,
            kind,
            self._image[item.name].address,
            self._layout(record_elements(item), by_column=isinstance(item, Map) and item.by_column),
            0.0,
            "NO_COMPU_METHOD" if isinstance(item, Text) else self._method(item.conversion),
            lower,
            upper,
            ecu_address_extension=self._extension(item.name),
            ref_memory_segment=item.segment,
        )
        if isinstance(item, Text):
            made.matrix_dim = (item.size_bytes,)
        elif isinstance(item, ValueBlock):
            made.matrix_dim = _matrix_dim(_shape(item))
        elif isinstance(item, Scalar):
            made.discrete = isinstance(item.conversion, Enum)
            made.step_size = item.step
            if item.hard_limits:
                made.extended_limits = ExtendedLimits(*item.hard_limits)
        else:
            made.axis_descr = [self._axis_descr(axis) for axis in item.axes]
        return made

    def _axis_descr(self, axis: TableAxis) -> kw_axis.AxisDescr:
        if isinstance(axis, str):
            shared = self._declaration[axis]
            assert isinstance(shared, Axis), "checked at construction"
            made = self._plain_axis("COM_AXIS", shared)
            made.axis_pts_ref = axis
            return made
        if isinstance(axis, StdAxis):
            return self._plain_axis("STD_AXIS", axis)
        made = self._plain_axis("FIX_AXIS", axis)
        made.fix_axis_par_dist = kw_axis.FixAxisParDist(
            float(axis.offset), float(axis.distance), axis.count
        )
        return made

    def _plain_axis(self, attribute: str, axis: Axis | StdAxis | FixAxis) -> kw_axis.AxisDescr:
        lower, upper = axis.phys_limits
        return kw_axis.AxisDescr(
            attribute,
            axis.input or "NO_INPUT_QUANTITY",
            self._method(axis.conversion),
            len(axis.default),
            lower,
            upper,
        )

    # what the objects refer to

    def tables(self, module: kw_project.Module) -> None:
        """Add the conversions and layouts that were named."""
        for conversion, name in self._methods.items():
            _add_method(conversion, name, module)
        for (elements, by_column), name in self._layouts.items():
            module.record_layout.append(_record_layout(name, elements, by_column=by_column))


_KINDS: Final[dict[type[Parameter], str]] = {
    Scalar: "VALUE",
    Text: "ASCII",
    ValueBlock: "VAL_BLK",
    Curve: "CURVE",
    Map: "MAP",
}


def _short(keyword: str) -> str:
    for long, short in _SHORT.items():
        if keyword.startswith(long):
            return short + keyword[len(long) :]
    return keyword


def _shape(item: ValueBlock) -> tuple[int, ...]:
    shape: tuple[int, ...] = item.conversion.to_raw(item.default).shape
    return shape


def _matrix_dim(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """X first: the reverse of numpy's order (ASAP2, MATRIX_DIM)."""
    return tuple(reversed(shape)) or None


def _method_name(conversion: Conversion) -> str:
    if isinstance(conversion, Enum):
        return f"CM_{conversion.name}"
    unit = re.sub(r"[^A-Za-z0-9]+", "_", conversion.unit.replace("%", "percent")).strip("_")
    words = ["CM", unit or "one"]
    if isinstance(conversion, Linear):
        words.append(re.sub(r"[^0-9e]+", "_", f"{conversion.factor:g}"))
    elif not isinstance(conversion, Identical):
        words.append(type(conversion).__name__)
    return "_".join(words)


def _add_method(conversion: Conversion, name: str, module: kw_project.Module) -> None:
    made = kw_compu.CompuMethod(
        name, _method_text(conversion), "IDENTICAL", conversion.format, conversion.unit
    )
    module.compu_method.append(made)
    if isinstance(conversion, Linear):
        made.conversion_type = "LINEAR"
        made.coeffs_linear = kw_compu.CoeffsLinear(conversion.factor, conversion.offset)
    elif isinstance(conversion, RatFunc):
        made.conversion_type = "RAT_FUNC"
        made.coeffs = kw_compu.Coeffs(*conversion.coeffs)
    elif isinstance(conversion, Formula):
        made.conversion_type = "FORM"
        made.formula = kw_compu.Formula(conversion.text, conversion.inverse)
    elif isinstance(conversion, TableInterpolated):
        made.conversion_type = "TAB_INTP"
        made.compu_tab_ref = f"{name}_TAB"
        module.compu_tab.append(
            kw_compu.CompuTab(
                f"{name}_TAB",
                "raw and physical values",
                "TAB_INTP",
                len(conversion.pairs),
                list(conversion.pairs),
            )
        )
    elif isinstance(conversion, Enum):
        made.conversion_type = "TAB_VERB"
        made.compu_tab_ref = f"VT_{conversion.name}"
        _add_texts(conversion, module)


def _method_text(conversion: Conversion) -> str:
    if isinstance(conversion, Enum):
        return f"texts of {conversion.name}"
    return f"in {conversion.unit}" if conversion.unit else "without unit"


def _add_texts(conversion: Enum, module: kw_project.Module) -> None:
    name, default = f"VT_{conversion.name}", conversion.default or None
    if conversion.is_ranges:
        triples = [(float(row[0]), float(row[-2]), str(row[-1])) for row in conversion.texts]
        module.compu_vtab_range.append(
            kw_compu.CompuVtabRange(
                name, conversion.name, len(triples), triples, default_value=default
            )
        )
    else:
        pairs = [(float(row[0]), str(row[-1])) for row in conversion.texts]
        module.compu_vtab.append(
            kw_compu.CompuVtab(
                name, conversion.name, "TAB_VERB", len(pairs), pairs, default_value=default
            )
        )


def _record_layout(
    name: str, elements: Iterable[tuple[str, str]], *, by_column: bool
) -> kw_layout.RecordLayout:
    made = kw_layout.RecordLayout(name)
    for position, (keyword, datatype) in enumerate(elements, 1):
        if keyword == "FNC_VALUES":
            mode = "COLUMN_DIR" if by_column else "ROW_DIR"
            made.fnc_values = kw_layout.FncValues(position, datatype, mode, "DIRECT")
        elif keyword == "AXIS_PTS_X":
            made.axis_pts_x = kw_layout.AxisPtsX(position, datatype, "INDEX_INCR", "DIRECT")
        elif keyword == "AXIS_PTS_Y":
            made.axis_pts_y = kw_layout.AxisPtsY(position, datatype, "INDEX_INCR", "DIRECT")
        elif keyword == "NO_AXIS_PTS_X":
            made.no_axis_pts_x = kw_layout.NoAxisPtsX(position, datatype)
        else:
            assert keyword == "NO_AXIS_PTS_Y", "records hold nothing else"
            made.no_axis_pts_y = kw_layout.NoAxisPtsY(position, datatype)
    return made


def _groups(image: EcuImage, module: kw_project.Module) -> None:
    declaration = image.declaration
    below = {name for group in declaration.groups for name in group.groups}
    for group in declaration.groups:
        measured: list[str] = []
        adjusted: list[str] = []
        for name in group.members:
            item = declaration[name]
            is_measured = isinstance(item, Measurement | BitField | StructArray)
            (measured if is_measured else adjusted).append(name)
        made = kw_group.Group(group.name, group.text, root=group.name not in below)
        if measured:
            made.ref_measurement = kw_group.RefMeasurement(measured)
        if adjusted:
            made.ref_characteristic = kw_group.RefCharacteristic(adjusted)
        if group.groups:
            made.sub_group = kw_group.SubGroup(list(group.groups))
        module.group.append(made)


def _functions(image: EcuImage, module: kw_project.Module) -> None:
    for function in image.declaration.functions:
        made = kw_function.Function(function.name, function.text)
        if function.parameters:
            made.def_characteristic = kw_function.DefCharacteristic(list(function.parameters))
        if function.inputs:
            made.in_measurement = kw_function.InMeasurement(list(function.inputs))
        if function.outputs:
            made.out_measurement = kw_function.OutMeasurement(list(function.outputs))
        module.function.append(made)
