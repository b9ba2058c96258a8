"""What can be adjusted in the demo engine: scalars in one segment, tables in the other."""

from __future__ import annotations

from xcaliper.core.datatypes import DataType as D
from xcaliper.sim.conversion import Conversion
from xcaliper.sim.gallery.demo_engine import units as u
from xcaliper.sim.items import (
    Axis,
    Curve,
    FixAxis,
    Map,
    Parameter,
    Scalar,
    StdAxis,
    Text,
    ValueBlock,
)

__all__ = ["MAPS", "SCALARS", "base_ignition", "parameters"]

MAPS = "CalibrationMaps"
SCALARS = "CalibrationScalars"

_Row = tuple[str, D, Conversion, float, float, float, str]

_ROWS: tuple[_Row, ...] = (
    ("cIdleSpeedTarget", D.UWORD, u.RPM, 820, 600, 1200, "Idle speed of a warm engine"),
    ("cIdleKp", D.FLOAT32_IEEE, u.ONE, 0.008, 0, 0.1, "Idle control: % per rpm"),
    ("cIdleKi", D.FLOAT32_IEEE, u.ONE, 0.012, 0, 0.2, "Idle control: % per rpm and second"),
    ("cIdleKd", D.FLOAT32_IEEE, u.ONE, 0.0004, 0, 0.01, "Idle control: % seconds per rpm"),
    ("cIdleThrottleBase", D.UWORD, u.PERCENT, 3.0, 0, 10, "Idle throttle before control"),
    ("cIdleThrottleMax", D.UWORD, u.PERCENT, 12.0, 0, 30, "Largest idle throttle"),
    ("cIdleIgnKp", D.FLOAT32_IEEE, u.ONE, 0.02, 0, 0.2, "Idle ignition: °CA per rpm"),
    ("cIdleIgnMax", D.SWORD, u.ANGLE, 6.0, 0, 20, "Largest idle ignition correction"),
    ("cLambdaEnable", D.UBYTE, u.OFF_ON, 1, 0, 1, "Lambda control"),
    ("cLambdaKp", D.FLOAT32_IEEE, u.ONE, 0.042, 0, 1, "Lambda control: proportional gain"),
    ("cLambdaKi", D.FLOAT32_IEEE, u.ONE, 0.4, 0, 5, "Lambda control: integral gain per second"),
    ("cLambdaEnableTemp", D.UBYTE, u.TEMP, 30, -48, 120, "Lambda control from this coolant"),
    ("cLambdaFactorMin", D.UWORD, u.RATIO, 0.75, 0.5, 1, "Smallest control factor"),
    ("cLambdaFactorMax", D.UWORD, u.RATIO, 1.25, 1, 2, "Largest control factor"),
    ("cLambdaReqOffset", D.SWORD, u.RATIO, 0, -0.3, 0.3, "Added to the requested lambda"),
    ("cFanOnTemp", D.UBYTE, u.TEMP, 96, 60, 115, "Coolant that starts the fan"),
    ("cFanHysteresis", D.UBYTE, u.KELVIN, 4, 0, 20, "Cooling until the fan stops"),
    ("cFanSpeedMax", D.UBYTE, u.PERCENT_BYTE, 100, 0, 100, "Largest drive of the fan"),
    ("cKnockEnable", D.UBYTE, u.OFF_ON, 1, 0, 1, "Knock control"),
    ("cKnockRetardStep", D.UBYTE, u.ANGLE, 1.5, 0, 10, "Retard per knock"),
    ("cKnockRetardMax", D.UBYTE, u.ANGLE, 12, 0, 20, "Largest retard"),
    ("cKnockRecovery", D.UWORD, u.ANGLE_SMALL, 0.02, 0, 1, "Recovery per power stroke"),
    ("cKnockThreshold", D.FLOAT16_IEEE, u.VOLT_FLOAT, 1.5, 0, 5, "Level that counts as knock"),
    ("cRevLimit", D.UWORD, u.RPM, 6300, 1000, 7000, "Engine speed limit"),
    ("cRevLimitHysteresis", D.UWORD, u.RPM, 200, 0, 1000, "Drop until fuel returns"),
    ("cFuelCutEnable", D.UBYTE, u.OFF_ON, 1, 0, 1, "Fuel cut in overrun"),
    ("cFuelCutSpeed", D.UWORD, u.RPM, 1600, 1000, 4000, "Overrun fuel cut above"),
    ("cFuelCutResume", D.UWORD, u.RPM, 1250, 800, 4000, "Fuel returns below"),
    ("cInjectorFlow", D.FLOAT32_IEEE, u.ONE, 4.0, 0.5, 20, "Injector flow in mg/ms"),
    ("cDisplacement", D.FLOAT64_IEEE, u.ONE, 1998, 500, 8000, "Displacement in cm^3"),
    ("cStoichiometry", D.FLOAT32_IEEE, u.ONE, 14.7, 5, 20, "Air mass per fuel mass at lambda 1"),
    ("cIgnitionOffset", D.SWORD, u.ANGLE, 0, -15, 15, "Added to the ignition angle"),
    ("cIgnitionMin", D.SWORD, u.ANGLE, -15, -30, 30, "Smallest ignition angle"),
    ("cIgnitionMax", D.SWORD, u.ANGLE, 48, 0, 60, "Largest ignition angle"),
    ("cStarterOffSpeed", D.UWORD, u.RPM, 450, 100, 1000, "Starter stops above"),
    ("cStarterTorque", D.SWORD, u.TORQUE, 90, 0, 300, "Torque of the starter"),
    ("cAlternatorVoltage", D.UWORD, u.VOLT, 14.1, 12, 15, "Set point of the alternator"),
    ("cThrottleRate", D.UWORD, u.PERCENT, 400, 10, 600, "Throttle speed in % per second"),
    ("cPedalFilter", D.UWORD, u.MS, 20, 1, 60, "Time constant of the pedal filter"),
    ("cTorqueLimit", D.SLONG, u.TORQUE_LONG, 300, 0, 1000, "Limit of the torque request"),
    ("cSpeedFilter", D.UBYTE, u.PERCENT_BYTE, 20, 0.4, 100, "Weight of a new speed value"),
    ("cVehicleMass", D.UWORD, u.COUNT, 1350, 500, 5000, "Vehicle mass in kg"),
    ("cDragArea", D.FLOAT32_IEEE, u.ONE, 0.65, 0, 5, "Drag coefficient times area in m^2"),
    ("cRoadGrade", D.SBYTE, u.PERCENT_BYTE, 0, -20, 20, "Slope of the road"),
    ("cGearShiftOffset", D.SLONG, u.COUNT, 0, -1000, 1000, "Added to the shift speeds in rpm"),
    ("cDriveCycleEnable", D.UBYTE, u.OFF_ON, 1, 0, 1, "Drive the cycle; OFF = idle for ever"),
    ("cPedalManual", D.UBYTE, u.PERCENT_BYTE, 0, 0, 100, "Pedal while the drive cycle is off"),
    ("cNoise", D.FLOAT32_IEEE, u.ONE, 1, 0, 10, "Scale of all noise"),
    ("cMisfireRate", D.UWORD, u.PERCENT, 0, 0, 100, "Share of strokes that do not fire"),
    ("cWaveFrequency", D.FLOAT64_IEEE, u.HERTZ, 1, 0.01, 100, "Frequency of the test signals"),
    ("cWaveAmplitude", D.FLOAT32_IEEE, u.ONE, 1, 0, 3, "Amplitude of the test signals"),
    ("cDistanceOffset", D.A_INT64, u.COUNT, 0, -1e15, 1e15, "Added to the distance in mm"),
    ("cSerialNumber", D.A_UINT64, u.COUNT, 20260001, 0, 1e15, "Serial number"),
    ("cDiagnosisMask", D.ULONG, u.COUNT, 0xFFFF_FFFF, 0, 0xFFFF_FFFF, "Diagnosis bits shown"),
)

_SPEEDS = tuple(500.0 + 400.0 * i for i in range(16))
_LOADS = tuple(10.0 + 8.0 * i for i in range(12))
_COOLANT = (-30.0, 0.0, 15.0, 30.0, 45.0, 60.0, 75.0, 90.0, 105.0)


def base_ignition(speed: float, load: float) -> float:
    """A plausible ignition angle in °CA for a speed in rpm and a load in %."""
    below = (4700.0 - speed) / 4200.0
    above = (speed - 4700.0) / 2000.0
    bend = 25.4 * below * below if below > 0.0 else 15.0 * above * above
    return 37.0 - bend - 0.15 * (load - 10.0)


def _lambda(speed: float, load: float) -> float:
    rich = max(0.0, (load - 70.0) / 28.0) * 0.12 + max(0.0, (speed - 4500.0) / 2000.0) * 0.04
    return 1.0 - rich


def _efficiency(speed: float, pressure: float) -> float:
    hump = 1.0 - ((speed - 4000.0) / 6500.0) ** 2
    return 100.0 * hump * (0.86 + 0.0012 * (pressure - 20.0))


def _pedal(speed: float, pedal: float) -> float:
    return min(100.0, pedal * (0.55 + 0.45 * pedal / 100.0) * (0.85 + speed / 40000.0))


def _tenths(value: float) -> float:
    return round(value, 1)


def _axes() -> tuple[Parameter, ...]:
    return (
        Axis(
            name="AxisEngineSpeed",
            datatype=D.UWORD,
            default=_SPEEDS,
            conversion=u.RPM,
            limits=(0, 8000),
            input="EngineSpeed",
            segment=MAPS,
            text="Engine speed of the large maps",
        ),
        Axis(
            name="AxisLoad",
            datatype=D.UWORD,
            default=_LOADS,
            conversion=u.PERCENT,
            limits=(0, 200),
            input="Load",
            segment=MAPS,
            text="Load of the large maps",
        ),
        Axis(
            name="AxisCoolantTemp",
            datatype=D.UBYTE,
            default=_COOLANT,
            conversion=u.TEMP,
            limits=(-48, 143),
            input="CoolantTemp",
            segment=MAPS,
            text="Coolant temperature of the warm-up curves",
        ),
    )


def _maps() -> tuple[Parameter, ...]:
    speeds = (600.0, 1200.0, 2000.0, 3000.0, 4000.0, 5000.0, 6000.0, 6800.0)
    pressures = (20.0, 30.0, 40.0, 50.0, 60.0, 75.0, 90.0, 100.0)
    pedals = (0.0, 4.0, 10.0, 20.0, 40.0, 60.0, 80.0, 100.0)
    phase = FixAxis(offset=2000, distance=4000, count=6, conversion=u.RPM, input="EngineSpeed")
    loads = FixAxis(offset=1000, distance=3000, count=4, conversion=u.PERCENT, input="Load")
    return (
        Map(
            name="KFZW",
            datatype=D.SWORD,
            x="AxisEngineSpeed",
            y="AxisLoad",
            default=tuple(tuple(_tenths(base_ignition(n, q)) for n in _SPEEDS) for q in _LOADS),
            conversion=u.ANGLE,
            limits=(-15, 60),
            segment=MAPS,
            text="Ignition angle base map",
        ),
        Map(
            name="KFLambda",
            datatype=D.UWORD,
            x="AxisEngineSpeed",
            y="AxisLoad",
            default=tuple(tuple(round(_lambda(n, q), 4) for n in _SPEEDS) for q in _LOADS),
            conversion=u.RATIO,
            limits=(0.6, 1.5),
            segment=MAPS,
            text="Requested lambda",
        ),
        Map(
            name="KFVolumetricEfficiency",
            datatype=D.UWORD,
            x=StdAxis(
                datatype=D.UWORD,
                default=speeds,
                conversion=u.RPM,
                limits=(0, 8000),
                input="EngineSpeed",
            ),
            y=StdAxis(
                datatype=D.UWORD,
                default=pressures,
                conversion=u.PRESSURE,
                limits=(0, 300),
                input="ManifoldPressure",
            ),
            default=tuple(tuple(round(_efficiency(n, p), 2) for n in speeds) for p in pressures),
            conversion=u.PERCENT,
            limits=(0, 150),
            segment=MAPS,
            text="Volumetric efficiency",
        ),
        Map(
            name="KFPedal",
            datatype=D.FLOAT32_IEEE,
            x=StdAxis(
                datatype=D.UWORD,
                default=(500.0, 1500.0, 2500.0, 3500.0, 5000.0, 6500.0),
                conversion=u.RPM,
                limits=(0, 8000),
                input="EngineSpeed",
            ),
            y=StdAxis(
                datatype=D.UBYTE,
                default=pedals,
                conversion=u.PERCENT_BYTE,
                limits=(0, 100),
                input="PedalPos",
            ),
            default=tuple(
                tuple(_tenths(_pedal(n, p)) for n in (500, 1500, 2500, 3500, 5000, 6500))
                for p in pedals
            ),
            conversion=u.PERCENT_FLOAT,
            limits=(0, 100),
            by_column=True,
            segment=MAPS,
            text="Throttle opening over speed and pedal",
        ),
        Map(
            name="KFInjectionPhase",
            datatype=D.SWORD,
            x=phase,
            y=loads,
            default=tuple(
                tuple(300.0 - 10.0 * ix - 15.0 * iy for ix in range(6)) for iy in range(4)
            ),
            conversion=u.ANGLE,
            limits=(-720, 720),
            segment=MAPS,
            text="End of injection",
        ),
        Map(
            name="KFCamIntake",
            datatype=D.SBYTE,
            x=phase,
            y=loads,
            default=tuple(tuple(float(2 * ix + 5 * iy) for ix in range(6)) for iy in range(4)),
            limits=(-60, 60),
            segment=MAPS,
            text="Intake camshaft in °CA",
        ),
    )


def _cold(
    name: str, values: tuple[float, ...], conversion: Conversion, top: float, text: str
) -> Curve:
    low = -top if conversion is u.ANGLE else 0.0
    return Curve(
        name=name,
        datatype=D.SWORD,
        x="AxisCoolantTemp",
        default=values,
        conversion=conversion,
        limits=(low, top),
        segment=MAPS,
        text=text,
    )


def _curves() -> tuple[Parameter, ...]:
    volts = StdAxis(
        datatype=D.UWORD,
        default=(8.0, 10.0, 12.0, 14.0, 16.0),
        conversion=u.VOLT,
        limits=(0, 20),
        input="BatteryVoltage",
    )
    return (
        _cold(
            "KLIdleSpeedCoolant",
            (480, 360, 300, 220, 150, 80, 20, 0, 0),
            u.RPM,
            1000,
            "Idle speed added while cold",
        ),
        _cold(
            "KLWarmupFuel",
            (0.5, 0.3, 0.2, 0.12, 0.06, 0.02, 0, 0, 0),
            u.RATIO,
            2,
            "Fuel added while cold",
        ),
        _cold(
            "KLIgnitionCoolant", (4, 3, 2, 1, 0.5, 0, 0, 0, -2), u.ANGLE, 20, "Ignition correction"
        ),
        _cold(
            "KLFrictionCoolant",
            (30, 18, 14, 10, 6, 3, 1, 0, 0),
            u.TORQUE,
            100,
            "Friction added while cold",
        ),
        Curve(
            name="KLFriction",
            datatype=D.FLOAT32_IEEE,
            x=StdAxis(
                datatype=D.FLOAT32_IEEE,
                default=(0.0, 1000.0, 2000.0, 3000.0, 4500.0, 6500.0),
                conversion=u.RPM_FLOAT,
                limits=(0, 8000),
                input="EngineSpeed",
            ),
            default=(16.0, 14.0, 15.5, 18.0, 24.0, 36.0),
            limits=(0, 200),
            segment=MAPS,
            text="Friction torque in Nm",
        ),
        Curve(
            name="KLInjectorDeadTime",
            datatype=D.UWORD,
            x=volts,
            default=(2.1, 1.4, 1.0, 0.8, 0.65),
            conversion=u.MS,
            limits=(0, 5),
            segment=MAPS,
            text="Injector dead time",
        ),
        Curve(
            name="KLDwellTime",
            datatype=D.UWORD,
            x=FixAxis(
                offset=8000, distance=2000, count=5, conversion=u.VOLT, input="BatteryVoltage"
            ),
            default=(6.5, 4.6, 3.4, 2.7, 2.2),
            conversion=u.MS,
            limits=(0, 20),
            segment=MAPS,
            text="Charging time of the coils",
        ),
        Curve(
            name="KLTorqueMax",
            datatype=D.SWORD,
            x="AxisEngineSpeed",
            default=(95, 120, 138, 152, 163, 171, 177, 182, 186, 188, 188, 186, 182, 176, 168, 158),
            conversion=u.TORQUE,
            limits=(0, 500),
            segment=MAPS,
            text="Largest torque",
        ),
        Curve(
            name="KLFanSpeed",
            datatype=D.UBYTE,
            x=StdAxis(
                datatype=D.UBYTE,
                default=(60.0, 90.0, 96.0, 102.0, 108.0),
                conversion=u.TEMP,
                limits=(-48, 143),
                input="CoolantTemp",
            ),
            default=(30.0, 40.0, 60.0, 80.0, 100.0),
            conversion=u.PERCENT_BYTE,
            limits=(0, 100),
            segment=MAPS,
            text="Drive of the fan",
        ),
        Curve(
            name="KLKnockWeight",
            datatype=D.FLOAT16_IEEE,
            x="AxisLoad",
            default=(0.0, 0.0, 0.0, 0.0, 0.125, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0),
            limits=(0, 4),
            segment=MAPS,
            text="Weight of the knock recognition",
        ),
    )


def _blocks() -> tuple[Parameter, ...]:
    return (
        ValueBlock(
            name="cCylinderTrim",
            datatype=D.SBYTE,
            default=(0.0, 0.0, 0.0, 0.0),
            conversion=u.ANGLE,
            limits=(-12.8, 12.7),
            segment=SCALARS,
            text="Ignition trim of each cylinder",
        ),
        ValueBlock(
            name="cGearRatios",
            datatype=D.FLOAT32_IEEE,
            default=(14.2, 8.3, 5.6, 4.2, 3.4),
            limits=(1, 30),
            segment=SCALARS,
            text="Ratio of each gear, final drive included",
        ),
        ValueBlock(
            name="cAnalogOffsets",
            datatype=D.SWORD,
            default=tuple(0.0 for _ in range(12)),
            conversion=u.VOLT,
            limits=(-5, 5),
            segment=SCALARS,
            text="Offset of each analog input",
        ),
        ValueBlock(
            name="cAdaptationStart",
            datatype=D.FLOAT64_IEEE,
            default=tuple(tuple(1.0 for _ in range(4)) for _ in range(4)),
            limits=(0.5, 1.5),
            segment=SCALARS,
            text="Fuel factors learned at the factory",
        ),
        Text(
            name="cVehicleName",
            size_bytes=24,
            default="Demo saloon",
            segment=SCALARS,
            text="Vehicle",
        ),
        Text(
            name="cCalibrationId",
            size_bytes=16,
            default="CAL-0001",
            segment=SCALARS,
            text="Identification of the data set",
        ),
    )


def parameters() -> tuple[Parameter, ...]:
    """Every parameter of the demo engine."""
    scalars = tuple(
        Scalar(
            name=name,
            datatype=datatype,
            default=default,
            text=text,
            segment=SCALARS,
            conversion=conversion,
            limits=(low, high),
            hard_limits=(400, 2000) if name == "cIdleSpeedTarget" else None,
            step=10 if name == "cIdleSpeedTarget" else None,
        )
        for name, datatype, conversion, default, low, high, text in _ROWS
    )
    return (*_axes(), *_maps(), *_curves(), *scalars, *_blocks())
