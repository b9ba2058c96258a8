"""COMPU_METHOD, its tables, and UNIT."""

from typing import Annotated

from xcaliper.a2l.grammar import Ident, Keyword, Ref, Rest, Since, Text, Words, field, keyword

__all__ = [
    "Coeffs",
    "CoeffsLinear",
    "CompuMethod",
    "CompuTab",
    "CompuVtab",
    "CompuVtabRange",
    "Formula",
    "SiExponents",
    "Unit",
    "UnitConversion",
]


@keyword("COEFFS")
class Coeffs(Keyword):
    """INT = (a·x² + b·x + c) / (d·x² + e·x + f) with x = PHYS (ASAP2, COEFFS)."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float


@keyword("COEFFS_LINEAR", since="1.60")
class CoeffsLinear(Keyword):
    """PHYS = a·INT + b (ASAP2, COEFFS_LINEAR, 1.6)."""

    a: float
    b: float


@keyword("FORMULA", block=True)
class Formula(Keyword):
    """PHYS = f(X1), and back if given (ASAP2, FORMULA)."""

    fx: Text
    formula_inv: Text | None = None


@keyword("COMPU_METHOD", block=True)
class CompuMethod(Keyword):
    """How raw and physical values belong together (ASAP2, COMPU_METHOD)."""

    name: Ident
    long_identifier: Text
    conversion_type: Annotated[
        str,
        Words("IDENTICAL", "FORM", "LINEAR", "RAT_FUNC", "TAB_INTP", "TAB_NOINTP", "TAB_VERB"),
    ]
    format: Text
    unit: Text
    coeffs: Coeffs | None = None
    coeffs_linear: CoeffsLinear | None = None
    compu_tab_ref: Annotated[Ident | None, Ref("COMPU_TAB", "COMPU_VTAB", "COMPU_VTAB_RANGE")] = (
        None
    )
    formula: Formula | None = None
    ref_unit: Annotated[Ident | None, Ref("UNIT")] = None
    status_string_ref: Annotated[
        Ident | None, Ref("COMPU_VTAB", "COMPU_VTAB_RANGE"), Since("1.60")
    ] = None


@keyword("COMPU_TAB", block=True)
class CompuTab(Keyword):
    """Pairs of numbers (ASAP2, COMPU_TAB)."""

    name: Ident
    long_identifier: Text
    conversion_type: Annotated[str, Words("TAB_INTP", "TAB_NOINTP")]
    number_value_pairs: int
    pairs: Annotated[list[tuple[float, float]], Rest()] = field(default_factory=list)
    default_value: Text | None = None
    default_value_numeric: Annotated[float | None, Since("1.60")] = None


@keyword("COMPU_VTAB", block=True)
class CompuVtab(Keyword):
    """Numbers and their texts (ASAP2, COMPU_VTAB)."""

    name: Ident
    long_identifier: Text
    conversion_type: Annotated[str, Words("TAB_VERB")]
    number_value_pairs: int
    pairs: Annotated[list[tuple[float, Text]], Rest()] = field(default_factory=list)
    default_value: Text | None = None


@keyword("COMPU_VTAB_RANGE", block=True)
class CompuVtabRange(Keyword):
    """Ranges of numbers and their texts (ASAP2, COMPU_VTAB_RANGE)."""

    name: Ident
    long_identifier: Text
    number_value_triples: int
    triples: Annotated[list[tuple[float, float, Text]], Rest()] = field(default_factory=list)
    default_value: Text | None = None


@keyword("SI_EXPONENTS")
class SiExponents(Keyword):
    """Exponents of the base units (ASAP2, SI_EXPONENTS)."""

    length: int
    mass: int
    time: int
    electric_current: int
    temperature: int
    amount_of_substance: int
    luminous_intensity: int


@keyword("UNIT_CONVERSION")
class UnitConversion(Keyword):
    """Gradient and offset to the reference unit (ASAP2, UNIT_CONVERSION)."""

    gradient: float
    offset: float


@keyword("UNIT", block=True)
class Unit(Keyword):
    """A unit and how it derives from others (ASAP2, UNIT)."""

    name: Ident
    long_identifier: Text
    display: Text
    type: Annotated[str, Words("DERIVED", "EXTENDED_SI")]
    ref_unit: Annotated[Ident | None, Ref("UNIT")] = None
    si_exponents: SiExponents | None = None
    unit_conversion: UnitConversion | None = None
