"""``xcaliper vecu``: a virtual ECU on the network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from xcaliper.sim.server import EcuServer
    from xcaliper.xcp.slave_config import SlaveConfig

__all__ = ["vecu"]

#: ECU → what to read and to measure; the others have the program of the calibration concepts.
_EXAMPLES: Final = {
    "demo-engine": ("EngineSpeed KFZW", "'Engine*' 'Lambda*'"),
    "many-signals": ("Sig00000", "'Sig*'"),
}

_SETTINGS: Final = Parameter(name="--set", negative=(), show_default=False)
_LONGEST_S: Final = 1e9


def vecu(  # noqa: PLR0913  # each option is one setting of the slave
    name: str = "demo-engine",
    /,
    *urls: str,
    byte_order: Literal["intel", "motorola"] = "intel",
    granularity: Literal[1, 2, 4] = 1,
    max_cto: int | None = None,
    max_dto: int = 1468,
    id_field: Literal[0, 1, 2, 3] = 1,
    timestamp_size: Literal[0, 1, 2, 4] = 4,
    timestamp_unit: Literal["1ns", "1us", "10us", "100us", "1ms"] = "1us",
    checksum: str = "XCP_CRC_32",
    disable: Annotated[list[str] | None, Parameter(negative=(), show_default=False)] = None,
    flash: Annotated[bool, Parameter(negative="--no-flash")] = True,
    protect: str = "",
    quirk: Annotated[list[str] | None, Parameter(negative=(), show_default=False)] = None,
    quirks: Literal["all-compatible"] | None = None,
    list_quirks: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    set_: Annotated[list[str] | None, _SETTINGS] = None,
    list_settings: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    duration: float | None = None,
    seed: int = 1,
    signals: int = 10_000,
    rate: float = 1000,
    datagram: int = 1472,
    a2l_out: Path | None = None,
    nvm: Path | None = None,
    extensions: str = "",
    list_ecus: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Run a virtual ECU that any XCP master can connect to; Ctrl+C ends it.

    Args:
        name: which ECU, see --list-ecus; demo-engine when it is left out.
        urls: where to listen; default udp://127.0.0.1:5555 and tcp://127.0.0.1:5555.
        byte_order: of the slave and of its memory.
        granularity: bytes per address.
        max_cto: largest command packet, 8 to 255 bytes; default the largest that the granularity allows.
        max_dto: largest data packet, 8 to 65535 bytes.
        id_field: identification field: 0 absolute, 1 + list byte, 2 + list word, 3 + fill + word.
        timestamp_size: bytes of DAQ timestamps, 0 for none.
        timestamp_unit: one tick of the timestamps.
        checksum: algorithm of BUILD_CHECKSUM, such as XCP_ADD_11 or XCP_CRC_16_CITT.
        disable: standard name of an optional command that the slave shall refuse; may be repeated.
        flash: offer programming of a flash of its own, beside calibration.
        protect: resources that need a key, such as cal,daq; it is made by xcaliper.sim.demo_key:demo_key.
        quirk: something that the slave shall do differently, as real ones do; may be repeated.
        quirks: all-compatible: every quirk that goes with those before it in the list.
        list_quirks: print the quirks that there are, and end.
        set_: any other setting of the slave, such as max_daq_lists=4; may be repeated.
        list_settings: print the settings that there are, and end.
        duration: seconds; without it until Ctrl+C.
        seed: of the noise in the engine model.
        signals: how many signals many-signals has.
        rate: of the event of many-signals, in Hz.
        datagram: bytes of one UDP datagram; larger ones cost less per byte where the network takes them.
        a2l_out: also write the description into this file.
        nvm: file that keeps what SET_REQUEST stored (pages, DAQ lists), for the next start.
        extensions: address extension of each memory, such as flash=0,ram=1,peripherals=2,external-flash=3.
        list_ecus: print the ECUs that there are, and end.
        json: print one JSON object when it listens.
    """
    if list_quirks:
        return _list_quirks(as_json=json)
    if list_ecus:
        return _list_ecus(as_json=json)
    if list_settings:
        return _list_settings(as_json=json)
    from xcaliper.cli.choice import settings_as_options
    from xcaliper.cli.shell import make_console
    from xcaliper.cli.vecu_settings import with_settings
    from xcaliper.sim.extensions import ExtensionMap
    from xcaliper.sim.gallery import build_ecu
    from xcaliper.sim.server import EcuServer

    _check_run(duration, nvm, a2l_out)
    settings = _settings(
        byte_order,
        granularity,
        max_cto or 255 // granularity * granularity,
        max_dto,
        id_field,
        timestamp_size,
        timestamp_unit,
    )
    wanted = [*(quirk or ()), *([quirks] if quirks else ())]
    settings = _with_options(settings, checksum, tuple(disable or ()), wanted, flash=flash)
    if protect:
        settings = _protected(settings, protect)
    settings = with_settings(settings, set_ or ())
    if "://" in name:  # a URL alone: the demo engine is meant
        name, urls = "demo-engine", (name, *urls)

    def complain(text: str) -> None:
        make_console(stderr=True).print(text, markup=False, style="yellow", soft_wrap=True)

    listen = urls or ("udp://127.0.0.1:5555", "tcp://127.0.0.1:5555")
    ecu = build_ecu(
        name,
        settings,
        seed=seed,
        signals=signals,
        rate_hz=rate,
        nvm=nvm,
        extensions=ExtensionMap.parse(extensions) if extensions else None,
        on_problem=complain,
    )
    ecu.log.told = lambda entry: complain(str(entry))
    with settings_as_options({"limit": "--datagram"}):
        server = EcuServer(ecu, listen, datagram_limit=datagram)
    try:
        if a2l_out is not None:
            a2l_out.write_text(server.ecu.a2l, encoding="utf-8-sig")
        _announce(name, server, as_json=json)
        server.serve_until_signal(duration)
    finally:
        server.close()
    return 0


def _check_run(duration: float | None, nvm: Path | None, a2l_out: Path | None) -> None:
    """Refuse what would fail, or do harm, later on."""
    from xcaliper.core.errors import NotFoundError, UsageError
    from xcaliper.sim.nvm import is_stored

    if duration is not None and not 0 <= duration < _LONGEST_S:
        raise UsageError(f"--duration: {duration} s is not a length of time.")
    for file in (nvm, a2l_out):
        if file is not None and not file.parent.is_dir():
            hint = "Make it first, or correct the path."
            raise NotFoundError(str(file.parent), kind="folder", hint=hint)
    if nvm is not None and nvm.exists() and not (nvm.is_file() and is_stored(nvm)):
        raise UsageError(
            f"--nvm: {nvm} is something else, and would be replaced.",
            hint="Name a file that does not exist, or one that was written by --nvm.",
        )


def _settings(  # one value per option of the shell
    byte_order: str,
    granularity: int,
    max_cto: int,
    max_dto: int,
    id_field: int,
    timestamp_size: int,
    timestamp_unit: str,
) -> SlaveConfig:
    from xcaliper.core.datatypes import ByteOrder
    from xcaliper.core.ticks import TickClock
    from xcaliper.sim.ecu import STORING
    from xcaliper.xcp.slave_config import SlaveConfig

    codes = {"1ns": 0, "1us": 3, "10us": 4, "100us": 5, "1ms": 6}
    return SlaveConfig(
        byte_order=ByteOrder.MOTOROLA if byte_order == "motorola" else ByteOrder.INTEL,
        ag=granularity,
        max_cto=max_cto,
        max_dto=max_dto,
        identification_field=id_field,
        timestamp=TickClock(1, codes[timestamp_unit], timestamp_size),
        granularity_odt_entry=granularity,
        max_odt_entry_size=min(255 * granularity, max_dto // granularity * granularity),
        **STORING,
    )


def _with_options(
    settings: SlaveConfig,
    checksum: str,
    disabled: tuple[str, ...],
    quirks: list[str],
    *,
    flash: bool,
) -> SlaveConfig:
    from dataclasses import replace

    from xcaliper.core.errors import NotFoundError
    from xcaliper.sim.flash import flash_settings
    from xcaliper.xcp.codes import ChecksumType
    from xcaliper.xcp.quirks import quirks_named
    from xcaliper.xcp.table import COMMANDS

    names = tuple(kind.name for kind in ChecksumType if kind is not ChecksumType.XCP_USER_DEFINED)
    if checksum.upper() not in names:
        raise NotFoundError(checksum, kind="checksum", nearest=names)
    for command in disabled:
        if command.upper() not in COMMANDS:
            near = tuple(info.name for info in COMMANDS if command.upper() in info.name)[:5]
            raise NotFoundError(command, kind="command", nearest=near)
    return replace(
        settings,
        checksum=ChecksumType[checksum.upper()],
        program=flash_settings(ag=settings.ag) if flash else None,
        disabled=frozenset(command.upper() for command in disabled),
        quirks=quirks_named(quirks),
    )


def _protected(settings: SlaveConfig, protect: str) -> SlaveConfig:
    from dataclasses import replace
    from functools import reduce
    from operator import or_

    from xcaliper.sim.demo_key import demo_security
    from xcaliper.xcp.codes import Resource
    from xcaliper.xcp.seed_key import resource_named

    mask = reduce(or_, map(resource_named, protect.split(",")))
    return replace(settings, security=demo_security(Resource(mask)))


def _list_quirks(*, as_json: bool) -> int:
    """Print every quirk with its meaning."""
    from xcaliper.cli.shell import print_json, stdout
    from xcaliper.xcp.quirks import ALL_COMPATIBLE, Quirk

    if as_json:
        print_json(
            [
                {
                    "name": one.label,
                    "meaning": one.meaning,
                    "need": one.need,
                    "all_compatible": one in ALL_COMPATIBLE,
                }
                for one in Quirk
            ]
        )
        return 0
    console = stdout()
    for one in Quirk:
        console.print(one.label, style="bold", markup=False, highlight=False)
        console.print(f"  {one.meaning}", markup=False, highlight=False)
    return 0


def _list_settings(*, as_json: bool) -> int:
    """Print every setting that a word can say."""
    from xcaliper.cli.shell import print_json, stdout
    from xcaliper.cli.vecu_settings import known_settings

    if as_json:
        print_json(
            [
                {"name": s.name, "kind": s.kind, "default": s.default, "meaning": s.meaning}
                for s in known_settings().values()
            ]
        )
        return 0
    console = stdout(markup=False)
    for one in known_settings().values():
        kind = f"{one.kind} or none" if one.may_lack else one.kind
        console.print(f"{one.name} ({kind}, {one.default})", style="bold", highlight=False)
        console.print(f"  {one.meaning}", highlight=False)
    return 0


def _list_ecus(*, as_json: bool) -> int:
    """Print every ECU with what it is."""
    from xcaliper.cli.shell import print_json, stdout
    from xcaliper.sim.gallery import NAMES, meaning

    if as_json:
        print_json([{"name": name, "meaning": meaning(name)} for name in NAMES])
        return 0
    console = stdout()
    for name in NAMES:
        console.print(name, style="bold", markup=False, highlight=False)
        console.print(f"  {meaning(name)}", markup=False, highlight=False)
    return 0


def _announce(name: str, server: EcuServer, *, as_json: bool) -> None:
    """Say where it listens and what to do with it, before it begins to serve."""
    from xcaliper.cli.shell import print_json, stdout

    addresses = [str(endpoint) for endpoint in server.endpoints]
    if as_json:
        print_json(
            {"name": name, "urls": addresses, "a2l_bytes": len(server.ecu.a2l.encode("utf-8-sig"))}
        )
        return
    console = stdout()
    console.print(f"{name} listens on {' and '.join(addresses)}", markup=False)
    console.print("In another shell:", style="dim")
    read, measured = _EXAMPLES.get(name, ("cSetA KFA", "'Set*' 'Out*'"))
    for line in (
        f"xcaliper info {addresses[0]}",
        f"xcaliper read {addresses[0]} {read}",
        f"xcaliper measure {addresses[0]} {measured} --duration 5 --out run.mf4",
    ):
        console.print(f"  {line}", markup=False, soft_wrap=True)
    console.print("Ctrl+C ends it.", style="dim")
    console.file.flush()
