"""Measurement: capabilities, plans, decoding, time axis, quality."""

from xcaliper.daq.capabilities import (
    AddressExtensionScope,
    DaqCapabilities,
    EventChannel,
    ListCanId,
    Optimisation,
    Overload,
    StaticList,
)
from xcaliper.daq.decode import DaqDecoder
from xcaliper.daq.merge import DaqAnswers, DeclaredDaq, EventAnswer, ListAnswer, merge
from xcaliper.daq.plan import DaqPlan, PolledSignal, Raster, compile_plan
from xcaliper.daq.quality import GapRecord, Quality
from xcaliper.daq.resources import ResourceModel
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
    "ListAnswer",
    "ListCanId",
    "Optimisation",
    "Overload",
    "PolledSignal",
    "Quality",
    "Raster",
    "ResourceModel",
    "StaticList",
    "Timeline",
    "Wanted",
    "WantedSignal",
    "compile_plan",
    "merge",
]
