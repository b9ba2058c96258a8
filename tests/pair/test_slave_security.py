"""What a locked slave refuses, packet by packet, and that nothing shows memory that is locked."""

from __future__ import annotations

import pytest

from pair.link import EVENTS, RAM, ROM, SEGMENT, SEGMENT_SIZE, PagedMemory, config
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.errors import NotFoundError, SettingsError
from xcaliper.xcp.codes import Resource
from xcaliper.xcp.daq_lists import OdtEntry
from xcaliper.xcp.seed_key import each_resource, resource_name, resource_named
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_config import EventConfig, FixedList
from xcaliper.xcp.slave_security import SecuritySettings

CAL, DAQ, STIM, PGM, DBG = map(resource_named, ("cal", "daq", "stim", "pgm", "dbg"))
LOCKED = "fe25"
BOTH_WAYS = (*EVENTS[:2], EventConfig(2, "bypass", stim=True))


def reverse(_: Resource, seed: bytes) -> bytes:
    return seed[::-1]


def made(*, events=EVENTS, fixed_lists=(), dynamic=True, max_cto=64, **security) -> SlaveMachine:
    security = {"key": reverse, "seed_bytes": 4, "seeds": lambda n: bytes(range(n))} | security
    settings = config(
        max_cto=max_cto,
        events=events,
        fixed_lists=fixed_lists,
        dynamic=dynamic,
        security=SecuritySettings(**security),
    )
    slave = SlaveMachine(settings, PagedMemory())
    say(slave, "ff00")
    return slave


def say(slave: SlaveMachine, text: str) -> str:
    slave.receive(bytes.fromhex(text.replace(" ", "")), 0)
    return " ".join(packet.hex() for packet in slave.outgoing())


def open_up(slave: SlaveMachine, resource: Resource) -> None:
    assert say(slave, f"f800{resource:02x}") == "ff0400010203"
    assert say(slave, "f704 03020100").startswith("ff")


def test_names_of_resources() -> None:
    assert [resource_named(n) for n in ("CAL/PAG", "pag", " Daq ")] == [CAL, CAL, DAQ]
    with pytest.raises(NotFoundError, match="Resources are cal, daq"):
        resource_named("flash")
    assert resource_name(CAL | PGM) == "cal, pgm"
    assert resource_name(0) == "nothing"
    assert list(each_resource(0x3E)) == [DAQ, STIM, PGM, DBG]


@pytest.mark.parametrize(
    "wrong", [{"seed_bytes": 0}, {"seed_bytes": 256}, {"attempts": -1}, {"lockout_ns": -1}]
)
def test_settings_that_cannot_be(wrong: dict) -> None:
    with pytest.raises(SettingsError):
        SecuritySettings(**wrong)


@pytest.mark.parametrize("seed", [b"", bytes(256)])
def test_a_source_of_seeds_must_give_some(seed: bytes) -> None:
    slave = made(protected=CAL, seeds=lambda _: seed)
    assert say(slave, "f80001") == "fe33"
    assert say(slave, "f701 00") == "fe29"


def test_seeds_are_fresh_and_their_own() -> None:
    slave = SlaveMachine(
        config(security=SecuritySettings(protected=Resource(CAL | DAQ), key=reverse)), PagedMemory()
    )
    say(slave, "ff00")
    first = say(slave, "f80001")
    assert len(bytes.fromhex(first)) == 10
    assert say(slave, "f80001") == first  # the same question again, before any key
    assert say(slave, "f80004") != first
    assert say(slave, "f80001") != first


def test_get_seed_takes_one_resource_and_two_modes() -> None:
    slave = made(protected=Resource(CAL | DAQ), max_cto=8, seed_bytes=9)
    for mask in (0x00, 0x02, 0x05, 0x40, 0x80, 0xFF):
        assert say(slave, f"f800{mask:02x}") == "fe22"
    assert say(slave, "f80201") == "fe22"
    assert say(slave, "f80101") == "fe29"  # further parts of nothing
    assert say(slave, "f80010") == "ff00"  # not locked
    assert say(slave, "f80100") == "fe29"
    assert say(slave, "f80001") == "ff09000102030405"
    assert say(slave, "f80100") == "ff03060708"
    assert say(slave, "f80100") == "fe29"


def test_unlock_in_any_other_order_is_refused() -> None:
    slave = made(protected=Resource(CAL), max_cto=8, seed_bytes=9)
    assert say(slave, "f704 03020100") == "fe29"  # no seed
    say(slave, "f80001")
    assert say(slave, "f709 080706050403") == "fe29"  # half a seed
    for wrong_part in ("f704 020100", "f702 0201", "f7ff 020100", "f709 020100"):
        say(slave, "f80001")
        say(slave, "f80100")
        assert say(slave, "f709 080706050403") == "ff01"
        assert say(slave, wrong_part) == "fe29"
    for empty in ("f700 08", "f709"):
        say(slave, "f80001")
        say(slave, "f80100")
        assert say(slave, empty) in ("fe29", "fe21")
    say(slave, "f80001")
    say(slave, "f80100")
    assert say(slave, "f709 080706050403") == "ff01"
    assert say(slave, "f709 080706050403") == "ff01"  # came twice
    assert say(slave, "f703 020100") == "ff00"
    assert say(slave, "f703 020100") == "ff00"  # its answer was lost
    assert say(slave, "fd")[:6] == "ff0000"
    assert say(slave, "f703 020100") == "fe29"


def test_a_key_of_another_length_is_a_wrong_key() -> None:
    for text in ("f703 030201", "f705 0302010000", "f701 03"):
        slave = made(protected=CAL)
        say(slave, "f80001")
        assert say(slave, text) == LOCKED
        assert not slave.connected
        assert [event.kind for event in slave.events()] == ["connected", "disconnected"]


def test_each_group_needs_its_resource() -> None:
    slave = made(protected=Resource(CAL))
    for text in ("ed01000000000020 aa", "f00100", "ee", "eb030000", "e9", "e400010000"):
        assert say(slave, text) == LOCKED, text
    assert say(slave, "d6") == "ff"
    assert say(slave, f"f401 0000 {RAM.value.to_bytes(4, 'little').hex()}") == "ff00"
    open_up(slave, CAL)
    assert say(slave, "e9")[:4] == "ff02"


def test_storing_needs_the_resource_of_what_is_stored() -> None:
    for mask, mode in (
        (CAL, 0x01),
        (DAQ, 0x02),
        (DAQ, 0x04),
        (DAQ, 0x08),
        (CAL, 0x05),
        (DAQ, 0x05),
    ):
        slave = made(protected=Resource(mask))
        info = slave_info(slave, "SET_REQUEST")
        refuses = slave.state.security.refuses
        assert refuses(info, bytes((0xF9, mode, 0, 0))) == bytes.fromhex(LOCKED)
        assert refuses(info, bytes((0xF9, 0, 0, 0))) is None
        assert refuses(info, b"\xf9") is None
        open_up(slave, mask)
        assert refuses(info, bytes((0xF9, mode, 0, 0))) is None
    slave = made(protected=Resource(DAQ))
    assert slave.state.security.refuses(slave_info(slave, "SET_REQUEST"), b"\xf9\x01\0\0") is None


def slave_info(slave: SlaveMachine, name: str):
    from xcaliper.xcp.table import COMMANDS

    return COMMANDS[name]


# -- directions -----------------------------------------------------------------------------------


def test_without_stimulation_the_daq_lock_closes_every_daq_command() -> None:
    slave = made(protected=Resource(DAQ))
    for text in ("d6", "da", "d9", "dc", "d500 0100", "e200000000 00", "dd00"):
        assert say(slave, text) == LOCKED, text
    open_up(slave, DAQ)
    assert say(slave, "d6") == "ff"


def test_with_both_directions_locked_every_daq_command_is_refused() -> None:
    slave = made(protected=Resource(DAQ | STIM), events=BOTH_WAYS)
    for text in ("d6", "da", "dd00"):
        assert say(slave, text) == LOCKED
    open_up(slave, STIM)
    assert say(slave, "da")[:2] == "ff"


@pytest.mark.parametrize("locked", [DAQ, STIM])
def test_a_list_needs_the_resource_of_its_direction(locked: Resource) -> None:
    slave = made(protected=Resource(locked), events=BOTH_WAYS)
    closed, free = ("00", "02") if locked == DAQ else ("02", "00")
    at = {"00": "0000", "02": "0200"}
    for text in ("d6", "d500 0200", "d400 0000 01", "d400 0100 01", "d300 0000 00 02"):
        assert say(slave, text) == "ff", text  # undecided lists belong to nobody yet
    assert say(slave, "d300 0100 00 01") == "ff"
    assert say(slave, f"e0{closed} 0000 {at[closed]} 01 00") == LOCKED
    assert say(slave, "e000") == (LOCKED if locked == DAQ else "fe21")
    assert say(slave, f"e0{free} 0000 {at[free]} 01 00") == "ff"
    assert say(slave, "e200 0000 00 00") == "ff"
    assert say(slave, "e1ff 04 00 00000020") == "ff"
    slave.state.daq.lists[0].stim = not slave.state.daq.lists[0].stim  # as a stored list may be
    for text in ("e1ff 04 00 04000020", "db", "e200 0000 00 00", "e300 0000", "df00 0000"):
        assert say(slave, text) == LOCKED, text
    assert say(slave, "de01 0000") == LOCKED
    assert say(slave, "de01 0900") == "fe22"  # no such list
    assert say(slave, f"e0{free} 0000 {at[free]} 01 00") == LOCKED
    assert say(slave, "dd00") == "ff"  # nothing runs
    slave.state.daq.lists[0].selected = True
    assert say(slave, "dd01") == LOCKED
    assert say(slave, "dd02") == LOCKED
    open_up(slave, locked)
    assert say(slave, "df00 0000")[:2] == "ff"


def test_what_runs_in_a_locked_direction_is_not_stopped_by_the_other() -> None:
    slave = made(protected=Resource(DAQ), events=BOTH_WAYS)
    open_up(slave, DAQ)
    for text in ("d6", "d5000100", "d400000001", "d30000000001", "e20000000000"):
        assert say(slave, text) == "ff"
    assert say(slave, "e1ff 04 00 00000020") == "ff"
    assert say(slave, "e000 0000 0000 01 00") == "ff"
    assert say(slave, "de01 0000")[:2] == "ff"
    slave.state.locked = Resource(DAQ)  # as after RESUME: the list runs, the session is new
    assert say(slave, "dd00") == LOCKED
    assert say(slave, "d6") == LOCKED
    assert slave.daq_running


def test_the_direction_of_a_fixed_list_is_known_before_its_mode() -> None:
    lists = tuple(
        FixedList(daq=not stim, stim=stim, max_odt=1, max_odt_entries=1) for stim in (False, True)
    )
    slave = made(protected=Resource(STIM), events=BOTH_WAYS, fixed_lists=lists, dynamic=False)
    assert say(slave, "e200 0000 00 00") == "ff"
    assert say(slave, "e200 0100 00 00") == LOCKED


# -- memory ---------------------------------------------------------------------------------------


def word(address: Address) -> str:
    return address.value.to_bytes(4, "little").hex()


def reads(address: Address) -> list[str]:
    """Every way to see four bytes of memory."""
    return [
        f"f404 0000 {word(address)}",
        f"f600 0000 {word(address)} f504",
        f"f600 0000 {word(address)} f3000000 04000000",
    ]


def all_of(slave: SlaveMachine, text: str) -> str:
    """The last answer to SET_MTA and a command behind it, or to a command alone."""
    raw = bytes.fromhex(text.replace(" ", ""))
    packets = [raw[:8], raw[8:]] if raw[0] == 0xF6 else [raw]
    return [say(slave, packet.hex()) for packet in packets][-1]


def test_reading_can_be_locked() -> None:
    slave = made(protected=Resource(PGM), reads=PGM)
    for text in reads(RAM):
        assert all_of(slave, text) == LOCKED
    assert say(slave, "fa01")[:4] == "ff00"  # a text is no memory
    assert say(slave, "f504") == "ff" + b"demo".hex()
    assert say(slave, "f501") == "fe24"  # behind it lies nothing
    assert say(slave, "fa01")[:4] == "ff00"
    assert say(slave, "f3000000 04000000")[:4] == "ff09"
    assert say(slave, f"f404 0000 {word(RAM)}") == LOCKED
    open_up(slave, PGM)
    assert [all_of(slave, text)[:2] for text in reads(RAM)] == ["ff"] * 3
    assert say(slave, "fe") == "ff"
    say(slave, "ff00")
    assert [all_of(slave, text) for text in reads(RAM)] == [LOCKED] * 3


def test_locked_memory_can_read_as_zeros() -> None:
    slave = made(protected=Resource(PGM), reads=PGM, zeros=True)
    at = RAM + 16
    assert [all_of(slave, text) for text in reads(at)] == [
        "ff00000000",
        "ff00000000",
        "ff0900001cdf4421",
    ]
    assert say(slave, "f404 0000 00000010") == "fe24"  # no memory stays no memory
    open_up(slave, PGM)
    assert all_of(slave, reads(at)[0]) == "ff10111213"


def test_a_range_of_memory_can_be_locked() -> None:
    secret = AddressRange(RAM + 0x100, 16)
    slave = made(protected=Resource(PGM), reads=PGM, ranges=(secret,))
    for offset, hidden in ((0xFC, False), (0xFD, True), (0x10F, True), (0x110, False)):
        answers = [all_of(slave, text) for text in reads(RAM + offset)]
        assert [answer == LOCKED for answer in answers] == [hidden] * 3
    assert say(slave, f"f404 0001 {word(RAM + 0x100)}") != LOCKED  # another address space


def test_no_list_samples_locked_memory() -> None:
    secret = AddressRange(RAM + 0x100, 16)
    for ranges in ((), (secret,)):
        slave = made(protected=Resource(CAL), reads=CAL, ranges=ranges)
        for text in ("d6", "d5000100", "d400000001", "d30000000002", "e20000000000"):
            assert say(slave, text) == "ff"
        assert say(slave, f"e1ff 04 00 {word(RAM)}") == "ff"
        assert say(slave, f"e1ff 04 00 {word(RAM + 0x10C)}") == "ff"
        assert say(slave, "e000 0000 0000 01 00") == "ff"
        assert say(slave, "de02 0000")[:2] == "ff"
        for text in ("de01 0000", "dd01", "dd03"):
            assert say(slave, text) == LOCKED
        slave.event(0, 1)
        assert slave.outgoing() == []
        open_up(slave, CAL)
        assert say(slave, "de01 0000")[:2] == "ff"


def test_no_predefined_list_samples_locked_memory() -> None:
    lists = (FixedList(entries=((OdtEntry(RAM, 4),),)),)
    slave = made(protected=Resource(CAL), reads=CAL, fixed_lists=lists, dynamic=False)
    assert say(slave, "e000 0000 0000 01 00") == "ff"
    assert say(slave, "de01 0000") == LOCKED


def test_a_locked_page_is_not_copied_into_the_open() -> None:
    secret = AddressRange(SEGMENT, SEGMENT_SIZE)
    slave = made(protected=Resource(PGM), reads=PGM, ranges=(secret,))
    assert say(slave, "e4 00 00 01 00") == LOCKED
    assert say(slave, "e4 01 00 00 00") == "ff"
    assert say(slave, "e4 09 00 00 00") == "fe28"
    assert say(slave, "e4") == "fe21"
    open_up(slave, PGM)
    assert say(slave, "e4 00 00 01 00") == "ff"


def test_bits_of_locked_memory_can_be_changed_but_not_seen() -> None:
    slave = made(protected=Resource(PGM), reads=PGM)
    assert all_of(slave, f"f600 0000 {word(RAM)} ec00 fffe 0100") == "ff"
    assert say(slave, "f504") == LOCKED
    assert say(slave, f"f401 0000 {word(ROM)}") == LOCKED
