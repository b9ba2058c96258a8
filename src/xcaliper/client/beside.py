"""Measuring beside a stimulation or a bypass: its lists carry what is measured too, and what was sent is kept."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np

from xcaliper.client.acquisition import Acquisition, renamed_dtype
from xcaliper.client.calculated import CalculatedRule
from xcaliper.client.measurement import Measurement
from xcaliper.client.quality import Track
from xcaliper.client.recording import describe_recording, open_recordings, recordings_of
from xcaliper.core.errors import LocalProtocolError
from xcaliper.core.frames import DtoBatch
from xcaliper.core.samples import Gap, SampleBlock
from xcaliper.daq.decode import DaqDecoder
from xcaliper.quantity.measurement import BoundMeasurement
from xcaliper.record.description import SignalDescription

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from xcaliper.client.binding import Signal
    from xcaliper.client.block import ColumnRule
    from xcaliper.client.daq_port import ListUser
    from xcaliper.client.recording import Output, Record
    from xcaliper.client.selection import Selection
    from xcaliper.daq.plan import Raster
    from xcaliper.daq.timeline import ClockReading

__all__ = ["OUTCOME", "SENT", "Beside", "measure_beside"]

#: Name of what was sent, by the name of the signal.
SENT: Final = "{} (sent)"
#: Columns of a bypass: name → (type, unit, comment).
OUTCOME: Final = {
    "bypass reaction": ("<f8", "s", "from the sample's last packet until the outputs were sent"),
    "bypass round trip": ("<f8", "s", "from the sample in the ECU until the outputs were sent"),
    "bypass late": ("u1", "", "1 = sent later than one cycle after the sample"),
    "bypass timeouts": ("<u4", "", "EV_STIM_TIMEOUT of the slave so far"),
}
#: Packets gather for so long: decoding them one by one would keep the next answer waiting.
_GATHER_NS: Final = 50_000_000

_Sent = tuple[int, list[bytes], tuple[float, ...]]


class Beside(Acquisition):
    """What one slave sends and gets, for a measurement that does not have lists of its own.

    A stimulation or a bypass sets the lists up and starts them, and hands over packets and rows.

    Args:
        selection: signals of both directions and their plan.
        tells: there are columns of :data:`OUTCOME`.

    Attributes:
        trigger: raster whose samples are answered; None = the host's clock says when to send.
    """

    def __init__(self, selection: Selection, *, tells: bool = False) -> None:
        assert selection.connection is not None, "only a slave is stimulated"
        super().__init__(selection.connection.port, selection.plan, selection.signals)
        self.trigger: int | None = None
        self._signals = selection.signals
        self._tells = tells
        self._pids: Mapping[int, int] | None = None
        self._start: ClockReading | None = None
        self._gather = Lock()
        self._batches: list[DtoBatch] = []
        self._sent: list[_Sent] = []
        self._gathered_ns = 0
        self._sent_tracks: list[Track] = []
        self._bits: list[list[tuple[str, int]]] = []
        self._torn = False

    # --- before the start ---

    def number(self, first: int) -> list[Track]:
        """Make the tracks: one for each list of both directions, and one for how the bypass did."""
        tracks = super().number(first)
        for raster in self.plan.stim_rasters:
            self._add(_sent_track(first + len(tracks), raster, self._signals))
            self._bits.append(_bits(raster, self._signals))
        if self._tells:
            self._add(_outcome_track(first + len(tracks)))
        return tracks

    def _add(self, track: Track) -> None:
        self.tracks.append(track)
        self._sent_tracks.append(track)

    def claim(self, measurement: ListUser) -> None:  # noqa: ARG002  # nobody else's lists
        """The lists belong to what stimulates.

        Raises:
            LocalProtocolError: that has not set them up.
        """
        if self._pids is None:
            raise LocalProtocolError(
                "measurement: it runs beside a stimulation or a bypass.",
                hint="Start that; the measurement starts and stops with it.",
            )

    def ready(self, pids: Mapping[int, int], start: ClockReading | None, now_ns: int) -> None:
        """The lists are set up.

        Args:
            pids: list → FIRST_PID.
            start: the slave's clock now; None = it has none.
            now_ns: time of the host.
        """
        self._pids, self._start = pids, start
        self._origin_ns = now_ns if start is None else start.t_ns

    def prepare(
        self, deliver: Callable[[list[SampleBlock]], None], lost: Callable[[str], None]
    ) -> None:
        """Nothing: what stimulates has set the lists up."""
        self._deliver, self._lost = deliver, lost

    def begin(self) -> int:
        """Get ready for packets; gives the host's time of the slave's time 0."""
        self._decoder = DaqDecoder(self.plan, self._pids, self._start)
        self._begin_time(self._decoder)
        return self._origin_ns

    def go(self, begin_ns: int) -> None:
        """Take packets from now on; the lists are started by others."""
        self._begin_ns = begin_ns
        self._offset_ns = self._origin_ns - begin_ns

    @property
    def has_lists(self) -> bool:
        """False when nothing is sampled."""
        return bool(self.plan.rasters)

    # --- data ---

    def take(self, batch: DtoBatch) -> None:
        """Packets of the slave, after those that want an answer got it."""
        with self._gather:
            self._batches.append(batch)
            if self.plan.clock is None or batch.t_ns - self._gathered_ns >= _GATHER_NS:
                self._pass_on(batch.t_ns)

    def sent(self, host_ns: int, rows: list[bytes], outcome: tuple[float, ...] = ()) -> None:
        """Rows that were sent, one for each list of direction STIM.

        Args:
            host_ns: time of the host at which the sample was taken that they answer.
            rows: their bytes.
            outcome: columns of :data:`OUTCOME`.
        """
        with self._gather:
            self._sent.append((host_ns - self._origin_ns, rows, outcome))
            if self.trigger is None and host_ns - self._gathered_ns >= _GATHER_NS:
                self._pass_on(host_ns)

    def _pass_on(self, now_ns: int) -> None:
        """Decode what has come, and give it to the measurement with what was sent."""
        batches, self._batches = self._batches, []
        sent, self._sent = self._sent, []
        self._gathered_ns = now_ns
        blocks = self._decoded(_joined(batches)) if batches else []
        if blocks:
            self._on_blocks(blocks)
        if sent:
            trigger = next((one for one in blocks if one.raster == self.trigger), None)
            self._deliver(self._sent_blocks(sent, trigger))

    def _sent_blocks(self, sent: list[_Sent], trigger: SampleBlock | None) -> list[SampleBlock]:
        about = np.array([one[0] for one in sent], np.int64)
        times = self._on_axis(about if trigger is None else _matched(about, trigger.t_ns))
        before = self._sent_tracks[0].last_ns
        times = np.maximum(np.maximum.accumulate(times), before)
        gaps: tuple[Gap, ...] = ()
        if self._torn:
            self._torn = False
            gaps = (Gap(0, before, int(times[0]), 0, "reconnect"),)
        elif trigger is not None and trigger.gaps:
            ends = self._on_axis(np.array([one.t_to_ns for one in trigger.gaps], np.int64))
            rows = np.searchsorted(times, ends).tolist()
            gaps = tuple(
                Gap(row, before if not row else int(times[row - 1]), int(end), one.lost, one.reason)
                for one, row, end in zip(trigger.gaps, rows, ends, strict=True)
            )
        found = []
        for at, (track, bits) in enumerate(zip(self._sent_tracks, self._bits, strict=False)):
            rows_ = np.frombuffer(bytearray().join(one[1][at] for one in sent), track.dtype)
            for field, mask in bits:  # sent as a truth value
                rows_[field] = np.where(rows_[field] != 0, mask, 0)
            found.append(SampleBlock(track.index, times, rows_, gaps))
        if self._tells:
            track = self._sent_tracks[-1]
            rows_ = np.array([one[2] for one in sent], track.dtype)
            found.append(SampleBlock(track.index, times, rows_, gaps))
        return found

    # --- trouble and end ---

    def watch(self, now_ns: int) -> None:
        """Look after the clock; what stimulates looks after the slave."""
        if not self.is_down:
            self._look_at_clock(now_ns)

    def lost(self, now_ns: int, text: str) -> None:
        """The session has ended, and another one is looked for."""
        with self._gather:
            self._pass_on(now_ns)
            self._down_since_ns = now_ns
        self._retire()
        self._lost(f"lost {self._name}: {text}")

    def found(self, now_ns: int) -> None:
        """The lists run in a new session; :meth:`ready` was told of them."""
        decoder = DaqDecoder(self.plan, self._pids, self._start)
        self._begin_time(decoder)
        with self._gather:
            self._batches, self._sent = [], []
            self._offset_ns = self._continued(self._origin_ns)
            self._marks = dict.fromkeys((raster.index for raster in self.plan.rasters), "reconnect")
            self._torn = True
            self._decoder = decoder
        self.reconnects += 1
        away_s = (now_ns - self._down_since_ns) * 1e-9
        self._down_since_ns = 0
        self._lost(f"found {self._name} again after {away_s:.1f} s")

    def halt(self) -> None:
        """Give what is left to the measurement."""
        with self._gather:
            self._pass_on(self._gathered_ns)
        self._retire()
        self._deliver_ends()


def _joined(batches: Sequence[DtoBatch]) -> DtoBatch:
    """One batch of several, with the losses at their places."""
    if len(batches) == 1:
        return batches[0]
    whole = DtoBatch(batches[-1].t_ns)
    for one in batches:
        at = len(whole.packets)
        whole.lost += [(at + index, lost) for index, lost in one.lost]
        whole.packets += one.packets
        whole.sources += one.sources
    return whole


def _matched(about: NDArray[np.int64], times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Times of the samples that were answered: their own, or the nearest one where some are missing."""
    if len(about) == len(times):
        return times
    if len(times) < 2:  # no neighbours
        return about
    right = np.searchsorted(times, about).clip(1, len(times) - 1)
    nearer = about - times[right - 1] < times[right] - about
    found: NDArray[np.int64] = times[right - nearer]
    return found


def _sent_track(index: int, raster: Raster, signals: Mapping[str, Signal]) -> Track:
    names = {name: SENT.format(signals[name].bound.name) for name in raster.signals}
    return Track(
        index,
        raster.name,
        renamed_dtype(raster.dtype, names),
        {new: replace(signals[name], renamed=new) for name, new in names.items()},
        kind="sent",
        event_channel=raster.event_channel,
        cycle_ns=raster.cycle_ns,
    )


def _bits(raster: Raster, signals: Mapping[str, Signal]) -> list[tuple[str, int]]:
    """(Column, BIT_MASK) of what is sent as a single bit."""
    found = []
    for name in raster.signals:
        bound = signals[name].bound
        if isinstance(bound, BoundMeasurement) and bound.bits is not None:
            found.append((SENT.format(bound.name), bound.bits.mask))
    return found


def _outcome_track(index: int) -> Track:
    rules: dict[str, ColumnRule] = {
        name: CalculatedRule(SignalDescription(name, unit=unit, comment=comment, calculated=True))
        for name, (_, unit, comment) in OUTCOME.items()
    }
    dtype = np.dtype([(name, kind) for name, (kind, _, _) in OUTCOME.items()])
    return Track(index, "bypass", dtype, rules, kind="sent")


def measure_beside(
    selection: Selection,
    *,
    tells: bool,
    record: Record | Sequence[Record] | None = None,
    overwrite: bool = False,
) -> tuple[Beside, Measurement]:
    """A measurement of everything that a stimulation or a bypass samples and sends.

    Args:
        selection: signals of both directions and their plan.
        tells: with the columns of :data:`OUTCOME`.
        record: as for ``Connection.measure``.
        overwrite: as there.

    Raises:
        UsageError: ``record`` is nothing to record into.
    """
    recordings = recordings_of(record, overwrite=overwrite)
    beside = Beside(selection, tells=tells)

    def outputs(measurement: Measurement, begin_ns: int) -> list[tuple[str, Output]]:
        return open_recordings(recordings, describe_recording(measurement, begin_ns))

    measurement = Measurement(
        [beside], duration_s=None, raw=False, keep=True, outputs=outputs if recordings else None
    )
    return beside, measurement
