"""The rarer parts of IF_DATA XCP: read from text made by hand, written and read back, known to the built-in A2ML."""

import pytest

from xcaliper.a2l import parse, write
from xcaliper.a2l.aml_match import build, match
from xcaliper.a2l.builtin_aml import builtin_aml
from xcaliper.a2l.if_xcp import (
    XcpClock,
    XcpClockTicks,
    XcpCpuLoad,
    XcpEcuState,
    XcpFlxBuffer,
    XcpFlxValue,
    XcpMemoryAccess,
    XcpMemoryConsumption,
    XcpOdt,
    XcpOdtEntry,
    XcpOnCan,
    XcpOnFlx,
    XcpOnSxI,
    XcpOnUsb,
    XcpPackedMode,
    XcpQueueLoad,
    XcpTimeCorrelation,
    XcpUsbEndpoint,
    read_xcp,
    write_xcp,
)

LAYER = "0x0105 1 2 3 4 5 6 7 8 8 BYTE_ORDER_MSB_LAST ADDRESS_GRANULARITY_BYTE"
DAQ = """STATIC 1 1 1 OPTIMISATION_TYPE_DEFAULT ADDRESS_EXTENSION_FREE IDENTIFICATION_FIELD_TYPE_ABSOLUTE
  GRANULARITY_ODT_ENTRY_SIZE_DAQ_BYTE 7 NO_OVERLOAD_INDICATION"""
EVENT = '"e" "e" 1 DAQ 255 10 6 0'

STATES = f"""/begin PROTOCOL_LAYER {LAYER}
  /begin ECU_STATES
    /begin STATE 1 "drive" ECU_SWITCHED_TO_DEFAULT_PAGE ACTIVE ACTIVE NOT_ACTIVE GETTER_ONLY
      /begin MEMORY_ACCESS 0 1 READ_ACCESS_ALLOWED WRITE_ACCESS_NOT_ALLOWED /end MEMORY_ACCESS
    /end STATE
    /begin STATE 2 "boot" NOT_ACTIVE NOT_ACTIVE NOT_ACTIVE ACTIVE /end STATE
  /end ECU_STATES
/end PROTOCOL_LAYER"""
CLOCKS = """/begin TIME_CORRELATION DAQ_TIMESTAMPS_RELATE_TO ECU_CLOCK
  /begin CLOCK 0 1 2 3 4 5 6 0xFF ECU_CLOCK LIMITED_READABLE SYN_ALL 3
    /begin TIMESTAMP_CHARACTERIZATION 10 UNIT_1NS SIZE_EIGHT_BYTE /end TIMESTAMP_CHARACTERIZATION
    0xFFFFFFFFFFFFFFFF ATOMIC_TIME /end CLOCK
  /begin CLOCK 0 0 0 0 0 0 0 1 XCP_SLAVE_CLOCK RANDOMLY_READABLE SYN_UNSUPPORTED 255 0 ARBITRARY /end CLOCK
/end TIME_CORRELATION"""
LOADS = f"""/begin DAQ {DAQ} MAX_DAQ_TOTAL 8 MAX_ODT_ENTRIES_STIM_TOTAL 9 CPU_LOAD_MAX_TOTAL 0.5
  CORE_LOAD_MAX_TOTAL 0.25 OPTIMISATION_TYPE_ODT_STRICT
  /begin CORE_LOAD_MAX 1 0.75 /end CORE_LOAD_MAX
  /begin DAQ_MEMORY_CONSUMPTION 65536 8 4 2 1 3 /begin BUFFER_RESERVE 20 30 /end BUFFER_RESERVE
  /end DAQ_MEMORY_CONSUMPTION
  /begin DAQ_LIST 0 DAQ_LIST_TYPE DAQ MAX_ODT 1 MAX_ODT_ENTRIES 2 DAQ_PACKED_MODE_SUPPORTED
    /begin PREDEFINED /begin ODT 0 ODT_ENTRY 0 0x1000 0 4 255 ODT_ENTRY 1 0x2000 1 1 3 /end ODT /end PREDEFINED
  /end DAQ_LIST
  /begin EVENT {EVENT} CONSISTENCY DAQ RELATED_EVENT_CHANNEL_NUMBER 4 RELATED_EVENT_CHANNEL_NUMBER_FIXED
    DTO_CTR_DAQ_MODE INSERT_COUNTER DTO_CTR_STIM_MODE CHECK_COUNTER EVENT_COUNTER_PRESENT CPU_LOAD_MAX 0.125
    COMPLEMENTARY_BYPASS_EVENT_CHANNEL_NUMBER 2
    /begin DAQ_PACKED_MODE EVENT_GROUPED STS_FIRST MANDATORY 10 ALT_SAMPLE_COUNT 20 ALT_SAMPLE_COUNT 40
    /end DAQ_PACKED_MODE
    /begin MIN_CYCLE_TIME 5 6 /end MIN_CYCLE_TIME
    /begin BUFFER_RESERVE_EVENT 1 2 /end BUFFER_RESERVE_EVENT
    /begin CPU_LOAD_CONSUMPTION_DAQ 1.0 2.0 3.0
      /begin ODT_ENTRY_SIZE_FACTOR_TABLE 4 1.5 /end ODT_ENTRY_SIZE_FACTOR_TABLE
      /begin CORE_LOAD_EP 0 0.5 /end CORE_LOAD_EP
    /end CPU_LOAD_CONSUMPTION_DAQ
    /begin CPU_LOAD_CONSUMPTION_QUEUE 0.5 0.25 /begin CORE_LOAD_EP 1 1.0 /end CORE_LOAD_EP
    /end CPU_LOAD_CONSUMPTION_QUEUE
  /end EVENT
/end DAQ"""
PGM = """/begin PGM PGM_MODE_ABSOLUTE 1 8 COMMUNICATION_MODE_SUPPORTED BLOCK SLAVE MASTER 2 3
  /begin SECTOR "s" 0 0x100 0x200 1 2 3 /end SECTOR /end PGM"""
CAN = """/begin XCP_ON_CAN 0x0104 CAN_ID_MASTER 1 CAN_ID_SLAVE 2 BAUDRATE 500000 SAMPLE_POINT 80 SAMPLE_RATE SINGLE
  BTL_CYCLES 16 SJW 2 SYNC_EDGE DUAL MAX_BUS_LOAD 70 MEASUREMENT_SPLIT_ALLOWED
  /begin EVENT_CAN_ID_LIST 3 FIXED 0x100 FIXED 0x101 /end EVENT_CAN_ID_LIST
  /begin CAN_FD MAX_DLC 64 CAN_FD_DATA_TRANSFER_BAUDRATE 2000000 SAMPLE_POINT 70 BTL_CYCLES 8 SJW 1
    SYNC_EDGE SINGLE MAX_DLC_REQUIRED SECONDARY_SAMPLE_POINT 60 TRANSCEIVER_DELAY_COMPENSATION ON /end CAN_FD
/end XCP_ON_CAN"""
SXI = """/begin XCP_ON_SxI 0x0101 38400 ASYNCH_FULL_DUPLEX_MODE PARITY_EVEN TWO_STOP_BITS
  /begin FRAMING 0x9A 0x9B /end FRAMING HEADER_LEN_CTR_WORD CHECKSUM_WORD TRANSPORT_LAYER_INSTANCE "line"
/end XCP_ON_SxI"""
USB = """/begin XCP_ON_USB 0x0101 0x1234 0xABCD 1 HEADER_LEN_CTR_BYTE
  /begin OUT_EP_CMD_STIM 1 BULK_TRANSFER 64 0 MESSAGE_PACKING_MULTIPLE ALIGNMENT_32_BIT /end OUT_EP_CMD_STIM
  /begin IN_EP_RESERR_DAQ_EVSERV 2 INTERRUPT_TRANSFER 512 1 MESSAGE_PACKING_STREAMING ALIGNMENT_8_BIT
    RECOMMENDED_HOST_BUFSIZE 16 /end IN_EP_RESERR_DAQ_EVSERV
  /begin IN_EP_ONLY_DAQ 3 BULK_TRANSFER 512 0 MESSAGE_PACKING_SINGLE ALIGNMENT_64_BIT /end IN_EP_ONLY_DAQ
  ALTERNATE_SETTING_NO 2 INTERFACE_STRING_DESCRIPTOR "XCP"
  /begin DAQ_LIST_USB_ENDPOINT 0 FIXED_IN 3 /end DAQ_LIST_USB_ENDPOINT
  /begin DAQ_LIST_USB_ENDPOINT 1 VARIABLE /end DAQ_LIST_USB_ENDPOINT
  OPTIONAL_TL_SUBCMD SET_DAQ_EP
/end XCP_ON_USB"""
FLX = """/begin XCP_ON_FLX 0x0101 1000 "net.xml" "Backbone" 7 HEADER_NAX_CTR_LEN PACKET_ALIGNMENT_16
  /begin INITIAL_CMD_BUFFER 0 MAX_FLX_LEN_BUF FIXED 32
    /begin LPDU_ID FLX_SLOT_ID FIXED 55 OFFSET VARIABLE INITIAL_VALUE 1 CYCLE_REPETITION VARIABLE CHANNEL FIXED B
    /end LPDU_ID
    /begin XCP_PACKET CMD FIXED RES_ERR NOT_ALLOWED DAQ VARIABLE_INITIALISED /end XCP_PACKET
  /end INITIAL_CMD_BUFFER
  /begin POOL_BUFFER 2 MAX_FLX_LEN_BUF VARIABLE 64 /end POOL_BUFFER
/end XCP_ON_FLX"""
ALL = (STATES, CLOCKS, LOADS, PGM, CAN, SXI, USB, FLX)


def module_of(body):
    return parse(f"/begin IF_DATA XCP {body} /end IF_DATA").module


def read(body):
    found = []
    made = read_xcp(module_of(body).if_data, found)
    assert found == []
    return made


def test_ecu_states():
    assert read(STATES).protocol_layer.ecu_states == (
        XcpEcuState(
            *(1, "drive", True, "ACTIVE", "ACTIVE", "NOT_ACTIVE", "GETTER_ONLY"),
            memory_access=(XcpMemoryAccess(0, 1, readable=True),),
        ),
        XcpEcuState(2, "boot", pgm="ACTIVE"),
    )


def test_time_correlation():
    assert read(CLOCKS).time_correlation == XcpTimeCorrelation(
        "ECU_CLOCK",
        (
            XcpClock(
                bytes.fromhex("00010203040506ff"),
                *("ECU_CLOCK", "LIMITED_READABLE", "SYN_ALL", 3),
                characterization=XcpClockTicks(10, 0, 8),
                max_timestamp=2**64 - 1,
                epoch="ATOMIC_TIME",
            ),
            XcpClock(bytes.fromhex("0000000000000001")),
        ),
    )


def test_daq_totals_loads_and_predefined_lists():
    daq = read(LOADS).daq
    assert (daq.max_daq_total, daq.max_odt_entries_stim_total) == (8, 9)
    assert (daq.cpu_load_max_total, daq.core_load_max_total) == (0.5, 0.25)
    assert daq.optimisation_strict
    assert daq.core_load_max == ((1, 0.75),)
    assert daq.memory_consumption == XcpMemoryConsumption(65536, 8, 4, 2, 1, 3, (20, 30))
    (daq_list,) = daq.daq_lists
    assert daq_list.packed_mode_supported
    assert daq_list.predefined == (
        XcpOdt(0, (XcpOdtEntry(0, 0x1000, 0, 4, 255), XcpOdtEntry(1, 0x2000, 1, 1, 3))),
    )


def test_event_tail():
    (event,) = read(LOADS).daq.events
    assert event.packed_mode == XcpPackedMode(
        "EVENT_GROUPED", "STS_FIRST", "MANDATORY", 10, (20, 40)
    )
    assert event.min_cycle_time == (5, 6)
    assert event.buffer_reserve == (1, 2)
    assert event.cpu_load_max == 0.125
    assert event.cpu_load_daq == XcpCpuLoad(1.0, 2.0, 3.0, ((4, 1.5),), ((0, 0.5),))
    assert event.cpu_load_stim is None
    assert event.cpu_load_queue == XcpQueueLoad(0.5, 0.25, ((1, 1.0),))
    assert (event.related_event, event.related_event_fixed) == (4, True)
    assert (event.dto_ctr_daq_mode, event.dto_ctr_stim_mode) == ("INSERT_COUNTER", "CHECK_COUNTER")
    assert (event.complementary_bypass_event, event.event_counter_present) == (2, True)


def test_pgm_communication_mode():
    pgm = read(PGM).pgm
    assert (pgm.block_slave, pgm.block_master, pgm.max_bs, pgm.min_st) == (True, True, 2, 3)
    assert [s.name for s in pgm.sectors] == ["s"]


def test_can_bit_timing():
    (can,) = read(CAN).transports
    assert isinstance(can, XcpOnCan)
    assert (can.sample_rate, can.btl_cycles, can.sjw, can.sync_edge) == ("SINGLE", 16, 2, "DUAL")
    assert (can.max_bus_load, can.measurement_split_allowed) == (70, True)
    assert can.event_can_ids == ((3, (0x100, 0x101)),)
    assert (can.can_fd_sample_point, can.can_fd_btl_cycles, can.can_fd_sjw) == (70, 8, 1)
    assert (can.can_fd_sync_edge, can.can_fd_max_dlc_required) == ("SINGLE", True)
    assert (can.can_fd_secondary_sample_point, can.can_fd_delay_compensation) == (60, "ON")


def test_sxi():
    assert read(SXI).transports == (
        XcpOnSxI(
            version=0x0101,
            baudrate=38400,
            parity="PARITY_EVEN",
            stop_bits=2,
            framing=(0x9A, 0x9B),
            header=4,
            checksum=2,
            instance="line",
        ),
    )


def test_usb():
    assert read(USB).transports == (
        XcpOnUsb(
            version=0x0101,
            vendor_id=0x1234,
            product_id=0xABCD,
            header=1,
            endpoints=(
                XcpUsbEndpoint("OUT_EP_CMD_STIM", 1, 2, 64, 0, 1, 2),
                XcpUsbEndpoint("IN_EP_RESERR_DAQ_EVSERV", 2, 3, 512, 1, 2, 0, 16),
                XcpUsbEndpoint("IN_EP_ONLY_DAQ", 3, 2, 512, 0, 0, 3),
            ),
            alternate_setting=2,
            interface_string="XCP",
            daq_list_endpoints=((0, 3, None), (1, None, None)),
            optional_subcmds=("SET_DAQ_EP",),
        ),
    )


def test_flx():
    assert read(FLX).transports == (
        XcpOnFlx(
            version=0x0101,
            t1_flx=1000,
            fibex_file="net.xml",
            cluster="Backbone",
            nax=7,
            header=6,
            packet_alignment=1,
            buffers=(
                XcpFlxBuffer(
                    "INITIAL_CMD_BUFFER",
                    0,
                    XcpFlxValue(True, 32),
                    slot_id=XcpFlxValue(True, 55),
                    offset=XcpFlxValue(False, 1),
                    cycle_repetition=XcpFlxValue(),
                    channel=XcpFlxValue(True, 1),
                    packets=(
                        ("CMD", "FIXED"),
                        ("RES_ERR", "NOT_ALLOWED"),
                        ("DAQ", "VARIABLE_INITIALISED"),
                    ),
                ),
                XcpFlxBuffer("POOL_BUFFER", 2, XcpFlxValue(False, 64)),
            ),
        ),
    )


@pytest.mark.parametrize("body", ALL)
def test_written_and_read_back(body):
    made = read(body)
    again = parse(write(write_xcp(made))).module.if_data
    assert read_xcp(again) == made


@pytest.mark.parametrize("body", [*ALL, " ".join(ALL)])
def test_built_in_types_know_it(body):
    aml = builtin_aml()
    for data in (module_of(body).if_data[0], write_xcp(read(body))):
        matched = match(aml, data)
        assert matched.diagnostics == ()
        assert build(aml, matched.values) == data


@pytest.mark.parametrize("body", ALL)
def test_every_cut_is_read(body):
    tokens = body.split()
    for end in range(2, len(tokens)):
        found = []
        data = module_of(" ".join(tokens[:end])).if_data
        read_xcp(data, found)
        assert all(d.slug.startswith("if-xcp") for d in found)
        for one in data:
            matched = match(builtin_aml(), one)
            assert build(builtin_aml(), matched.values) == one
