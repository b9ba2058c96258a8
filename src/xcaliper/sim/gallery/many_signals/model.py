"""Declaration and application: four blocks of signals that count, each from its own number on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.datatypes import ByteOrder, DataType
from xcaliper.core.errors import SettingsError
from xcaliper.sim.declare import EcuDeclaration
from xcaliper.sim.items import Event, Measurement, Page, Scalar, Segment
from xcaliper.sim.tasks import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xcaliper.sim.memory import EcuMemory

__all__ = ["EVENT", "ManySignals", "many_signals", "truth"]

#: Name of the only event.
EVENT: Final = "Fast"
_TYPES: Final = (DataType.FLOAT32_IEEE, DataType.ULONG, DataType.UWORD, DataType.UBYTE)
_MAX_SIGNALS: Final = 200_000
_MIN_US: Final = 10
#: Floats begin anew before they lose whole numbers.
_FLOAT_WRAP: Final = 1 << 20


def _datatype(number: int, signals: int) -> DataType:
    return _TYPES[number * len(_TYPES) // signals]


def truth(number: int, signals: int, runs: int) -> int:
    """What signal ``Sig<number>`` holds after so many runs of the task.

    Args:
        number: of the signal.
        signals: how many there are.
        runs: of the task, as ``RunCounter`` tells.
    """
    datatype = _datatype(number, signals)
    if datatype.is_float:
        return number + runs % _FLOAT_WRAP
    return (number + runs) % (1 << 8 * datatype.size_bytes)


def many_signals(
    signals: int = 10_000, rate_hz: float = 1000, *, byte_order: ByteOrder = ByteOrder.INTEL
) -> EcuDeclaration:
    """The declaration: ``RunCounter`` and ``Sig00000`` and so on, a quarter each of 4, 4, 2 and 1 bytes.

    Args:
        signals: how many there are.
        rate_hz: of the event; the period is a whole number of microseconds.
        byte_order: of the memory.

    Raises:
        SettingsError: too many, too few or too fast.
    """
    if not 4 <= signals <= _MAX_SIGNALS:
        raise SettingsError("signals", f"{signals} is not from 4 to {_MAX_SIGNALS}")
    cycle_us = round(1e6 / rate_hz) if rate_hz > 0 else 0
    if not _MIN_US <= cycle_us <= 255_000:
        raise SettingsError("rate", f"{rate_hz:g} Hz is not from 4 Hz to 100 kHz")
    made = [
        Measurement(
            name=f"Sig{number:05d}",
            datatype=_datatype(number, signals),
            text=f"counts from {number}",
            event=EVENT,
        )
        for number in range(signals)
    ]
    counter = Measurement(
        name="RunCounter", datatype=DataType.ULONG, text="runs of the task", event=EVENT
    )
    return EcuDeclaration(
        name="ManySignals",
        text=f"{signals} signals every {cycle_us} us",
        epk="XCALIPER-MANY-1",
        byte_order=byte_order,
        events=(Event(EVENT, 0, None, "fast", priority=4, cycle_us=cycle_us),),
        signals=(counter, *made),
        parameters=(
            Scalar(
                name="cStep",
                datatype=DataType.UBYTE,
                text="without effect; there to be written",
                segment="Calibration",
                default=1.0,
            ),
        ),
        segments=(
            Segment(
                name="Calibration",
                number=0,
                address=0x0801_0000,
                size_bytes=64,
                text="one parameter",
                pages=(Page(0, "working page", writable=True),),
            ),
        ),
        ram_size_bytes=-(-(signals * 4 + 64) // 8) * 8,
    )


class ManySignals:
    """The application: adds one to every signal in four numpy calls.

    Args:
        memory: of an ECU with this declaration.

    Attributes:
        tasks: the only one.
    """

    def __init__(self, memory: EcuMemory) -> None:
        declaration = memory.image.declaration
        signals = len(declaration.signals) - 1
        order = declaration.byte_order
        self._runs = 0
        self._steps: list[tuple[NDArray[Any], NDArray[Any]]] = []
        self._first: list[tuple[NDArray[Any], NDArray[Any]]] = []
        offset = memory.image["RunCounter"].offset
        self._counter = np.frombuffer(memory.ram, DataType.ULONG.dtype(order), 1, offset)
        for datatype in _TYPES:
            numbers = [n for n in range(signals) if _datatype(n, signals) is datatype]
            offsets = [memory.image[f"Sig{n:05d}"].offset for n in numbers]
            dtype = datatype.dtype(order)
            steps = set(np.diff(offsets)) | {dtype.itemsize}
            assert steps == {dtype.itemsize}, "signals of a type lie back to back"
            view = np.frombuffer(memory.ram, dtype, len(numbers), offsets[0])
            start = np.array(numbers, np.int64).astype(dtype)
            view[:] = start
            self._steps.append((view, np.array(1, dtype)))
            if datatype.is_float:
                self._first.append((view, start))
        (event,) = declaration.events
        self.tasks: tuple[Task, ...] = (Task(EVENT, event.channel, self.run, event.period_ns),)

    def run(self, _now_ns: int) -> None:
        """One cycle."""
        self._runs += 1
        self._counter[0] = self._runs & 0xFFFF_FFFF
        for view, one in self._steps:
            np.add(view, one, view)  # a one of the same type: turning a number into one costs more
        if not self._runs % _FLOAT_WRAP:
            for view, start in self._first:
                view[:] = start
