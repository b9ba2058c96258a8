"""The decode loop compiled by numba, with the receive inside.

A drain keeps the GIL: it lasts a few milliseconds at most, but to get the GIL back from a busy thread of
the application takes one switch interval each time, and there are several calls in a drain with losses.
A stay (``kernels.reside``) goes on for many ticks and gives the GIL away once for all of them.

Everything here is optional: without numba, or until it has compiled, the numpy tier decodes. numba is
imported and asked to compile in a thread, the first time that a measurement is set up.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from functools import cache
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.daq import kernels
from xcaliper.daq.kernels import AWAKE, JOINED, LEAVE, TIMESPEC

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "CONTROL_SIZE",
    "Stay",
    "compile_drain",
    "compile_reside",
    "control_block",
    "drain_kernel",
    "prepare",
    "reside_kernel",
]

#: Words of the control block: segment, flags, then a msghdr, an iovec and room for one answer.
CONTROL_SIZE: Final = 40
_FLAGS: Final = 1
_MSGHDR: Final = 4  # 7 words on 64-bit Linux: name, its size, iov, count, control, its size, flags
_IOVEC: Final = 12
_ANSWER: Final = 16
_ANSWER_BYTES: Final = 64
#: A nap as a timespec, then how many of two pollfds (pipe, socket) count, and the time as a timespec.
_NAP: Final = 27
_POLLED: Final = 29
_POLLFD: Final = 30
_POLLIN: Final = 1
_MOST_WISHES: Final = 1 << 20
_CLOCK_MONOTONIC: Final = 1
_SOL_UDP: Final = 17
_UDP_GRO: Final = 104
#: Whether the layout of msghdr is the one above.
_HAS_RECVMSG: Final = sys.platform == "linux" and sys.maxsize > 2**32 and sys.byteorder == "little"
#: Arrays live longer than the call, so nobody counts references to them in here.
_OPTIONS: Final[dict[str, Any]] = {
    "boundscheck": False,
    "nogil": False,  # see above
    "error_model": "numpy",
    "_nrt": False,
}
_STAYING: Final[dict[str, Any]] = _OPTIONS | {"nogil": True}
_HAS_RECV: Final = hasattr(__import__("socket"), "MSG_DONTWAIT")


def control_block() -> np.ndarray[Any, np.dtype[np.int64]]:
    """What the compiled receive needs: a message header that points at itself."""
    import socket

    block = np.zeros(CONTROL_SIZE, np.int64)
    base = block.ctypes.data
    block[_FLAGS] = getattr(socket, "MSG_DONTWAIT", 0)
    block[_MSGHDR + 2] = base + 8 * _IOVEC
    block[_MSGHDR + 3] = 1
    block[_MSGHDR + 4] = base + 8 * _ANSWER
    return block


class _Compiler:
    """Compiles once, in a thread of its own.

    Attributes:
        kernel: the result, None before.
        resident: the one that stays, None before and where there is none.
        error: why there will be none.
    """

    def __init__(self) -> None:
        self.kernel: Callable[..., int] | None = None
        self.resident: Callable[..., int] | None = None
        self.error: Exception | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._begun_ns = 0

    def begin(self) -> threading.Thread:
        with self._lock:
            if self._thread is None:
                # not a daemon: the end of the process must not find a compiler at work
                self._thread = threading.Thread(target=self._run, name="xcaliper compile")
                self._begun_ns = time.monotonic_ns()
                self._thread.start()
            return self._thread

    def wait(self, until_s: float) -> None:
        """Wait until it is done, or until so many seconds have passed since it began."""
        thread = self.begin()
        thread.join(max(until_s - (time.monotonic_ns() - self._begun_ns) * 1e-9, 0.0))

    def _run(self) -> None:
        try:
            self.kernel = compile_drain()
            if _HAS_RECVMSG:
                self.resident = compile_reside(self.kernel)
            import numpy.ma  # noqa: F401  # numba does with the first call, which must not wait
        except Exception as error:  # noqa: BLE001  # whatever numba dislikes: the numpy tier goes on
            self.error = error


@cache
def _compiler() -> _Compiler:
    """The one of this process."""
    return _Compiler()


def drain_kernel() -> Callable[..., int] | None:
    """The compiled ``kernels.drain``; None when there is none, or not yet."""
    return _compiler().kernel


def reside_kernel() -> Callable[..., int] | None:
    """The compiled ``kernels.reside``; None when there is none, or not yet."""
    return _compiler().resident


def prepare(*, wait_s: float = 0.0) -> bool:
    """Begin to compile in a thread, once; True when the kernel is there.

    Args:
        wait_s: how long to wait for it, from when it was first asked to.
    """
    if not _HAS_RECV or os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return False
    _compiler().wait(wait_s)
    return _compiler().kernel is not None


def compile_drain() -> Callable[..., int]:
    """``kernels.drain`` as machine code, from the cache when it has it.

    Raises:
        ImportError: there is no numba.
    """
    from numba import njit

    namespace = dict(vars(kernels)) | _primitives()
    inlined = kernels.FUNCTIONS[: kernels.FUNCTIONS.index("drain")]
    for name in inlined:
        text: Any = namespace[name]
        namespace[name] = njit(inline="always", **_OPTIONS)(_clone(text, namespace))
    return _compile(_clone(kernels.drain, namespace), _OPTIONS)


def compile_reside(drain: Callable[..., int]) -> Callable[..., int]:
    """``kernels.reside`` as machine code that runs without the GIL.

    Args:
        drain: what :func:`compile_drain` gave.

    Raises:
        ImportError: there is no numba.
    """
    return _compile(
        _clone(kernels.reside, dict(vars(kernels)) | _waiting() | {"drain": drain}), _STAYING
    )


def _compile(function: FunctionType, options: dict[str, Any]) -> Callable[..., int]:
    from numba import njit, types

    vector, table = types.int64[::1], types.int64[:, ::1]
    octets = types.uint8[::1]
    signature = types.int64(
        types.int64,
        types.int64,
        vector,
        octets,
        vector,
        vector,
        types.int32[::1],
        table,
        table,
        octets,
        vector,
        table,
        table,
    )
    for cached in (True, False):
        # Without a folder to write to, numba refuses to cache at all.
        with contextlib.suppress(RuntimeError):
            made = njit([signature], cache=cached, **options)(function)
            compiled: Callable[..., int] = made
            return compiled
    raise ImportError("numba compiles nothing here")


def _clone(function: Any, namespace: dict[str, Any]) -> FunctionType:
    """The same code that finds its globals elsewhere."""
    made = FunctionType(function.__code__, namespace, function.__name__)
    made.__module__ = function.__module__
    made.__qualname__ = function.__qualname__
    return made


def _primitives() -> dict[str, Any]:
    """What replaces ``kernels.PRIMITIVES``."""
    from llvmlite import ir
    from numba import njit, types
    from numba.core import cgutils
    from numba.extending import intrinsic

    def load(bits: int) -> Any:
        def typed(_context: Any, buffer: Any, _at: Any) -> Any:
            def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
                data = context.make_array(sig.args[0])(context, builder, args[0]).data
                place = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(bits).as_pointer())
                return builder.zext(builder.load(place, align=1), ir.IntType(64))

            return types.int64(buffer, types.int64), generate

        return intrinsic(typed)

    @intrinsic
    def copy_bytes(
        _context: Any, target: Any, _at: Any, source: Any, _from: Any, _size: Any
    ) -> Any:
        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            into = context.make_array(sig.args[0])(context, builder, args[0]).data
            out_of = context.make_array(sig.args[2])(context, builder, args[2]).data
            cgutils.raw_memcpy(  # type: ignore[no-untyped-call]
                builder, builder.gep(into, [args[1]]), builder.gep(out_of, [args[3]]), args[4], 1
            )
            return context.get_dummy_value()

        return types.void(target, types.int64, source, types.int64, types.int64), generate

    name = "recvmsg" if _HAS_RECVMSG else "recv"
    return {
        "load_u8": load(8),
        "load_u32": load(32),
        "copy_bytes": copy_bytes,
        "receive": njit(inline="always", **_OPTIONS)(_receivers(name)),
    }


def _receivers(name: str) -> Any:
    from numba import types

    recv: Any = types.ExternalFunction(
        "recv", types.intp(types.int32, types.uintp, types.uintp, types.int32)
    )
    if name == "recv":

        def receive(descriptor: Any, buffer: Any, at: Any, room: Any, control: Any) -> Any:
            control[0] = 0
            return recv(descriptor, buffer.ctypes.data + at, room, control[_FLAGS])

        return receive
    recvmsg: Any = types.ExternalFunction(
        "recvmsg", types.intp(types.int32, types.uintp, types.int32)
    )

    def receive_joined(descriptor: Any, buffer: Any, at: Any, room: Any, control: Any) -> Any:
        control[0] = 0
        if not control[JOINED]:
            return recv(descriptor, buffer.ctypes.data + at, room, control[_FLAGS])
        control[_IOVEC] = buffer.ctypes.data + at
        control[_IOVEC + 1] = room
        control[_MSGHDR + 5] = _ANSWER_BYTES
        size = recvmsg(descriptor, control.ctypes.data + 8 * _MSGHDR, control[_FLAGS])
        # cmsghdr: size in a word, level and type in the next, then the value
        if (
            size > 0
            and control[_MSGHDR + 5] >= 20
            and control[_ANSWER + 1] == _SOL_UDP | _UDP_GRO << 32
        ):
            control[0] = control[_ANSWER + 2] & 0xFFFFFFFF
        return size

    return receive_joined


def _waiting() -> dict[str, Any]:
    """Time and naps without the interpreter."""
    from numba import njit, types

    gettime: Any = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.uintp))
    ppoll: Any = types.ExternalFunction(
        "ppoll", types.int32(types.uintp, types.uintp, types.uintp, types.uintp)
    )

    def clock_ns(control: Any) -> Any:
        gettime(_CLOCK_MONOTONIC, control.ctypes.data + 8 * TIMESPEC)
        return control[TIMESPEC] * 1_000_000_000 + control[TIMESPEC + 1]

    def nap(control: Any) -> None:
        base = control.ctypes.data
        ppoll(base + 8 * _POLLFD, control[_POLLED], base + 8 * _NAP, 0)

    return {
        name: njit(inline="always", **_STAYING)(function)
        for name, function in (("clock_ns", clock_ns), ("nap", nap))
    }


class Stay:
    """How others get the pump out of ``reside``: a word that it looks at, and a pipe that wakes it.

    Args:
        control: the control block of the kernel.
    """

    def __init__(self, control: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        self._control = control
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        control[_POLLFD] = self._reader | _POLLIN << 32

    def begin(self, nap_s: float, descriptor: int = -1, *, awake_ns: int = 0) -> None:
        """Forget earlier wishes to leave; the caller looks for new ones after that.

        Args:
            nap_s: how long it sleeps between two ticks, below one second.
            descriptor: of a socket, to wake up with every datagram.
            awake_ns: monotonic time until which not to sleep at all.
        """
        self._control[_NAP + 1] = int(nap_s * 1e9)
        self._control[AWAKE] = awake_ns
        self._control[_POLLED] = 1 + (descriptor >= 0)
        self._control[_POLLFD + 1] = (descriptor & 0xFFFFFFFF) | _POLLIN << 32
        if self._control[LEAVE]:
            self._control[LEAVE] = 0
            with contextlib.suppress(BlockingIOError):
                os.read(self._reader, _MOST_WISHES)  # as much as a pipe holds

    def end(self) -> None:
        """Let it leave at the next opportunity; from any thread, harmless when nobody stays."""
        # In this order: a byte that came behind the word would be left in the pipe by begin(), and
        # naps would be over at once.
        with contextlib.suppress(OSError):  # full: it wakes anyway
            os.write(self._writer, b"x")
        self._control[LEAVE] = 1

    def close(self) -> None:
        """Give the pipe back; nobody may stay any more."""
        self._control[_POLLFD] = 0xFFFFFFFF  # poll() passes a negative descriptor over
        ends, self._reader, self._writer = (self._reader, self._writer), -1, -1
        for end in ends:
            os.close(end)
