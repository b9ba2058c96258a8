"""What a description says about the slave, from a file or as the slave itself carries it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.a2l import decode_text, parse
from xcaliper.a2l.if_xcp import read_segment, read_xcp
from xcaliper.conformance.model import FaultError, SkippedError
from xcaliper.conformance.probe import Region
from xcaliper.core.address import Address
from xcaliper.core.errors import NotFoundError
from xcaliper.xcp import std
from xcaliper.xcp.procedures.identify import IdType

if TYPE_CHECKING:
    from xcaliper.a2l import A2lFile
    from xcaliper.a2l.xcp_model import XcpDescription, XcpSegment
    from xcaliper.conformance.probe import Probe

__all__ = ["Paper", "PaperSegment", "identification", "paper_of", "take_from_slave"]

_MOST_BYTES: Final = 1 << 26
_HINT: Final = "Give a file with --a2l."


@dataclass(frozen=True, slots=True)
class PaperSegment:
    """A MEMORY_SEGMENT with SEGMENT of XCP; the size counts bytes, as ASAP2 does."""

    name: str
    address: int
    size_bytes: int
    xcp: XcpSegment


@dataclass(frozen=True, slots=True)
class Paper:
    """A description as far as rules look at it.

    Attributes:
        xcp: IF_DATA XCP of the module; None without.
        epk: of MOD_PAR; empty without.
        segments: memory segments with XCP numbers.
    """

    xcp: XcpDescription | None = None
    epk: str = ""
    segments: tuple[PaperSegment, ...] = ()

    @property
    def region(self) -> Region | None:
        """Calibration memory that it names."""
        layer = self.xcp.protocol_layer if self.xcp is not None else None
        ag = layer.address_granularity if layer is not None else 1
        for one in self.segments:
            if one.size_bytes >= ag:
                start = Address(one.address, one.xcp.address_extension)
                return Region(start, one.size_bytes // ag)
        return None


def paper_of(tree: A2lFile, url: str) -> Paper:
    """What a description says that rules look at.

    Args:
        tree: the description.
        url: of the slave, as ``udp://host:port``: blocks of the transport that it is go before common ones.
    """
    module = tree.module
    found = read_xcp(module.if_data)
    held = module.mod_par
    segments = []
    for one in held.memory_segment if held is not None else ():
        told = read_segment(one.if_data)
        if told is not None:
            segments.append(PaperSegment(one.name, one.address, one.size, told))
    epk = held.epk if held is not None else None  # without MOD_PAR, or without EPK in it
    return Paper(
        found.merged(found.transport_at(url)) if found is not None else None,
        epk or "",
        tuple(segments),
    )


def take_from_slave(probe: Probe) -> None:
    """Hold the slave against the description that it carries itself.

    Raises:
        NotFoundError: it carries none, or does not give it in time.
    """
    try:
        data = identification(probe, IdType.A2L)
    except (SkippedError, FaultError) as error:
        raise NotFoundError("the slave's own A2L", kind="description", hint=_HINT) from error
    paper = paper_of(parse(decode_text(data)[0], source="the slave's A2L"), probe.url)
    probe.paper = paper
    if probe.given_region is None:
        probe.given_region = paper.region


def identification(probe: Probe, kind: IdType) -> bytes:
    """What GET_ID gives, in its answer or by UPLOAD.

    Raises:
        SkippedError: there is nothing, or it cannot be had.
    """
    told = probe.use(std.GetId(identification_type=int(kind)))
    if told.mode.transfer_mode:
        return told.data
    if not 0 < told.length <= _MOST_BYTES:
        raise SkippedError(f"GET_ID tells {told.length} bytes.")
    ag, found = probe.profile.ag, bytearray()
    room = probe.profile.max_cto // ag - 1
    while len(found) < told.length:
        count = min(room, -(-(told.length - len(found)) // ag))
        found += probe.use(std.Upload(count=count)).data
    return bytes(found[: told.length])
