"""IF_DATA ASAP1B_CCP and LINK_MAP from text made by hand, and back."""

import pytest

from xcaliper.a2l import parse, write
from xcaliper.a2l.aml_match import match
from xcaliper.a2l.builtin_aml import builtin_aml
from xcaliper.a2l.if_ccp import (
    CcpBlob,
    CcpChecksum,
    CcpDescription,
    CcpEventGroup,
    CcpPage,
    CcpQpBlob,
    CcpRaster,
    CcpSource,
    CcpTpBlob,
    LinkMap,
    cse_ns,
    read_ccp,
    read_ccp_blob,
    read_link_map,
    write_ccp,
    write_ccp_blob,
)

TEXT = """/begin IF_DATA ASAP1B_CCP
  /begin SOURCE "10 ms" 4 1 DISPLAY_IDENTIFIER "d10"
    /begin QP_BLOB 1 LENGTH 8 CAN_ID_FIXED 0x80000701 RASTER 2 RASTER 3 EXCLUSIVE 4 REDUCTION_ALLOWED FIRST_PID 16
    /end QP_BLOB /end SOURCE
  /begin RASTER "fast" "f" 2 3 5 EXCLUSIVE 1 /end RASTER
  /begin RASTER "crank" "c" 3 101 1 /end RASTER
  /begin EVENT_GROUP "all" "a" RASTER 2 RASTER 3 /end EVENT_GROUP
  /begin SEED_KEY "cal.dll" "daq.dll" "" /end SEED_KEY
  /begin CHECKSUM "sum.dll" /end CHECKSUM
  /begin TP_BLOB 0x0201 0x0204 0x700 0x701 0x39 1
    /begin CAN_PARAM 500 0 27 /end CAN_PARAM
    DAQ_MODE BURST CONSISTENCY DAQ ADDRESS_EXTENSION ODT BAUDRATE 500000 SJW 2 RESUME_SUPPORTED
    /begin CHECKSUM_PARAM 0x8001 0xFFFF CHECKSUM_CALCULATION ACTIVE_PAGE /end CHECKSUM_PARAM
    /begin DEFINED_PAGES 1 "reference" 0 0x8000 0x4000 FLASH DEFAULT /end DEFINED_PAGES
    /begin DEFINED_PAGES 2 "working" 0 0x20000 0x4000 RAM RAM_INIT_BY_ECU /end DEFINED_PAGES
    OPTIONAL_CMD 9 OPTIONAL_CMD 0x11
  /end TP_BLOB
/end IF_DATA"""

CCP = CcpDescription(
    sources=(CcpSource("10 ms", 4, 1, "d10", CcpQpBlob(1, 8, 0x80000701, (2, 3), (4,), True, 16)),),
    rasters=(CcpRaster("fast", "f", 2, 3, 5, (1,)), CcpRaster("crank", "c", 3, 101, 1)),
    event_groups=(CcpEventGroup("all", "a", (2, 3)),),
    seed_key=("cal.dll", "daq.dll", ""),
    checksum="sum.dll",
    tp_blob=CcpTpBlob(
        *(0x0201, 0x0204, 0x700, 0x701, 0x39, 1),
        can_param=(500, 0, 27),
        words=(("DAQ_MODE", "BURST"), ("CONSISTENCY", "DAQ"), ("ADDRESS_EXTENSION", "ODT")),
        numbers=(("BAUDRATE", 500000), ("SJW", 2)),
        flags=("RESUME_SUPPORTED",),
        checksum=CcpChecksum(0x8001, 0xFFFF, "ACTIVE_PAGE"),
        pages=(
            CcpPage(1, "reference", 0, 0x8000, 0x4000, ("FLASH", "DEFAULT")),
            CcpPage(2, "working", 0, 0x20000, 0x4000, ("RAM", "RAM_INIT_BY_ECU")),
        ),
        optional_cmds=(9, 17),
    ),
)


def data_of(text):
    return parse(text).module.if_data


def test_module():
    found = []
    assert read_ccp(data_of(TEXT), found) == CCP
    assert found == []
    assert read_ccp(data_of(write(write_ccp(CCP)))) == CCP
    assert match(builtin_aml(), data_of(TEXT)[0]).diagnostics == ()
    assert match(builtin_aml(), write_ccp(CCP)).diagnostics == ()


def test_nothing_about_ccp():
    data = data_of("/begin IF_DATA XCP /end IF_DATA")
    assert read_ccp(data) is None
    assert read_ccp_blob(data) is None
    assert read_link_map(data) is None


def test_periods():
    assert CCP.rasters[0].period_ns == 5_000_000
    assert CCP.rasters[1].period_ns is None
    assert (cse_ns(0, 1), cse_ns(6, 2), cse_ns(10, 1)) == (1000, 2_000_000_000, 86400 * 10**9)


@pytest.mark.parametrize("form", ["{}", "/begin {} /end KP_BLOB"])
def test_blob_with_and_without_begin(form):
    body = form.format("KP_BLOB 0x1 0x4000 2 RASTER 3 RASTER 4")
    data = data_of(f"/begin IF_DATA ASAP1B_CCP {body} /end IF_DATA")
    blob = read_ccp_blob(data)
    assert blob == CcpBlob(0x4000, 2, 1, (3, 4))
    assert match(builtin_aml(), data[0]).diagnostics == ()
    assert read_ccp_blob([write_ccp_blob(blob)]) == blob
    assert match(builtin_aml(), write_ccp_blob(CcpBlob(1, 2), tag="DP_BLOB")).diagnostics == ()


def test_missing_parts_are_findings():
    found = []
    blob = read_ccp_blob(data_of("/begin IF_DATA ASAP1B_CCP DP_BLOB 0x0 /end IF_DATA"), found)
    assert blob == CcpBlob(0)
    assert [d.slug for d in found] == ["if-ccp-missing"] * 2


def test_link_map():
    text = '/begin IF_DATA CANAPE_EXT 100 LINK_MAP "a.b[1]" 0x1234 0x1 0 4 1 0x87 3 DISPLAY 0 0 255 /end IF_DATA'
    assert read_link_map(data_of(text)) == LinkMap("a.b[1]", 0x1234, 1, False, 4, 0x87, 3)
    assert match(builtin_aml(), data_of(text)[0]).diagnostics == ()
    short = '/begin IF_DATA CANAPE_EXT 100 LINK_MAP "a" 0x10 DISPLAY 0 1 2 /end IF_DATA'
    assert read_link_map(data_of(short)) == LinkMap("a", 0x10)
    assert read_link_map(data_of("/begin IF_DATA CANAPE_EXT 100 LINK_MAP /end IF_DATA")) is None
