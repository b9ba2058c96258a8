"""FRAME."""

from typing import Annotated

from xcaliper.a2l.grammar import Ident, Keyword, Rest, Text, field, keyword
from xcaliper.a2l.keywords.common import IfData, ObjectRef

__all__ = ["Frame", "FrameMeasurement"]


@keyword("FRAME_MEASUREMENT")
class FrameMeasurement(Keyword):
    """Quantities of a frame (ASAP2, FRAME_MEASUREMENT)."""

    names: Annotated[list[ObjectRef], Rest()] = field(default_factory=list)


@keyword("FRAME", block=True)
class Frame(Keyword):
    """Quantities that travel together (ASAP2, FRAME)."""

    name: Ident
    long_identifier: Text
    scaling_unit: int
    rate: int
    frame_measurement: FrameMeasurement | None = None
    if_data: list[IfData] = field(default_factory=list)
