"""Conversions that the demo engine's signals and parameters share."""

from __future__ import annotations

from typing import Final

from xcaliper.sim.conversion import Enum, Formula, Identical, Linear, RatFunc, TableInterpolated

__all__: list[str] = []

COUNT: Final = Identical(format="%10.0")
ONE: Final = Identical("", "%8.4")
RPM: Final = Linear(0.25, 0.0, "rpm", "%8.2")
RPM_FLOAT: Final = Identical("rpm", "%8.2")
RPM_PER_S: Final = Linear(1.0, 0.0, "rpm/s", "%7.0")
PERCENT: Final = Linear(0.01, 0.0, "%", "%7.2")
PERCENT_BYTE: Final = Linear(0.4, 0.0, "%", "%6.1")
PERCENT_FLOAT: Final = Identical("%", "%8.3")
RATIO: Final = Linear(0.0001, 0.0, "", "%7.4")
ANGLE: Final = Linear(0.1, 0.0, "°CA", "%6.1")
ANGLE_FINE: Final = Linear(0.05, 0.0, "°CA", "%7.2")
TORQUE: Final = Linear(0.1, 0.0, "Nm", "%7.1")
TORQUE_LONG: Final = Linear(0.001, 0.0, "Nm", "%9.3")
PRESSURE: Final = Linear(0.01, 0.0, "kPa", "%7.2")
BAR: Final = Identical("bar", "%7.2")
TEMP: Final = Linear(0.75, -48.0, "°C", "%6.1")
TEMP_WIDE: Final = Linear(0.1, -273.0, "°C", "%7.1")
AIR: Final = Linear(0.02, 0.0, "mg", "%8.2")
FUEL: Final = Linear(0.001, 0.0, "mg", "%8.3")
MS: Final = Linear(0.001, 0.0, "ms", "%7.3")
MS_LONG: Final = Linear(0.01, 0.0, "ms", "%7.2")
KELVIN: Final = Linear(0.5, 0.0, "K", "%5.1")
TEMP_TENTH: Final = Linear(0.1, 0.0, "°C", "%7.1")
ANGLE_SMALL: Final = Linear(0.0001, 0.0, "°CA", "%7.4")
KMH_WORD: Final = Linear(0.01, 0.0, "km/h", "%7.2")
US: Final = Identical("us", "%12.0")
SECONDS: Final = Linear(0.1, 0.0, "s", "%9.1")
VOLT: Final = Linear(0.001, 0.0, "V", "%7.3")
VOLT_FLOAT: Final = Identical("V", "%7.3")
AMPERE: Final = Linear(0.01, 0.0, "A", "%7.2")
KMH: Final = Identical("km/h", "%7.2")
ACCELERATION: Final = Linear(0.001, 0.0, "m/s^2", "%7.3")
KG_H: Final = Identical("kg/h", "%8.2")
LITRE_H: Final = Identical("l/h", "%7.2")
HERTZ: Final = Identical("Hz", "%8.3")
#: Speed from the time of half a revolution in 4 µs: raw = 7.5e6 / rpm.
RPM_BY_PERIOD: Final = RatFunc(0.0, 7.5e6, 1.0, 0.0, "rpm", "%8.1")
#: Coolant sensor, a thermistor read by a 12-bit converter; hotter means fewer counts.
THERMISTOR: Final = TableInterpolated(
    (
        (120.0, 140.0),
        (250.0, 110.0),
        (420.0, 90.0),
        (900.0, 60.0),
        (1700.0, 35.0),
        (2600.0, 15.0),
        (3500.0, -10.0),
        (3950.0, -40.0),
    ),
    "°C",
    "%6.1",
)
#: Roughness is stored as its square root.
SQUARED: Final = Formula("square", "rpm^2", "%9.3")

OFF_ON: Final = Enum("OffOn", ((0, "OFF"), (1, "ON")))
ENGINE_STATE: Final = Enum(
    "EngineStates",
    ((0, "STOP"), (1, "CRANKING"), (2, "IDLE"), (3, "RUN"), (4, "OVERRUN")),
    default="unknown",
)
LOOP_STATE: Final = Enum(
    "LambdaLoopStates", ((0, "OPEN"), (1, "CLOSED"), (2, "FUEL_CUT")), default="unknown"
)
GEARS: Final = Enum(
    "Gears",
    ((-1, "R"), (0, "N"), (1, "1"), (2, "2"), (3, "3"), (4, "4"), (5, "5")),
    default="invalid",
)
PHASES: Final = Enum(
    "DriveCyclePhases",
    ((0, "START"), (1, "IDLE"), (2, "PULL"), (3, "CRUISE"), (4, "COAST")),
    default="unknown",
)
TEMP_CLASS: Final = Enum(
    "TemperatureClasses",
    ((0, 84, "COLD"), (85, 170, "WARMING"), (171, 205, "HOT"), (206, 255, "OVERHEATED")),
)
