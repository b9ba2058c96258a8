"""An ECU of bytes for calibration tests: segments with pages, refusals and silence on demand.

Segment 0 "maps" at 0x1000, 512 bytes: page 0 in RAM, page 1 in flash, which cannot be written.
Segment 1 "twin" at 0x2000, 512 bytes: both pages can be written.
Memory without pages at 0x3000, 64 bytes.
"""

from __future__ import annotations

import zlib

from xcaliper.a2l import parse
from xcaliper.calib.segments import CalibSegment, PageUse
from xcaliper.core.address import Address
from xcaliper.core.errors import ExchangeTimeoutError, UsageError
from xcaliper.quantity.catalog import Catalog
from xcaliper.xcp.codes import ErrorCode, negative_response

MAPS, TWIN, PLAIN = 0x1000, 0x2000, 0x3000
SIZE, PLAIN_SIZE = 512, 64
SEGMENTS = (
    CalibSegment(0, "maps", Address(MAPS), SIZE, (PageUse(0), PageUse(1, xcp_write=0))),
    CalibSegment(1, "twin", Address(TWIN), SIZE, (PageUse(0), PageUse(1))),
)

BODY = """
/begin RECORD_LAYOUT B FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT W FNC_VALUES 1 UWORD ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT L FNC_VALUES 1 ULONG ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT A AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin COMPU_METHOD HALF "" LINEAR "%5.1" "V" COEFFS_LINEAR 0.5 0 /end COMPU_METHOD
/begin CHARACTERISTIC a "" VALUE 0x1000 W 0 HALF 0 1000 /end CHARACTERISTIC
/begin CHARACTERISTIC b "" VALUE 0x1010 L 0 NO_COMPU_METHOD 0 4294967295 /end CHARACTERISTIC
/begin CHARACTERISTIC sum "" VALUE 0x1020 W 0 NO_COMPU_METHOD 0 60000
  /begin DEPENDENT_CHARACTERISTIC "X1 + X2" a b /end DEPENDENT_CHARACTERISTIC /end CHARACTERISTIC
/begin CHARACTERISTIC twice "" VALUE 0 W 0 NO_COMPU_METHOD 0 65535
  /begin VIRTUAL_CHARACTERISTIC "2*X1" sum /end VIRTUAL_CHARACTERISTIC /end CHARACTERISTIC
/begin AXIS_PTS ax "" 0x1030 NO_INPUT_QUANTITY A 0 NO_COMPU_METHOD 4 0 255 MONOTONY STRICT_INCREASE /end AXIS_PTS
/begin CHARACTERISTIC curve "" CURVE 0x1040 B 0 NO_COMPU_METHOD 0 255
  /begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 4 0 255 AXIS_PTS_REF ax /end AXIS_DESCR
/end CHARACTERISTIC
/begin CHARACTERISTIC block "" VAL_BLK 0x1060 B 0 NO_COMPU_METHOD 0 255 MATRIX_DIM 300 /end CHARACTERISTIC
/begin CHARACTERISTIC t1 "" VALUE 0x2000 W 0 NO_COMPU_METHOD 0 65535 /end CHARACTERISTIC
/begin CHARACTERISTIC t2 "" VALUE 0x2100 W 0 NO_COMPU_METHOD 0 65535 /end CHARACTERISTIC
/begin CHARACTERISTIC p "" VALUE 0x3000 B 0 NO_COMPU_METHOD 0 255 /end CHARACTERISTIC
/begin CHARACTERISTIC gear "" VALUE 0x3001 B 0 GEARS 0 1 /end CHARACTERISTIC
/begin COMPU_METHOD GEARS "" TAB_VERB "" "" COMPU_TAB_REF GEARS_T /end COMPU_METHOD
/begin COMPU_VTAB GEARS_T "" TAB_VERB 2 0 "Manual" 1 "Automatic" /end COMPU_VTAB
/begin CHARACTERISTIC coded "" VALUE 0x3010 B 0 NO_COMPU_METHOD 0 255 /end CHARACTERISTIC
/begin VARIANT_CODING
  /begin VAR_CRITERION Gear "" Manual Automatic VAR_SELECTION_CHARACTERISTIC gear /end VAR_CRITERION
  /begin VAR_CHARACTERISTIC coded Gear /begin VAR_ADDRESS 0x3010 0x3020 /end VAR_ADDRESS /end VAR_CHARACTERISTIC
/end VARIANT_CODING
"""


def catalog() -> Catalog:
    return Catalog(
        parse(
            f'ASAP2_VERSION 1 71 /begin PROJECT P "" /begin MODULE M "" {BODY} /end MODULE /end PROJECT'
        )
    )


def silence() -> ExchangeTimeoutError:
    return ExchangeTimeoutError("SHORT_DOWNLOAD", timer="T1", attempts=3, elapsed_ns=75_000_000)


def refusal() -> Exception:
    return negative_response("SHORT_DOWNLOAD", ErrorCode.ERR_WRITE_PROTECTED)


class CalibEcu:
    """Memory, pages and what goes wrong.

    Attributes:
        pages_of: (segment, page) → bytes.
        used: segment → [page of the ECU, page of XCP].
        log: what was asked for, in order: ``write 0x1000 2``, ``ecu 0 1``, ``user 01``.
        fail: number of a write, counted from 0 → what it raises, and whether it was carried out before.
        fail_switch: number of a switch → what it raises.
        silent: nothing is answered any more.
        seen: what the ECU worked with after every step: bytes of both segments.
    """

    def __init__(self, *, checksums: bool = True, ag: int = 1) -> None:
        self.ag = ag
        self.pages_of = {
            (s, p): bytearray(bytes((7 * i + 3 * s) & 0x3F for i in range(SIZE)))
            for s in (0, 1)
            for p in (0, 1)
        }
        for page in (0, 1):
            for at, data in ((0, "0200"), (0x10, "05000000"), (0x20, "0600"), (0x30, "0a141e28")):
                self.pages_of[0, page][at : at + len(data) // 2] = bytes.fromhex(data)
        self.plain = bytearray(PLAIN_SIZE)
        self.used = {0: [0, 0], 1: [0, 0]}
        self.log: list[str] = []
        self.fail: dict[int, tuple[Exception, bool]] = {}
        self.fail_switch: dict[int, Exception] = {}
        self.silent = False
        self.checksums = checksums
        self.writes = self.switches = self.bytes_read = self.bytes_written = self.checked = 0
        self.seen: list[tuple[bytes, bytes]] = []

    def active(self) -> tuple[bytes, bytes]:
        """What the ECU works with."""
        return tuple(bytes(self.pages_of[s, self.used[s][0]]) for s in (0, 1))  # type: ignore[return-value]

    def _at(self, address: Address, size: int) -> tuple[bytearray, int]:
        for number, start in ((0, MAPS), (1, TWIN)):
            if start <= address.value and address.value + size <= start + SIZE:
                return self.pages_of[number, self.used[number][1]], address.value - start
        if address.value >= PLAIN and address.value + size <= PLAIN + PLAIN_SIZE:
            return self.plain, address.value - PLAIN
        raise UsageError(f"no memory at {address}, {size} bytes.")

    def _answer(self) -> None:
        if self.silent:
            raise silence()

    def read(self, address: Address, size_bytes: int) -> bytes:
        self._answer()
        block, at = self._at(address, size_bytes)
        self.bytes_read += size_bytes
        return bytes(block[at : at + size_bytes])

    def write(self, address: Address, data: bytes) -> None:
        self._answer()
        block, at = self._at(address, len(data))
        number, self.writes = self.writes, self.writes + 1
        error, done = self.fail.get(number, (None, True))
        self.log.append(f"write {address.value:#x} {len(data)}")
        if block is self.pages_of[0, 1]:
            raise refusal()
        if done:
            block[at : at + len(data)] = data
            self.bytes_written += len(data)
            self.seen.append(self.active())
        if error is not None:
            self.silent = isinstance(error, ExchangeTimeoutError)
            raise error

    def matches(self, address: Address, data: bytes) -> bool | None:
        self._answer()
        if not self.checksums:
            return None
        self.checked += len(data)
        block, at = self._at(address, len(data))
        return zlib.crc32(block[at : at + len(data)]) == zlib.crc32(data)

    def pages(self, segment: int) -> tuple[int, int]:
        ecu, xcp = self.used[segment]
        return ecu, xcp

    def switch(self, segments, page: int, *, ecu: bool, xcp: bool) -> None:
        self._answer()
        number, self.switches = self.switches, self.switches + 1
        if number in self.fail_switch:
            error = self.fail_switch[number]
            self.silent = isinstance(error, ExchangeTimeoutError)
            raise error
        for one in segments:
            if ecu:
                self.used[one][0] = page
            if xcp:
                self.used[one][1] = page
            self.log.append(f"{'ecu' if ecu else 'xcp'} {one} {page}")
        self.seen.append(self.active())

    def user_command(self, content: bytes) -> None:
        self._answer()
        self.log.append(f"user {content.hex()}")
