"""DTOs put together to samples: in ascending order, complete or not at all; both directions use it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from xcaliper.core.datatypes import ByteOrder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcaliper.xcp.profile import DtoFormat

__all__ = ["DtoSet", "DtoSets", "SetCounters"]


@dataclass(slots=True, eq=False)
class DtoSet:
    """DTOs of one list that belong together, and what has come of them.

    Attributes:
        daq_list: number of the list.
        fmt: header of its DTOs.
        sizes: data bytes of each DTO, in order; 0 = that ODT is empty and never sent.
        first_odt: relative number of the first one.
        first_pid: PID of ODT 0 with absolute identification fields.
        data: of the DTOs so far, side by side.
        counter: DTO counter of the latest sample; None where its DTOs have none *(1.3)*.
        ticks: timestamp of the latest sample; None where its DTOs have none.
    """

    daq_list: int
    fmt: DtoFormat
    sizes: tuple[int, ...]
    first_odt: int = 0
    first_pid: int = 0
    data: bytearray = field(default_factory=bytearray)
    counter: int | None = None
    ticks: int | None = None
    _at: int = -1
    _places: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._places = [n for n, size in enumerate(self.sizes) if size]

    def keys(self, order: Literal["little", "big"]) -> list[bytes]:
        """The bytes that tell each of its DTOs, fill bytes left out."""
        kind = self.fmt.identification_field
        width = (0, 1, 2, 2)[kind]
        behind = self.daq_list.to_bytes(2, order) if width == 2 else bytes([self.daq_list])[:width]
        base = self.first_odt + (0 if kind else self.first_pid)
        return [bytes([base + n]) + behind for n in self._places]

    def restart(self) -> bool:
        """Forget what has come; True when something had."""
        begun = self._at >= 0
        self._at = -1
        return begun

    def take(self, place: int, packet: bytes, order: Literal["little", "big"]) -> str:
        """Take one of its DTOs, the ``place``-th of those that are sent.

        Returns:
            ``complete``, ``begun`` or ``more``; ``size`` when the length is wrong, ``order`` when
            others are missing before it.
        """
        fmt = self.fmt
        stamped = place == 0 and self.first_odt == 0
        head = fmt.first_header_size if stamped else fmt.header_size
        if len(packet) != head + self.sizes[self._places[place]]:
            return "size"
        if place == 0:
            if stamped:
                self._read_head(packet, head, order)
            self.data = bytearray(packet[head:])
        elif self._at == place - 1:
            self.data += packet[head:]
        else:
            return "order"
        self._at = place
        if place < len(self._places) - 1:
            return "begun" if place == 0 else "more"
        self._at = -1
        return "complete"

    def _read_head(self, packet: bytes, head: int, order: Literal["little", "big"]) -> None:
        fmt = self.fmt
        if fmt.dto_ctr:
            self.counter = packet[1 if fmt.identification_field == 3 else fmt.header_size]
        if fmt.timestamp_size:
            self.ticks = int.from_bytes(packet[head - fmt.timestamp_size : head], order)


@dataclass(slots=True)
class SetCounters:
    """What came, by DTOs.

    Attributes:
        packets: DTOs of known lists.
        unknown: DTOs of no list that is known.
        malformed: DTOs of a wrong length.
        incomplete: samples that were begun and given up: a DTO was missing or wrong.
        out_of_order: DTOs without those before them.
    """

    packets: int = 0
    unknown: int = 0
    malformed: int = 0
    incomplete: int = 0
    out_of_order: int = 0


class DtoSets:
    """Sorts DTOs to their sets.

    Args:
        sets: all of one direction; their headers differ in timestamp and counter at most.
        byte_order: of the slave.
        counters: goes on counting there.
    """

    def __init__(
        self,
        sets: Iterable[DtoSet],
        byte_order: ByteOrder = ByteOrder.INTEL,
        counters: SetCounters | None = None,
    ) -> None:
        self.counters = counters or SetCounters()
        self._order: Literal["little", "big"] = "little" if byte_order.mark == "<" else "big"
        self._kind, self._mask = 0, 0xFF
        self._known: dict[bytes, tuple[DtoSet, int]] = {}
        for one in sets:
            self._kind = one.fmt.identification_field
            self._mask = 0x7F if one.fmt.overload_msb else 0xFF
            for place, key in enumerate(one.keys(self._order)):
                self._known[key] = (one, place)

    def receive(self, packet: bytes) -> DtoSet | None:
        """Take one DTO; gives the set that is complete with it.

        Its ``data`` belongs to the caller: the next sample gets a new one.
        """
        counters, kind = self.counters, self._kind
        key = packet[:1] + packet[2:4] if kind == 3 else packet[: kind + 1]
        if self._mask != 0xFF and key:
            key = bytes([key[0] & self._mask]) + key[1:]
        found = self._known.get(key)
        if found is None:
            counters.unknown += 1
            return None
        one, place = found
        counters.packets += 1
        if place == 0 and one.restart():
            counters.incomplete += 1
        happened = one.take(place, packet, self._order)
        if happened == "complete":
            return one
        if happened in ("size", "order"):
            counters.malformed += happened == "size"
            counters.out_of_order += happened == "order"
            counters.incomplete += one.restart()
        return None
