"""The outer blocks: PROJECT, HEADER, MODULE, and the version keywords."""

from xcaliper.a2l.grammar import Ident, Keyword, Text, field, keyword
from xcaliper.a2l.ifdata import A2ml
from xcaliper.a2l.keywords.axis import AxisPts
from xcaliper.a2l.keywords.characteristic import Blob, Characteristic
from xcaliper.a2l.keywords.common import IfData
from xcaliper.a2l.keywords.compu import CompuMethod, CompuTab, CompuVtab, CompuVtabRange, Unit
from xcaliper.a2l.keywords.frame import Frame
from xcaliper.a2l.keywords.function import Function, Transformer
from xcaliper.a2l.keywords.group import Group, UserRights
from xcaliper.a2l.keywords.layout import RecordLayout
from xcaliper.a2l.keywords.measurement import Measurement
from xcaliper.a2l.keywords.memory import ModCommon, ModPar
from xcaliper.a2l.keywords.typedef import (
    Instance,
    TypedefAxis,
    TypedefBlob,
    TypedefCharacteristic,
    TypedefMeasurement,
    TypedefStructure,
)
from xcaliper.a2l.keywords.variant import VariantCoding

__all__ = ["A2mlVersion", "Asap2Version", "Header", "Module", "Project"]


@keyword("ASAP2_VERSION")
class Asap2Version(Keyword):
    """Version of the format: 1 71 is 1.7.1 (ASAP2, ASAP2_VERSION)."""

    version_no: int
    upgrade_no: int


@keyword("A2ML_VERSION")
class A2mlVersion(Keyword):
    """Version of the A2ML part (ASAP2, A2ML_VERSION)."""

    version_no: int
    upgrade_no: int


@keyword("HEADER", block=True)
class Header(Keyword):
    """Comment and number of a project (ASAP2, HEADER)."""

    comment: Text
    project_no: Ident | None = None
    version: Text | None = None


@keyword("MODULE", block=True)
class Module(Keyword):
    """Everything about one ECU (ASAP2, MODULE)."""

    name: Ident
    long_identifier: Text
    a2ml: A2ml | None = None
    mod_common: ModCommon | None = None
    mod_par: ModPar | None = None
    if_data: list[IfData] = field(default_factory=list)
    unit: list[Unit] = field(default_factory=list)
    compu_method: list[CompuMethod] = field(default_factory=list)
    compu_tab: list[CompuTab] = field(default_factory=list)
    compu_vtab: list[CompuVtab] = field(default_factory=list)
    compu_vtab_range: list[CompuVtabRange] = field(default_factory=list)
    record_layout: list[RecordLayout] = field(default_factory=list)
    typedef_measurement: list[TypedefMeasurement] = field(default_factory=list)
    typedef_characteristic: list[TypedefCharacteristic] = field(default_factory=list)
    typedef_axis: list[TypedefAxis] = field(default_factory=list)
    typedef_blob: list[TypedefBlob] = field(default_factory=list)
    typedef_structure: list[TypedefStructure] = field(default_factory=list)
    axis_pts: list[AxisPts] = field(default_factory=list)
    characteristic: list[Characteristic] = field(default_factory=list)
    measurement: list[Measurement] = field(default_factory=list)
    instance: list[Instance] = field(default_factory=list)
    blob: list[Blob] = field(default_factory=list)
    transformer: list[Transformer] = field(default_factory=list)
    function: list[Function] = field(default_factory=list)
    group: list[Group] = field(default_factory=list)
    user_rights: list[UserRights] = field(default_factory=list)
    frame: list[Frame] = field(default_factory=list)
    variant_coding: VariantCoding | None = None


@keyword("PROJECT", block=True)
class Project(Keyword):
    """The whole description (ASAP2, PROJECT)."""

    name: Ident
    long_identifier: Text
    header: Header | None = None
    module: list[Module] = field(default_factory=list)
