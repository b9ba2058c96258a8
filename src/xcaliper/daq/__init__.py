"""Measurement: capabilities, plans, decoding, time axis, quality."""

from xcaliper.daq.capabilities import (
    AddressExtensionScope,
    DaqAnswers,
    DaqCapabilities,
    DeclaredDaq,
    EventAnswer,
    EventChannel,
    Overload,
    merge,
)
from xcaliper.daq.decode import DaqDecoder
from xcaliper.daq.plan import DaqPlan, Raster, compile_plan
from xcaliper.daq.quality import GapRecord, Quality
from xcaliper.daq.timeline import ClockReading, Timeline
from xcaliper.daq.wanted import Wanted, WantedSignal

__all__ = [
    "AddressExtensionScope",
    "ClockReading",
    "DaqAnswers",
    "DaqCapabilities",
    "DaqDecoder",
    "DaqPlan",
    "DeclaredDaq",
    "EventAnswer",
    "EventChannel",
    "GapRecord",
    "Overload",
    "Quality",
    "Raster",
    "Timeline",
    "Wanted",
    "WantedSignal",
    "compile_plan",
    "merge",
]
