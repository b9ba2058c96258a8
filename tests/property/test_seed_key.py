"""Seeds and keys of every length in packets of every size; no answer depends on locked memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pair.link import RAM, RAM_SIZE, SEGMENT, PagedMemory, Pair, config
from xcaliper.core.address import AddressRange
from xcaliper.xcp.procedures.unlock import unlock
from xcaliper.xcp.seed_key import resource_named
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_security import SecuritySettings
from xcaliper.xcp.table import COMMANDS

if TYPE_CHECKING:
    from xcaliper.xcp.codes import Resource

CAL, PGM = resource_named("cal"), resource_named("pgm")
lengths = st.integers(1, 255)


@settings(deadline=None, max_examples=150)
@example(1, 1, 8)
@example(255, 255, 8)
@example(255, 255, 255)
@example(253, 254, 255)
@example(6, 12, 8)
@given(lengths, lengths, st.integers(8, 255))
def test_seeds_and_keys_of_every_length(seed_bytes: int, key_bytes: int, max_cto: int) -> None:
    def key_of(resource: Resource, seed: bytes) -> bytes:
        assert len(seed) == seed_bytes
        return (seed * 255)[seed_bytes - 1 :][:key_bytes]

    pair = Pair(
        config(
            max_cto=max_cto,
            security=SecuritySettings(protected=CAL, key=key_of, seed_bytes=seed_bytes),
        )
    )
    pair.forget()
    assert pair.run(unlock(pair.session, CAL, key_of)) == 0
    room = max_cto - 2
    assert pair.seen == ["GET_SEED"] * -(-seed_bytes // room) + ["UNLOCK"] * -(-key_bytes // room)


def word(value: int) -> bytes:
    return value.to_bytes(4, "little")


#: Sessions, texts, seeds, a key that is wrong, a list with two entries.
PLAIN = (
    *("ff00", "fa01", "fa04", "f80001", "f80010", "f70401020304", "fc", "ec00ffffffff"),
    *("d6", "d5000100", "d400000001", "d30000000002", "e20000000000", "e000000000000100"),
    *("de010000", "de020000", "dd01", "dd00"),
)
near = st.builds(
    lambda base, at: base.value + at,
    st.sampled_from([RAM, SEGMENT]),
    st.integers(0, 0x120),
)
commands = st.one_of(
    st.builds(
        lambda info, rest: info.prefix + rest,
        st.sampled_from(list(COMMANDS)),
        st.binary(max_size=12),
    ),
    st.builds(lambda n, at: bytes((0xF4, n, 0, 0)) + word(at), st.integers(1, 40), near),
    st.builds(lambda at: b"\xf6\0\0\0" + word(at), near),
    st.builds(lambda n: bytes((0xF5, n)), st.integers(1, 255)),
    st.builds(lambda n: b"\xf3\0\0\0" + word(n), st.integers(1, 300)),
    st.builds(lambda n, at: bytes((0xE1, 0xFF, n, 0)) + word(at), st.integers(1, 4), near),
    st.builds(
        lambda n, at: bytes((0xED, n, 0, 0)) + word(at) + bytes(range(n)), st.integers(1, 9), near
    ),
    st.builds(lambda pages: b"\xe4" + bytes(pages), st.tuples(*[st.integers(0, 1)] * 4)),
    st.builds(
        lambda mode, page: bytes((0xEB, mode, 0, page)), st.integers(1, 3), st.integers(0, 1)
    ),
    st.sampled_from(PLAIN).map(bytes.fromhex),
)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(commands, max_size=40),
    st.sampled_from([CAL, PGM]),
    st.booleans(),
    st.booleans(),
)
def test_no_answer_depends_on_locked_memory(
    sent: list[bytes],
    lock: Resource,
    zeros: bool,
    all_of_it: bool,
) -> None:
    """Two slaves, equal but for the memory that is locked, cannot be told apart."""
    ranges = () if all_of_it else (AddressRange(RAM, RAM_SIZE),)
    slaves = []
    for content in (0x11, 0xEE):
        memory = PagedMemory()
        memory.plain.write(RAM, bytes((content,)) * RAM_SIZE)
        security = SecuritySettings(
            protected=lock,
            key=lambda _, seed: seed + b"?",
            seeds=bytes,
            reads=lock,
            ranges=ranges,
            zeros=zeros,
            attempts=0,
        )
        slaves.append(SlaveMachine(config(security=security), memory))
    for number, packet in enumerate((b"\xff\0", *sent)):
        for slave in slaves:
            slave.receive(packet, number)
            slave.event(number % 3, number)
        one, other = (slave.outgoing() for slave in slaves)
        assert one == other
