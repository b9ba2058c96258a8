"""The description of a virtual ECU with quirks: other addresses, unusual ways to say things."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from xcaliper.a2l import write
from xcaliper.a2l.if_xcp import XcpDaqEvent, write_daq_event
from xcaliper.a2l.keywords import group as kw_group
from xcaliper.a2l.keywords import layout as kw_layout
from xcaliper.a2l.keywords.characteristic import Characteristic
from xcaliper.sim.describe import describe_tree
from xcaliper.sim.items import BitField
from xcaliper.sim.quirky_memory import MIRROR_EXTENSION, run_shift
from xcaliper.xcp.quirk_rules import DYNAMIC_EXTENSION
from xcaliper.xcp.quirks import Quirk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcaliper.a2l.keywords.measurement import Measurement
    from xcaliper.a2l.keywords.project import Module
    from xcaliper.sim.declare import EcuDeclaration
    from xcaliper.sim.image import EcuImage
    from xcaliper.sim.xcp_section import Endpoint
    from xcaliper.xcp.slave_config import SlaveConfig

__all__ = ["describe_quirky"]

_INCLUDE: Final = '/include "XCP_104.aml"'
_A2ML: Final = re.compile(r"/begin A2ML.*?/end A2ML", re.DOTALL)
_FOREIGN: Final = " (gemäß Prüfstand, 測定値, ±½ Ω)"


def describe_quirky(
    image: EcuImage, config: SlaveConfig, endpoints: tuple[Endpoint, ...] = (), run: int = 0
) -> str:
    """The A2L text of an ECU with the quirks of its settings.

    Args:
        image: where everything lies.
        config: settings of its slave.
        endpoints: where it can be reached.
        run: number of the power-up, from 0.
    """
    tree = describe_tree(image, config, endpoints)
    assert tree.project is not None, "describe_tree() makes one"
    (module,) = tree.project.module
    _move(module, image.declaration, config, run)
    if Quirk.UNUSUAL_A2L not in config.quirks:
        return write(tree)
    _make_blocks(module)
    _round_limits(module)
    _speak_otherwise(module)
    return _A2ML.sub(_INCLUDE, write(tree), count=1)


# -- addresses ------------------------------------------------------------------------------------


def _measured(module: Module) -> Iterator[tuple[Any, str]]:
    """Objects in RAM, with the attribute that holds their address."""
    for measurement in module.measurement:
        yield measurement, "ecu_address"
    for characteristic in module.characteristic:
        if characteristic.if_data:  # a text to measure
            yield characteristic, "address"
    for instance in module.instance:
        yield instance, "address"


def _move(module: Module, declaration: EcuDeclaration, config: SlaveConfig, run: int) -> None:
    channels = {event.name: event.channel for event in declaration.events}
    shift = run_shift(config, run)
    for number, (made, attribute) in enumerate(_measured(module)):
        address = getattr(made, attribute)
        if Quirk.EVENT_IN_ADDRESS in config.quirks:
            item = declaration[made.name]
            holder: Any = declaration[item.of] if isinstance(item, BitField) else item
            channel = channels[holder.event]
            made.ecu_address_extension = DYNAMIC_EXTENSION
            made.if_data = [write_daq_event(XcpDaqEvent(fixed=(channel,)))]
            setattr(made, attribute, channel << 16 | address - declaration.ram_address)
            continue
        setattr(made, attribute, address + shift)
        if Quirk.MIXED_EXTENSIONS in config.quirks and number % 2:
            made.ecu_address_extension = MIRROR_EXTENSION


# -- unusual ways to say things -------------------------------------------------------------------


def _make_blocks(module: Module) -> None:
    """Arrays to measure become CHARACTERISTICs of type VAL_BLK."""
    arrays = [one for one in module.measurement if one.matrix_dim]
    module.measurement = [one for one in module.measurement if not one.matrix_dim]
    layouts: set[str] = set()
    for one in arrays:
        name = f"RL_measured_{one.datatype}"
        if name not in layouts:
            layouts.add(name)
            values = kw_layout.FncValues(1, one.datatype, "ROW_DIR", "DIRECT")
            module.record_layout.append(kw_layout.RecordLayout(name, fnc_values=values))
        module.characteristic.append(_block(one, name))
    moved = {one.name for one in arrays}
    for group in module.group:
        _regroup(group, moved)


def _block(one: Measurement, layout: str) -> Characteristic:
    assert one.ecu_address is not None, "every measurement has a place"
    return Characteristic(
        one.name,
        one.long_identifier,
        "VAL_BLK",
        one.ecu_address,
        layout,
        0.0,
        one.conversion,
        one.lower_limit,
        one.upper_limit,
        ecu_address_extension=one.ecu_address_extension,
        matrix_dim=one.matrix_dim,
        if_data=one.if_data,
    )


def _regroup(group: kw_group.Group, moved: set[str]) -> None:
    held = group.ref_measurement
    gone = [name for name in held.names if name in moved] if held else []
    if held is None or not gone:
        return
    left = [name for name in held.names if name not in moved]
    group.ref_measurement = kw_group.RefMeasurement(left) if left else None
    before = group.ref_characteristic.names if group.ref_characteristic else []
    group.ref_characteristic = kw_group.RefCharacteristic([*before, *gone])


def _round_limits(module: Module) -> None:
    """Six digits, as many generators write them: the upper limit may exceed the type."""
    limited: list[Any] = [*module.measurement, *module.characteristic]
    for one in limited:
        one.lower_limit = float(f"{one.lower_limit:.6g}")
        one.upper_limit = float(f"{one.upper_limit:.6g}")


def _speak_otherwise(module: Module) -> None:
    for one in module.measurement:
        one.long_identifier += _FOREIGN
