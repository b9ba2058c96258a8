"""GROUP and USER_RIGHTS."""

from typing import Annotated

from xcaliper.a2l.grammar import Ident, Keyword, Ref, Rest, Since, Text, field, keyword
from xcaliper.a2l.keywords.common import Annotation, FunctionList, IfData, ObjectRef

__all__ = [
    "Group",
    "RefCharacteristic",
    "RefGroup",
    "RefMeasurement",
    "SubGroup",
    "UserRights",
]


@keyword("REF_CHARACTERISTIC", block=True)
class RefCharacteristic(Keyword):
    """Parameters that belong here (ASAP2, REF_CHARACTERISTIC)."""

    names: Annotated[list[ObjectRef], Rest()] = field(default_factory=list)


@keyword("REF_MEASUREMENT", block=True)
class RefMeasurement(Keyword):
    """Measurements that belong here (ASAP2, REF_MEASUREMENT)."""

    names: Annotated[list[ObjectRef], Rest()] = field(default_factory=list)


@keyword("SUB_GROUP", block=True)
class SubGroup(Keyword):
    """Groups below this one (ASAP2, SUB_GROUP)."""

    names: Annotated[list[Annotated[Ident, Ref("GROUP")]], Rest()] = field(default_factory=list)


@keyword("GROUP", block=True)
class Group(Keyword):
    """A selection of objects, part of a forest (ASAP2, GROUP)."""

    name: Ident
    long_identifier: Text
    root: bool = False
    ref_characteristic: RefCharacteristic | None = None
    ref_measurement: RefMeasurement | None = None
    sub_group: SubGroup | None = None
    function_list: FunctionList | None = None
    annotation: list[Annotation] = field(default_factory=list)
    if_data: Annotated[list[IfData], Since("1.60")] = field(default_factory=list)


@keyword("REF_GROUP", block=True)
class RefGroup(Keyword):
    """Groups a user level may see (ASAP2, REF_GROUP)."""

    names: Annotated[list[Annotated[Ident, Ref("GROUP")]], Rest()] = field(default_factory=list)


@keyword("USER_RIGHTS", block=True)
class UserRights(Keyword):
    """What a user level may do (ASAP2, USER_RIGHTS)."""

    user_level_id: Ident
    read_only: bool = False
    ref_group: list[RefGroup] = field(default_factory=list)
