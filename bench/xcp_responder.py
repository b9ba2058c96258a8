"""The canned XCP slave of ``xcp_responder.c`` in Python, for machines without a C compiler."""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
import time

HEADER = struct.Struct("<HH")


class Responder:
    """Answers at once, sends DAQ when told to."""

    def __init__(self, rate: int, size: int, max_cto: int) -> None:
        self.rate = rate
        self.max_cto = max_cto
        self.mta = 0
        self.pattern = bytes(range(256)) * 2
        self.daq_body = bytes(size - 4)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.counters: dict[tuple[str, int], int] = {}
        self.peer: tuple[str, int] = ("", 0)
        self.running = False
        self.sent = 0
        self.order = threading.Lock()

    def put(self, packet: bytes, peer: tuple[str, int]) -> None:
        with self.order:
            counter = self.counters.get(peer, 0)
            self.counters[peer] = (counter + 1) & 0xFFFF
            self.sock.sendto(HEADER.pack(len(packet), counter) + packet, peer)

    def daq(self) -> None:
        due = time.monotonic()
        done = millisecond = 0
        while True:
            due += 0.001
            time.sleep(max(due - time.monotonic(), 0))
            if not self.running:
                done = millisecond = 0
                continue
            millisecond += 1
            while done < self.rate * millisecond // 1000 and self.running:
                self.put(self.daq_body, self.peer)
                done += 1
                self.sent += 1

    def answer(self, packet: bytes, peer: tuple[str, int]) -> bytes:
        code = packet[0]
        if code == 0xF4:
            return b"\xff" + b"\x2a" * packet[1]
        if code == 0xFF:
            self.counters[peer] = 0
            return bytes((0xFF, 0x05, 0xC0, self.max_cto, 0xBC, 0x05, 0x01, 0x01))
        if code == 0xF6:
            (self.mta,) = struct.unpack_from("<I", packet, 4)
            return b"\xff"
        if code == 0xF5:
            return self.upload(packet[1], peer)
        if code == 0xF1:
            return b"\xff" + struct.pack("<I", self.sent)
        if code == 0xDD:
            self.peer = peer
            if packet[1] == 1:
                self.sent = 0
            self.running = packet[1] == 1
            return b"\xff"
        canned = {
            0xFD: b"\xff" + bytes(5),
            0xFB: b"\xff" + bytes(7),
            0xFC: b"\xfe\0",
            0xFE: b"\xff",
        }
        return canned.get(code, b"\xfe\x20")

    def upload(self, count: int, peer: tuple[str, int]) -> bytes:
        """All responses but the last one go out here."""
        while True:
            size = min(count, self.max_cto - 1)
            at = self.mta & 0xFF
            packet = b"\xff" + self.pattern[at : at + size]
            self.mta += size
            count -= size
            if not count:
                return packet
            self.put(packet, peer)

    def serve(self) -> None:
        while True:
            data, peer = self.sock.recvfrom(2048)
            if len(data) > 4:
                self.put(self.answer(data[4:], peer), peer)


def main() -> None:
    max_cto = int(sys.argv[3]) if len(sys.argv) > 3 else 0xFF
    responder = Responder(int(sys.argv[1]), int(sys.argv[2]), max_cto)
    print(responder.sock.getsockname()[1], flush=True)
    if responder.rate:
        threading.Thread(target=responder.daq, daemon=True).start()
    threading.Thread(target=responder.serve, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
