"""Memory is moved rightly and in no more packets than any plain way takes."""

from __future__ import annotations

from math import ceil

from hypothesis import given, settings
from hypothesis import strategies as st

from pair.link import RAM, Pair, config
from xcaliper.xcp.procedures.chunks import download_pieces, read_commands, upload_counts
from xcaliper.xcp.procedures.memory import XcpMemory

#: SHORT_UPLOADs that are sent rather than SET_MTA and UPLOADs; beyond, one exchange more is accepted.
FEW = 8


@st.composite
def slaves(draw) -> dict:
    ag = draw(st.sampled_from([1, 2, 4]))
    return {
        "ag": ag,
        "events": (),
        "max_cto": draw(st.integers(8 // ag, 255 // ag)) * ag,
        "slave_block_mode": draw(st.booleans()),
        "master_block_mode": draw(st.booleans()),
        "max_bs": draw(st.integers(1, 255)),
        "disabled": draw(
            st.frozensets(
                st.sampled_from(
                    ["SHORT_UPLOAD", "SHORT_DOWNLOAD", "DOWNLOAD_MAX", "DOWNLOAD_NEXT"]
                )
            )
        ),
    }


def naive_reads(count: int, room: int, *, block: bool) -> list[int]:
    """Packets of plain ways to read, both directions: short ones, single ones, blocks of 255."""
    ways = [2 * ceil(count / room), 2 + 2 * ceil(count / room)]
    if block:
        whole, rest = divmod(count, 255)
        packets = whole * (1 + ceil(255 / room)) + (1 + ceil(rest / room) if rest else 0)
        ways.append(2 + packets)
    return ways


def naive_writes(count: int, max_cto: int, ag: int, *, max_bs: int) -> list[int]:
    """Packets of plain ways to write: short ones, single ones, the largest blocks."""
    room = min((max_cto - max(2, ag)) // ag, 255)
    short = (max_cto - 8) // ag
    ways = [2 + 2 * ceil(count / room)]
    if short:
        ways.append(2 * ceil(count / short))
    if max_bs > 1:
        limit = min(max_bs * room, 255)
        whole, rest = divmod(count, limit)
        ways.append(
            2 + whole * (1 + ceil(limit / room)) + (1 + ceil(rest / room) if rest else 0)
        )
    return ways


@settings(max_examples=60, deadline=None)
@given(slave=slaves(), sizes=st.lists(st.integers(1, 1500), min_size=1, max_size=3), seed=st.randoms())
def test_bytes_are_right_and_packets_are_few(slave, sizes, seed) -> None:
    pair = Pair(config(**slave, granularity_odt_entry=slave["ag"], max_odt_entry_size=248))
    memory = XcpMemory(pair.session)
    ag, max_cto = slave["ag"], slave["max_cto"]
    for size_ in (*sizes, *sizes):  # the second time, refused commands are known
        size = size_ * ag
        address = RAM + seed.randrange(64)
        data = seed.randbytes(size)
        pair.forget()
        pair.run(memory.write(address, data))
        assert pair.memory.read(address, size) == data
        writing = len(pair.to_slave.sent) + len(pair.to_master.sent)
        pair.forget()
        assert pair.run(memory.read(address, size)) == data
        reading = len(pair.to_slave.sent) + len(pair.to_master.sent)
    count, room = size // ag, max_cto // ag - 1
    if "SHORT_UPLOAD" not in slave["disabled"]:
        plain = min(naive_reads(count, room, block=slave["slave_block_mode"]))
        assert reading <= plain + 2 * (ceil(count / room) > FEW)
    if not slave["disabled"]:
        max_bs = slave["max_bs"] if slave["master_block_mode"] else 1
        assert writing <= min(naive_writes(count, max_cto, ag, max_bs=max_bs))
    assert pair.session.refused <= slave["disabled"]
    assert pair.master.counters.timeouts == 0


@given(
    count=st.integers(0, 3000),
    room=st.integers(1, 254),
    block=st.booleans(),
    packets=st.integers(1, 255),
    larger=st.booleans(),
)
def test_pieces_add_up_and_fit(count, room, block, packets, larger) -> None:
    uploads = upload_counts(count, room, block=block)
    assert sum(uploads) == count
    assert all(0 < n <= (255 if block else room) for n in uploads)
    _, counts = read_commands(count, room, block=block)
    assert sum(counts) == count
    pieces = download_pieces(count, room=room, max_room=room + larger, packets=packets)
    assert sum(piece.count for piece in pieces) == count
    for piece in pieces:
        assert piece.packets == ceil(piece.count / room) or piece.is_max
        assert piece.packets <= packets
        assert piece.count == room + 1 if piece.is_max else piece.count <= 255
