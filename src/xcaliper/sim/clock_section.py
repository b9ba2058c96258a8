"""The clocks of a slave as IF_DATA XCP TIME_CORRELATION."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.a2l.if_xcp import XcpClock, XcpClockTicks, XcpTimeCorrelation
from xcaliper.xcp.slave_clock import SlaveClocks

if TYPE_CHECKING:
    from xcaliper.xcp.slave_clock import RunningClock
    from xcaliper.xcp.slave_config import SlaveConfig

__all__ = ["describe_clocks", "takes_multicasts"]

_FIRST_VERSION: Final = 3
_READABILITY: Final = ("", "RANDOMLY_READABLE", "LIMITED_READABLE", "NOT_READABLE")
_SYNCHRONISATION: Final = {
    "free": "SYN_UNSUPPORTED",
    "synchronised": "SYNCHRONIZATION_ONLY",
    "syntonised": "SYNTONIZATION_ONLY",
}
_EPOCHS: Final = ("ATOMIC_TIME", "UNIVERSAL_COORDINATED_TIME", "ARBITRARY")


def _is_served(config: SlaveConfig) -> bool:
    return (
        config.protocol_version >= _FIRST_VERSION
        and "TIME_CORRELATION_PROPERTIES" not in config.disabled
    )


def takes_multicasts(config: SlaveConfig) -> bool:
    """Whether the slave answers GET_DAQ_CLOCK_MULTICAST at all."""
    return _is_served(config) and config.clocks.multicast


def describe_clocks(config: SlaveConfig) -> XcpTimeCorrelation | None:
    """TIME_CORRELATION; None for slaves that know the legacy form only (ASAP2, IF_DATA XCP, 1.3)."""
    settings = config.clocks
    if not _is_served(config) or not config.timestamp.size_bytes:
        return None
    clocks = SlaveClocks(settings, config.timestamp)
    found: list[XcpClock] = []
    if clocks.slave is not None:
        readability = "RANDOMLY_READABLE" if settings.readable else "NOT_READABLE"
        follows = _SYNCHRONISATION[settings.discipline]
        found.append(_clock(clocks.slave, "XCP_SLAVE_CLOCK", readability, follows))
    if clocks.grandmaster is not None and settings.grandmaster_access:
        readability = _READABILITY[settings.grandmaster_access]
        found.append(_clock(clocks.grandmaster, "XCP_SLAVE_GRANDMASTER_CLOCK", readability))
    if clocks.ecu is not None:
        found.append(_clock(clocks.ecu, "ECU_CLOCK", _READABILITY[settings.ecu_access]))
    relation = "ECU_CLOCK" if settings.ecu_stamps else "XCP_SLAVE_CLOCK"
    return XcpTimeCorrelation(relation, tuple(found))


def _clock(
    clock: RunningClock, kind: str, readability: str, synchronisation: str = "SYN_UNSUPPORTED"
) -> XcpClock:
    resolution = clock.resolution
    return XcpClock(
        clock.model.clock_id,
        kind,
        readability,
        synchronisation,
        quality=clock.model.stratum,
        characterization=XcpClockTicks(resolution.ticks, resolution.unit, resolution.size_bytes),
        max_timestamp=clock.modulus - 1,
        epoch=_EPOCHS[clock.model.epoch],
    )
