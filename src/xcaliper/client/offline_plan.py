"""A plan from a description alone; no ECU is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from xcaliper.a2l import A2lFile
from xcaliper.a2l.if_xcp import XcpOnCan, XcpOnTcpIp, XcpOnUdpIp, read_xcp
from xcaliper.calib.live import LiveValues
from xcaliper.client.a2l_source import read_a2l
from xcaliper.client.binding import declared_daq
from xcaliper.client.selection import NameSpace, PlanOptions, select
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import UsageError
from xcaliper.daq.link_load import LinkModel, read_rate
from xcaliper.daq.merge import DaqAnswers, merge
from xcaliper.quantity.catalog import Catalog
from xcaliper.xcp.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from xcaliper.a2l.if_xcp import XcpDescription, XcpTransport
    from xcaliper.core.address import Address
    from xcaliper.daq.capabilities import DaqCapabilities
    from xcaliper.daq.plan import DaqPlan

__all__ = ["offline_description", "plan_offline"]

#: Kinds of links: as the load is computed, and as they are described.
_LINKS: Final[Mapping[str, tuple[str, type[XcpTransport]]]] = {
    "can": ("can", XcpOnCan),
    "canfd": ("canfd", XcpOnCan),
    "udp": ("ethernet", XcpOnUdpIp),
    "tcp": ("ethernet", XcpOnTcpIp),
}
#: Data bytes of the longest frame.
_FRAME_BYTES: Final = {"can": 8, "canfd": 64}


def plan_offline(
    a2l: str | Path | A2lFile,
    names: str | Iterable[str],
    *,
    link: str | None = None,
    **options: Any,
) -> DaqPlan:
    """The DAQ lists that a measurement would use, from the description alone; no ECU is asked.

    What the description does not say is assumed and noted in ``plan.diagnostics``. A slave may turn out
    to be able to do more or less than its description says.

    Args:
        a2l: description, or its path.
        names: names and patterns with ``*`` and ``?``.
        link: which of several transports, and how fast it is: ``can``, ``can:500k``,
            ``canfd:500k/2M``, ``udp``, ``tcp:100M``, or ``udp://192.168.0.1:5555`` for the one of that
            port; None = the first one, as the description has it.
        options: as those of ``Connection.plan``, see :class:`PlanOptions`.

    Raises:
        A2lError: the file cannot be read.
        NotFoundError: no such name or event.
        PlanError: it does not fit; carries every reason.
        UsageError: the description says nothing about XCP, or only an ECU knows where a signal is.
    """
    file = a2l if isinstance(a2l, A2lFile) else read_a2l(a2l)
    xcp = read_xcp(file.module.if_data)
    described, model = _transport(xcp, link)
    layer = described.protocol_layer if described is not None else None
    declared = declared_daq(described)
    if layer is None or declared is None:
        raise UsageError(
            f"{file.source}: it does not say what the slave can measure (IF_DATA XCP, DAQ).",
            hint="Plan with a connection, which asks the slave.",
        )
    profile = Profile(
        byte_order=layer.byte_order,
        ag=layer.address_granularity,
        max_cto=layer.max_cto,
        max_dto=layer.max_dto,
    )
    daq, findings = merge(declared, DaqAnswers(), profile)
    daq, cut = _carried(replace(daq, link=model or daq.link))
    findings = (*findings, *cut, *_choice(xcp, link))
    space = _paper(Catalog(file, ag=profile.ag))
    chosen = select(space, names, daq, profile, subject=file.source, options=_options(options))
    return replace(chosen.plan, diagnostics=(*findings, *chosen.plan.diagnostics))


def offline_description(file: A2lFile, link: str | None) -> XcpDescription | None:
    """What a description says about XCP on the link that plan_offline() takes.

    Raises:
        UsageError: no such kind of link; the description has none of it and no speed is told.
    """
    return _transport(read_xcp(file.module.if_data), link)[0]


def _transport(
    xcp: XcpDescription | None, link: str | None
) -> tuple[XcpDescription | None, LinkModel | None]:
    """The description with the blocks of a transport over them, and the transport's speed if told.

    Raises:
        UsageError: no such kind of link; the description has none of it and no speed is told.
    """
    if link is None:
        return (xcp.merged() if xcp is not None else None), None
    kind, colon, rates = link.partition(":")
    url = link if kind in ("udp", "tcp") and rates.startswith("//") else ""
    if url:
        colon = ""
    if kind not in _LINKS:
        raise UsageError(
            f"link: {link!r} is not known.", hint=f"One of {', '.join(_LINKS)}, such as can:500k."
        )
    model = None
    if colon:
        rate, _, fast = rates.partition("/")
        model = LinkModel(_LINKS[kind][0], read_rate(rate), read_rate(fast) if fast else 0)
    same = [one for one in xcp.transports if _is_kind(one, kind)] if xcp is not None else []
    if not same and model is None:
        speed = "100M" if _LINKS[kind][0] == "ethernet" else "500k"
        raise UsageError(
            f"link: the description has no transport of kind {kind}.",
            hint=f"Tell its speed, such as {kind}:{speed}.",
        )
    first = xcp.transport_at(url) if xcp is not None and url else next(iter(same), None)
    chosen = xcp.merged(first) if xcp is not None else None
    declared = declared_daq(chosen) if same else None
    if model is not None and declared is not None and declared.link is not None:
        model = replace(model, extended=declared.link.extended, max_load=declared.link.max_load)
    return chosen, model


def _choice(xcp: XcpDescription | None, link: str | None) -> list[Diagnostic]:
    """What was taken where the description has several transports and nobody chose."""
    if xcp is None or link is not None or len(xcp.transports) < 2:
        return []
    text = f"the description has {len(xcp.transports)} transports, and the first one is taken."
    hint = f"Another is taken with link, one of {', '.join(_LINKS)}, or udp://HOST:PORT."
    return [Diagnostic(Severity.INFO, "daq-transport", Where(), text, hint, subject="DAQ")]


def _is_kind(transport: XcpTransport, kind: str) -> bool:
    if not isinstance(transport, _LINKS[kind][1]):
        return False
    return kind != "canfd" or (isinstance(transport, XcpOnCan) and transport.can_fd)


def _carried(daq: DaqCapabilities) -> tuple[DaqCapabilities, list[Diagnostic]]:
    """No DTO is longer than a frame of the link, whatever MAX_DTO says."""
    most = _FRAME_BYTES.get(daq.link.kind) if daq.link is not None else None
    if most is None or daq.max_dto <= most:
        return daq, []
    text = f"MAX_DTO {daq.max_dto} is more than the {most} bytes that a frame of the link carries."
    hint = f"{most} bytes are used."
    note = Diagnostic(Severity.INFO, "daq-frame", Where(), text, hint, subject="DAQ")
    return replace(daq, max_dto=most), [note]


def _options(options: dict[str, Any]) -> PlanOptions:
    return cast("PlanOptions", options)  # select() checks the names


def _paper(catalog: Catalog) -> NameSpace:
    """Names of a description without an ECU."""

    def read(address: Address, _size_bytes: int) -> bytes:
        raise UsageError(
            f"plan: {address} would have to be read, and there is no ECU.",
            hint="Plan it with a connection.",
        )

    live = LiveValues(catalog, read)
    return NameSpace(catalog, live.bound, live.computed)
