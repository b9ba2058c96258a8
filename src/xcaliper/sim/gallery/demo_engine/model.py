"""The controller of the demo engine: tasks that read parameters, run the plant, write signals."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Final

import numpy as np

from xcaliper.sim.gallery.demo_engine.parameters import base_ignition
from xcaliper.sim.gallery.demo_engine.plant import Actuators, Driver, Plant, Vehicle
from xcaliper.sim.gallery.demo_engine.signals import CRANK, TASK_1MS, TASK_10MS, TASK_100MS
from xcaliper.sim.items import Measurement
from xcaliper.sim.signals import ParameterReader, SignalWriter, Table, signal_view, write_text
from xcaliper.sim.tasks import Task

if TYPE_CHECKING:
    from xcaliper.sim.memory import EcuMemory

__all__ = ["DemoEngine"]

_STATES: Final = ("engine stopped", "cranking", "idle", "running", "overrun")
_ORDER: Final = (0, 2, 3, 1)  # firing order 1-3-4-2
_MS: Final = 0.001
_PERCENT: Final = 0.01


def _clamp(value: float, low: float, high: float) -> float:
    return low if value < low else min(value, high)


class DemoEngine:
    """A four-cylinder engine with its controller, deterministic for a seed.

    Args:
        memory: of an ECU with the demo engine's declaration.
        seed: of all noise.

    Attributes:
        tasks: to be run by a scheduler.
    """

    def __init__(self, memory: EcuMemory, *, seed: int = 1) -> None:
        self._memory = memory
        self._noise = random.Random(seed)  # noqa: S311 - a model's noise, not a secret
        self._parameters = ParameterReader(memory)
        self._plant = Plant(self._noise)
        self._driver = Driver()
        self._vehicle = Vehicle()
        self._act = Actuators()
        self._writers = {
            event: SignalWriter(memory, _scalars(memory, event))
            for event in (TASK_1MS, TASK_10MS, TASK_100MS, CRANK)
        }
        self._views = {
            name: signal_view(memory, name)
            for name in (
                "EngineSpeedHistory",
                "WaveVector",
                "WheelSpeed",
                "BodyAcceleration",
                "AnalogInputs",
                "DigitalInputs",
                "FaultCodes",
                "LoadHistogram",
                "LambdaAdaptation",
                "ThermalModel",
                "PressureTrace",
                "KnockCounts",
                "Cylinder",
                "StimulusTorque",
                "IdleThrottle",
            )
        }
        self._reset()
        self._load_parameters()
        self._write_all()
        channels = {event.name: event.channel for event in memory.image.declaration.events}
        self.tasks: tuple[Task, ...] = (
            Task(TASK_1MS, channels[TASK_1MS], self.run_1ms, 1_000_000),
            Task(CRANK, channels[CRANK], self.run_crank, self.segment_ns),
            Task(TASK_10MS, channels[TASK_10MS], self.run_10ms, 10_000_000),
            Task(TASK_100MS, channels[TASK_100MS], self.run_100ms, 100_000_000),
        )

    def _reset(self) -> None:
        self._runs = [0, 0, 0]
        self._now_us = 0
        self._running_s = 0.0
        self._speed = self._last_speed = 0.0
        self._acceleration = 0.0
        self._pedal = 0.0
        self._throttle_target = self._throttle = 0.0
        self._load = self._air = 0.0
        self._lambda_req = 1.0
        self._injection = self._fuel = 0.0
        self._base_angle = self._angle = 10.0
        self._torque_request = 0.0
        self._wave = 0.0
        self._state = 0
        self._loop = 0
        self._idle_active = self._fuel_cut = self._rev_limit = False
        self._idle_target = self._idle_error = 0.0
        self._idle_p = self._idle_i = self._idle_d = 0.0
        self._idle_throttle = 0.0
        self._idle_written = 0
        self._idle_angle = self._cold_angle = 0.0
        self._lambda_error = self._lambda_p = self._lambda_i = 0.0
        self._factor, self._warmup = 1.0, 0.0
        self._dead = 0.8
        self._dwell = 3.0
        self._cold_friction = 0.0
        self._retard = [0.0, 0.0, 0.0, 0.0]
        self._mean_retard = 0.0
        self._knocks = self._misfires = 0
        self._segments = 0
        self._segment_us = self._last_segment_us = 0
        self._fan = False
        self._fuel_ug = 0.0
        self._diagnosis = 0
        self._faults: list[int] = []
        self._history = np.zeros(8, np.float32)
        self._ramp = np.arange(16, dtype=np.int16)
        self._shape = np.sin(np.linspace(0.0, math.pi, 18)) ** 3
        self._external = 0.0

    def _load_parameters(self) -> None:
        """Take over changed parameters of the page that the ECU uses."""
        if not self._parameters.refresh():
            return
        self._c = self._parameters.scalars
        tables = self._parameters.tables
        self._kfzw: Table = tables["KFZW"]
        self._kflambda: Table = tables["KFLambda"]
        self._kfve: Table = tables["KFVolumetricEfficiency"]
        self._kfpedal: Table = tables["KFPedal"]
        self._friction: Table = tables["KLFriction"]
        self._torque_max: Table = tables["KLTorqueMax"]
        self._knock_weight: Table = tables["KLKnockWeight"]
        self._trim = self._parameters.blocks["cCylinderTrim"]
        self._gears = self._parameters.blocks["cGearRatios"]

    def _write_all(self) -> None:
        self._write_1ms(0)
        self._write_10ms()
        self._write_100ms()
        self._write_crank(0, 0.0, 0.0, fired=True)

    # 1 ms: sensors, charge, mixture, ignition, throttle, then the plant

    def run_1ms(self, now_ns: int) -> None:
        """Run the 1 ms task."""
        self._load_parameters()
        self._runs[0] += 1
        c, plant = self._c, self._plant
        self._speed += (plant.rpm - self._speed) * c["cSpeedFilter"] * 0.01
        slope = (self._speed - self._last_speed) / _MS
        self._acceleration += (slope - self._acceleration) * 0.1
        self._last_speed = self._speed
        self._move_throttle()
        self._charge()
        self._ignite()
        self._mix()
        act = self._act
        act.friction = self._friction.at(plant.rpm) + self._cold_friction
        act.firing = 1.0 - 0.01 * c["cMisfireRate"]
        vehicle = self._vehicle
        clutch = vehicle.step(
            _MS, plant.rpm, c["cVehicleMass"], c["cDragArea"], 0.01 * c["cRoadGrade"]
        )
        plant.step(_MS, act, clutch, self._external)
        if self._running_s > 0.0 or plant.rpm > c["cStarterOffSpeed"]:
            self._running_s += _MS
        self._write_1ms(now_ns)

    def _move_throttle(self) -> None:
        c = self._c
        pedal = self._driver.pedal(self._vehicle.speed * 3.6)
        if not c["cDriveCycleEnable"]:
            pedal = c["cPedalManual"]
        if self._vehicle.engagement < 0.6 and self._vehicle.gear > 1:
            pedal = 0.0
        self._pedal += (pedal - self._pedal) / max(c["cPedalFilter"], 1.0)
        wanted = self._kfpedal.at(self._speed, self._pedal)
        self._torque_request = min(
            0.01 * wanted * self._torque_max.at(self._speed), c["cTorqueLimit"]
        )
        self._throttle_target = _clamp(max(wanted, self._idle_opening), 0.0, 100.0)
        step = c["cThrottleRate"] * _MS
        self._throttle += _clamp(self._throttle_target - self._throttle, -step, step)
        self._act.throttle = self._throttle

    @property
    def _idle_opening(self) -> float:
        """What the idle controller wants, or what somebody wrote in its place: its output can be bypassed."""
        raw = self._views["IdleThrottle"][()]
        if raw == self._idle_written:
            return self._idle_throttle
        return _PERCENT * float(raw)

    def _charge(self) -> None:
        pressure = self._plant.pressure
        self._load = self._kfve.at(self._speed, pressure) * pressure / 101.3
        self._air = self._load * self._c["cDisplacement"] * 0.002963

    def _ignite(self) -> None:
        c = self._c
        self._base_angle = self._kfzw.at(self._speed, self._load)
        angle = self._base_angle + c["cIgnitionOffset"] + self._cold_angle
        angle += self._idle_angle - self._mean_retard
        self._angle = _clamp(angle, c["cIgnitionMin"], c["cIgnitionMax"])
        self._act.ignition = self._angle

    def _mix(self) -> None:
        c = self._c
        request = self._kflambda.at(self._speed, self._load) + c["cLambdaReqOffset"]
        self._lambda_req = _clamp(request / (1.0 + self._warmup), 0.5, 2.0)
        limit = c["cRevLimit"] - (c["cRevLimitHysteresis"] if self._rev_limit else 0.0)
        self._rev_limit = self._speed > limit
        if self._fuel_cut or self._rev_limit or self._plant.rpm < 60.0:
            self._fuel = self._injection = 0.0
        else:
            ideal = self._air / (c["cStoichiometry"] * self._lambda_req)
            self._fuel = ideal * self._factor
            self._injection = self._fuel / c["cInjectorFlow"] + self._dead
        # the hardware's flow is fixed: a wrong cInjectorFlow gives a wrong mixture
        self._act.fuel = max(self._injection - self._dead, 0.0) * 4.0
        self._fuel_ug += self._act.fuel * 1000.0 * self._plant.rpm * 2.0 / 60.0 * _MS

    def _write_1ms(self, now_ns: int) -> None:
        plant, vehicle, c = self._plant, self._vehicle, self._c
        scale = c["cNoise"]
        noise = self._noise.gauss(0.0, 1.0)
        self._now_us = now_ns // 1000
        self._wave = (self._wave + c["cWaveFrequency"] * _MS) % 1.0
        wave, size = self._wave, c["cWaveAmplitude"]
        count = self._runs[0]
        raw_speed = max(0.0, plant.rpm + scale * noise * 2.0) if plant.rpm > 1.0 else 0.0
        shown = plant.lambda_sensor * (1.0 + 0.002 * scale * noise)
        self._writers[TASK_1MS].write(
            {
                "TaskCounter1ms": count & 0xFFFF_FFFF,
                "TimeUs": self._now_us,
                "EngineSpeed": self._speed,
                "EngineSpeedRaw": raw_speed,
                "EngineAcceleration": self._acceleration,
                "CrankAngle": plant.angle,
                "CrankRevolutions": int(plant.revolutions) & 0xFFFF_FFFF,
                "CylinderFiring": 1 + _ORDER[int(plant.angle / 180.0) & 3],
                "PedalPos": self._pedal,
                "ThrottleTarget": self._throttle_target,
                "ThrottlePos": self._throttle,
                "ThrottleCurrent": 0.2 * (self._throttle_target - self._throttle) + 0.8,
                "ThrottleVoltage": 0.5 + 0.04 * self._throttle,
                "ManifoldPressure": plant.pressure,
                "AirMassFlow": self._air * self._speed * 1.2e-4,
                "AirMass": self._air,
                "Load": self._load,
                "InjectionTime": self._injection,
                "Lambda": shown,
                "LambdaActual": plant.lambda_cylinder,
                "LambdaReq": self._lambda_req,
                "LambdaSensorVoltage": 1.25 * shown,
                "IgnitionAngle": self._angle,
                "IgnitionAngleBase": self._base_angle,
                "TorqueIndicated": plant.torque,
                "TorqueFriction": plant.friction,
                "TorqueClutch": vehicle.torque,
                "TorqueNet": plant.net,
                "TorqueRequest": self._torque_request,
                "TorqueRatioIgnition": 100.0 * plant.efficiency,
                "KnockSensor": abs(0.1 + 0.004 * self._load + 0.05 * scale * noise),
                "VehicleSpeed": vehicle.speed * 3.6,
                "VehicleAcceleration": vehicle.acceleration,
                "VehicleDistance": vehicle.distance * 1000.0 + c["cDistanceOffset"],
                "WaveSine": size * math.sin(2.0 * math.pi * wave),
                "WaveTriangle": size * (4.0 * abs(wave - 0.5) - 1.0),
                "WaveSawtooth": count & 0xFF,
                "WaveSquare": 100.0 if wave < 0.5 else -100.0,
                "WaveRandom": scale * noise,
                "WaveCounter": -(count & 0x7FFF_FFFF),
            }
        )
        history = self._history
        history[1:] = history[:-1]
        history[0] = raw_speed
        self._views["EngineSpeedHistory"][:] = history
        self._ramp += 1
        self._views["WaveVector"][:] = self._ramp

    # 10 ms: states, idle and lambda control, gearbox

    def run_10ms(self, now_ns: int) -> None:  # noqa: ARG002 - signature of a task
        """Run the 10 ms task."""
        self._load_parameters()
        self._runs[1] += 1
        c, plant = self._c, self._plant
        self._driver.step(self._running_s, enabled=bool(c["cDriveCycleEnable"]))
        self._vehicle.shift(plant.rpm, self._driver, c["cGearShiftOffset"], self._gears)
        cranking = not self._running_s and self._runs[1] > 30
        self._act.starter = c["cStarterTorque"] if cranking else 0.0
        tables = self._parameters.tables
        self._warmup = tables["KLWarmupFuel"].at(plant.coolant)
        self._cold_angle = tables["KLIgnitionCoolant"].at(plant.coolant)
        self._cold_friction = tables["KLFrictionCoolant"].at(plant.coolant)
        self._dead = tables["KLInjectorDeadTime"].at(plant.battery)
        self._dwell = tables["KLDwellTime"].at(plant.battery)
        external = float(self._views["StimulusTorque"][()])
        self._external = _clamp(external, -200.0, 200.0) if math.isfinite(external) else 0.0
        self._mean_retard = sum(self._retard) / 4.0 if c["cKnockEnable"] else 0.0
        self._choose_state()
        self._control_idle()
        self._control_lambda()
        self._check()
        self._write_10ms()

    def _choose_state(self) -> None:
        c = self._c
        closed = self._pedal < 1.0 and self._running_s > 0.0
        resume = c["cFuelCutResume"] if self._fuel_cut else c["cFuelCutSpeed"]
        cold_start = self._running_s < 3.0
        self._fuel_cut = bool(
            c["cFuelCutEnable"] and closed and not cold_start and self._speed > resume + self._lift
        )
        self._idle_active = closed and not self._fuel_cut
        if self._running_s <= 0.0:
            self._state = 1 if self._act.starter else 0
        elif self._fuel_cut:
            self._state = 4
        else:
            self._state = 2 if self._idle_active else 3

    @property
    def _lift(self) -> float:
        """Idle speed added while cold."""
        return self._parameters.tables["KLIdleSpeedCoolant"].at(self._plant.coolant)

    def _control_idle(self) -> None:
        c = self._c
        self._idle_target = c["cIdleSpeedTarget"] + self._lift
        error = self._idle_target - self._speed
        if not self._idle_active:
            self._idle_p = self._idle_d = 0.0
            self._idle_angle = 0.0
            self._idle_i *= 0.995
            self._idle_throttle = c["cIdleThrottleBase"] + self._idle_i
        else:
            near = _clamp(error, -300.0, 300.0)
            self._idle_p = c["cIdleKp"] * near
            self._idle_d = c["cIdleKd"] * -self._acceleration
            self._idle_d = _clamp(self._idle_d, -2.0, 2.0)
            opening = c["cIdleThrottleBase"] + self._idle_p + self._idle_i + self._idle_d
            top = c["cIdleThrottleMax"]
            if 0.3 < opening < top or (opening >= top) == (near < 0.0):
                reach = 0.5 * top
                self._idle_i = _clamp(self._idle_i + c["cIdleKi"] * near * 0.01, -reach, reach)
            self._idle_throttle = _clamp(opening, 0.3, top)
            limit = c["cIdleIgnMax"]
            self._idle_angle = _clamp(c["cIdleIgnKp"] * error, -limit, limit)
        self._idle_error = error

    def _control_lambda(self) -> None:
        c, plant = self._c, self._plant
        cut = self._fuel_cut or self._rev_limit
        ready = plant.coolant >= c["cLambdaEnableTemp"] and self._running_s > 2.0
        if cut:
            self._loop = 2
            self._lambda_error = self._lambda_p = 0.0
        elif c["cLambdaEnable"] and ready and plant.lambda_sensor < 1.6:
            self._loop = 1
            self._lambda_error = plant.lambda_sensor - self._lambda_req
            self._lambda_p = c["cLambdaKp"] * self._lambda_error
            self._lambda_i += c["cLambdaKi"] * self._lambda_error * 0.01
        else:
            self._loop = 0
            self._lambda_error = self._lambda_p = 0.0
            self._lambda_i *= 0.99
        low, high = c["cLambdaFactorMin"] - 1.0, c["cLambdaFactorMax"] - 1.0
        self._lambda_i = _clamp(self._lambda_i, low, high)
        self._factor = 1.0 + _clamp(self._lambda_p + self._lambda_i, low, high)

    def _check(self) -> None:
        c, plant = self._c, self._plant
        bits = (
            self._factor <= c["cLambdaFactorMin"] or self._factor >= c["cLambdaFactorMax"],
            self._idle_active and self._idle_throttle >= c["cIdleThrottleMax"],
            plant.coolant > 115.0,
            plant.battery < 11.0 and self._running_s > 1.0,
            self._misfires > 20,
        )
        found = sum(1 << at for at, bit in enumerate(bits) if bit)
        for at, bit in enumerate(bits):
            if bit and 0x1000 + at not in self._faults:
                self._faults.append(0x1000 + at)
        found |= self._state << 8 | (self._runs[1] & 0xFFFF) << 16
        self._diagnosis = found & int(c["cDiagnosisMask"])

    @property
    def _status(self) -> int:
        vehicle = self._vehicle
        bits = (
            self._running_s > 0.0,
            bool(self._act.starter),
            self._idle_active,
            self._fuel_cut,
            self._loop == 1,
            self._mean_retard > 0.1,
            self._rev_limit,
            self._fan,
            vehicle.brake > 0.0,
            vehicle.engagement < 1.0 or not vehicle.gear,
            self._plant.coolant > 75.0,
        )
        return sum(1 << at for at, bit in enumerate(bits) if bit) | vehicle.gear << 12

    def _write_10ms(self) -> None:
        plant, vehicle, tables = self._plant, self._vehicle, self._parameters.tables
        speed = self._speed
        wheel = vehicle.speed * 3.6
        self._writers[TASK_10MS].write(
            {
                "TaskCounter10ms": self._runs[1] & 0xFFFF_FFFF,
                "StatusWord": self._status,
                "DiagnosisWord": self._diagnosis,
                "EngineState": self._state,
                "IdleSpeedTarget": self._idle_target,
                "IdleSpeedError": self._idle_error,
                "IdleP": self._idle_p,
                "IdleI": self._idle_i,
                "IdleD": self._idle_d,
                "IdleThrottle": self._idle_throttle,
                "LambdaLoopState": self._loop,
                "LambdaError": self._lambda_error,
                "LambdaP": self._lambda_p,
                "LambdaI": self._lambda_i,
                "FactorLambda": self._factor,
                "FactorWarmup": 1.0 + self._warmup,
                "FactorAltitude": 1.0,
                "TransportDelay": 1000.0 * plant.delay_s,
                "FuelMass": self._fuel,
                "FuelFlow": self._act.fuel * speed * 120.0 / 750_000.0,
                "InjectorDeadTime": self._dead,
                "InjectorDuty": self._injection * speed / 1200.0,
                "InjectionPhase": tables["KFInjectionPhase"].at(speed, self._load),
                "IgnitionCorrCoolant": self._cold_angle,
                "IgnitionCorrIdle": self._idle_angle,
                "KnockRetardMean": self._mean_retard,
                "DwellTime": self._dwell,
                "TorqueMax": self._torque_max.at(speed),
                "Gear": vehicle.gear,
                "GearRatio": vehicle.ratio,
                "GearboxSpeed": vehicle.shaft_rpm,
                "ClutchPos": 100.0 * vehicle.engagement if vehicle.gear else 0.0,
                "BrakePressure": 40.0 * vehicle.brake,
                "CamAngleIntake": tables["KFCamIntake"].at(speed, self._load),
                "CamAngleExhaust": -0.5 * tables["KFCamIntake"].at(speed, self._load),
                "EngineSpeedPeriod": max(speed, 120.0),
                "RoadGrade": self._c["cRoadGrade"],
                "DriverSpeedTarget": self._driver.target,
            }
        )
        self._idle_written = int(self._views["IdleThrottle"][()])
        self._views["WheelSpeed"][:] = (wheel * np.array((1.0, 1.001, 0.999, 1.0)) * 100.0).clip(
            0, 65535
        )
        gravity = 9.81 * 0.01 * self._c["cRoadGrade"]
        self._views["BodyAcceleration"][:] = (vehicle.acceleration + gravity, 0.0, 9.81)
        inputs = (np.arange(12) * 0.4 + 0.002 * self._throttle) * 1000.0
        inputs += 1000.0 * np.array(self._parameters.blocks["cAnalogOffsets"])
        self._views["AnalogInputs"][:] = np.clip(inputs, 0, 65535)
        bits = self._status
        self._views["DigitalInputs"][:] = [bits >> at & 1 for at in range(8)]

    # 100 ms: heat, fan, counters

    def run_100ms(self, now_ns: int) -> None:  # noqa: ARG002 - signature of a task
        """Run the 100 ms task."""
        self._load_parameters()
        self._runs[2] += 1
        c, plant = self._c, self._plant
        if plant.coolant > c["cFanOnTemp"]:
            self._fan = True
        elif plant.coolant < c["cFanOnTemp"] - c["cFanHysteresis"]:
            self._fan = False
        curve = self._parameters.tables["KLFanSpeed"].at(plant.coolant)
        self._act.fan = 0.01 * min(curve, c["cFanSpeedMax"]) if self._fan else 0.0
        plant.warm(0.1, self._act.fan, self._vehicle.speed, c["cAlternatorVoltage"])
        self._learn()
        self._write_100ms()

    def _learn(self) -> None:
        row = int(_clamp(self._load / 25.0, 0.0, 3.0))
        if self._running_s > 0.0:
            column = int(_clamp(self._speed / 1000.0, 0.0, 5.0))
            self._views["LoadHistogram"][row, column] += 1
        if self._loop == 1:
            at = row, int(_clamp(self._speed / 1600.0, 0.0, 3.0))
            learned = self._views["LambdaAdaptation"]
            learned[at] += np.float32(0.02) * (np.float32(self._factor) - learned[at])

    def _write_100ms(self) -> None:
        plant, driver = self._plant, self._driver
        distance_km = self._vehicle.distance / 1000.0
        litres = self._fuel_ug / 750e6
        temp_code = _clamp(round((plant.coolant + 48.0) / 0.75), 0, 255)
        self._writers[TASK_100MS].write(
            {
                "TaskCounter100ms": self._runs[2] & 0xFFFF_FFFF,
                "OperatingTime": self._runs[2] * 0.1,
                "CoolantTemp": plant.coolant,
                "CoolantTempRaw": plant.coolant,
                "CoolantTempClass": temp_code,
                "OilTemp": plant.oil,
                "IntakeAirTemp": 25.0 + 0.05 * plant.coolant,
                "AmbientTemp": 20,
                "ExhaustTemp": plant.exhaust,
                "CatalystTemp": plant.catalyst,
                "CatalystEfficiency": _clamp((plant.catalyst - 150.0) / 200.0, 0.0, 0.99),
                "AmbientPressure": 101.3,
                "OilPressure": min(550.0, 60.0 + 0.11 * self._speed) if self._speed else 0.0,
                "BatteryVoltage": plant.battery,
                "AlternatorCurrent": 35.0 + 20.0 * self._act.fan if self._speed > 600 else 0.0,
                "FanState": self._fan,
                "FanSpeed": 100.0 * self._act.fan,
                "ThermostatPos": 100.0 * plant.thermostat,
                "FuelLevel": max(0.0, 80.0 - litres * 2.0),
                "FuelConsumed": self._fuel_ug,
                "FuelConsumption": _clamp(100.0 * litres / max(distance_km, 0.05), 0.0, 99.9),
                "CanisterPurge": _clamp((plant.coolant - 60.0) * 2.0, 0.0, 60.0),
                "DriveCyclePhase": driver.phase,
                "DriveCycleTime": driver.cycle_s,
                "DriveCycleCount": driver.cycles & 0xFFFF,
                "ErrorCount": len(self._faults),
                "ParameterGeneration": self._memory.generation & 0xFFFF_FFFF,
            }
        )
        codes = self._views["FaultCodes"]
        codes[:] = 0
        codes[: len(self._faults)] = self._faults[:8]
        now = np.array((plant.coolant + 12.0, plant.coolant, plant.oil)) * 10.0
        thermal = self._views["ThermalModel"]
        mean = thermal[1].astype(np.float64)
        thermal[0] = now
        thermal[1] = mean + 0.1 * (now - mean)
        write_text(self._memory, "SoftwareVersion", self._memory.image.declaration.epk)
        write_text(self._memory, "StateText", _STATES[self._state])
        fault = f"fault 0x{self._faults[-1]:04X}" if self._faults else "no fault"
        write_text(self._memory, "LastFaultText", fault)

    # crank-synchronous: one cylinder per half revolution

    def segment_ns(self) -> int:
        """Time of half a revolution at the speed of now; 0 at standstill."""
        return int(30e9 / self._plant.rpm) if self._plant.rpm > 50.0 else 0

    def run_crank(self, now_ns: int) -> None:
        """Run the crank-synchronous task."""
        self._load_parameters()
        c, plant = self._c, self._plant
        now_us = now_ns // 1000
        self._last_segment_us, self._segment_us = self._segment_us, now_us
        cylinder = _ORDER[self._segments & 3]
        self._segments += 1
        fired = self._act.fuel > 0.0 and self._noise.random() * 100.0 >= c["cMisfireRate"]
        if not fired and self._act.fuel > 0.0:
            self._misfires += 1
        weight = self._knock_weight.at(self._load)
        angle = self._angle + self._trim[cylinder]
        excess = max(0.0, angle - base_ignition(plant.rpm, self._load))
        rattle = 0.12 * c["cNoise"] * abs(self._noise.gauss(0.0, 1.0)) * (1.0 + 2.0 * weight)
        level = 0.3 + rattle + weight * (0.25 + 0.25 * excess)
        if fired and level > c["cKnockThreshold"]:
            self._knocks += 1
            self._views["KnockCounts"][cylinder] += 1
            self._views["Cylinder"]["KnockCount"][cylinder] += 1
            retard = self._retard[cylinder] + c["cKnockRetardStep"]
        else:
            retard = self._retard[cylinder] - c["cKnockRecovery"]
        self._retard[cylinder] = _clamp(retard, 0.0, c["cKnockRetardMax"])
        peak = 0.62 * self._load * plant.efficiency * (0.9 + 0.1 * self._noise.random())
        self._write_crank(cylinder, level, peak if fired else 8.0, fired=fired)

    def _write_crank(self, cylinder: int, level: float, peak: float, *, fired: bool) -> None:
        duration = max(self._segment_us - self._last_segment_us, 0)
        angle = self._angle + self._trim[cylinder]
        self._writers[CRANK].write(
            {
                "SegmentCounter": self._segments & 0xFFFF_FFFF,
                "SegmentTime": duration,
                "SegmentSpeed": 3e7 / duration if duration else 0.0,
                "CylinderIndex": cylinder,
                "IgnitionAngleOut": angle,
                "InjectionTimeOut": self._injection,
                "KnockLevel": level,
                "KnockThreshold": self._c["cKnockThreshold"],
                "KnockRetard": self._retard[cylinder],
                "KnockCountTotal": self._knocks & 0xFFFF_FFFF,
                "CylinderPressurePeak": peak,
                "CylinderPressureAngle": 14.0 + 0.4 * (20.0 - angle),
                "AirMassStroke": self._air,
                "FuelMassStroke": self._fuel,
                "TorqueStroke": self._plant.torque if fired else 0.0,
                "Roughness": (self._plant.net * 0.5) ** 2,
                "MisfireCount": self._misfires & 0xFFFF,
                "MisfireDetected": not fired,
            }
        )
        self._views["PressureTrace"][cylinder] = np.clip(
            (100.0 + peak * 6.0 * self._shape) * 100.0, 0, 65535
        )
        item = self._views["Cylinder"][cylinder]
        item["IgnAngle"] = _clamp(round(angle * 10.0), -32768, 32767)
        item["InjTime"] = _clamp(round(self._injection * 1000.0), 0, 65535)
        item["PeakPressure"] = peak
        item["KnockRetard"] = _clamp(round(self._retard[cylinder] * 10.0), 0, 255)
        item["State"] = fired
        item["Strokes"] = (int(item["Strokes"]) + 1) & 0xFFFF_FFFF
        levels = item["LastLevels"]
        levels[1:] = levels[:-1].copy()
        levels[0] = _clamp(level * 50.0, 0, 255)


def _scalars(memory: EcuMemory, event: str) -> list[str]:
    """Scalar measurements that the task of an event writes."""
    return [
        signal.name
        for signal in memory.image.declaration.signals
        if isinstance(signal, Measurement)
        and signal.event == event
        and not signal.shape
        and not signal.writable
    ]
