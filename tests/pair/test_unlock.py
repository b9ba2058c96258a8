"""Seed and key between the machines: parts, order, wrong keys, and what comes between."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pair.link import RAM, Pair, config
from xcaliper.core.errors import (
    AccessLockedError,
    BusyError,
    RemoteProtocolError,
    SequenceError,
    UnknownCommandError,
    UnlockError,
    UsageError,
)
from xcaliper.proto.procedure import ask, run_script
from xcaliper.xcp import cal, daq, std
from xcaliper.xcp.codes import ErrorCode, Resource, SessionStatus, negative_response
from xcaliper.xcp.procedures.connect import Session, connect
from xcaliper.xcp.procedures.unlock import protection, read_seed, send_key, unlock
from xcaliper.xcp.seed_key import resource_named
from xcaliper.xcp.slave_security import SecuritySettings

CAL, DAQ, PGM = map(resource_named, ("cal", "daq", "pgm"))
S = 1_000_000_000


def key_of(resource: Resource, seed: bytes) -> bytes:
    """Longer than the seed, so that both come in parts of their own number."""
    return bytes((byte * 3 + resource) & 0xFF for byte in seed + seed[:5])


def secured(max_cto: int = 8, **changes) -> Pair:
    settings = {"protected": Resource(CAL | DAQ), "key": key_of, "seed_bytes": 20}
    return Pair(config(max_cto=max_cto, security=SecuritySettings(**(settings | changes))))


def wrong(resource: Resource, seed: bytes) -> bytes:
    key = key_of(resource, seed)
    return key[:-1] + bytes([key[-1] ^ 1])


def test_seed_and_key_in_parts_open_one_resource() -> None:
    pair = secured()
    assert pair.session.protection == CAL | DAQ
    pair.forget()
    assert pair.run(unlock(pair.session, CAL, key_of)) == DAQ
    assert pair.seen == ["GET_SEED"] * 4 + ["UNLOCK"] * 5 + ["SYNCH", "GET_STATUS"]
    assert [p[1] for p in pair.to_master.sent[:4]] == [20, 14, 8, 2]
    assert [p[1] for p in pair.to_slave.sent[4:9]] == [25, 19, 13, 7, 1]
    assert [p[1] for p in pair.to_master.sent[4:9]] == [CAL | DAQ] * 4 + [DAQ]
    pair.forget()
    assert pair.run(unlock(pair.session, CAL, key_of)) == DAQ  # open already: no UNLOCK
    assert pair.seen == ["GET_SEED", "SYNCH", "GET_STATUS"]
    assert pair.to_master.sent[0] == b"\xff\0"
    assert pair.run(unlock(pair.session, DAQ, key_of)) == 0


@pytest.mark.parametrize("lost", range(9))
@pytest.mark.parametrize("up", [False, True])
def test_a_lost_packet_anywhere_is_recovered(lost: int, *, up: bool) -> None:
    pair = secured()
    pair.forget()
    (pair.to_master if up else pair.to_slave).lose(lost)
    assert pair.run(unlock(pair.session, CAL, key_of)) == DAQ
    assert pair.slave.state.security.wrong_keys == {}


@pytest.mark.parametrize("twice", range(9))
def test_a_doubled_packet_is_harmless(twice: int) -> None:
    pair = secured()
    pair.to_slave.duplicate(twice)
    assert pair.run(unlock(pair.session, CAL, key_of)) == DAQ


def test_a_wrong_key_ends_the_session_and_is_explained() -> None:
    pair = secured()
    with pytest.raises(UnlockError, match="the key of cal; the session is over") as error:
        pair.run(unlock(pair.session, CAL, wrong))
    assert error.value.resource == "cal"
    assert not pair.slave.connected
    pair.session = pair.run(connect())
    assert pair.session.protection == CAL | DAQ
    assert pair.run(unlock(pair.session, CAL, key_of)) == DAQ


def test_a_slave_may_keep_the_session_after_a_wrong_key() -> None:
    pair = secured(wrong_key_disconnects=False)
    with pytest.raises(UnlockError):
        pair.run(unlock(pair.session, CAL, wrong))
    assert pair.slave.connected
    with pytest.raises(RemoteProtocolError, match="Connect again"):  # the matrix wants it so
        pair.run(protection())
    pair.run(connect())
    assert pair.run(unlock(pair.session, CAL, key_of)) == DAQ


def test_wrong_keys_are_counted_across_sessions_until_time_has_passed() -> None:
    pair = secured(attempts=2, lockout_ns=60 * S)
    for _ in range(2):
        with pytest.raises(UnlockError):
            pair.run(unlock(pair.session, DAQ, wrong))
        began = pair.slave.state.now_ns
        pair.session = pair.run(connect())
    with pytest.raises(BusyError) as error:
        pair.run(unlock(pair.session, CAL, key_of))
    assert error.value.code == ErrorCode.ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE
    pair.now_ns = began + 45 * S  # the master waits a while for a slave that is busy
    with pytest.raises(BusyError):
        pair.run(read_seed(CAL))
    pair.now_ns = began + 60 * S
    assert pair.run(unlock(pair.session, CAL, key_of)) == DAQ


def test_a_right_key_forgives_the_wrong_ones_of_its_resource() -> None:
    pair = secured(attempts=2)
    for _ in range(3):
        with pytest.raises(UnlockError):
            pair.run(unlock(pair.session, DAQ, wrong))
        pair.session = pair.run(connect())
        assert pair.run(unlock(pair.session, DAQ, key_of)) == CAL
        pair.session = pair.run(connect())


def test_the_key_of_one_resource_buys_no_guesses_at_another() -> None:
    pair = secured(attempts=2, lockout_ns=60 * S)
    for _ in range(2):
        assert pair.run(unlock(pair.session, CAL, key_of)) == DAQ
        with pytest.raises(UnlockError):
            pair.run(unlock(pair.session, DAQ, wrong))
        pair.session = pair.run(connect())
    with pytest.raises(BusyError):
        pair.run(unlock(pair.session, CAL, key_of))


def test_without_limit_wrong_keys_are_only_wrong() -> None:
    pair = secured(attempts=0, wrong_key_disconnects=False)
    for _ in range(5):
        with pytest.raises(UnlockError):
            pair.run(unlock(pair.session, DAQ, wrong))
        pair.run(connect())


@pytest.mark.parametrize("last", [std.Disconnect(), std.Connect(mode=0)])
def test_a_session_ends_and_begins_locked(last) -> None:
    pair = secured()
    pair.run(unlock(pair.session, CAL, key_of))
    pair.run(ask(last))
    assert pair.run(connect()).protection == CAL | DAQ


def test_a_command_between_seed_and_key_makes_the_seed_void() -> None:
    pair = secured(max_cto=64)
    for between in (std.GetStatus(), std.ShortUpload(count=1, address=RAM.value)):
        seed = pair.run(read_seed(CAL))
        pair.run(ask(between))
        with pytest.raises(SequenceError):
            pair.run(send_key(pair.session, CAL, key_of(CAL, seed)))
    seed = pair.run(read_seed(CAL))
    pair.run(ask(std.Synch()))  # recovers a lost answer, so it may stand there
    assert pair.run(send_key(pair.session, CAL, key_of(CAL, seed))) == DAQ


def test_a_master_starts_again_twice_when_the_order_was_wrong() -> None:
    pair = secured(max_cto=64)
    calls: list[bytes] = []

    def disturbed(resource: Resource, seed: bytes) -> bytes:
        calls.append(seed)
        if len(calls) < limit:
            pair.slave.receive(bytes((0xFD,)), pair.now_ns)
            pair.slave.outgoing()
        return key_of(resource, seed)

    limit = 3
    assert pair.run(unlock(pair.session, CAL, disturbed)) == DAQ
    assert len(set(calls)) == 3
    calls.clear()
    limit = 9
    with pytest.raises(SequenceError):
        pair.run(unlock(pair.session, DAQ, disturbed))
    assert len(calls) == 3


def test_what_is_no_resource_and_no_key_is_refused_before_it_is_sent() -> None:
    pair = secured()
    pair.forget()
    for mask in (Resource(0), Resource(CAL | DAQ)):
        with pytest.raises(UsageError, match="not one resource"):
            pair.run(read_seed(mask))
    assert pair.seen == []
    for key in (b"", bytes(256), "text", None, 7):
        with pytest.raises(UsageError, match="key of cal"):
            pair.run(unlock(pair.session, CAL, lambda *_, key=key: key))
    assert "UNLOCK" not in pair.seen


def test_a_slave_without_keys_has_neither_command() -> None:
    pair = Pair(config(protected=CAL))
    with pytest.raises(UnknownCommandError):
        pair.run(unlock(pair.session, CAL, key_of))


SYNCHED = std.ErrorResponse(code=ErrorCode.ERR_CMD_SYNCH)


def seeds(*answers: tuple[int, bytes]) -> list:
    return [std.GetSeedResponse(length=length, seed=seed) for length, seed in answers]


def test_strange_seeds_end_in_an_error() -> None:
    for answers in (
        seeds((9, b"abcdef"), (5, b"ghi")),
        seeds((9, b"abcdef"), (3, b"")),
        [*seeds((9, b"abcdef")), negative_response("GET_SEED", ErrorCode.ERR_SEQUENCE)],
    ):
        with pytest.raises(RemoteProtocolError, match="seed of cal"):
            run_script(read_seed(CAL), [*answers, SYNCHED] * 3)
    padded = seeds((7, b"abcdef"), (1, b"g\0\0\0\0\0"))
    assert run_script(read_seed(CAL), padded)[0] == b"abcdefg"


def test_strange_slaves_after_a_key() -> None:
    locked = negative_response("UNLOCK", ErrorCode.ERR_ACCESS_LOCKED)
    taken = std.UnlockResponse(protection_status=Resource(0))  # an answer to something before
    still = std.GetStatusResponse(session_status=SessionStatus(0), protection_status=CAL)
    with pytest.raises(RemoteProtocolError, match="cal is still locked"):
        run_script(send_key(Session(), CAL, b"k"), [taken, SYNCHED, still])
    with pytest.raises(RemoteProtocolError, match="cal is still locked"):
        run_script(unlock(Session(), CAL, key_of), [*seeds((0, b"")), SYNCHED, still] * 3)
    with pytest.raises(UnlockError):
        run_script(send_key(Session(), CAL, b"k"), [locked])


def test_keys_of_every_packet_size() -> None:
    for max_cto in (8, 9, 20, 22, 27, 64, 255):
        pair = secured(max_cto=max_cto)
        pair.forget()
        assert pair.run(unlock(pair.session, DAQ, key_of)) == CAL
        room = max_cto - 2
        assert pair.seen.count("GET_SEED") == -(-20 // room)
        assert pair.seen.count("UNLOCK") == -(-25 // room)
        assert all(len(packet) <= max_cto for packet in pair.to_slave.sent)


def test_a_profile_can_be_smaller_than_the_slave_s() -> None:
    pair = secured(max_cto=64)
    small = replace(pair.session, profile=replace(pair.session.profile, max_cto=8))
    assert pair.run(unlock(small, CAL, key_of)) == DAQ


def test_a_locked_command_is_unlocked_on_demand() -> None:
    pair = secured()
    asked: list[Resource] = []

    def unlocker(resource: Resource):
        asked.append(resource)
        return unlock(pair.session, resource, key_of)

    write = cal.ShortDownload(count=0, address=RAM.value, data=b"")
    with pytest.raises(AccessLockedError, match="cal is protected"):
        pair.run(ask(write))
    pair.master.unlocker = unlocker
    pair.run(ask(write))
    pair.run(ask(write))
    assert asked == [CAL]
    pair.master.unlocker = lambda resource: unlock(pair.session, resource, wrong)
    with pytest.raises(UnlockError):
        pair.run(ask(daq.FreeDaq()))
