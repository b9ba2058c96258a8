"""Faults of a virtual ECU on purpose: seeded, counted, so that tests know the truth."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xcaliper.core.errors import SettingsError
from xcaliper.transport.port_base import Lost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xcaliper.transport.port_base import Sent
    from xcaliper.xcp.dto_block import DtoBlock

__all__ = ["FaultInjector", "FaultTruth", "Faults"]

_CHANCES = ("drop_samples", "lose_packets", "unknown_list", "wrong_length", "wrong_id")


@dataclass(frozen=True, slots=True)
class Faults:
    """What shall go wrong, how often; chances are from 0 to 1.

    Attributes:
        seed: of everything random.
        drop_samples: chance of a sample of a list to be dropped inside the slave, which tells of it as
            its overload setting says.
        lose_packets: chance of a DTO to get lost on the way: the transport's counter goes on.
        unknown_list: chance of a DTO to be followed by one of a list that does not exist.
        wrong_length: chance of a DTO to come a byte too short or some bytes too long.
        wrong_id: chance of a DTO to come with the number of another ODT.
        stop_after: DTOs until none is sent any more, while commands are still answered; None = never.
        reboots_s: seconds after the start at which the ECU reboots without a word.
        lies: settings of the slave that its information commands and the A2L tell wrongly.
    """

    seed: int = 1
    drop_samples: float = 0.0
    lose_packets: float = 0.0
    unknown_list: float = 0.0
    wrong_length: float = 0.0
    wrong_id: float = 0.0
    stop_after: int | None = None
    reboots_s: tuple[float, ...] = ()
    lies: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in _CHANCES:
            if not 0.0 <= getattr(self, key) <= 1.0:
                raise SettingsError(key, f"{getattr(self, key)} is not from 0 to 1")


@dataclass(slots=True)
class FaultTruth:
    """What really went wrong.

    Attributes:
        samples: samples of lists that were dropped; a packed set counts once.
        by_list: the same by list number.
        packets: DTOs lost on the way.
        unknown_lists: DTOs of lists that do not exist.
        wrong_lengths: DTOs that were cut or prolonged.
        wrong_ids: DTOs with the number of another ODT.
        withheld: DTOs that were not sent after the stop.
        reboots: times that the ECU started anew.
    """

    samples: int = 0
    by_list: dict[int, int] = field(default_factory=dict)
    packets: int = 0
    unknown_lists: int = 0
    wrong_lengths: int = 0
    wrong_ids: int = 0
    withheld: int = 0
    reboots: int = 0


class FaultInjector:
    """Makes things go wrong between a slave and its transport.

    Args:
        faults: what and how often.
        identification_field: of the slave's DTOs.
        byte_order: ``little`` or ``big``, of list numbers.

    Attributes:
        truth: what went wrong so far.
    """

    def __init__(self, faults: Faults, identification_field: int, byte_order: str) -> None:
        self.faults = faults
        self.truth = FaultTruth()
        self._field = identification_field
        self._little = byte_order == "little"
        self._samples = random.Random(faults.seed)  # noqa: S311 - faults of a test, no secret
        self._packets = random.Random(faults.seed + 1)  # noqa: S311
        self._sent = 0

    def drops(self, daq_list: int) -> bool:
        """Whether the slave shall drop this sample."""
        if self._samples.random() >= self.faults.drop_samples:
            return False
        self.truth.samples += 1
        self.truth.by_list[daq_list] = self.truth.by_list.get(daq_list, 0) + 1
        return True

    def spoil(self, items: Sequence[bytes | DtoBlock]) -> list[Sent]:
        """What leaves the slave instead of these answers and DTOs."""
        out: list[Sent] = []
        for item in items:
            if isinstance(item, bytes):
                out.append(item)
            else:
                for packet in item.packets():
                    self._spoil(packet, out)
        return out

    def _spoil(self, packet: bytes, out: list[Sent]) -> None:
        faults, truth, chance = self.faults, self.truth, self._packets.random
        self._sent += 1
        if faults.stop_after is not None and self._sent > faults.stop_after:
            truth.withheld += 1
            return
        draws = [
            chance() for _ in range(5)
        ]  # always as many, so that settings do not shift each other
        if draws[0] < faults.lose_packets:
            truth.packets += 1
            out.append(Lost(1))
            return
        if draws[1] < faults.wrong_length:
            truth.wrong_lengths += 1
            packet = packet[:-1] if draws[4] < 0.5 and len(packet) > 1 else packet + b"\xa5\xa5\xa5"
        elif draws[2] < faults.wrong_id:
            truth.wrong_ids += 1
            packet = bytes((0xFB if packet[0] != 0xFB else 0xFA,)) + packet[1:]
        out.append(packet)
        if draws[3] < faults.unknown_list:
            truth.unknown_lists += 1
            out.append(self._unknown(packet))

    def _unknown(self, packet: bytes) -> bytes:
        """The same DTO, of a list that does not exist."""
        if self._field == 0:
            return b"\xfb" + packet[1:]
        if self._field == 1:
            return packet[:1] + b"\xfe" + packet[2:]
        at = 1 if self._field == 2 else 2
        number = (0xFFFE).to_bytes(2, "little" if self._little else "big")
        return packet[:at] + number + packet[at + 2 :]
