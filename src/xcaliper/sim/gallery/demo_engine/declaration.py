"""The demo engine as a declaration: events, segments, groups and functions around its objects."""

from __future__ import annotations

from xcaliper.core.datatypes import ByteOrder
from xcaliper.sim.declare import EcuDeclaration
from xcaliper.sim.gallery.demo_engine.parameters import MAPS, SCALARS, parameters
from xcaliper.sim.gallery.demo_engine.signals import (
    CRANK,
    TASK_1MS,
    TASK_10MS,
    TASK_100MS,
    signals,
)
from xcaliper.sim.items import Event, Function, Group, Segment, Signal

__all__ = ["demo_engine"]

_TOPICS = {
    "Speed": ("Engine speed and crank angle", ("Engine", "Crank", "Segment", "Roughness")),
    "Air": ("Air path", ("Air", "Throttle", "Pedal", "Manifold", "Load", "KFVol", "KFPedal")),
    "Fuel": ("Injection", ("Inj", "Fuel", "Factor", "cInj", "KLInj", "KLWarm", "KFInj", "cFuel")),
    "Lambda": ("Lambda control", ("Lambda", "cLambda", "KFLambda", "Transport", "Catalyst")),
    "Ignition": ("Ignition", ("Ign", "KFZW", "KLIgn", "cIgn", "Dwell", "KLDwell", "TorqueRatio")),
    "Knock": ("Knock control", ("Knock", "cKnock", "KLKnock", "Cylinder", "Misfire")),
    "Idle": ("Idle control", ("Idle", "cIdle", "KLIdle")),
    "Cooling": ("Cooling", ("Coolant", "Oil", "Fan", "cFan", "KLFan", "Thermo", "Ambient")),
    "Vehicle": ("Vehicle and driver", ("Vehicle", "Gear", "Clutch", "Brake", "Wheel", "Drive")),
    "Status": ("State and diagnosis", ("Flag", "Field", "Diag", "Status", "Fault", "State")),
    "TestSignals": ("Test signals", ("Wave", "cWave", "TaskCounter", "TimeUs")),
}


def demo_engine(*, byte_order: ByteOrder = ByteOrder.INTEL) -> EcuDeclaration:
    """The declaration of a believable four-cylinder gasoline engine controller.

    Args:
        byte_order: of the ECU's memory.
    """
    found = signals()
    adjustable = parameters()
    names = [item.name for item in (*found, *adjustable)]
    topics = tuple(
        Group(
            name=topic,
            text=text,
            members=tuple(name for name in names if name.startswith(starts)),
        )
        for topic, (text, starts) in _TOPICS.items()
    )
    return EcuDeclaration(
        name="DemoEngine",
        text="Engine controller of a four-cylinder gasoline engine",
        epk="XCALIPER-DEMO-1",
        byte_order=byte_order,
        events=(
            Event(TASK_1MS, 0, 1, "1ms", priority=4),
            Event(TASK_10MS, 1, 10, "10ms", priority=3, stim=True),
            Event(TASK_100MS, 2, 100, "100ms", priority=1),
            Event(CRANK, 3, None, "crank", priority=5),
        ),
        signals=found,
        parameters=adjustable,
        segments=(
            Segment(
                name=MAPS,
                number=0,
                address=0x0801_0000,
                size_bytes=0x1000,
                text="Maps, curves and axes",
            ),
            Segment(
                name=SCALARS,
                number=1,
                address=0x0802_0000,
                size_bytes=0x0400,
                text="Scalars, texts and value blocks",
            ),
        ),
        groups=(
            Group(
                name="Engine",
                text="All topics of the engine controller",
                groups=tuple(topic.name for topic in topics),
            ),
            *topics,
            Group(name="Rasters", text="Signals by task", groups=tuple(_rasters())),
            *(
                Group(
                    name=raster,
                    text=f"Signals of {event}",
                    members=tuple(item.name for item in found if _event(item) == event),
                )
                for raster, event in _rasters().items()
            ),
        ),
        functions=_functions(),
    )


def _rasters() -> dict[str, str]:
    return {f"Raster{event}": event for event in (TASK_1MS, TASK_10MS, TASK_100MS, CRANK)}


def _event(signal: Signal) -> str:
    return getattr(signal, "event", "")


def _functions() -> tuple[Function, ...]:
    return (
        Function(
            name="IdleSpeedControl",
            text="Keeps the idle speed by throttle and ignition",
            parameters=(
                "cIdleSpeedTarget",
                "cIdleKp",
                "cIdleKi",
                "cIdleKd",
                "cIdleThrottleBase",
                "cIdleThrottleMax",
                "cIdleIgnKp",
                "cIdleIgnMax",
                "KLIdleSpeedCoolant",
            ),
            inputs=("EngineSpeed", "CoolantTemp", "PedalPos"),
            outputs=("IdleSpeedTarget", "IdleSpeedError", "IdleThrottle", "IgnitionCorrIdle"),
        ),
        Function(
            name="LambdaControl",
            text="Keeps lambda at its request",
            parameters=(
                "cLambdaEnable",
                "cLambdaKp",
                "cLambdaKi",
                "cLambdaEnableTemp",
                "cLambdaReqOffset",
                "KFLambda",
            ),
            inputs=("Lambda", "Load", "EngineSpeed"),
            outputs=("LambdaReq", "LambdaError", "FactorLambda", "LambdaLoopState"),
        ),
        Function(
            name="IgnitionControl",
            text="Finds the ignition angle",
            parameters=("KFZW", "cIgnitionOffset", "cIgnitionMin", "cIgnitionMax"),
            inputs=("EngineSpeed", "Load", "CoolantTemp"),
            outputs=("IgnitionAngleBase", "IgnitionAngle", "DwellTime"),
        ),
        Function(
            name="KnockControl",
            text="Retards the ignition of knocking cylinders",
            parameters=("cKnockEnable", "cKnockRetardStep", "cKnockRetardMax", "KLKnockWeight"),
            inputs=("KnockLevel", "Load"),
            outputs=("KnockRetard", "KnockRetardMean", "KnockCountTotal"),
        ),
        Function(
            name="CoolingFan",
            text="Runs the radiator fan",
            parameters=("cFanOnTemp", "cFanHysteresis", "cFanSpeedMax", "KLFanSpeed"),
            inputs=("CoolantTemp",),
            outputs=("FanState", "FanSpeed"),
        ),
    )
