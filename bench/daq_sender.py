"""daq_sender.c in Python, for machines without a C compiler: same arguments, commands and output.

python bench/daq_sender.py udp|tcp RATE MEGABYTES DATAGRAM MAX_DTO LISTS

A block of steps is laid out once; its counters and timestamps are set with numpy, and datagrams of the
same length leave in one call (UDP_SEGMENT) where the system can. It reaches some 200 MB/s, at the cost of
a good part of a core.
"""

from __future__ import annotations

import math
import os
import socket
import struct
import sys
import threading
import time
from itertools import pairwise

import numpy as np

UDP_SEGMENT = 103
BLOCK = 96 << 10
LARGEST = 63_000
SEGMENTS = 60
PAUSE_S = 0.0002


class Block:
    """Some steps of all lists, ready to be sent."""

    def __init__(self, lists, datagram):
        period = math.lcm(*(weight for _, weight in lists))
        messages = []  # (list, odt, size, step)
        self.steps = size = 0
        while size < BLOCK and self.steps < 100_000:
            for index, (sizes, weight) in enumerate(lists):
                for odt, count in enumerate(sizes if self.steps % weight == 0 else ()):
                    messages.append((index, odt, count + 2 + 4 * (odt == 0), self.steps))
                    size += messages[-1][2] + 4
            self.steps += 1
            if self.steps % period:
                size = min(size, BLOCK - 1)
        self.rows = [-(-self.steps // weight) for _, weight in lists]
        self.data = bytearray()
        ends, stamps = [0], []
        starts = []
        for index, odt, length, step in messages:
            if len(self.data) + length + 4 - ends[-1] > datagram:
                ends.append(len(self.data))
            starts.append(len(self.data))
            if odt == 0:
                stamps.append((len(self.data) + 6, step))
            self.data += struct.pack("<HHBB", length, 0, odt, index) + bytes(length - 2)
        self.groups = self._groups([*ends, len(self.data)])
        self.messages = len(messages)
        array = np.frombuffer(self.data, np.uint8)
        self._counters = array, np.array(starts)[:, None] + [2, 3]
        self._stamps = np.array([at for at, _ in stamps])[:, None] + np.arange(4)
        self._offsets = np.array([step for _, step in stamps], np.uint32) * 100
        self._numbers = np.arange(self.messages, dtype=np.uint32)

    @staticmethod
    def _groups(ends):
        """(start, end, length of a datagram): as many of one length as one call may send."""
        groups = []
        for start, end in pairwise(ends):
            if groups:
                first, last, size = groups[-1]
                whole = (last - first) % size == 0 and (last - first) // size < SEGMENTS
                if whole and end - start <= size and end - first <= LARGEST:
                    groups[-1] = first, end, size
                    continue
            groups.append((start, end, end - start))
        return groups

    def number(self, counter, ticks):
        array, places = self._counters
        numbers = (self._numbers + counter).astype("<u2")
        array[places] = numbers.view(np.uint8).reshape(-1, 2)
        stamps = (self._offsets + np.uint32(ticks)).astype("<u4")
        array[self._stamps] = stamps.view(np.uint8).reshape(-1, 4)


class Sender:
    def __init__(self, mode, rate, megabytes, datagram, max_dto, lists):
        self.tcp, self.rate, self.wanted = mode == "tcp", float(rate), float(megabytes) * 1e6
        self.datagram, self.max_dto = int(datagram), int(max_dto)
        told = [[int(number) for number in one.split(":")] for one in lists.split(",")]
        self.weights = [weight for _, _, weight in told]
        self.lists = [([size - 4] + [size] * (odts - 1), weight) for odts, size, weight in told]
        self.events: dict[int, int] = {}
        self.dynamic = self.connected = self.running = False
        self.rows = [0] * len(self.lists)
        self.counter = self.at = 0
        self.peer = None
        style = socket.SOCK_STREAM if self.tcp else socket.SOCK_DGRAM
        self.sock = socket.socket(socket.AF_INET, style)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self.sock.bind(("127.0.0.1", 0))
        print(self.sock.getsockname()[1], flush=True)
        if self.tcp:
            self.sock.listen(1)
            self.sock, _ = self.sock.accept()
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def serve(self):
        while True:
            self.listen(wait=True)
            if self.running:
                self.run()

    def listen(self, *, wait):
        """Answer what has come; False = nothing had."""
        try:
            flags = 0 if wait else socket.MSG_DONTWAIT
            data, peer = self.sock.recvfrom(4096, flags)
        except (BlockingIOError, ConnectionRefusedError):
            return False
        if self.tcp and not data:
            os._exit(0)
        if not self.tcp and peer != self.peer:
            self.sock.connect(peer)
            self.peer = peer
        at = 0
        while at + 5 <= len(data):
            size = int.from_bytes(data[at : at + 2], "little")
            if not size or at + 4 + size > len(data):
                break
            reply = self.answer(data[at + 4 : at + 4 + size])
            message = struct.pack("<HH", len(reply), self.counter & 0xFFFF) + reply
            self.counter += 1
            self.sock.sendall(message)
            at += 4 + size
        return True

    def answer(self, told):
        code, event = told[0], told[4] if len(told) > 4 else 0
        match code:
            case 0xFF:
                self.connected, self.running, self.counter = True, False, 0
                return struct.pack("<4BH2B", 0xFF, 0x04, 0x80, 0xFF, self.max_dto, 1, 1)
            case 0xFD:
                return bytes((0xFF, 0x40 if self.running else 0, 0, 0, 0, 0))
            case 0xFB:
                return b"\xff" + bytes(7)
            case 0xDA:
                return bytes((0xFF, 0x11, 0, 1, len(self.weights), 0, 0, 0x40))
            case 0xD9:
                return bytes((0xFF, 1, 248, 1, 248, 0x3C, 1, 0))
            case 0xD7:
                weight = self.weights[event % len(self.weights)]
                return bytes((0xFF, 0x04, 0xFF, 0, weight, 5, 0))
            case 0xDC:
                return struct.pack("<B3xI", 0xFF, time.monotonic_ns() // 1000 & 0xFFFFFFFF)
            case 0xF1:
                return struct.pack("<BI", 0xFF, self.rows[told[1] % len(self.rows)])
            case 0xDE:
                return b"\xff\x00"
            case 0xD3 | 0xFE:
                return b"\xff"
            case 0xDD:
                self.running = told[1] == 1
                return b"\xff"
            case 0xD6 | 0xD5 | 0xD4 | 0xE2 | 0xE1 | 0xE0:
                self.configure(code, told)
                return b"\xff"
        return bytes((0xFE, 0x00 if code == 0xFC else 0x20))

    def configure(self, code, told):
        """FREE_DAQ, ALLOC_DAQ, ALLOC_ODT, SET_DAQ_PTR, WRITE_DAQ, SET_DAQ_LIST_MODE."""
        if code == 0xD6:
            self.lists = []
        elif code == 0xD5:
            self.lists = [([], 1) for _ in range(told[2])]
        elif code == 0xD4:
            self.lists[told[2]][0].extend([0] * told[4])
        elif code == 0xE2:
            self.at = told[2], told[4]
        elif code == 0xE1:
            self.lists[self.at[0]][0][self.at[1]] += told[2]
        else:
            sizes, _ = self.lists[told[2]]
            self.lists[told[2]] = sizes, self.weights[told[4] % len(self.weights)]

    def run(self):
        block = Block(self.lists, self.datagram)
        self.rows = [0] * len(self.lists)
        began, sent, late, step, messages = time.monotonic_ns(), 0, 0, 0, 0
        while self.running and sent < self.wanted:
            while self.listen(wait=False):
                pass
            if not self.running:
                return
            block.number(self.counter, began // 1000 + step * 100 & 0xFFFFFFFF)
            view = memoryview(block.data)
            for start, end, size in block.groups:
                while self.rate and (due := began + sent / self.rate * 1e3) > time.monotonic_ns():
                    time.sleep(PAUSE_S)
                if self.rate:
                    late = max(late, time.monotonic_ns() - due)
                self.put(view[start:end], size)
                sent += end - start
            self.counter += block.messages
            messages += block.messages
            step += block.steps
            self.rows = [known + more for known, more in zip(self.rows, block.rows, strict=True)]
        self.running = False
        print(sum(self.rows), messages, f"{late * 1e-6:.1f}", flush=True)
        if self.tcp and not self.connected:
            self.sock.shutdown(socket.SHUT_WR)

    def put(self, data, size):
        if self.tcp:
            self.sock.sendall(data)
            return
        if len(data) > size:
            kind = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", size))]
            try:
                self.sock.sendmsg([data], kind)
            except OSError:  # the system cannot cut: one by one
                kind = []
            if kind:
                return
        for at in range(0, len(data), size):
            try:
                self.sock.send(data[at : at + size])
            except ConnectionRefusedError:  # nobody receives any more
                return


def wait_for_end():
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=wait_for_end, daemon=True).start()
    Sender(*sys.argv[1:]).serve()
