"""A slave that executes DAQ lists entry by entry, and what it may refuse about a plan.

Written from the standard's text with no cleverness and no code of the planner: it is the oracle of
planning and decoding.
"""

from __future__ import annotations

import struct
from collections import Counter

from xcaliper.daq import AddressExtensionScope, Optimisation

MEMORY_BYTES = 2048
MARGIN = 320
BASE = 0x1000
CODES = {
    "u1": "B",
    "i1": "b",
    "u2": "H",
    "i2": "h",
    "u4": "I",
    "i4": "i",
    "u8": "Q",
    "i8": "q",
    "f4": "f",
    "f8": "d",
}


class NaiveSlave:
    """Memory, and the DTOs that lists make of it."""

    def __init__(self, plan, caps, first_pids):
        self.plan, self.caps, self.first_pids = plan, caps, first_pids
        self.order = "big" if caps.byte_order.mark == ">" else "little"

    def memory(self, rng):
        """A random state of the whole memory."""
        return {extension: rng.randbytes(MEMORY_BYTES + MARGIN) for extension in range(3)}

    def peek(self, memory, extension, first, size):
        start = first - BASE
        assert start >= 0
        assert start + size <= MEMORY_BYTES + MARGIN
        return memory[extension][start : start + size]

    def header(self, setup, odt, counter, ticks):
        """Identification field, counter and timestamp (XCP Base, DTO, 1.0 and 1.3)."""
        kind, number = self.caps.identification_field, setup.daq_list.to_bytes(2, self.order)
        first = odt == 0
        mark = bytes([counter % 256]) if setup.dto_ctr and first else b""
        if setup.pid_off:
            head = mark
        elif kind == 0:
            head = bytes([self.first_pids[setup.daq_list] + odt]) + mark
        elif kind == 1:
            head = bytes([odt, setup.daq_list]) + mark
        elif kind == 2:
            head = bytes([odt]) + number + mark
        else:
            head = bytes([odt]) + (mark or b"\xaa") + number
        if setup.timestamp and first:
            size = self.caps.clock.size_bytes
            head += (ticks % (1 << 8 * size)).to_bytes(size, self.order)
        return head

    def dtos(self, setup, memories, ticks=0, counter=0, padding=0):
        """DTOs of one set: the samples of so many states of the memory."""
        found = []
        for number, odt in enumerate(setup.odts):
            samples = [
                [
                    self.peek(
                        m,
                        e.address.extension,
                        e.address.value * self.caps.ag,
                        e.size * self.caps.ag,
                    )
                    for e in odt.entries
                ]
                for m in memories
            ]
            if setup.packed and setup.packed.mode == 1:
                samples = zip(*samples, strict=True)
            data = b"".join(part for group in samples for part in group)
            dto = self.header(setup, number, counter, ticks) + data
            assert len(dto) <= self.caps.max_dto
            found.append(dto + b"\x55" * padding)
        return found

    def truth(self, memory, signal):
        """Values of a signal, one by one."""
        first = signal.address.value * self.caps.ag
        data = self.peek(memory, signal.address.extension, first, signal.size_bytes)
        return values(data, signal.dtype)


def values(data, dtype):
    """Elements of a signal as Python values; floats as their bits, so that NaN equals itself."""
    code = CODES[dtype.base.str[1:]]
    mark = ">" if dtype.base.str[0] == ">" else "<"
    count = len(data) // dtype.base.itemsize
    if code in "fd":
        code = {"f": "I", "d": "Q"}[code]
    return struct.unpack(f"{mark}{count}{code}", data)


# ------------------------------------------------------------------------------------- limits


def row_map(setup, ag):
    """(extension, byte address, BIT_OFFSET) of every byte of a row."""
    return [
        (entry.address.extension, entry.address.value * ag + byte, entry.bit_offset)
        for odt in setup.odts
        for entry in odt.entries
        for byte in range(entry.size * ag)
    ]


def _natural(size):
    """Width of the elements that an entry of this length has, up to 8 bytes."""
    return min(size & -size, 8)


def check_entry(entry, caps, *, stim):
    ag = caps.ag
    grain = caps.granularity_stim if stim else caps.granularity
    most = caps.max_entry_size_stim if stim else caps.max_entry_size
    assert 1 <= entry.size <= most
    assert entry.size * ag % grain == 0
    assert entry.address.value * ag % grain == 0
    if entry.bit_offset != 0xFF:
        assert stim
        assert caps.bit_stim
        assert entry.size * ag == grain
        assert 0 <= entry.bit_offset <= 31


def check_rule(odt, caps, *, stim):
    """OPTIMISATION_TYPE (XCP Base, DAQ_KEY_BYTE, 1.0)."""
    rule = caps.optimisation
    grain = caps.granularity_stim if stim else caps.granularity
    most = (caps.max_entry_size_stim if stim else caps.max_entry_size) * caps.ag
    sizes = [entry.size * caps.ag for entry in odt.entries]
    addresses = [entry.address.value * caps.ag for entry in odt.entries]
    if rule is Optimisation.MAX_ENTRY_SIZE:
        assert set(sizes) == {most}
    elif rule is Optimisation.ODT_TYPE_ALIGNMENT:
        steps = [_natural(size) for size in sizes]
        assert steps == sorted(steps, reverse=True)
        assert all(at % step == 0 for at, step in zip(addresses, steps, strict=True))
    elif rule.is_strict:
        widest = max(rule.odt_type, grain)
        if any(n % widest for n in sizes + addresses):
            assert len(set(sizes)) == 1
            assert grain <= sizes[0] <= widest
            assert all(at % sizes[0] == 0 for at in addresses)


def check_limits(plan, caps):
    """Everything that a slave may refuse."""
    odts_total, stim_odts = 0, 0
    fixed = {one.number: one for one in caps.lists}
    for setup in plan.lists:
        head = plan.stim_format if setup.stim else plan.dto_format
        most = 192 if setup.stim else (124 if caps.overload.value == "msb" else 252)
        largest = (setup.stim and caps.max_dto_stim) or caps.max_dto
        samples = setup.packed.sample_count if setup.packed else 1
        odts_total += len(setup.odts)
        stim_odts += len(setup.odts) * setup.stim
        assert 1 <= len(setup.odts) <= most
        assert not setup.stim or setup.prescaler == 1
        assert not (setup.alternating and setup.timestamp)
        if setup.pid_off:
            assert caps.identification_field == 0
            assert len(setup.odts) == 1
            assert setup.can_id is not None
        extensions = set()
        for number, odt in enumerate(setup.odts):
            header = head.header_size if number else head.first_header_size
            data = sum(entry.size for entry in odt.entries) * caps.ag
            assert 1 <= len(odt.entries) <= 255
            assert header + data * samples <= largest
            inside = {entry.address.extension for entry in odt.entries}
            extensions |= inside
            if setup.kind.value == "predefined":
                continue
            if caps.address_extension is AddressExtensionScope.ODT:
                assert len(inside) == 1
            for entry in odt.entries:
                check_entry(entry, caps, stim=setup.stim)
            check_rule(odt, caps, stim=setup.stim)
        if caps.address_extension is AddressExtensionScope.DAQ_LIST:
            assert len(extensions) == 1 or setup.kind.value == "predefined"
        check_list(setup, fixed, caps)
        event = caps.event(setup.event_channel)
        assert event.stim if setup.stim else event.daq
    check_numbers(plan, caps, odts_total, stim_odts)


def check_list(setup, fixed, caps):
    """A static or predefined list is used as the slave made it."""
    one = fixed.get(setup.daq_list)
    if setup.kind.value == "dynamic":
        assert caps.dynamic
        assert setup.daq_list >= caps.min_daq
        return
    assert one.event in (None, setup.event_channel)
    assert one.stim if setup.stim else one.daq
    assert setup.capacity == (one.max_odt, one.max_odt_entries)
    if setup.kind.value == "predefined":
        assert setup.odts == one.odts
    else:
        assert not one.is_predefined
        assert len(setup.odts) <= one.max_odt
        assert all(len(odt.entries) <= one.max_odt_entries for odt in setup.odts)


def check_numbers(plan, caps, odts_total, stim_odts):
    if plan.dto_format.identification_field == 0 and caps.dynamic and not plan.dto_format.pid_off:
        made = [setup for setup in plan.lists if setup.kind.value == "dynamic"]
        assert sum(len(setup.odts) for setup in made) <= caps.max_odts
        assert stim_odts <= 192
    numbers = [setup.daq_list for setup in plan.lists]
    assert len(set(numbers)) == len(numbers)
    made = sorted(s.daq_list for s in plan.lists if s.kind.value == "dynamic")
    assert made == list(range(caps.min_daq, caps.min_daq + len(made)))
    bound = {one.number: one.event for one in caps.lists if one.event is not None}
    chosen = Counter(s.event_channel for s in plan.lists if s.daq_list not in bound)
    for number, count in chosen.items():  # lists of a fixed event have their place already
        most = caps.event(number).max_daq_list
        assert most is None or count + list(bound.values()).count(number) <= most
    if plan.dto_format.pid_off:
        ids = [setup.can_id for setup in plan.lists if setup.pid_off]
        assert len(set(ids)) == len(ids)
    totals = caps.resources.totals
    entries = sum(len(odt.entries) for setup in plan.lists for odt in setup.odts)
    assert totals.odt is None or odts_total <= totals.odt
    assert totals.entries is None or entries <= totals.entries
    assert totals.daq is None or len(plan.lists) <= totals.daq


def check_rows(plan, caps, wanted):
    """Every signal's bytes once in its list and contiguous; STIM writes nothing else."""
    by_name = {signal.name: signal for signal in wanted.signals}
    for raster, setup in zip((*plan.rasters, *plan.stim_rasters), plan.lists, strict=True):
        places = row_map(setup, caps.ag)
        assert len(places) == raster.dtype.itemsize == sum(raster.odt_sizes)
        for name in raster.signals:
            signal, at = by_name[name], raster.dtype.fields[name][1]
            first = signal.address.value * caps.ag
            if signal.stim and signal.bit is not None:
                grain = caps.granularity_stim
                assert places[at] == (signal.address.extension, first, signal.bit)
                assert raster.dtype.fields[name][0].itemsize == grain
                continue
            expected = [
                (signal.address.extension, first + byte, 0xFF) for byte in range(signal.size_bytes)
            ]
            assert places[at : at + signal.size_bytes] == expected
        if setup.kind.value != "predefined":
            kept = places[raster.filler_bytes :]
            assert len(set(kept)) == len(kept)
        if setup.stim:
            touched = {place for place in places if place[2] == 0xFF}
            allowed = {
                (s.address.extension, s.address.value * caps.ag + byte, 0xFF)
                for s in (by_name[name] for name in raster.signals)
                if s.bit is None
                for byte in range(s.size_bytes)
            }
            assert touched == allowed
