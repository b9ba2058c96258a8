"""Block layouts against bytes composed by hand from the standard's tables."""

import struct

import pytest

from xcaliper.core.errors import WireError
from xcaliper.mdf import blocks


def header(block_id: bytes, length: int, links: tuple[int, ...]) -> bytes:
    return struct.pack("<4sIQQ", block_id, 0, length, len(links)) + struct.pack(
        f"<{len(links)}Q", *links
    )


GOLDEN = [
    (
        blocks.HdBlock(
            hd_dg_first=1, hd_fh_first=2, hd_ch_first=3, hd_at_first=4, hd_ev_first=5,
            hd_md_comment=6, hd_start_time_ns=10**18, hd_tz_offset_min=-60, hd_dst_offset_min=60,
            hd_time_class=10, hd_start_angle_rad=1.5, hd_start_distance_m=2.5,
        ),
        header(b"##HD", 104, (1, 2, 3, 4, 5, 6))
        + struct.pack("<QhhBBBBdd", 10**18, -60, 60, 2, 10, 0, 0, 1.5, 2.5),
    ),
    (
        blocks.FhBlock(fh_fh_next=8, fh_md_comment=16, fh_time_ns=7, fh_tz_offset_min=5),
        header(b"##FH", 56, (8, 16)) + struct.pack("<QhhB3x", 7, 5, 0, 2),
    ),
    (
        blocks.DgBlock(dg_dg_next=8, dg_cg_first=16, dg_data=24, dg_md_comment=32),
        header(b"##DG", 64, (8, 16, 24, 32)) + bytes(8),
    ),
    (
        blocks.CgBlock(cg_cn_first=8, cg_cycle_count=99, cg_data_bytes=12, cg_flags=6),
        header(b"##CG", 104, (0, 8, 0, 0, 0, 0)) + struct.pack("<QQHHIII", 0, 99, 6, 0, 0, 12, 0),
    ),
    (
        blocks.CnBlock(
            cn_cc_conversion=8, cn_at_reference=(16, 24), cn_type=2, cn_sync_type=1,
            cn_data_type=4, cn_bit_offset=3, cn_byte_offset=5, cn_bit_count=64, cn_flags=0x10,
            cn_limit_min=-1.0, cn_limit_max=1.0,
        ),
        header(b"##CN", 176, (0, 0, 0, 0, 8, 0, 0, 0, 16, 24))
        + struct.pack("<BBBBIIIIBBH6d", 2, 1, 4, 3, 5, 64, 0x10, 0, 0, 0, 2, 0, 0, -1, 1, 0, 0),
    ),
    (
        blocks.CcBlock(cc_ref=(8, 16), cc_type=7, cc_val=(5.0,)),
        header(b"##CC", 104, (0, 0, 0, 0, 8, 16)) + struct.pack("<BBHHHddd", 7, 0, 0, 2, 1, 0, 0, 5),
    ),
    (
        blocks.SiBlock(si_tx_name=8, si_type=1, si_bus_type=7),
        header(b"##SI", 56, (8, 0, 0)) + bytes([1, 7, 0, 0, 0, 0, 0, 0]),
    ),
    (
        blocks.CaBlock(
            ca_type=2, ca_flags=0x30, ca_byte_offset_base=4, ca_dim_size=(1, 2),
            ca_cc_axis_conversion=(0, 0), ca_axis_value=(1.0, 2.0, 3.0),
        ),
        header(b"##CA", 104, (0, 0, 0))
        + struct.pack("<BBHIiIQQ3d", 2, 0, 2, 0x30, 4, 0, 1, 2, 1, 2, 3),
    ),
    (
        blocks.DlBlock(dl_dl_next=8, dl_data=(16, 24), dl_offset=(0, 100)),
        header(b"##DL", 72, (8, 16, 24)) + struct.pack("<B3xIQQ", 0, 2, 0, 100),
    ),
    (
        blocks.DlBlock(dl_data=(16, 24), dl_flags=1, dl_equal_length=(100,)),
        header(b"##DL", 64, (0, 16, 24)) + struct.pack("<B3xIQ", 1, 2, 100),
    ),
    (
        blocks.HlBlock(hl_dl_first=8, hl_zip_type=1),
        header(b"##HL", 40, (8,)) + struct.pack("<HB5x", 0, 1),
    ),
    (
        blocks.DzBlock(dz_zip_type=1, dz_zip_parameter=5, dz_org_data_length=10, dz_data=b"abc"),
        header(b"##DZ", 51, ()) + struct.pack("<2sBBIQQ", b"DT", 1, 0, 5, 10, 3) + b"abc",
    ),
    (
        blocks.AtBlock(
            at_tx_filename=8, at_flags=7, at_md5_checksum=bytes(range(16)), at_original_size=9,
            at_embedded_data=b"xyz",
        ),
        header(b"##AT", 99, (0, 8, 0, 0))
        + struct.pack("<HHI16sQQ", 7, 0, 0, bytes(range(16)), 9, 3) + b"xyz",
    ),
    (
        blocks.EvBlock(ev_md_comment=8, ev_scope=(16,), ev_type=2, ev_cause=1, ev_sync_base_value=-5),
        header(b"##EV", 104, (0, 0, 0, 0, 8, 16))
        + struct.pack("<BBBBB3xIHHqd", 2, 1, 0, 1, 0, 1, 0, 0, -5, 1e-9),
    ),
    (
        blocks.ChBlock(ch_tx_name=8, ch_element=(1, 2, 3), ch_type=1),
        header(b"##CH", 88, (0, 0, 8, 0, 1, 2, 3)) + struct.pack("<IB3x", 1, 1),
    ),
    (blocks.TxBlock.of("abc"), header(b"##TX", 32, ()) + b"abc\0\0\0\0\0"),
    (blocks.MdBlock.of("12345678"), header(b"##MD", 40, ()) + b"12345678" + bytes(8)),
    (blocks.DtBlock(dt_data=b"12345"), header(b"##DT", 29, ()) + b"12345"),
    (blocks.SdBlock(sd_data=b"\1\0\0\0a"), header(b"##SD", 29, ()) + b"\1\0\0\0a"),
]  # fmt: skip


@pytest.mark.parametrize(("block", "golden"), GOLDEN, ids=lambda x: type(x).__name__)
def test_layout(block, golden):
    assert block.encode() == golden
    assert type(block).decode(golden) == block
    assert type(block).decode(golden + b"padding") == block


def test_every_block_has_a_golden_layout():
    assert {type(block) for block, _ in GOLDEN} == set(blocks.BLOCKS.values())


def test_identification():
    golden = b"MDF     4.10    XCaliper" + bytes(4) + struct.pack("<H", 410) + bytes(34)
    assert blocks.IdBlock().encode() == golden
    assert blocks.IdBlock.decode(golden) == blocks.IdBlock()
    unfinished = blocks.IdBlock("UnFinMF", id_unfin_flags=0x15)
    assert blocks.IdBlock.decode(unfinished.encode()) == unfinished
    for wrong in (golden[:63], b"MDX     " + golden[8:], b""):
        with pytest.raises(WireError):
            blocks.IdBlock.decode(wrong)


def test_positions_are_those_of_the_standard():
    assert blocks.DgBlock.position("dg_data") == 40
    assert blocks.CgBlock.position("cg_cycle_count") == 80
    assert blocks.DlBlock.position("dl_dl_next") == 24
    assert blocks.HlBlock.position("hl_dl_first") == 24
    assert blocks.HdBlock.position("hd_ev_first") == 56
    assert blocks.CnBlock.position("cn_data") == 64


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        header(b"##DG", 64, (1, 2, 3, 4))[:40],
        header(b"##CG", 64, (1, 2, 3, 4)) + bytes(8),
        header(b"##DG", 63, (1, 2, 3, 4)) + bytes(8),
        header(b"##DG", 48, (1, 2)) + bytes(8),
        struct.pack("<4sIQQ", b"##DG", 0, 64, 1 << 60) + bytes(40),
        struct.pack("<4sIQQ", b"##DG", 0, 1 << 63, 4) + bytes(40),
    ],
)
def test_damaged_block_is_refused(wrong):
    with pytest.raises(WireError):
        blocks.DgBlock.decode(wrong)


def test_counts_beyond_the_block_are_refused():
    good = bytearray(blocks.DlBlock(dl_data=(8,), dl_offset=(0,)).encode())
    good[44:48] = (0xFFFFFFFF).to_bytes(4, "little")
    with pytest.raises(WireError):
        blocks.DlBlock.decode(bytes(good))


def test_value_out_of_range_is_our_error():
    with pytest.raises(WireError):
        blocks.CgBlock(cg_cycle_count=-1).encode()
    with pytest.raises(WireError):
        blocks.DgBlock(dg_data=1 << 64).encode()


def test_text_ends_at_its_zero_and_survives_lone_surrogates():
    assert blocks.TxBlock.of("ab\0cd").text == "ab"
    assert blocks.TxBlock.of("x\ud800y").text == "x?y"
    assert len(blocks.TxBlock.of("").encode()) == 32
