"""Rows for reference pages and one-line texts for traces."""

from xcaliper.wire.describe import describe_packet, layout_rows
from xcaliper.xcp import daq, level1, std, timecorr
from xcaliper.xcp.codes import DaqListModeRequest


def test_rows_of_a_command():
    rows = layout_rows(std.ShortUpload)
    assert [(r.name, r.offset, r.size, r.type, r.unit) for r in rows] == [
        ("count", "1", "1", "u8", "AG"),
        ("address_extension", "3", "1", "u8", ""),
        ("address", "4", "4", "u32", ""),
    ]


def test_rows_of_dependent_fields():
    (data,) = layout_rows(std.UploadResponse)
    assert (data.offset, data.size) == ("1, aligned to AG", "request.count × AG")
    rows = {r.name: r for r in layout_rows(timecorr.DaqClockExtended)}
    assert rows["slave_timestamp"].size == "4 or 8, by payload_fmt.slave"
    assert rows["ecu_timestamp"].offset == "behind"
    assert rows["ecu_timestamp"].presence == "by payload_fmt.ecu"
    assert rows["sync_state"].presence == "optional"
    assert rows["sync_state"].bits[0].name == "slv_clk_sync_state"
    rows = layout_rows(daq.WriteDaqMultiple)
    assert (rows[1].type, rows[1].size) == ("DaqElement", "count × DaqElement")
    assert layout_rows(level1.DbgReadModifyWrite)[3].size == "1 or 2 or 4 or 8, by width"
    assert layout_rows(std.UserCmd)[1].size == "to the end"


def test_lines():
    line = describe_packet(std.ShortUpload(count=4, address=0x4711))
    assert line == "SHORT_UPLOAD count=4 address_extension=0 address=0x4711"
    assert describe_packet(std.Synch()) == "SYNCH"
    assert describe_packet(std.EmptyResponse(), "CONNECT") == "CONNECT"
    mode = DaqListModeRequest.of(timestamp=1, direction_stim=1)
    line = describe_packet(daq.SetDaqListMode(mode=mode, daq_list=1, event_channel=2))
    assert "mode=direction_stim|timestamp" in line
    line = describe_packet(std.UploadResponse(data=bytes(40)))
    assert line.endswith("00… (40 bytes)")
    assert describe_packet(std.UploadResponse(data=b"")).endswith("data=nothing")
    element = daq.DaqElement(size=4, address=0x100)
    line = describe_packet(daq.WriteDaqMultiple(count=1, elements=(element,)))
    assert "elements={bit_offset=255 size=4 address=0x100 address_extension=0 fill=0}" in line
    plain = level1.GetDaqPackedModeResponse(
        daq_packed_mode=0, timestamp_mode=None, sample_count=None
    )
    assert describe_packet(plain, "packed").split(" ") == ["packed", "daq_packed_mode=0"]
