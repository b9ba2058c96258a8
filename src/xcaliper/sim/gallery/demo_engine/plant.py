"""What the controller controls: engine, exhaust, cooling, vehicle and driver, in physical units."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xcaliper.sim.gallery.demo_engine.parameters import base_ignition

if TYPE_CHECKING:
    import random

__all__ = ["Actuators", "Driver", "Plant", "Vehicle"]

_RPM = 30.0 / math.pi
_AMBIENT_KPA = 101.3
_LAMBDA_SLOTS = 1024


@dataclass(slots=True)
class Actuators:
    """What the controller sets.

    Attributes:
        throttle: opening in %.
        ignition: angle before top dead centre in °CA.
        fuel: mass that the controller means to inject per stroke, mg; 0 = fuel cut.
        starter: torque of the starter in Nm.
        fan: drive of the fan, 0 to 1.
        friction: cold friction and auxiliaries in Nm.
        firing: share of strokes that fire, 0 to 1.
    """

    throttle: float = 0.0
    ignition: float = 10.0
    fuel: float = 0.0
    starter: float = 0.0
    fan: float = 0.0
    friction: float = 16.0
    firing: float = 1.0


@dataclass(slots=True)
class Driver:
    """Drives a cycle of 60 s: idle, pull, cruise, pull, cruise, coast, idle."""

    phase: int = 0
    cycle_s: float = 0.0
    cycles: int = 0
    target: float = 0.0
    shift_up: float = 3000.0
    shift_down: float = 1150.0
    pedal_max: float = 0.0

    def step(self, running_s: float, *, enabled: bool) -> None:
        """Choose the phase for a time since the engine runs."""
        if running_s <= 0.0 or not enabled:
            self.phase = 1 if running_s > 0.0 else 0
            self.target = self.pedal_max = self.cycle_s = 0.0
            return
        self.cycles, self.cycle_s = int(running_s // 60.0), running_s % 60.0
        at = self.cycle_s
        for end, phase, target, pedal_max, shift_up in (
            (14.0, 1, 0.0, 0.0, 3000.0),
            (24.0, 2, 110.0, 95.0, 5600.0),
            (34.0, 3, 85.0, 45.0, 2800.0),
            (41.0, 2, 135.0, 95.0, 5200.0),
            (46.0, 3, 100.0, 40.0, 2800.0),
            (55.0, 4, 0.0, 0.0, 2800.0),
            (60.0, 1, 0.0, 0.0, 2800.0),
        ):
            if at < end:
                self.phase, self.target, self.pedal_max = phase, target, pedal_max
                self.shift_up = shift_up
                self.shift_down = 2800.0 if phase == 2 and at > 30.0 else 1150.0
                return

    def pedal(self, speed_kmh: float) -> float:
        """Pedal in % for the speed driven."""
        return min(max(9.0 * (self.target - speed_kmh), 0.0), self.pedal_max)


@dataclass(slots=True)
class Vehicle:
    """Clutch, gearbox and mass."""

    speed: float = 0.0  # m/s
    acceleration: float = 0.0
    distance: float = 0.0
    gear: int = 0
    ratio: float = 0.0
    engagement: float = 0.0
    shaft_rpm: float = 0.0
    torque: float = 0.0
    brake: float = 0.0

    def step(self, dt: float, rpm: float, mass: float, drag: float, grade: float) -> float:
        """Advance by dt seconds; the torque that the clutch takes from the engine."""
        self.shaft_rpm = self.speed / 0.31 * self.ratio * _RPM
        self.engagement = min(1.0, self.engagement + dt / 0.25)
        bite = min(max((rpm - 950.0) / 1200.0, 0.0), 1.0)
        if self.gear and (bite > 0.0 or self.shaft_rpm > 950.0):
            top = 280.0 * self.engagement * max(bite, 0.2 if self.shaft_rpm > 950.0 else 0.0)
            self.torque = min(max(0.4 * (rpm - self.shaft_rpm), -top), top)
        else:
            self.torque = 0.0
        moving = 1.0 if self.speed > 0.05 else self.speed / 0.05
        resist = (
            moving * (0.011 * mass * 9.81 + mass * self.brake)
            + 0.6 * drag * self.speed * self.speed
            + (mass * 9.81 * grade if self.speed > 0.05 else 0.0)
        )
        force = 0.92 * self.torque * self.ratio / 0.31 if self.gear else 0.0
        self.acceleration = (force - resist) / mass
        self.speed = max(0.0, self.speed + self.acceleration * dt)
        self.distance += self.speed * dt
        return self.torque

    def shift(self, rpm: float, driver: Driver, offset: float, ratios: list[float]) -> None:
        """Choose the gear, once per 10 ms."""
        if driver.target <= 0.0 and self.speed < 0.5:
            self.gear, self.ratio = 0, 0.0
        elif self.gear == 0 and driver.target > 0.0:
            self._engage(1, ratios)
        elif self.engagement >= 1.0 and rpm > driver.shift_up + offset and self.gear < 5:
            if self.shaft_rpm > 0.9 * rpm:
                self._engage(self.gear + 1, ratios)
        elif self.engagement >= 1.0 and self.shaft_rpm < driver.shift_down and self.gear > 1:
            self._engage(self.gear - 1, ratios)
        self.brake = 4.6 if driver.phase == 4 else 0.0
        if driver.phase == 1:
            self.brake = 3.0

    def _engage(self, gear: int, ratios: list[float]) -> None:
        self.gear, self.ratio, self.engagement = gear, ratios[gear - 1], 0.0


@dataclass(slots=True)
class Plant:
    """A four-cylinder gasoline engine with its exhaust and cooling.

    Args:
        noise: seeded source of all randomness.
    """

    noise: random.Random
    rpm: float = 0.0
    angle: float = 0.0  # °CA inside 720
    revolutions: float = 0.0
    pressure: float = _AMBIENT_KPA
    load: float = 0.0
    air: float = 0.0
    torque: float = 0.0
    friction: float = 0.0
    net: float = 0.0
    efficiency: float = 1.0
    lambda_cylinder: float = 2.0
    lambda_sensor: float = 2.0
    delay_s: float = 0.1
    film: float = 0.0
    coolant: float = 32.0
    oil: float = 28.0
    exhaust: float = 40.0
    catalyst: float = 30.0
    battery: float = 12.6
    _exhaust_line: list[float] = field(default_factory=lambda: [2.0] * _LAMBDA_SLOTS)
    _at: int = 0

    def step(self, dt: float, act: Actuators, clutch: float, external: float) -> None:
        """Advance by dt seconds."""
        rpm = self.rpm
        area = (act.throttle + 0.05) ** 1.4
        steady = _AMBIENT_KPA * area / (area + 0.0164 * rpm + 1e-3)
        self.pressure += (steady - self.pressure) * min(1.0, dt / 0.06)
        hump = (rpm - 4000.0) / 6500.0
        filling = (1.0 - hump * hump) * (0.86 + 0.0012 * (self.pressure - 20.0))
        self.load = 100.0 * filling * self.pressure / _AMBIENT_KPA
        self.air = self.load * 5.92
        self._burn(dt, act)
        self.friction = act.friction
        resist = self.friction + clutch
        drive = self.torque + act.starter + external
        if rpm < 1.0 and drive < resist:
            resist = max(drive, 0.0)
        self.net = drive - resist
        self.rpm = max(0.0, rpm + self.net / 0.2 * _RPM * dt)
        step = 6.0 * self.rpm * dt
        self.revolutions += step / 360.0
        self.angle = (self.angle + step) % 720.0

    def _burn(self, dt: float, act: Actuators) -> None:
        rate = min(1.0, dt * (5.0 + self.rpm * 0.01))
        self.film += (act.fuel - self.film) * rate
        fuel = 0.5 * (act.fuel + self.film) * 0.97  # the injectors give less than they promise
        lam = min(self.air / (fuel * 14.7), 4.0) if fuel > 0.05 and self.rpm > 60.0 else 4.0
        self.lambda_cylinder = lam
        if 0.55 < lam < 1.6:
            best = base_ignition(self.rpm, self.load) + 3.5
            late = best - act.ignition
            self.efficiency = max(0.0, 1.0 - 0.00055 * late * late)
            mixture = 1.0 - 1.1 * (lam - 0.92) ** 2
            self.torque = 2.4 * self.load * self.efficiency * mixture * act.firing - 22.0
        else:
            self.torque = -22.0 if self.rpm > 1.0 else 0.0  # pumping
        line, at = self._exhaust_line, self._at
        line[at] = lam
        self.delay_s = 0.03 + 60.0 / (self.rpm + 200.0)
        back = min(int(self.delay_s / dt), _LAMBDA_SLOTS - 1)
        sensed = line[(at - back) % _LAMBDA_SLOTS]
        self._at = (at + 1) % _LAMBDA_SLOTS
        self.lambda_sensor += (sensed - self.lambda_sensor) * min(1.0, dt / 0.05)

    def warm(self, dt: float, fan: float, speed: float, alternator: float) -> None:
        """Advance temperatures and the battery by dt seconds, faster than a real engine warms."""
        power = max(self.torque, 0.0) * self.rpm / 9550.0
        heat = 0.05 * power + (0.9 if self.rpm > 300.0 else 0.0)
        thermostat = self.thermostat
        cooling = (0.0008 + thermostat * (0.010 + 0.0006 * speed + 0.05 * fan)) * (
            self.coolant - 25.0
        )
        self.coolant = min(max(self.coolant + (heat - cooling) * dt, -40.0), 140.0)
        self.oil += (self.coolant + 6.0 - self.oil) * dt / 25.0
        glow = 120.0 + 9.0 * power if self.rpm > 300.0 else 30.0
        self.exhaust += (min(glow, 950.0) - self.exhaust) * dt / 2.0
        self.catalyst += (0.85 * self.exhaust + 60.0 - self.catalyst) * dt / 8.0
        goal = alternator if self.rpm > 600.0 else 12.4
        if 0.0 < self.rpm < 400.0:
            goal = 10.4
        self.battery += (goal - 0.35 * fan - self.battery) * min(1.0, dt / 0.4)

    @property
    def thermostat(self) -> float:
        """Opening of the thermostat, 0 to 1."""
        return min(max((self.coolant - 84.0) / 14.0, 0.0), 1.0)
