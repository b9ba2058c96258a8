"""FUNCTION and TRANSFORMER."""

from typing import Annotated

from xcaliper.a2l.grammar import Ident, Keyword, Ref, Rest, Since, Text, Unit, Words, field, keyword
from xcaliper.a2l.keywords.common import Annotation, IfData, ObjectRef
from xcaliper.a2l.keywords.group import RefCharacteristic

__all__ = [
    "ArComponent",
    "DefCharacteristic",
    "Function",
    "InMeasurement",
    "LocMeasurement",
    "OutMeasurement",
    "SubFunction",
    "Transformer",
    "TransformerInObjects",
    "TransformerOutObjects",
]


@keyword("AR_COMPONENT", block=True, since="1.70")
class ArComponent(Keyword):
    """AUTOSAR component of a function (ASAP2, AR_COMPONENT, 1.7)."""

    component_type: Text
    ar_prototype_of: Annotated[Ident | None, Ref("FUNCTION")] = None


@keyword("DEF_CHARACTERISTIC", block=True)
class DefCharacteristic(Keyword):
    """Parameters defined in a function (ASAP2, DEF_CHARACTERISTIC)."""

    names: Annotated[list[ObjectRef], Rest()] = field(default_factory=list)


@keyword("IN_MEASUREMENT", block=True)
class InMeasurement(Keyword):
    """Inputs of a function (ASAP2, IN_MEASUREMENT)."""

    names: Annotated[list[ObjectRef], Rest()] = field(default_factory=list)


@keyword("LOC_MEASUREMENT", block=True)
class LocMeasurement(Keyword):
    """Local quantities of a function (ASAP2, LOC_MEASUREMENT)."""

    names: Annotated[list[ObjectRef], Rest()] = field(default_factory=list)


@keyword("OUT_MEASUREMENT", block=True)
class OutMeasurement(Keyword):
    """Outputs of a function (ASAP2, OUT_MEASUREMENT)."""

    names: Annotated[list[ObjectRef], Rest()] = field(default_factory=list)


@keyword("SUB_FUNCTION", block=True)
class SubFunction(Keyword):
    """Functions below this one (ASAP2, SUB_FUNCTION)."""

    names: Annotated[list[Annotated[Ident, Ref("FUNCTION")]], Rest()] = field(default_factory=list)


@keyword("FUNCTION", block=True)
class Function(Keyword):
    """A function of the control software (ASAP2, FUNCTION)."""

    name: Ident
    long_identifier: Text
    function_version: Text | None = None
    ar_component: ArComponent | None = None
    def_characteristic: DefCharacteristic | None = None
    ref_characteristic: RefCharacteristic | None = None
    in_measurement: InMeasurement | None = None
    loc_measurement: LocMeasurement | None = None
    out_measurement: OutMeasurement | None = None
    sub_function: SubFunction | None = None
    annotation: list[Annotation] = field(default_factory=list)
    if_data: Annotated[list[IfData], Since("1.60")] = field(default_factory=list)


@keyword("TRANSFORMER_IN_OBJECTS", block=True, since="1.70")
class TransformerInObjects(Keyword):
    """Inputs of a transformer (ASAP2, TRANSFORMER_IN_OBJECTS, 1.7)."""

    names: Annotated[list[ObjectRef], Rest()] = field(default_factory=list)


@keyword("TRANSFORMER_OUT_OBJECTS", block=True, since="1.70")
class TransformerOutObjects(Keyword):
    """Outputs of a transformer (ASAP2, TRANSFORMER_OUT_OBJECTS, 1.7)."""

    names: Annotated[list[ObjectRef], Rest()] = field(default_factory=list)


@keyword("TRANSFORMER", block=True, since="1.70")
class Transformer(Keyword):
    """A library that converts objects (ASAP2, TRANSFORMER, 1.7)."""

    name: Ident
    version: Text
    executable_32: Text
    executable_64: Text
    timeout: Annotated[int, Unit("ms")]
    trigger: Annotated[str, Words("ON_USER_REQUEST", "ON_CHANGE")]
    inverse_transformer: Annotated[Ident, Ref("TRANSFORMER", none="NO_INVERSE_TRANSFORMER")]
    transformer_in_objects: TransformerInObjects | None = None
    transformer_out_objects: TransformerOutObjects | None = None
