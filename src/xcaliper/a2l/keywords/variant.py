"""VARIANT_CODING."""

from typing import Annotated

from xcaliper.a2l.grammar import Hex, Ident, Keyword, Ref, Rest, Text, Words, field, keyword

__all__ = [
    "VarAddress",
    "VarCharacteristic",
    "VarCriterion",
    "VarForbiddenComb",
    "VariantCoding",
]


@keyword("VAR_ADDRESS", block=True)
class VarAddress(Keyword):
    """One address per permitted combination (ASAP2, VAR_ADDRESS)."""

    address: Annotated[list[Hex], Rest()] = field(default_factory=list)


@keyword("VAR_CHARACTERISTIC", block=True)
class VarCharacteristic(Keyword):
    """A parameter that exists once per variant (ASAP2, VAR_CHARACTERISTIC)."""

    name: Annotated[Ident, Ref("CHARACTERISTIC", "AXIS_PTS")]
    criterion_name: Annotated[list[Annotated[Ident, Ref("VAR_CRITERION")]], Rest()] = field(
        default_factory=list
    )
    var_address: VarAddress | None = None


@keyword("VAR_CRITERION", block=True)
class VarCriterion(Keyword):
    """A choice with its values (ASAP2, VAR_CRITERION)."""

    name: Ident
    long_identifier: Text
    value: Annotated[list[Ident], Rest()] = field(default_factory=list)
    var_measurement: Annotated[Ident | None, Ref("MEASUREMENT")] = None
    var_selection_characteristic: Annotated[Ident | None, Ref("CHARACTERISTIC")] = None


@keyword("VAR_FORBIDDEN_COMB", block=True)
class VarForbiddenComb(Keyword):
    """Criterion values that never occur together (ASAP2, VAR_FORBIDDEN_COMB)."""

    combination: Annotated[list[tuple[Annotated[Ident, Ref("VAR_CRITERION")], Ident]], Rest()] = (
        field(default_factory=list)
    )


@keyword("VARIANT_CODING", block=True)
class VariantCoding(Keyword):
    """All variants of a module (ASAP2, VARIANT_CODING)."""

    var_separator: Text | None = None
    var_naming: Annotated[str | None, Words("NUMERIC", "ALPHA")] = None
    var_criterion: list[VarCriterion] = field(default_factory=list)
    var_forbidden_comb: list[VarForbiddenComb] = field(default_factory=list)
    var_characteristic: list[VarCharacteristic] = field(default_factory=list)
