"""From objects of the A2L to what planning, decoding and recording need."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.a2l.if_xcp import XcpOnCan, XcpOnTcpIp, XcpOnUdpIp
from xcaliper.core.address import Address
from xcaliper.daq.capabilities import (
    AddressExtensionScope,
    EventChannel,
    ListCanId,
    Overload,
    StaticList,
)
from xcaliper.daq.link_load import LinkModel
from xcaliper.daq.merge import DeclaredDaq, cycle_ns
from xcaliper.daq.resources import EventLoad, ResourceModel, Totals
from xcaliper.daq.wanted import WantedSignal
from xcaliper.mdf import conversion as mdf
from xcaliper.quantity import compu
from xcaliper.quantity.axis import AxisPoints
from xcaliper.quantity.characteristic import BoundCharacteristic, RawCharacteristic
from xcaliper.quantity.measurement import BoundMeasurement
from xcaliper.quantity.memory_values import from_bytes
from xcaliper.xcp.daq_lists import OdtEntry, OdtSetup

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from xcaliper.a2l.if_xcp import XcpDaq, XcpDaqList, XcpDescription, XcpEvent
    from xcaliper.core.datatypes import DataType
    from xcaliper.quantity.catalog import Bound, Catalog
    from xcaliper.quantity.memory_values import Read
    from xcaliper.quantity.window import Window
    from xcaliper.record.description import SignalDescription

__all__ = ["Signal", "declared_daq", "described_xcp", "recorded_conversion"]

_OVERLOADS = (Overload.NONE, Overload.MSB, Overload.EVENT)
_SCOPES = {
    0: AddressExtensionScope.FREE,
    1: AddressExtensionScope.ODT,
    3: AddressExtensionScope.DAQ_LIST,
}
#: Bit 31 of a CAN identifier: it has 29 bits (ASAP2, IF_DATA XCP XCP_ON_CAN).
_EXTENDED: Final = 1 << 31
#: Mbit/s of a network whose speed (MAX_BIT_RATE) is not told.
_USUAL_MBIT: Final = 100
_CONSISTENCY = {"ODT": 0, "DAQ": 1, "EVENT": 2, "NONE": 3}
#: Numbers, words and operators that ASAP2 and MDF4 formulas read alike; ^ is a xor in one of them.
_FORMULA_PART: Final = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[A-Za-z_]\w*|[-+*/()]|\s+")
_SAME_FUNCTIONS: Final = frozenset({"sin", "cos", "tan", "exp", "sqrt", "abs"})


@dataclass(frozen=True, slots=True)
class Signal:
    """A measured quantity: where it lies and how its column reads.

    Attributes:
        bound: the quantity.
        window: where the values of a curve, map or axis are; None for everything else.
        renamed: name in the measurement where it is not that of the A2L.
    """

    bound: BoundMeasurement | BoundCharacteristic | AxisPoints
    window: Window | None = None
    renamed: str = ""

    @classmethod
    def of(cls, bound: Bound, read: Read | None) -> Signal:
        """The signal of a bound quantity; of tables and axes the values as they lie in memory now.

        Args:
            bound: the quantity, at its place.
            read: gives memory; None = no ECU is asked.

        Raises:
            UsageError: its values are not in one piece.
        """
        if isinstance(bound, BoundMeasurement) or (
            isinstance(bound, BoundCharacteristic) and not bound.axes
        ):
            return cls(bound)
        return cls(bound, bound.window(read))

    @property
    def name(self) -> str:
        """Name in the measurement."""
        return self.renamed or self.bound.name

    @property
    def unit(self) -> str:
        """Physical unit."""
        return self.bound.unit

    @property
    def is_text(self) -> bool:
        """True for strings."""
        return isinstance(self.bound, BoundCharacteristic) and self.bound.type == "ASCII"

    @property
    def _datatype(self) -> DataType:
        if self.window is not None:
            return self.window.datatype
        assert not isinstance(self.bound, AxisPoints), "an axis has a window"
        return self.bound.datatype

    @property
    def _is_plain_text(self) -> bool:
        """One byte per character: numpy and MDF4 have a type for it."""
        return self.is_text and self._datatype.size_bytes == 1

    @property
    def _shape(self) -> tuple[int, ...]:
        """Shape of one sample, in the order of memory."""
        return self.window.memory_shape if self.window is not None else self.bound.shape

    @property
    def _address(self) -> Address:
        """Address of the first value, which other parts of a record may precede."""
        bound = self.bound
        if self.window is not None:
            return self.window.address
        return bound.value_address if isinstance(bound, BoundCharacteristic) else bound.address

    def wanted(self) -> WantedSignal:
        """What the planner needs to know."""
        bound, shape = self.bound, self._shape
        events = bits = None
        if not isinstance(bound, AxisPoints):
            events, bits = bound.events, bound.bits
        element = self._datatype.dtype(bound.byte_order)
        if self._is_plain_text:
            dtype = np.dtype(f"S{prod(shape)}")
        else:
            dtype = np.dtype((element, shape)) if shape else element
        fixed = events.fixed if events else ()
        default = events.default if events else ()
        return WantedSignal(
            name=bound.name,
            address=self._address,
            dtype=dtype,
            fixed_event=fixed[0] if len(fixed) == 1 else None,
            default_event=default[0] if default else None,
            available_events=fixed or (events.available if events else ()),
            bit=_one_bit(bits.mask) if bits else None,
        )

    def _memory(self, column: NDArray[Any]) -> NDArray[Any]:
        """Elements in native byte order, array[n] or array[n, count]."""
        bound = self.bound
        if bound.byte_order.is_mixed:
            flat = from_bytes(column.tobytes(), self._datatype, bound.byte_order)
        else:
            flat = column.astype(column.dtype.newbyteorder("="), copy=False)
        return flat.reshape(len(column), -1) if self._shape else flat.reshape(len(column))

    def raw(self, column: NDArray[Any]) -> NDArray[Any]:
        """Raw values in native byte order, mask and shift applied; array[n, *shape]."""
        if self._is_plain_text:
            return column
        memory, bound = self._memory(column), self.bound
        if self.window is not None:
            bits = None if isinstance(bound, AxisPoints) else bound.bits
            values = bits.take(memory, self._datatype) if bits else memory
            return self.window.arrange(values)
        assert not isinstance(bound, AxisPoints), "an axis has a window"
        return bound.arrange(memory)

    def phys(self, column: NDArray[Any]) -> NDArray[Any]:
        """Physical values of a column; texts as an object array[n]."""
        raw, bound = self.raw(column), self.bound
        if isinstance(bound, BoundMeasurement):
            return bound.to_phys(raw)
        if isinstance(bound, BoundCharacteristic) and self.is_text:
            rows = raw
            if self._is_plain_text:
                rows = np.frombuffer(raw.tobytes(), np.uint8).reshape(len(raw), raw.dtype.itemsize)
            texts = [bound.to_phys(RawCharacteristic(row)).values for row in rows]
            found = np.empty(len(texts), dtype=object)
            found[:] = texts
            return found
        return bound.conversion.to_phys(raw)

    def description(self) -> SignalDescription:
        """What the recording needs to know."""
        from xcaliper.record.description import SignalDescription

        bound = self.bound
        rule, note = recorded_conversion(bound.conversion)
        if bound.byte_order.is_mixed:
            note = "16-bit words are swapped, which MDF4 cannot say"
        if self.window is not None and not self.window.is_plain:
            note = "; ".join(filter(None, (note, "in the order of memory")))
        bits = None if isinstance(bound, AxisPoints) else bound.bits
        return SignalDescription(
            name=self.name,
            unit=bound.unit if rule != mdf.Identity() or not note else "",  # raw has another unit
            conversion=rule,
            lower=bound.lower,
            upper=bound.upper,
            comment=f"{bound.description} ({note})" if note else bound.description,
            address=self._address.value,
            bit_mask=bits.mask if bits else None,
            bit_shift=bits.shift if bits else None,
            sign_extend=bits.sign_extend if bits else False,
            is_text=self.is_text,
            calibration=not isinstance(bound, BoundMeasurement),
        )


def _one_bit(mask: int) -> int | None:
    """The number of the only bit of a mask, None for other masks."""
    return mask.bit_length() - 1 if mask.bit_count() == 1 and mask < 1 << 32 else None


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
        return _formula(rule)
    return mdf.Identity(), ""


def _formula(rule: compu.FormulaConversion) -> tuple[mdf.Conversion, str]:
    """The formula with MDF4's name of the variable, where both languages mean the same."""
    text = rule.formula.text if rule.formula is not None else ""
    parts = _FORMULA_PART.findall(text)
    words = {part for part in parts if part[0].isalpha()} - _SAME_FUNCTIONS
    if 0 < len(text) == sum(map(len, parts)) and words <= {"X", "X1"}:
        # Some readers compute with the type of the raw value, which may overflow.
        formula = "".join("(X*1.0)" if part in words else part for part in parts)
        if len(formula) <= mdf.MAX_FORMULA:
            return mdf.Algebraic(formula), ""
    return mdf.Identity(), f"raw values: the formula of {rule.name} is not in the recording"


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
        return mdf.ValueToText(lows, texts, rule.default)
    return mdf.RangeToText(lows, highs, texts, rule.default)


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
        optimisation_strict=daq.optimisation_strict,
        bit_stim=daq.stim.bit_stim if daq.stim else None,
        granularity_stim=daq.stim.granularity if daq.stim else None,
        max_entry_size_stim=(daq.stim.max_odt_entry_size or None) if daq.stim else None,
        max_dto_stim=layer.max_dto_stim if layer else None,
        dto_ctr=daq.dto_ctr_field_supported,
        alternating_event=daq.alternating_event,
        lists=tuple(_static_list(one, daq) for one in daq.daq_lists),
        can_ids=_can_ids(described),
        resources=_resources(daq),
        link=_link(described),
    )


def described_xcp(catalog: Catalog | None, link_name: str) -> XcpDescription | None:
    """What a description says about XCP on the transport that a link is; None when it says nothing.

    Args:
        catalog: of the description; None = there is none.
        link_name: such as ``udp://127.0.0.1:5555``.
    """
    xcp = catalog.xcp if catalog is not None else None
    return xcp.merged(xcp.transport_at(link_name)) if xcp is not None else None


def _link(described: XcpDescription) -> LinkModel | None:
    """What the chosen transport is, and how fast; None when that is not known."""
    transport = next(iter(described.transports), None)
    if isinstance(transport, XcpOnCan) and transport.baudrate:
        return LinkModel(
            "canfd" if transport.can_fd else "can",
            transport.baudrate,
            transport.can_fd_data_transfer_baudrate or 0,
            extended=bool((transport.can_id_slave or 0) & _EXTENDED),
            max_load=_percent(transport.max_bus_load),
        )
    if isinstance(transport, XcpOnTcpIp | XcpOnUdpIp):
        told = transport.max_bit_rate or 0
        return LinkModel(
            "ethernet",
            (told or _USUAL_MBIT) * 1e6,
            max_load=_percent(transport.max_bus_load) if told else None,
            is_assumed=not told,
        )
    return None


def _percent(told: int | None) -> float | None:
    """MAX_BUS_LOAD where it is a part of a link; older files have bit/s there."""
    return float(told) if told is not None and 0 < told <= 100 else None


def _can_ids(described: XcpDescription) -> Mapping[int, ListCanId]:
    """List → its identifier, of the chosen transport."""
    transport = next(iter(described.transports), None)
    found = getattr(transport, "daq_list_can_ids", ())
    return {number: ListCanId(can_id) for number, can_id in found}


def _static_list(one: XcpDaqList, daq: XcpDaq) -> StaticList:
    odts = tuple(
        OdtSetup(
            tuple(
                OdtEntry(Address(entry.address, entry.extension), entry.size, entry.bit_offset)
                for entry in sorted(odt.entries, key=lambda entry: entry.number)
            )
        )
        for odt in sorted(one.predefined, key=lambda odt: odt.number)
    )
    return StaticList(
        number=one.number,
        max_odt=one.max_odt,
        max_odt_entries=one.max_odt_entries,
        daq="DAQ" in one.direction,
        stim="STIM" in one.direction,
        event=one.event_fixed,
        is_predefined=bool(odts) or one.number < daq.min_daq,
        odts=odts,
        packs=one.packed_mode_supported,
    )


def _resources(daq: XcpDaq) -> ResourceModel:
    totals = Totals(
        daq=daq.max_daq_total,
        odt=daq.max_odt_total,
        odt_daq=daq.max_odt_daq_total,
        odt_stim=daq.max_odt_stim_total,
        entries=daq.max_odt_entries_total,
        entries_daq=daq.max_odt_entries_daq_total,
        entries_stim=daq.max_odt_entries_stim_total,
    )
    loads = {
        event.channel: EventLoad(
            limit=event.cpu_load_max,
            daq=event.cpu_load_daq,
            stim=event.cpu_load_stim,
            queue=event.cpu_load_queue,
            queue_stim=event.cpu_load_queue_stim,
            reserve=event.buffer_reserve,
        )
        for event in daq.events
    }
    return ResourceModel(
        totals=totals,
        memory=daq.memory_consumption,
        cpu_load_max=daq.cpu_load_max_total,
        core_load_max_total=daq.core_load_max_total,
        core_load_max=daq.core_load_max,
        events={number: load for number, load in loads.items() if load != EventLoad()},
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
        packs=event.packed_mode is not None,
        packed_mode=event.packed_mode,
    )
