"""What generated objects share: typedefs, record layouts and conversions, each made once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from xcaliper.a2l.keywords.common import BitOperation
from xcaliper.a2l.keywords.layout import FncValues, RecordLayout
from xcaliper.a2l.keywords.typedef import (
    StructureComponent,
    TypedefCharacteristic,
    TypedefMeasurement,
    TypedefStructure,
)
from xcaliper.core.datatypes import DataType
from xcaliper.describe.enums import a2l_name, enum_conversion
from xcaliper.describe.takeover import free_name, matrix_dim
from xcaliper.image.c_types import (
    Base,
    CType,
    Enum,
    Member,
    Struct,
    Typedef,
    datatype_of,
    element_of,
    integer_type,
    size_of,
    strip,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.a2l.keywords.project import Module

__all__ = ["Typedefs", "limits_of", "scalar_type"]

NO_METHOD: Final = "NO_COMPU_METHOD"


def scalar_type(element: CType, member: Member | None) -> DataType | None:
    """Data type of a number, or of the storage unit of a bit field; None where ASAP2 has none."""
    if member is not None and member.bit_size:
        return integer_type(member.storage_bytes, signed=_is_signed(element))
    return datatype_of(element)


def _is_signed(element: CType) -> bool:
    bare = strip(element)
    return (isinstance(bare, Base) and bare.kind == "signed") or (
        isinstance(bare, Enum) and bare.is_signed
    )


def limits_of(element: CType, datatype: DataType, member: Member | None) -> tuple[Any, Any]:
    """Lowest and highest value of a number; the range of a boolean is 0 to 1."""
    bare = strip(element)
    if member is not None and member.bit_size:
        if datatype.is_signed:
            return -(1 << (member.bit_size - 1)), (1 << (member.bit_size - 1)) - 1
        return 0, (1 << member.bit_size) - 1
    if isinstance(bare, Base) and bare.kind == "bool":
        return 0, 1
    return datatype.limits


class Typedefs:
    """Makes shared objects on demand.

    Args:
        module: gets them.
        left_out: told the name and type of each member that ASAP2 has no form for.
    """

    def __init__(
        self, module: Module, left_out: Callable[[str, CType], None] | None = None
    ) -> None:
        self.module = module
        self._left_out = left_out or (lambda _name, _kind: None)
        self._methods: dict[Enum, str] = {}
        self._layouts: dict[DataType, str] = {}
        self._structures: dict[tuple[Struct, bool], str] = {}
        self._simple: dict[tuple[Any, ...], str] = {}
        self._names: set[str] = set()

    def conversion(self, element: CType) -> str:
        """Name of the conversion: of an enumeration its texts, else none."""
        bare = strip(element)
        if not isinstance(bare, Enum) or not bare.values:
            return NO_METHOD
        if bare not in self._methods:
            label = element.name if isinstance(element, Typedef) else f"enum_{bare.values[0][0]}"
            name = free_name(a2l_name(bare.name or label), set(self._methods.values()))
            method, table = enum_conversion(name, bare)
            self.module.compu_method.append(method)
            self.module.compu_vtab.append(table)
            self._methods[bare] = name
        return self._methods[bare]

    def layout(self, datatype: DataType) -> str:
        """Name of the record layout of single values and blocks."""
        if datatype not in self._layouts:
            name = self._layouts[datatype] = f"RL_{datatype.value}"
            values = FncValues(1, datatype.value, "ROW_DIR", "DIRECT")
            self.module.record_layout.append(RecordLayout(name, fnc_values=values))
        return self._layouts[datatype]

    def sign_extension(self, member: Member, datatype: DataType) -> BitOperation | None:
        """The operation that reads a signed bit field; unsigned ones need none (ASAP2, BIT_OPERATION)."""
        if not datatype.is_signed:
            return None
        return BitOperation(right_shift=member.bit_shift, sign_extend=True)

    def structure(self, struct: Struct, label: str, *, parameter: bool) -> str:
        """Name of the typedef of a structure, with all that it needs.

        Args:
            struct: the structure.
            label: name of its typedef in C, for anonymous ones.
            parameter: its members are parameters.
        """
        key = (struct, parameter)
        if key in self._structures:
            return self._structures[key]
        name = self._name(a2l_name(struct.name or label or f"anonymous_{struct.kind}"))
        self._structures[key] = name
        made = TypedefStructure(
            name, f"{struct.kind} {struct.name or label}".strip(), struct.size_bytes
        )
        for member in struct.flat():
            component = self._component(member, f"{name}_{member.name}", parameter=parameter)
            if component is not None:
                made.structure_component.append(component)
            elif size_of(member.type) or not isinstance(strip(member.type), Struct):
                self._left_out(f"{name}.{member.name}", member.type)
        self.module.typedef_structure.append(made)
        return name

    def _component(
        self, member: Member, label: str, *, parameter: bool
    ) -> StructureComponent | None:
        element, dims = element_of(member.type)
        bare = strip(element)
        if 0 in dims or not size_of(member.type):
            return None
        outer: tuple[int, ...] = ()
        if isinstance(bare, Struct):
            inner = element.name if isinstance(element, Typedef) else label
            typedef, outer = self.structure(bare, inner, parameter=parameter), dims
        else:
            found = self._number(element, dims, member, parameter=parameter)
            if found is None:
                return None
            typedef = found
        return StructureComponent(
            a2l_name(member.name),
            typedef,
            member.offset,
            matrix_dim=matrix_dim(outer, "1.71") or None,
            symbol_type_link=member.name,
        )

    def _number(
        self, element: CType, dims: tuple[int, ...], member: Member, *, parameter: bool
    ) -> str | None:
        """Typedef of a number, a text or a block."""
        datatype = scalar_type(element, member)
        if datatype is None:
            return None
        bare = strip(element)
        text = parameter and isinstance(bare, Base) and bare.is_character and len(dims) == 1
        # A typedef of a parameter has no BIT_OPERATION, so a signed bit field is measured only.
        measured = not parameter or (bool(member.bit_size) and datatype.is_signed)
        method = self.conversion(element)
        limits = (0, 255) if text else limits_of(element, datatype, member)
        mask = member.bit_mask if member.bit_size else None
        key = (measured, text, datatype, dims, method, limits, mask)
        if key not in self._simple:
            parts = ["M" if measured else "C", datatype.value if method == NO_METHOD else method]
            parts += ["TEXT"] if text else []
            parts += [f"0x{mask:X}"] if mask is not None else []
            parts += ["x".join(map(str, dims))] if dims else []
            self._simple[key] = name = self._name("_".join(parts))
            make = self._measurement if measured else self._characteristic
            make(name, datatype, dims, method, limits, member, text=text)
        return self._simple[key]

    def _measurement(
        self,
        name: str,
        datatype: DataType,
        dims: tuple[int, ...],
        method: str,
        limits: tuple[Any, Any],
        member: Member,
        *,
        text: bool,  # noqa: ARG002 -- same call as for a characteristic
    ) -> None:
        self.module.typedef_measurement.append(
            TypedefMeasurement(
                name,
                "",
                datatype.value,
                method,
                0,
                0.0,
                limits[0],
                limits[1],
                bit_mask=member.bit_mask if member.bit_size else None,
                bit_operation=self.sign_extension(member, datatype) if member.bit_size else None,
                discrete=method != NO_METHOD,
                layout="ROW_DIR" if len(dims) > 1 else None,
                matrix_dim=matrix_dim(dims, "1.71") or None,
            )
        )

    def _characteristic(
        self,
        name: str,
        datatype: DataType,
        dims: tuple[int, ...],
        method: str,
        limits: tuple[Any, Any],
        member: Member,
        *,
        text: bool,
    ) -> None:
        self.module.typedef_characteristic.append(
            TypedefCharacteristic(
                name,
                "",
                "ASCII" if text else "VAL_BLK" if dims else "VALUE",
                self.layout(DataType.UBYTE if text else datatype),
                0.0,
                method,
                limits[0],
                limits[1],
                bit_mask=member.bit_mask if member.bit_size else None,
                discrete=method != NO_METHOD,
                matrix_dim=None if text else matrix_dim(dims, "1.71") or None,
                number=dims[0] if text else None,
            )
        )

    def _name(self, wanted: str) -> str:
        name = free_name(wanted, self._names)
        self._names.add(name)
        return name
