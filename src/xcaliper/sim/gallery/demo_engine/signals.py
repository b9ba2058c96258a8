"""What the demo engine measures, by the event that updates it."""

from __future__ import annotations

from xcaliper.core.datatypes import DataType as D
from xcaliper.sim.conversion import Conversion
from xcaliper.sim.gallery.demo_engine import units as u
from xcaliper.sim.items import (
    BitField,
    Measurement,
    Signal,
    StructArray,
    StructMember,
    TextMeasurement,
)

__all__ = ["CRANK", "TASK_1MS", "TASK_10MS", "TASK_100MS", "signals"]

TASK_1MS = "Task1ms"
TASK_10MS = "Task10ms"
TASK_100MS = "Task100ms"
CRANK = "CrankSync"

_Row = tuple[str, D, Conversion, float, float, str]
_ArrayRow = tuple[str, D, tuple[int, ...], Conversion, float, float, str]

_FAST: tuple[_Row, ...] = (
    ("TaskCounter1ms", D.ULONG, u.COUNT, 0, 2**32 - 1, "Runs of the 1 ms task since start"),
    ("TimeUs", D.A_UINT64, u.US, 0, 2**64 - 1, "ECU time since start"),
    ("EngineSpeed", D.UWORD, u.RPM, 0, 8000, "Engine speed, filtered"),
    ("EngineSpeedRaw", D.FLOAT32_IEEE, u.RPM_FLOAT, 0, 8000, "Engine speed at the crank sensor"),
    ("EngineAcceleration", D.SWORD, u.RPM_PER_S, -32000, 32000, "Gradient of the engine speed"),
    ("CrankAngle", D.UWORD, u.ANGLE, 0, 720, "Angle inside the working cycle"),
    ("CrankRevolutions", D.ULONG, u.COUNT, 0, 2**32 - 1, "Revolutions since start"),
    ("CylinderFiring", D.UBYTE, u.COUNT, 1, 4, "Cylinder in its power stroke"),
    ("PedalPos", D.UBYTE, u.PERCENT_BYTE, 0, 100, "Accelerator pedal"),
    ("ThrottleTarget", D.UWORD, u.PERCENT, 0, 100, "Requested throttle opening"),
    ("ThrottlePos", D.UWORD, u.PERCENT, 0, 100, "Actual throttle opening"),
    ("ThrottleCurrent", D.SWORD, u.AMPERE, -20, 20, "Current of the throttle motor"),
    ("ThrottleVoltage", D.UWORD, u.VOLT, 0, 5, "Throttle potentiometer"),
    ("ManifoldPressure", D.UWORD, u.PRESSURE, 0, 300, "Intake manifold pressure"),
    ("AirMassFlow", D.FLOAT32_IEEE, u.KG_H, 0, 1000, "Air mass flow into the engine"),
    ("AirMass", D.UWORD, u.AIR, 0, 1200, "Air mass per stroke"),
    ("Load", D.UWORD, u.PERCENT, 0, 200, "Relative air charge"),
    ("InjectionTime", D.UWORD, u.MS, 0, 60, "Opening time of the injectors"),
    ("Lambda", D.UWORD, u.RATIO, 0, 5, "Lambda at the sensor"),
    ("LambdaActual", D.FLOAT64_IEEE, u.ONE, 0, 4, "Lambda in the cylinder, ahead of the sensor"),
    ("LambdaReq", D.UWORD, u.RATIO, 0.5, 2, "Requested lambda"),
    ("LambdaSensorVoltage", D.UWORD, u.VOLT, 0, 5, "Wide-band sensor, linear output"),
    ("IgnitionAngle", D.SWORD, u.ANGLE, -30, 60, "Ignition angle before top dead centre"),
    ("IgnitionAngleBase", D.SWORD, u.ANGLE, -30, 60, "Ignition angle out of the map KFZW"),
    ("TorqueIndicated", D.SWORD, u.TORQUE, -500, 500, "Torque of the combustion"),
    ("TorqueFriction", D.SWORD, u.TORQUE, -500, 500, "Friction and auxiliaries"),
    ("TorqueClutch", D.SWORD, u.TORQUE, -500, 500, "Torque through the clutch"),
    ("TorqueNet", D.SWORD, u.TORQUE, -500, 500, "Torque that accelerates the crankshaft"),
    ("TorqueRequest", D.SLONG, u.TORQUE_LONG, -500, 500, "Torque wanted by the driver"),
    ("TorqueRatioIgnition", D.UBYTE, u.PERCENT_BYTE, 0, 100, "Efficiency of the ignition angle"),
    ("KnockSensor", D.FLOAT16_IEEE, u.VOLT_FLOAT, 0, 5, "Knock sensor, rectified"),
    ("VehicleSpeed", D.FLOAT32_IEEE, u.KMH, 0, 300, "Vehicle speed"),
    ("VehicleAcceleration", D.SWORD, u.ACCELERATION, -20, 20, "Longitudinal acceleration"),
    ("VehicleDistance", D.A_INT64, u.COUNT, -(2**63), 2**63 - 1, "Distance driven in mm"),
    ("WaveSine", D.FLOAT64_IEEE, u.ONE, -100, 100, "Test signal: sine"),
    ("WaveTriangle", D.SWORD, u.RATIO, -3, 3, "Test signal: triangle"),
    ("WaveSawtooth", D.UBYTE, u.COUNT, 0, 255, "Test signal: sawtooth, one step per ms"),
    ("WaveSquare", D.SBYTE, u.COUNT, -100, 100, "Test signal: square"),
    ("WaveRandom", D.FLOAT32_IEEE, u.ONE, -10, 10, "Test signal: seeded normal noise"),
    ("WaveCounter", D.SLONG, u.COUNT, -(2**31), 2**31 - 1, "Test signal: counts down from 0"),
)

_MEDIUM: tuple[_Row, ...] = (
    ("TaskCounter10ms", D.ULONG, u.COUNT, 0, 2**32 - 1, "Runs of the 10 ms task since start"),
    ("StatusWord", D.UWORD, u.COUNT, 0, 65535, "State of the engine in bits"),
    ("DiagnosisWord", D.ULONG, u.COUNT, 0, 2**32 - 1, "State of the diagnosis in bits"),
    ("EngineState", D.UBYTE, u.ENGINE_STATE, 0, 4, "Operating state"),
    ("IdleSpeedTarget", D.UWORD, u.RPM, 0, 4000, "Wanted idle speed"),
    ("IdleSpeedError", D.SWORD, u.RPM, -8000, 8000, "Wanted minus actual idle speed"),
    ("IdleP", D.SWORD, u.PERCENT, -100, 100, "Idle control, proportional part"),
    ("IdleI", D.SWORD, u.PERCENT, -100, 100, "Idle control, integral part"),
    ("IdleD", D.SWORD, u.PERCENT, -100, 100, "Idle control, differential part"),
    ("IdleThrottle", D.UWORD, u.PERCENT, 0, 100, "Throttle opening for idle"),
    ("LambdaLoopState", D.UBYTE, u.LOOP_STATE, 0, 2, "State of the lambda control"),
    ("LambdaError", D.SWORD, u.RATIO, -3, 3, "Actual minus requested lambda"),
    ("LambdaP", D.SWORD, u.RATIO, -3, 3, "Lambda control, proportional part"),
    ("LambdaI", D.SWORD, u.RATIO, -3, 3, "Lambda control, integral part"),
    ("FactorLambda", D.UWORD, u.RATIO, 0, 4, "Fuel factor of the lambda control"),
    ("FactorWarmup", D.UWORD, u.RATIO, 0, 4, "Fuel factor of a cold engine"),
    ("FactorAltitude", D.UWORD, u.RATIO, 0, 2, "Charge factor of the ambient pressure"),
    ("TransportDelay", D.UWORD, u.MS_LONG, 0, 600, "Way of the exhaust to the sensor"),
    ("FuelMass", D.UWORD, u.FUEL, 0, 65, "Fuel mass per stroke"),
    ("FuelFlow", D.FLOAT32_IEEE, u.LITRE_H, 0, 100, "Fuel flow"),
    ("InjectorDeadTime", D.UWORD, u.MS, 0, 5, "Delay of opening at the battery voltage"),
    ("InjectorDuty", D.UBYTE, u.PERCENT_BYTE, 0, 100, "Duty cycle of the injectors"),
    ("InjectionPhase", D.SWORD, u.ANGLE, -720, 720, "End of injection"),
    ("IgnitionCorrCoolant", D.SWORD, u.ANGLE, -30, 30, "Ignition correction, coolant"),
    ("IgnitionCorrIdle", D.SWORD, u.ANGLE, -30, 30, "Ignition correction, idle stabilisation"),
    ("KnockRetardMean", D.SWORD, u.ANGLE_FINE, 0, 30, "Mean retard of the knock control"),
    ("DwellTime", D.UWORD, u.MS, 0, 20, "Charging time of the coils"),
    ("TorqueMax", D.SWORD, u.TORQUE, 0, 500, "Largest torque at this speed"),
    ("Gear", D.SBYTE, u.GEARS, -1, 5, "Gear engaged"),
    ("GearRatio", D.FLOAT16_IEEE, u.ONE, 0, 20, "Ratio of the gearbox, final drive included"),
    ("GearboxSpeed", D.UWORD, u.RPM, 0, 8000, "Speed behind the clutch"),
    ("ClutchPos", D.UBYTE, u.PERCENT_BYTE, 0, 100, "Closing of the clutch"),
    ("BrakePressure", D.UWORD, u.PRESSURE, 0, 300, "Brake pressure"),
    ("CamAngleIntake", D.SWORD, u.ANGLE, -60, 60, "Intake camshaft"),
    ("CamAngleExhaust", D.SWORD, u.ANGLE, -60, 60, "Exhaust camshaft"),
    ("EngineSpeedPeriod", D.UWORD, u.RPM_BY_PERIOD, 120, 8000, "Speed from the tooth time"),
    ("RoadGrade", D.SBYTE, u.PERCENT_BYTE, -20, 20, "Slope of the road"),
    ("DriverSpeedTarget", D.FLOAT32_IEEE, u.KMH, 0, 300, "Speed the driver wants"),
)

_SLOW: tuple[_Row, ...] = (
    ("TaskCounter100ms", D.ULONG, u.COUNT, 0, 2**32 - 1, "Runs of the 100 ms task since start"),
    ("OperatingTime", D.ULONG, u.SECONDS, 0, 4e8, "Time since start"),
    ("CoolantTemp", D.UBYTE, u.TEMP, -48, 143, "Coolant temperature"),
    ("CoolantTempRaw", D.UWORD, u.THERMISTOR, -40, 140, "Coolant sensor at the converter"),
    ("CoolantTempClass", D.UBYTE, u.TEMP_CLASS, 0, 255, "Coolant temperature as a class"),
    ("OilTemp", D.UBYTE, u.TEMP, -48, 143, "Oil temperature"),
    ("IntakeAirTemp", D.UBYTE, u.TEMP, -48, 143, "Intake air temperature"),
    ("AmbientTemp", D.SBYTE, u.COUNT, -50, 80, "Ambient temperature in °C"),
    ("ExhaustTemp", D.UWORD, u.TEMP_WIDE, -50, 1200, "Exhaust gas temperature"),
    ("CatalystTemp", D.UWORD, u.TEMP_WIDE, -50, 1200, "Catalyst temperature"),
    ("CatalystEfficiency", D.FLOAT16_IEEE, u.ONE, 0, 1, "Share of converted emissions"),
    ("AmbientPressure", D.UWORD, u.PRESSURE, 50, 120, "Ambient pressure"),
    ("OilPressure", D.UWORD, u.PRESSURE, 0, 650, "Oil pressure"),
    ("BatteryVoltage", D.UWORD, u.VOLT, 0, 20, "Battery voltage"),
    ("AlternatorCurrent", D.SWORD, u.AMPERE, -200, 200, "Alternator current"),
    ("FanState", D.UBYTE, u.OFF_ON, 0, 1, "Radiator fan"),
    ("FanSpeed", D.UBYTE, u.PERCENT_BYTE, 0, 100, "Drive of the radiator fan"),
    ("ThermostatPos", D.UBYTE, u.PERCENT_BYTE, 0, 100, "Opening of the thermostat"),
    ("FuelLevel", D.UBYTE, u.PERCENT_BYTE, 0, 100, "Fuel level"),
    ("FuelConsumed", D.A_UINT64, u.COUNT, 0, 2**64 - 1, "Fuel consumed in µg"),
    ("FuelConsumption", D.FLOAT32_IEEE, u.ONE, 0, 100, "Mean consumption in l/100 km"),
    ("CanisterPurge", D.UBYTE, u.PERCENT_BYTE, 0, 100, "Duty cycle of the purge valve"),
    ("DriveCyclePhase", D.UBYTE, u.PHASES, 0, 4, "Phase of the drive cycle"),
    ("DriveCycleTime", D.UWORD, u.SECONDS, 0, 6000, "Time inside the drive cycle"),
    ("DriveCycleCount", D.UWORD, u.COUNT, 0, 65535, "Completed drive cycles"),
    ("ErrorCount", D.UWORD, u.COUNT, 0, 65535, "Stored faults"),
    ("ParameterGeneration", D.ULONG, u.COUNT, 0, 2**32 - 1, "Changes of the parameters seen"),
)

_CRANK: tuple[_Row, ...] = (
    ("SegmentCounter", D.ULONG, u.COUNT, 0, 2**32 - 1, "Half revolutions since start"),
    ("SegmentTime", D.ULONG, u.US, 0, 1e7, "Time of the last half revolution"),
    ("SegmentSpeed", D.FLOAT32_IEEE, u.RPM_FLOAT, 0, 8000, "Mean speed of the segment"),
    ("CylinderIndex", D.UBYTE, u.COUNT, 0, 3, "Index of the cylinder that fired"),
    ("IgnitionAngleOut", D.SWORD, u.ANGLE, -30, 60, "Ignition angle of that cylinder"),
    ("InjectionTimeOut", D.UWORD, u.MS, 0, 60, "Injection time of that cylinder"),
    ("KnockLevel", D.FLOAT16_IEEE, u.VOLT_FLOAT, 0, 5, "Knock level in the knock window"),
    ("KnockThreshold", D.FLOAT16_IEEE, u.VOLT_FLOAT, 0, 5, "Level above which it knocks"),
    ("KnockRetard", D.SWORD, u.ANGLE_FINE, 0, 30, "Retard of that cylinder"),
    ("KnockCountTotal", D.ULONG, u.COUNT, 0, 2**32 - 1, "Knocks of all cylinders"),
    ("CylinderPressurePeak", D.FLOAT32_IEEE, u.BAR, 0, 200, "Peak pressure"),
    ("CylinderPressureAngle", D.SWORD, u.ANGLE, -60, 90, "Angle of the peak after top dead centre"),
    ("AirMassStroke", D.UWORD, u.AIR, 0, 1200, "Air mass of the stroke"),
    ("FuelMassStroke", D.UWORD, u.FUEL, 0, 65, "Fuel mass of the stroke"),
    ("TorqueStroke", D.SWORD, u.TORQUE, -500, 500, "Torque of the stroke"),
    ("Roughness", D.UWORD, u.SQUARED, 0, 4e9, "Engine roughness"),
    ("MisfireCount", D.UWORD, u.COUNT, 0, 65535, "Misfires of all cylinders"),
    ("MisfireDetected", D.UBYTE, u.OFF_ON, 0, 1, "The last stroke misfired"),
)

_ARRAYS: dict[str, tuple[_ArrayRow, ...]] = {
    TASK_1MS: (
        ("EngineSpeedHistory", D.FLOAT32_IEEE, (8,), u.RPM_FLOAT, 0, 8000, "Last 8 speeds, 1 ms"),
        ("WaveVector", D.SWORD, (16,), u.COUNT, -32768, 32767, "Test signal: rolling ramp"),
    ),
    TASK_10MS: (
        ("WheelSpeed", D.UWORD, (4,), u.KMH_WORD, 0, 300, "Wheel speeds: FL FR RL RR"),
        ("BodyAcceleration", D.FLOAT32_IEEE, (3,), u.ONE, -20, 20, "X Y Z acceleration in m/s^2"),
        ("AnalogInputs", D.UWORD, (12,), u.VOLT, 0, 5, "Analog inputs"),
        ("DigitalInputs", D.UBYTE, (8,), u.OFF_ON, 0, 1, "Digital inputs"),
    ),
    TASK_100MS: (
        ("FaultCodes", D.UWORD, (8,), u.COUNT, 0, 65535, "Stored fault codes"),
        ("LoadHistogram", D.ULONG, (4, 6), u.SECONDS, 0, 4e8, "Time by load (rows) and speed"),
        ("LambdaAdaptation", D.FLOAT32_IEEE, (4, 4), u.ONE, 0.5, 1.5, "Learned fuel factors"),
        (
            "ThermalModel",
            D.SWORD,
            (2, 3),
            u.TEMP_TENTH,
            -50,
            1200,
            "Head, block, oil; now and mean",
        ),
    ),
    CRANK: (
        ("PressureTrace", D.UWORD, (4, 18), u.PRESSURE, 0, 655, "Pressure by cylinder, 10 °CA"),
        ("KnockCounts", D.UWORD, (4,), u.COUNT, 0, 65535, "Knocks by cylinder"),
    ),
}

_BITS: tuple[tuple[str, str, int, Conversion, str], ...] = (
    ("FlagEngineRunning", "StatusWord", 0x0001, u.OFF_ON, "Engine runs by itself"),
    ("FlagStarter", "StatusWord", 0x0002, u.OFF_ON, "Starter engaged"),
    ("FlagIdleControl", "StatusWord", 0x0004, u.OFF_ON, "Idle control active"),
    ("FlagFuelCut", "StatusWord", 0x0008, u.OFF_ON, "Fuel cut active"),
    ("FlagLambdaControl", "StatusWord", 0x0010, u.OFF_ON, "Lambda control active"),
    ("FlagKnockControl", "StatusWord", 0x0020, u.OFF_ON, "Knock control retards"),
    ("FlagRevLimit", "StatusWord", 0x0040, u.OFF_ON, "Speed limit active"),
    ("FlagFan", "StatusWord", 0x0080, u.OFF_ON, "Radiator fan runs"),
    ("FlagBrake", "StatusWord", 0x0100, u.OFF_ON, "Brake pressed"),
    ("FlagClutch", "StatusWord", 0x0200, u.OFF_ON, "Clutch open"),
    ("FlagWarm", "StatusWord", 0x0400, u.OFF_ON, "Engine is warm"),
    ("FieldGear", "StatusWord", 0x7000, u.GEARS, "Gear as three bits"),
    ("DiagLambdaRange", "DiagnosisWord", 0x0000_0001, u.OFF_ON, "Lambda control at its limit"),
    ("DiagIdleRange", "DiagnosisWord", 0x0000_0002, u.OFF_ON, "Idle control at its limit"),
    ("DiagOverheat", "DiagnosisWord", 0x0000_0004, u.OFF_ON, "Coolant too hot"),
    ("DiagBatteryLow", "DiagnosisWord", 0x0000_0008, u.OFF_ON, "Battery voltage too low"),
    ("DiagMisfire", "DiagnosisWord", 0x0000_0010, u.OFF_ON, "Misfires counted"),
    ("DiagState", "DiagnosisWord", 0x0000_0F00, u.ENGINE_STATE, "Operating state at the check"),
    ("DiagCounter", "DiagnosisWord", 0xFFFF_0000, u.COUNT, "Checks done"),
)

_CYLINDER = StructArray(
    name="Cylinder",
    type_name="CylinderType",
    text="State of each cylinder",
    event=CRANK,
    shape=(4,),
    members=(
        StructMember(
            name="IgnAngle",
            datatype=D.SWORD,
            conversion=u.ANGLE,
            limits=(-30, 60),
            text="Ignition angle",
        ),
        StructMember(
            name="InjTime",
            datatype=D.UWORD,
            conversion=u.MS,
            limits=(0, 60),
            text="Injection time",
        ),
        StructMember(
            name="PeakPressure",
            datatype=D.FLOAT32_IEEE,
            conversion=u.BAR,
            limits=(0, 200),
            text="Peak pressure",
        ),
        StructMember(
            name="KnockRetard",
            datatype=D.UBYTE,
            conversion=u.ANGLE,
            limits=(0, 25),
            text="Retard of the knock control",
        ),
        StructMember(
            name="State",
            datatype=D.UBYTE,
            conversion=u.OFF_ON,
            limits=(0, 1),
            text="Cylinder fires",
        ),
        StructMember(
            name="KnockCount", datatype=D.UWORD, conversion=u.COUNT, text="Knocks since start"
        ),
        StructMember(name="Strokes", datatype=D.ULONG, conversion=u.COUNT, text="Power strokes"),
        StructMember(
            name="LastLevels",
            datatype=D.UBYTE,
            conversion=u.PERCENT_BYTE,
            limits=(0, 100),
            shape=(4,),
            text="Last 4 knock levels",
        ),
    ),
)


def signals() -> tuple[Signal, ...]:
    """Every signal of the demo engine."""
    scalars = {TASK_1MS: _FAST, TASK_10MS: _MEDIUM, TASK_100MS: _SLOW, CRANK: _CRANK}
    found: list[Signal] = []
    for event, rows in scalars.items():
        found += [
            Measurement(
                name=name,
                datatype=datatype,
                text=text,
                event=event,
                conversion=conversion,
                limits=(low, high),
            )
            for name, datatype, conversion, low, high, text in rows
        ]
        found += [
            Measurement(
                name=name,
                datatype=datatype,
                text=text,
                event=event,
                conversion=conversion,
                limits=(low, high),
                shape=shape,
            )
            for name, datatype, shape, conversion, low, high, text in _ARRAYS[event]
        ]
    found += [
        BitField(name=name, of=of, mask=mask, conversion=conversion, text=text)
        for name, of, mask, conversion, text in _BITS
    ]
    return (
        *found,
        _CYLINDER,
        TextMeasurement(
            name="SoftwareVersion", size_bytes=16, event=TASK_100MS, text="Program version"
        ),
        TextMeasurement(
            name="StateText", size_bytes=24, event=TASK_100MS, text="Operating state in words"
        ),
        TextMeasurement(
            name="LastFaultText", size_bytes=32, event=TASK_100MS, text="Last fault in words"
        ),
        Measurement(
            name="StimulusTorque",
            datatype=D.FLOAT32_IEEE,
            text="External torque on the crankshaft in Nm; writable",
            event=TASK_10MS,
            conversion=u.ONE,
            limits=(-200, 200),
            writable=True,
        ),
    )
