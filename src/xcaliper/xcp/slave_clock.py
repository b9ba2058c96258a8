"""Clocks of a slave on one true time: free-running, following a grandmaster, of the ECU.

True time is what the slave is told with every call, ``now_ns``. Each clock is a pure function of it
but for its jitter, which is drawn from a seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from xcaliper.core.errors import SettingsError
from xcaliper.core.ticks import TickClock
from xcaliper.wire.codec import codec_for
from xcaliper.xcp.timecorr import (
    ClockInfo,
    ClockInformation,
    ClockRelation,
    GrandmasterInformation,
    ObservableClocks,
    PayloadFmt,
    SlaveConfigBits,
    SyncState,
)

if TYPE_CHECKING:
    from xcaliper.core.datatypes import ByteOrder

__all__ = ["ClockModel", "ClockSettings", "ReadClocks", "RunningClock", "SlaveClocks"]

Discipline: TypeAlias = Literal["free", "synchronised", "syntonised"]

_DISCIPLINES: Final = ("free", "synchronised", "syntonised")
_PPB: Final = 1_000_000_000
_MAX_DRIFT_PPM: Final = 100_000.0
#: Initiators that RESPONSE_FMT 1 lets through (XCP Base, TIME_CORRELATION_PROPERTIES, 1.3).
_COMMON_INITIATORS: Final = (0, 2, 3)


@dataclass(frozen=True, slots=True)
class ClockModel:
    """How one clock runs.

    Attributes:
        drift_ppm: how much faster than true time it runs.
        jitter_ns: readings scatter evenly in a band so wide around the clock.
        start_ns: what it shows at true time 0.
        resolution: of its ticks and width of its counter, 4 or 8 bytes; None = as the DAQ
            timestamps, 4 bytes.
        max_before_wrap: largest value of the counter; None = all bits are used.
        steps: (true time, ns): somebody sets the clock forward or, with a negative number, back.
        clock_id: EUI-64 of the clock.
        stratum: quality; 255 = unknown.
        epoch: of a grandmaster: 0 TAI and 1 UTC since 1970, 2 arbitrary.
    """

    drift_ppm: float = 0.0
    jitter_ns: int = 0
    start_ns: int = 0
    resolution: TickClock | None = None
    max_before_wrap: int | None = None
    steps: tuple[tuple[int, int], ...] = ()
    clock_id: bytes = bytes(8)
    stratum: int = 255
    epoch: int = 2

    def __post_init__(self) -> None:
        if not abs(self.drift_ppm) <= _MAX_DRIFT_PPM:
            raise SettingsError("drift_ppm", f"{self.drift_ppm} is not within ±{_MAX_DRIFT_PPM:g}")
        if self.jitter_ns < 0:
            raise SettingsError("jitter_ns", f"{self.jitter_ns} is negative")
        if self.resolution is not None and (
            self.resolution.size_bytes not in (4, 8) or not self.resolution.tick_ns > 0
        ):
            raise SettingsError("resolution", "a clock counts ticks of some length in 4 or 8 bytes")
        if len(self.clock_id) != 8:
            raise SettingsError("clock_id", f"{len(self.clock_id)} bytes are not 8")
        if self.max_before_wrap is not None and not 0 < self.max_before_wrap < 1 << 64:
            raise SettingsError("max_before_wrap", f"{self.max_before_wrap} does not fit 64 bits")
        if self.epoch not in range(3):
            raise SettingsError("epoch", f"{self.epoch} is not 0, 1 or 2")


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """Which clocks a slave has and who may see them (XCP Base, time correlation, 1.3).

    Attributes:
        slave: the XCP slave's clock; None = there is none, the ECU's clock stamps DAQ data.
        grandmaster: a clock that the slave follows or can read.
        ecu: a clock of the ECU apart from the slave's.
        discipline: how the slave's clock follows the grandmaster: ``free`` (not at all),
            ``synchronised`` (shows its time) or ``syntonised`` (runs at its rate).
        lock_after_ns: true time from which it follows; before that it runs freely, and a grandmaster
            that can be observed is told not to be synchronised yet.
        grandmaster_access: 0 not observable, 1 readable at any time, 2 only in EV_TIME_SYNC.
        ecu_access: 1 readable at any time, 2 only in EV_TIME_SYNC, 3 not readable.
        ecu_stamps: DAQ timestamps are those of the ECU's clock (DAQ_TS_RELATION).
        ecu_synchronised: 0 no, 1 yes, 2 not known.
        ecu_grandmaster: EUI-64 of the grandmaster that the ECU's clock follows.
        bridge: TIME_SYNC_BRIDGE can be switched on.
        behind_bridge: GET_DAQ_CLOCK_MULTICAST reaches the slave over a bridge.
        readable: GET_DAQ_CLOCK gives the clock of DAQ timestamps at all.
        multicast: the slave takes part in GET_DAQ_CLOCK_MULTICAST.
        sampling: when clocks are read for GET_DAQ_CLOCK and EV_TIME_SYNC (TIME_OF_TS_SAMPLING): 0 by
            the protocol's software, 1 with low jitter, 2 as the packet is sent, 3 as it is received.
            The machine reads them at the time that it is told with the packet.
        seed: of every jitter.
    """

    slave: ClockModel | None = field(default_factory=ClockModel)
    grandmaster: ClockModel | None = None
    ecu: ClockModel | None = None
    discipline: Discipline = "free"
    lock_after_ns: int = 0
    grandmaster_access: int = 0
    ecu_access: int = 1
    ecu_stamps: bool = False
    ecu_synchronised: int = 2
    ecu_grandmaster: bytes | None = None
    bridge: bool = False
    behind_bridge: bool = False
    readable: bool = True
    multicast: bool = True
    sampling: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.discipline not in _DISCIPLINES:
            raise SettingsError("discipline", f"{self.discipline!r} is none of {_DISCIPLINES}")
        if self.slave is None and not self.ecu_stamps:
            raise SettingsError("slave", "without a slave clock that of the ECU has to stamp")
        if self.ecu is None and (self.ecu_stamps or self.ecu_grandmaster is not None):
            raise SettingsError("ecu", "there is no clock of the ECU")
        if self.grandmaster is None and (self.discipline != "free" or self.grandmaster_access):
            raise SettingsError("grandmaster", "there is no grandmaster")
        if self.grandmaster_access not in range(3):
            raise SettingsError("grandmaster_access", f"{self.grandmaster_access} is not 0, 1, 2")
        if self.ecu_access not in (1, 2, 3) or (self.ecu_access == 3 and not self.ecu_stamps):
            raise SettingsError("ecu_access", "1, 2, or 3 for a clock that only stamps")
        if self.ecu_synchronised not in range(3):
            raise SettingsError("ecu_synchronised", f"{self.ecu_synchronised} is not 0, 1 or 2")
        if self.sampling not in range(4):
            raise SettingsError("sampling", f"{self.sampling} is not 0, 1, 2 or 3")


class RunningClock:
    """One clock: true time → ticks.

    Args:
        model: how it runs.
        resolution: of its ticks.
        seed: of its jitter.
    """

    def __init__(self, model: ClockModel, resolution: TickClock, seed: int) -> None:
        self.model = model
        self.resolution = resolution
        tick = resolution.tick_ns
        self._numerator, self._denominator = tick.numerator, tick.denominator
        self._ppb = round(model.drift_ppm * 1000)
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.modulus = (
            resolution.modulus if model.max_before_wrap is None else model.max_before_wrap + 1
        )

    def shows_ns(self, now_ns: int) -> int:
        """What it shows at a true time, without jitter, in nanoseconds."""
        shown = self.model.start_ns + now_ns + now_ns * self._ppb // _PPB
        return shown + sum(step for at, step in self.model.steps if at <= now_ns)

    def ticks(self, now_ns: int) -> int:
        """A reading that counts on instead of wrapping."""
        return self.to_ticks(self.shows_ns(now_ns))

    def to_ticks(self, shown_ns: int) -> int:
        """Ticks of a time that the clock shows, with its jitter."""
        if self.model.jitter_ns:
            half = self.model.jitter_ns // 2
            shown_ns += self._random.randint(-half, half)
        return shown_ns * self._denominator // self._numerator

    def information(self) -> ClockInformation:
        """Its block behind the MTA."""
        return ClockInformation(
            clock_id=self.model.clock_id,
            timestamp_ticks=self.resolution.ticks,
            timestamp_unit=self.resolution.unit,
            stratum_level=self.model.stratum,
            native_timestamp_size=self.resolution.size_bytes,
            max_timestamp_before_wrap=self.modulus - 1,
        )


@dataclass(frozen=True, slots=True)
class ReadClocks:
    """Timestamps of one instant; None for what is not to be seen.

    Attributes:
        fmt: their sizes.
    """

    fmt: PayloadFmt
    slave: int | None
    grandmaster: int | None
    ecu: int | None


class SlaveClocks:
    """All clocks of a slave, and what the master has set.

    Args:
        settings: which there are.
        timestamp: DAQ timestamps of the slave.

    Raises:
        SettingsError: the clock that stamps them has other ticks.

    Attributes:
        response_fmt: 0 legacy; of this session.
        bridge_enabled: TIME_SYNC_BRIDGE is on.
        cluster: cluster identifier, kept between sessions.
    """

    def __init__(self, settings: ClockSettings, timestamp: TickClock) -> None:
        self.settings = settings
        self.response_fmt = 0
        self.bridge_enabled = False
        self.cluster = 0
        usual = TickClock(timestamp.ticks, timestamp.unit, 4)
        made = [
            None if model is None else RunningClock(model, model.resolution or usual, seed)
            for seed, model in enumerate(
                (settings.slave, settings.grandmaster, settings.ecu), 3 * settings.seed
            )
        ]
        self.slave, self.grandmaster, self.ecu = made
        stamping = self.ecu if settings.ecu_stamps else self.slave
        assert stamping is not None, "the settings were checked for a clock that stamps"
        if timestamp.size_bytes and stamping.resolution.tick_ns != timestamp.tick_ns:
            raise SettingsError(
                "clocks", "the clock that stamps DAQ data counts in ticks of the timestamps"
            )
        self._stamping = stamping
        model = stamping.model
        self._plain = not (
            model.drift_ppm
            or model.jitter_ns
            or model.start_ns
            or model.steps
            or model.max_before_wrap is not None
        ) and (settings.ecu_stamps or settings.discipline == "free")
        tick = stamping.resolution.tick_ns
        self._numerator, self._denominator = tick.numerator, tick.denominator
        self._told_state: int | None = None
        self._told_locked: bool | None = None

    # -- readings ---------------------------------------------------------------------------------

    def daq_ticks(self, now_ns: int) -> int:
        """The clock of DAQ timestamps, at least as wide as they are."""
        if self._plain:
            return now_ns * self._denominator // self._numerator
        if self._stamping is self.slave:
            return self._slave_ticks(now_ns) % self._stamping.modulus
        return self._stamping.ticks(now_ns) % self._stamping.modulus

    def _follows(self, now_ns: int) -> bool:
        return self.settings.discipline != "free" and now_ns >= self.settings.lock_after_ns

    def _slave_ticks(self, now_ns: int) -> int:
        assert self.slave is not None, "asked for only where there is one"
        return self.slave.to_ticks(self._slave_shows_ns(now_ns))

    def _slave_shows_ns(self, now_ns: int) -> int:
        assert self.slave is not None, "asked for only where there is one"
        if not self._follows(now_ns):
            return self.slave.shows_ns(now_ns)
        assert self.grandmaster is not None, "the settings were checked"
        shown = self.grandmaster.shows_ns(now_ns)
        if self.settings.discipline == "synchronised":
            return shown
        lock_ns = self.settings.lock_after_ns
        return self.slave.shows_ns(lock_ns) + shown - self.grandmaster.shows_ns(lock_ns)

    @property
    def is_readable(self) -> bool:
        """GET_DAQ_CLOCK has something to tell in its legacy form."""
        if not self.settings.readable:
            return False
        return not self.settings.ecu_stamps or self.settings.ecu_access == 1

    def read(self, now_ns: int, *, event: bool, room: int) -> ReadClocks:
        """Every clock that may be seen, at one instant.

        Args:
            now_ns: true time.
            event: for EV_TIME_SYNC, which shows more clocks.
            room: bytes that the timestamps may take; where they do not fit, 8 bytes become 4.
        """
        settings = self.settings
        seen: list[tuple[RunningClock, int] | None] = [None, None, None]
        if self.slave is not None and settings.readable:
            seen[0] = self.slave, self._slave_ticks(now_ns)
        limit = 2 if event else 1
        if self.grandmaster is not None and 0 < settings.grandmaster_access <= limit:
            seen[1] = self.grandmaster, self.grandmaster.ticks(now_ns)
        if self.ecu is not None and settings.ecu_access <= limit:
            seen[2] = self.ecu, self.ecu.ticks(now_ns)
        sizes = [clock[0].resolution.size_bytes if clock else 0 for clock in seen]
        for at in (2, 1, 0):
            if sum(sizes) > room and sizes[at] == 8:
                sizes[at] = 4
        for at in (2, 1, 0):
            if sum(sizes) > room:
                sizes[at] = 0
        values = [
            clock[1] % clock[0].modulus % (1 << (8 * size)) if clock and size else None
            for clock, size in zip(seen, sizes, strict=True)
        ]
        codes = [size // 4 for size in sizes]
        fmt = PayloadFmt.of(slave=codes[0], grandmaster=codes[1], ecu=codes[2])
        return ReadClocks(fmt, *values)

    # -- what the master may know -----------------------------------------------------------------

    def sync_state(self, now_ns: int) -> SyncState:
        """SYNC_STATE now."""
        settings = self.settings
        following = {"free": 7, "synchronised": 0, "syntonised": 2}[settings.discipline]
        if self.slave is None:
            following = 7
        elif following != 7 and self._follows(now_ns):
            following += 1
        return SyncState.of(
            slv_clk_sync_state=following,
            grandm_clk_sync_state=int(
                settings.grandmaster_access > 0 and now_ns >= settings.lock_after_ns
            ),
            ecu_clk_sync_state=settings.ecu_synchronised if self.ecu is not None else 0,
        )

    @property
    def tells_sync_state(self) -> bool:
        """Some observable clock follows another, so answers end with SYNC_STATE."""
        settings = self.settings
        return (
            settings.discipline != "free"
            or settings.grandmaster_access > 0
            or (self.ecu is not None and settings.ecu_synchronised == 1)
        )

    def state_changed(self, now_ns: int) -> bool:
        """True once after each change of SYNC_STATE."""
        locked = now_ns >= self.settings.lock_after_ns
        if locked == self._told_locked:  # nothing else changes it
            return False
        self._told_locked = locked
        state = int(self.sync_state(now_ns))
        changed = self._told_state is not None and state != self._told_state
        self._told_state = state
        return changed

    def begin_session(self, now_ns: int) -> None:
        """A new session speaks the legacy form (XCP Base, TIME_CORRELATION_PROPERTIES, 1.3)."""
        self.response_fmt = 0
        self._told_locked = now_ns >= self.settings.lock_after_ns
        self._told_state = int(self.sync_state(now_ns))

    def slave_config(self) -> SlaveConfigBits:
        """SLAVE_CONFIG now."""
        bridge = (2 if self.bridge_enabled else 1) if self.settings.bridge else 0
        return SlaveConfigBits.of(
            response_fmt=self.response_fmt,
            daq_ts_relation=int(self.settings.ecu_stamps),
            time_sync_bridge=bridge,
        )

    def observable(self) -> ObservableClocks:
        """OBSERVABLE_CLOCKS."""
        settings = self.settings
        return ObservableClocks.of(
            xcp_slv_clk=2 if self.slave is None else int(settings.discipline != "free"),
            grandm_clk=settings.grandmaster_access,
            ecu_clk=0 if self.ecu is None else settings.ecu_access,
        )

    def blocks(self, now_ns: int, order: ByteOrder) -> tuple[ClockInfo, bytes]:
        """CLOCK_INFO and the bytes behind the MTA (XCP Base, clock information, 1.3)."""
        clock = codec_for(ClockInformation, order)
        parts: dict[str, bytes] = {}
        if self.slave is not None:
            parts["slave"] = clock.encode(self.slave.information())
        if self.grandmaster is not None:
            plain = self.grandmaster.information()
            block = GrandmasterInformation(
                clock_id=plain.clock_id,
                timestamp_ticks=plain.timestamp_ticks,
                timestamp_unit=plain.timestamp_unit,
                stratum_level=plain.stratum_level,
                native_timestamp_size=plain.native_timestamp_size,
                epoch=self.grandmaster.model.epoch,
                max_timestamp_before_wrap=plain.max_timestamp_before_wrap,
            )
            parts["grandmaster"] = codec_for(GrandmasterInformation, order).encode(block)
        if self.grandmaster is not None and self.slave is not None and self._has_relation(now_ns):
            relation = ClockRelation(
                origin=self.grandmaster.ticks(now_ns) % self.grandmaster.modulus,
                slave_timestamp=self._slave_ticks(now_ns) % self.slave.modulus,
            )
            parts["relation"] = codec_for(ClockRelation, order).encode(relation)
        if self.ecu is not None:
            parts["ecu"] = clock.encode(self.ecu.information())
        if self.settings.ecu_grandmaster is not None:
            parts["ecu_grandmaster"] = self.settings.ecu_grandmaster
        return ClockInfo.of(**dict.fromkeys(parts, 1)), b"".join(parts.values())

    def _has_relation(self, now_ns: int) -> bool:
        """A relation is told where it does not change: at equal rate, or as a snapshot."""
        if self.settings.discipline == "syntonised":
            return self._follows(now_ns)
        return self.settings.discipline == "free" and self.settings.grandmaster_access == 1

    def reports(self, initiator: int) -> bool:
        """Whether EV_TIME_SYNC is sent for a trigger initiator, as RESPONSE_FMT says."""
        if self.response_fmt == 0:
            return initiator == 0
        return self.response_fmt == 2 or initiator in _COMMON_INITIATORS
