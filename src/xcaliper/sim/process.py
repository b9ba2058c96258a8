"""A virtual ECU in a process of its own, which ends with its parent."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from typing import TYPE_CHECKING, Any, Final, Self

from xcaliper.core.errors import LinkError, XcaliperError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from xcaliper.sim.extensions import ExtensionMap
    from xcaliper.sim.faults import Faults
    from xcaliper.sim.xcp_section import Endpoint
    from xcaliper.xcp.slave_config import SlaveConfig

__all__ = ["EcuProcess"]

_START_S: Final = 30.0
_STOP_S: Final = 5.0


class EcuProcess:
    """An ECU of the gallery, served by a child process.

    Args:
        name: of the ECU in the gallery.
        urls: where to listen; port 0 takes any.
        settings: of its slave.
        seed: of the model's noise.
        signals: how many ``many-signals`` has.
        rate_hz: of the event of ``many-signals``.
        faults: what goes wrong on purpose.
        datagram_limit: bytes of one UDP datagram that the server sends.
        nvm: file that keeps what SET_REQUEST stored, for the next process.
        extensions: which memory has which address extension; None = all have 0.
        max_late_s: seconds that tasks may run late before they are skipped; None = as usual.

    Attributes:
        endpoints: where it listens; known after :meth:`start`.
    """

    def __init__(  # noqa: PLR0913  # each one is a choice of its own
        self,
        name: str = "demo-engine",
        urls: Sequence[str] = ("udp://127.0.0.1:0",),
        settings: SlaveConfig | None = None,
        *,
        seed: int = 1,
        signals: int = 10_000,
        rate_hz: float = 1000,
        faults: Faults | None = None,
        datagram_limit: int = 1472,
        nvm: Path | None = None,
        extensions: ExtensionMap | None = None,
        max_late_s: float | None = None,
    ) -> None:
        self.endpoints: tuple[Endpoint, ...] = ()
        options = {
            "seed": seed,
            "signals": signals,
            "rate_hz": rate_hz,
            "faults": faults,
            "nvm": nvm,
            "extensions": extensions,
        }
        serving: dict[str, Any] = {"datagram_limit": datagram_limit}
        if max_late_s is not None:
            serving["max_late_s"] = max_late_s
        context = multiprocessing.get_context("spawn")
        self._pipe, self._child_pipe = context.Pipe()
        self._process = context.Process(
            target=_run,
            args=(self._child_pipe, name, tuple(urls), settings, options, serving),
            name=f"virtual-ecu-{name}",
            daemon=True,
        )

    def start(self) -> Self:
        """Start it and wait until it listens.

        Raises:
            XcaliperError: what the child could not do (unknown name, port taken).
            LinkError: the child did not start.
        """
        self._process.start()
        self._child_pipe.close()
        try:
            answer = self._pipe.recv() if self._pipe.poll(_START_S) else None
        except EOFError:
            answer = None
        if isinstance(answer, XcaliperError):
            self.close()
            raise answer
        if not isinstance(answer, tuple):
            self.close()
            raise LinkError("virtual ECU: its process did not start.", hint="Try it in a thread.")
        self.endpoints = answer
        return self

    @property
    def url(self) -> str:
        """The first endpoint, as a master writes it."""
        return str(self.endpoints[0])

    @property
    def pid(self) -> int | None:
        """Process id; None before the start."""
        return self._process.pid

    def close(self) -> None:
        """End the process, in bounded time."""
        self._pipe.close()  # the child ends when it sees this
        if self._process.pid is None:
            return
        self._process.join(_STOP_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(_STOP_S)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _run(  # what the parent was given
    pipe: Connection,
    name: str,
    urls: tuple[str, ...],
    settings: SlaveConfig | None,
    options: dict[str, Any],
    serving: dict[str, Any],
) -> None:
    """Body of the child: serve until the pipe closes or a signal comes."""
    from xcaliper.sim.gallery import build_ecu
    from xcaliper.sim.server import EcuServer

    for ends in ("SIGINT", "SIGHUP"):  # the parent's to handle; its end closes the pipe
        if hasattr(signal, ends):
            signal.signal(getattr(signal, ends), signal.SIG_IGN)
    try:
        server = EcuServer(build_ecu(name, settings, **options), urls, **serving)
    except XcaliperError as error:
        pipe.send(error)
        return
    pipe.send(server.endpoints)

    def watch() -> None:
        with contextlib.suppress(EOFError, OSError):
            pipe.recv()
        server.stop()

    threading.Thread(target=watch, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    server.serve()
