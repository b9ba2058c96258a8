"""From objects of the A2L to what planning, decoding and recording need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xcaliper.daq.capabilities import (
    AddressExtensionScope,
    DeclaredDaq,
    EventChannel,
    Overload,
    cycle_ns,
)
from xcaliper.daq.wanted import WantedSignal
from xcaliper.mdf import conversion as mdf
from xcaliper.quantity import compu

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xcaliper.a2l.if_xcp import XcpDescription, XcpEvent
    from xcaliper.quantity.measurement import BoundMeasurement
    from xcaliper.record.description import SignalDescription

__all__ = ["Signal", "declared_daq", "recorded_conversion"]

_OVERLOADS = (Overload.NONE, Overload.MSB, Overload.EVENT)
_SCOPES = {
    0: AddressExtensionScope.FREE,
    1: AddressExtensionScope.ODT,
    3: AddressExtensionScope.DAQ_LIST,
}
_CONSISTENCY = {"ODT": 0, "DAQ": 1, "EVENT": 2, "NONE": 3}


@dataclass(frozen=True, slots=True)
class Signal:
    """A measured quantity: where it lies and how its column reads.

    Attributes:
        bound: the quantity.
    """

    bound: BoundMeasurement

    @property
    def name(self) -> str:
        """Name in the A2L."""
        return self.bound.name

    @property
    def unit(self) -> str:
        """Physical unit."""
        return self.bound.unit

    def wanted(self) -> WantedSignal:
        """What the planner needs to know."""
        bound = self.bound
        return WantedSignal(
            name=bound.name,
            address=bound.address,
            dtype=bound.dtype,
            fixed_event=bound.fixed_event,
            default_event=bound.default_event,
            available_events=bound.available_events,
        )

    def raw(self, column: NDArray[Any]) -> NDArray[Any]:
        """Raw values in native byte order, mask and shift applied."""
        found: NDArray[Any] = self.bound.from_memory(column)
        return found

    def phys(self, column: NDArray[Any]) -> NDArray[Any]:
        """Physical values of a column of memory."""
        found: NDArray[Any] = self.bound.to_phys(self.bound.from_memory(column))
        return found

    def description(self) -> SignalDescription:
        """What the recording needs to know."""
        from xcaliper.record.description import SignalDescription

        bound = self.bound
        rule, note = recorded_conversion(bound.conversion)
        comment = f"{bound.text} ({note})" if note else bound.text
        return SignalDescription(
            name=bound.name,
            unit=bound.unit,
            conversion=rule,
            lower=bound.lower,
            upper=bound.upper,
            comment=comment,
            address=bound.address.value,
            bit_mask=bound.bit_mask,
            bit_shift=bound.bit_shift,
            is_text=bound.is_text,
            encoding=bound.encoding,
            display_name=bound.display_name,
            linker_name=bound.symbol,
        )


def recorded_conversion(rule: compu.Conversion) -> tuple[mdf.Conversion, str]:
    """The rule as MDF4 knows it, and a note where it cannot be said exactly."""
    if isinstance(rule, compu.Verbal):
        return _verbal(rule), ""
    if isinstance(rule, compu.Linear) or (isinstance(rule, compu.Rational) and rule.linear):
        a, b = rule.linear or (1.0, 0.0)
        return mdf.Linear(offset=b, factor=a), ""
    if isinstance(rule, compu.Rational):
        return _rational(rule)
    if isinstance(rule, compu.Interpolation):
        return mdf.TableInterpolated(rule.raws, rule.physs), ""
    if isinstance(rule, compu.Lookup):
        return mdf.TableStep(rule.raws, rule.physs), ""
    if isinstance(rule, compu.FormulaConversion):
        return mdf.Identity(), f"raw values: the formula of {rule.name} is not in the recording"
    return mdf.Identity(), ""


def _rational(rule: compu.Rational) -> tuple[mdf.Conversion, str]:
    a, b, c, d, e, f = rule.coeffs
    if a == d == 0:
        return mdf.Rational(0.0, -f, c, 0.0, e, -b), ""
    return mdf.Identity(), f"raw values: {rule.name} is quadratic and has no rational inverse"


def _verbal(rule: compu.Verbal) -> mdf.Conversion:
    texts = tuple(text for _, _, text in rule.rows)
    lows = tuple(float(low) for low, _, _ in rule.rows)
    highs = tuple(float(high) for _, high, _ in rule.rows)
    if lows == highs:
        return mdf.ValueToText(lows, texts, rule.default or "")
    return mdf.RangeToText(lows, highs, texts, rule.default or "")


def declared_daq(described: XcpDescription | None) -> DeclaredDaq | None:
    """What an A2L says about DAQ; None when it says nothing."""
    if described is None or described.daq is None:
        return None
    daq, layer = described.daq, described.protocol_layer
    stamp = daq.timestamp
    return DeclaredDaq(
        dynamic=daq.config_type == "DYNAMIC",
        max_daq=daq.max_daq,
        min_daq=daq.min_daq,
        max_event_channel=daq.max_event_channel,
        identification_field=daq.identification_field,
        overload=_OVERLOADS[daq.overload] if 0 <= daq.overload < 3 else None,
        timestamp_size=0 if stamp is None else stamp.size,
        timestamp_unit=None if stamp is None else stamp.unit,
        timestamp_ticks=None if stamp is None else stamp.ticks,
        timestamp_fixed=None if stamp is None else stamp.fixed,
        granularity=daq.granularity_daq,
        max_entry_size=daq.max_odt_entry_size_daq or None,
        address_extension=_SCOPES.get(daq.address_extension),
        prescaler=daq.prescaler_supported,
        resume=daq.resume_supported,
        pid_off=daq.pid_off_supported,
        optimisation_type=daq.optimisation,
        write_daq_multiple=(
            "WRITE_DAQ_MULTIPLE" in layer.optional_cmds if layer and layer.optional_cmds else None
        ),
        max_dto=layer.max_dto if layer else None,
        ag=layer.address_granularity if layer else None,
        byte_order=layer.byte_order if layer else None,
        events=tuple(_event(event) for event in daq.events),
    )


def _event(event: XcpEvent) -> EventChannel:
    return EventChannel(
        number=event.channel,
        name=event.name,
        cycle_ns=cycle_ns(event.time_cycle, event.time_unit),
        max_daq_list=None if event.max_daq_list == 0xFF else event.max_daq_list,
        priority=event.priority,
        daq="DAQ" in event.direction,
        stim="STIM" in event.direction,
        consistency=_CONSISTENCY.get(event.consistency or "", 0),
    )


def plain(value: Any) -> Any:
    """A numpy scalar as a Python value, everything else as it is."""
    return value.item() if isinstance(value, np.generic) else value
