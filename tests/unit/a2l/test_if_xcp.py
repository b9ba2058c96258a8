from xcaliper.a2l import parse, write
from xcaliper.a2l.if_xcp import (
    XcpChecksum,
    XcpDaq,
    XcpDaqEvent,
    XcpDaqList,
    XcpDescription,
    XcpEvent,
    XcpOnCan,
    XcpOnSxI,
    XcpOnTcpIp,
    XcpOnUdpIp,
    XcpPag,
    XcpPage,
    XcpPgm,
    XcpProtocolLayer,
    XcpSector,
    XcpSegment,
    XcpStim,
    XcpTimestamp,
    read_daq_event,
    read_segment,
    read_xcp,
    write_daq_event,
    write_segment,
    write_xcp,
)
from xcaliper.core.datatypes import ByteOrder

TEXT = """
/begin IF_DATA XCP
  /begin PROTOCOL_LAYER
    0x0104 1000 200 0 0 0 0 0xFF 8 1468 BYTE_ORDER_MSB_FIRST ADDRESS_GRANULARITY_WORD
    OPTIONAL_CMD GET_ID OPTIONAL_CMD UPLOAD OPTIONAL_LEVEL1_CMD GET_VERSION
    COMMUNICATION_MODE_SUPPORTED BLOCK SLAVE MASTER 43 2
    SEED_AND_KEY_EXTERNAL_FUNCTION "key.dll" MAX_DTO_STIM 64
    /begin ECU_STATES /end ECU_STATES
  /end PROTOCOL_LAYER
  /begin DAQ
    DYNAMIC 0 3 0 OPTIMISATION_TYPE_ODT_TYPE_32 ADDRESS_EXTENSION_DAQ
    IDENTIFICATION_FIELD_TYPE_RELATIVE_WORD_ALIGNED GRANULARITY_ODT_ENTRY_SIZE_DAQ_DWORD 7
    OVERLOAD_INDICATION_EVENT DAQ_ALTERNATING_SUPPORTED 2 PRESCALER_SUPPORTED PID_OFF_SUPPORTED
    MAX_ODT_TOTAL 100 FROM_THE_FUTURE 1 2
    /begin STIM GRANULARITY_ODT_ENTRY_SIZE_STIM_WORD 6 BIT_STIM_SUPPORTED /end STIM
    /begin TIMESTAMP_SUPPORTED 0x5 SIZE_DWORD UNIT_100NS TIMESTAMP_FIXED /end TIMESTAMP_SUPPORTED
    /begin EVENT "10 ms task" "10ms" 0x1 DAQ_STIM 0xFF 10 6 3 CONSISTENCY EVENT /end EVENT
    /begin EVENT "tooth" "tooth" 2 DAQ 1 0 0 0 /end EVENT
  /end DAQ
  /begin PAG 2 FREEZE_SUPPORTED /end PAG
  /begin PGM PGM_MODE_FUNCTIONAL 1 8
    /begin SECTOR "flash" 0 0x8000 0x4000 0 0 1 /end SECTOR /end PGM
  /begin XCP_ON_UDP_IP 0x0104 5555 ADDRESS "10.0.0.1" PACKET_ALIGNMENT_32 /end XCP_ON_UDP_IP
  /begin XCP_ON_CAN 0x0104 CAN_ID_MASTER 0x80000123 CAN_ID_SLAVE 0x124 BAUDRATE 500000
    /begin DAQ_LIST_CAN_ID 0 FIXED 0x200 /end DAQ_LIST_CAN_ID
    /begin CAN_FD MAX_DLC 64 CAN_FD_DATA_TRANSFER_BAUDRATE 2000000 /end CAN_FD
    /begin PROTOCOL_LAYER 0x0104 1 2 3 4 5 6 7 64 64 BYTE_ORDER_MSB_LAST ADDRESS_GRANULARITY_BYTE
    /end PROTOCOL_LAYER
  /end XCP_ON_CAN
  /begin XCP_ON_SxI 0x0104 115200 SYNCH_MASTER_SLAVE_MODE_BYTE HEADER_LEN_BYTE NO_CHECKSUM /end XCP_ON_SxI
/end IF_DATA
"""

LAYER = XcpProtocolLayer(
    version=0x0104,
    t1=1000,
    t2=200,
    t3=0,
    t4=0,
    t5=0,
    t6=0,
    t7=255,
    max_cto=8,
    max_dto=1468,
    byte_order=ByteOrder.MOTOROLA,
    address_granularity=2,
    optional_cmds=("GET_ID", "UPLOAD"),
    level1_cmds=("GET_VERSION",),
    block_slave=True,
    block_master=True,
    max_bs=43,
    min_st=2,
    seed_and_key="key.dll",
    max_dto_stim=64,
)
DAQ = XcpDaq(
    config_type="DYNAMIC",
    max_daq=0,
    max_event_channel=3,
    min_daq=0,
    optimisation=2,
    address_extension=3,
    identification_field=3,
    granularity_daq=4,
    max_odt_entry_size_daq=7,
    overload=2,
    timestamp=XcpTimestamp(5, 4, 2, fixed=True),
    alternating_event=2,
    prescaler_supported=True,
    pid_off_supported=True,
    max_odt_total=100,
    stim=XcpStim(2, 6, bit_stim=True),
    events=(
        XcpEvent("10 ms task", "10ms", 1, "DAQ_STIM", 255, 10, 6, 3, "EVENT"),
        XcpEvent("tooth", "tooth", 2, "DAQ", 1, 0, 0, 0),
    ),
)


def test_reads_every_block():
    found = []
    xcp = read_xcp(parse(TEXT).module.if_data, found)
    assert xcp.protocol_layer == LAYER
    assert xcp.daq == DAQ
    assert xcp.pag == XcpPag(2, freeze_supported=True)
    assert xcp.pgm == XcpPgm(2, 1, 8, (XcpSector("flash", 0, 0x8000, 0x4000, 0, 0, 1),))
    udp, can, sxi = xcp.transports
    assert udp == XcpOnUdpIp(version=0x0104, port=5555, address="10.0.0.1", packet_alignment=4)
    assert (can.can_id_master, can.can_id_slave) == (0x80000123, 0x124)
    assert (can.can_fd, can.can_fd_max_dlc) == (True, 64)
    assert can.daq_list_can_ids == ((0, 0x200),)
    assert isinstance(sxi, XcpOnSxI)
    assert (sxi.baudrate, sxi.mode) == (115200, "SYNCH_MASTER_SLAVE_MODE_BYTE")
    assert [d.slug for d in found] == ["if-xcp-unknown"]
    assert "FROM_THE_FUTURE" in found[0].text


def test_transport_overrides_common_blocks():
    xcp = read_xcp(parse(TEXT).module.if_data)
    assert xcp.merged().protocol_layer == LAYER
    assert xcp.merged(xcp.transports[1]).protocol_layer.max_cto == 64
    assert xcp.merged(xcp.transports[1]).daq == DAQ


def test_event_period_and_tick():
    assert DAQ.events[0].period_ns == 10_000_000
    assert DAQ.events[1].period_ns == 0
    assert DAQ.timestamp.tick_ns == 500.0


def test_missing_tail_takes_neutral_values():
    text = "/begin IF_DATA XCP /begin DAQ STATIC 4 2 1 /end DAQ /end IF_DATA"
    found = []
    daq = read_xcp(parse(text).module.if_data, found).daq
    assert (daq.config_type, daq.max_daq, daq.min_daq, daq.identification_field) == (
        "STATIC",
        4,
        1,
        0,
    )
    assert {d.slug for d in found} == {"if-xcp-missing"}


def test_builders_and_readers_agree_through_text():
    xcp = XcpDescription(
        plus_version=0x0103,
        protocol_layer=LAYER,
        daq=XcpDaq(config_type="STATIC", daq_lists=(XcpDaqList(0, "STIM", 2, 7, 16, 3),)),
        pag=XcpPag(1),
        transports=(
            XcpOnTcpIp(port=1, host="ecu.local", ipv6="::1", instance="A", daq=DAQ),
            XcpOnUdpIp(port=2, max_bus_load=50, optional_subcmds=("GET_SLAVE_ID",)),
            XcpOnCan(can_id_master=1, can_id_master_incremental=True, instance="B"),
        ),
    )
    text = write(write_xcp(xcp))
    assert read_xcp(parse(text).module.if_data) == xcp


def test_nothing_about_xcp():
    assert read_xcp(parse("/begin IF_DATA ETK 1 /end IF_DATA").module.if_data) is None


def test_daq_event_forms():
    def read(body):
        return read_daq_event(parse(f"/begin IF_DATA XCP {body} /end IF_DATA").module.if_data)

    fixed = read("/begin DAQ_EVENT FIXED_EVENT_LIST EVENT 0x1 EVENT 2 /end DAQ_EVENT")
    assert fixed == XcpDaqEvent(fixed=(1, 2))
    variable = read(
        "/begin DAQ_EVENT VARIABLE /begin AVAILABLE_EVENT_LIST EVENT 1 EVENT 3 /end AVAILABLE_EVENT_LIST"
        " /begin DEFAULT_EVENT_LIST EVENT 3 /end DEFAULT_EVENT_LIST /end DAQ_EVENT"
    )
    assert variable == XcpDaqEvent(available=(1, 3), default=(3,), variable=True)
    for event in (fixed, variable):
        assert read_daq_event(parse(write(write_daq_event(event))).module.if_data) == event
    assert read("") is None


def test_segment():
    text = """/begin IF_DATA XCP /begin SEGMENT 1 2 0x1 0 0
      /begin CHECKSUM XCP_CRC_16_CITT MAX_BLOCK_SIZE 0xFFFF EXTERNAL_FUNCTION "" /end CHECKSUM
      DEFAULT_PAGE_NUMBER 1
      /begin PAGE 0 ECU_ACCESS_DONT_CARE XCP_READ_ACCESS_DONT_CARE XCP_WRITE_ACCESS_WITH_ECU_ONLY INIT_SEGMENT 0
      /end PAGE
      /begin PAGE 1 ECU_ACCESS_WITHOUT_XCP_ONLY XCP_READ_ACCESS_DONT_CARE XCP_WRITE_ACCESS_NOT_ALLOWED /end PAGE
      /begin ADDRESS_MAPPING 0x1000 0x2000 0x100 /end ADDRESS_MAPPING
      /end SEGMENT /end IF_DATA"""
    segment = read_segment(parse(text).module.if_data)
    assert segment == XcpSegment(
        number=1,
        number_of_pages=2,
        address_extension=1,
        checksum=XcpChecksum(8, 0xFFFF, ""),
        default_page_number=1,
        pages=(XcpPage(0, 3, 3, 2, 0), XcpPage(1, 1, 3, 0)),
        address_mappings=((0x1000, 0x2000, 0x100),),
    )
    assert read_segment(parse(write(write_segment(segment))).module.if_data) == segment
