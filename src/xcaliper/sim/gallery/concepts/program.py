"""The program of the concept ECUs: four structures of parameters and what the ECU makes of them.

Structure A has 250 bytes, B 180, C 120 and D 100 (with one byte per address). ``cSetA`` to ``cSetD`` tell
which data set a structure belongs to; ``SetA`` to ``SetD`` show what the ECU works with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.core.datatypes import ByteOrder, DataType
from xcaliper.sim.conversion import Identical, Linear
from xcaliper.sim.declare import EcuDeclaration
from xcaliper.sim.items import (
    Curve,
    Event,
    FixAxis,
    Function,
    Group,
    Map,
    Measurement,
    Scalar,
    ValueBlock,
)
from xcaliper.sim.signals import ParameterReader, SignalWriter
from xcaliper.sim.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xcaliper.sim.items import CalibrationMethod, Parameter, Segment
    from xcaliper.sim.memory import EcuMemory

__all__ = ["EVENT", "STRUCTURES", "ConceptProgram", "concept_program"]

#: Name of the only event.
EVENT: Final = "Task1ms"
#: Structure → its parameters.
STRUCTURES: Final[dict[str, tuple[str, ...]]] = {
    "A": ("cSetA", "cGainA", "KFA"),
    "B": ("cSetB", "cGainB", "VecB"),
    "C": ("cSetC", "cGainC", "KLC"),
    "D": ("cSetD", "cGainD", "VecD"),
}
_SIDE: Final = 11
_POINTS: Final = 57
_VECTORS: Final = {"B": 87, "D": 47}
_HUNDREDTH: Final = Linear(0.01, 0.0, "%", "%7.2")
_INPUT_STEPS: Final = 1000
_TOP: Final = 0xFFFF_FFFF


def _table(structure: str, home: str) -> Parameter:
    if structure == "A":
        return Map(
            name="KFA",
            datatype=DataType.UWORD,
            text="map of structure A over input and task counter",
            segment=home,
            conversion=_HUNDREDTH,
            x=FixAxis(
                offset=0,
                distance=100,
                count=_SIDE,
                conversion=Linear(0.1, 0.0, "%", "%6.1"),
                input="Input",
            ),
            y=FixAxis(offset=0, distance=10, count=_SIDE),
            default=tuple(tuple(float(x + y) for x in range(_SIDE)) for y in range(_SIDE)),
        )
    if structure == "C":
        return Curve(
            name="KLC",
            datatype=DataType.UWORD,
            text="curve of structure C over input",
            segment=home,
            conversion=_HUNDREDTH,
            x=FixAxis(
                offset=0,
                distance=20,
                count=_POINTS,
                conversion=Linear(0.1, 0.0, "%", "%6.1"),
                input="Input",
            ),
            default=tuple(float(x) for x in range(_POINTS)),
        )
    return ValueBlock(
        name=f"Vec{structure}",
        datatype=DataType.UWORD,
        text=f"values of structure {structure}",
        segment=home,
        conversion=_HUNDREDTH,
        default=tuple(float(n) for n in range(_VECTORS[structure])),
    )


def _structure(structure: str, home: str) -> tuple[Parameter, ...]:
    return (
        Scalar(
            name=f"cSet{structure}",
            datatype=DataType.UWORD,
            text=f"data set that structure {structure} belongs to",
            segment=home,
            default=1.0,
            limits=(0.0, 60_000.0),
        ),
        Scalar(
            name=f"cGain{structure}",
            datatype=DataType.FLOAT32_IEEE,
            text=f"gain of what structure {structure} gives",
            segment=home,
            default=1.0,
            limits=(-100.0, 100.0),
        ),
        _table(structure, home),
    )


def _signal(name: str, text: str, datatype: DataType = DataType.ULONG) -> Measurement:
    conversion = Identical("%", "%8.3") if datatype.is_float else Identical()
    return Measurement(name=name, datatype=datatype, text=text, event=EVENT, conversion=conversion)


def concept_program(  # noqa: PLR0913  # each one is a choice of its own
    name: str,
    text: str,
    segments: Sequence[Segment],
    *,
    homes: Mapping[str, str] | None = None,
    figures: Mapping[str, str] | None = None,
    further: Sequence[Parameter] = (),
    method: CalibrationMethod | None = None,
    byte_order: ByteOrder = ByteOrder.INTEL,
) -> EcuDeclaration:
    """The declaration of the program over some segments.

    Args:
        name: of the ECU.
        text: what it shows.
        segments: of its memory.
        homes: structure → name of its segment; None = the first one for all.
        figures: signals of the concept itself → what they mean.
        further: parameters beside the structures.
        method: for tools that have to know how parameters are made adjustable.
        byte_order: of the memory.
    """
    parameters = [
        item
        for structure in STRUCTURES
        for item in _structure(structure, (homes or {}).get(structure, segments[0].name))
    ]
    letters = tuple(STRUCTURES)
    return EcuDeclaration(
        name=name,
        text=text,
        epk=f"XCALIPER-{name.upper()}-1",
        byte_order=byte_order,
        events=(Event(EVENT, 0, 1, "1ms", priority=4),),
        signals=(
            _signal("TaskCounter", "runs of the task"),
            _signal("Input", "triangle from 0 to 1000 that the tables are read at"),
            *(_signal(f"Set{one}", f"data set of structure {one} in use") for one in letters),
            *(
                _signal(f"Out{one}", f"what structure {one} gives", DataType.FLOAT32_IEEE)
                for one in letters
            ),
            _signal("MixedRuns", "runs in which SetA and SetC differed"),
            *(_signal(one, meaning) for one, meaning in (figures or {}).items()),
        ),
        parameters=(*parameters, *further),
        segments=tuple(segments),
        groups=(
            Group(
                name="Structures",
                text="Structures of parameters",
                groups=tuple(f"Structure{one}" for one in letters),
            ),
            *(
                Group(name=f"Structure{one}", text=f"Structure {one}", members=STRUCTURES[one])
                for one in letters
            ),
        ),
        functions=(
            Function(
                name="Tables",
                text="Reads every table at the input",
                parameters=tuple(name for names in STRUCTURES.values() for name in names),
                inputs=("Input",),
                outputs=tuple(f"Out{one}" for one in letters),
            ),
        ),
        method=method,
    )


class ConceptProgram:
    """The application: every millisecond it uses all parameters and tells what they gave.

    Args:
        memory: of an ECU with this program.

    Attributes:
        tasks: the only one.
    """

    def __init__(self, memory: EcuMemory) -> None:
        self._memory = memory
        self._parameters = ParameterReader(memory)
        self._runs = self._mixed = 0
        names = [one.name for one in memory.image.declaration.signals]
        self._writer = SignalWriter(memory, names)
        self._write(0)
        (event,) = memory.image.declaration.events
        self.tasks: tuple[Task, ...] = (Task(EVENT, event.channel, self.run, event.period_ns),)

    def run(self, _now_ns: int) -> None:
        """One cycle."""
        self._runs = (self._runs + 1) & _TOP
        self._memory.step()
        phase = self._runs % (2 * _INPUT_STEPS)
        self._write(min(phase, 2 * _INPUT_STEPS - phase))

    def _write(self, level: int) -> None:
        self._parameters.refresh()
        scalars, tables, vectors = (
            self._parameters.scalars,
            self._parameters.tables,
            self._parameters.blocks,
        )
        self._mixed += scalars["cSetA"] != scalars["cSetC"]
        at = level * 0.1
        out = {
            "A": tables["KFA"].at(at, self._runs % 100),
            "B": vectors["VecB"][level * (_VECTORS["B"] - 1) // _INPUT_STEPS],
            "C": tables["KLC"].at(at),
            "D": vectors["VecD"][level * (_VECTORS["D"] - 1) // _INPUT_STEPS],
        }
        self._writer.write(
            {
                "TaskCounter": self._runs,
                "Input": level,
                "MixedRuns": self._mixed,
                **{f"Set{one}": scalars[f"cSet{one}"] for one in STRUCTURES},
                **{f"Out{one}": scalars[f"cGain{one}"] * out[one] for one in STRUCTURES},
                **self._memory.figures(),
            }
        )
