"""Connecting: the link, CONNECT, the description, stored lists that run already, the timers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from xcaliper.client.a2l_source import A2lCache
from xcaliper.client.connection import Connection
from xcaliper.client.description import find_description
from xcaliper.client.resume import load_saved, wait_for
from xcaliper.client.security import KeyRing
from xcaliper.client.timing import timers_of
from xcaliper.core.errors import UsageError
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.procedures.connect import connect as connect_procedure
from xcaliper.xcp.table import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcaliper.client.keys import Keys
    from xcaliper.daq.saved_plan import SavedPlan
    from xcaliper.proto.command import Request
    from xcaliper.proto.exchange import Waiting
    from xcaliper.transport.pump import Link

__all__ = ["connect"]

_MAX_MODE_WAIT_S: Final = 86_400.0


def connect(  # noqa: PLR0913  # options by name
    url: str,
    a2l: str | Path | None = None,
    *,
    timeout_s: float | None = None,
    cache: bool | A2lCache = True,
    low_latency: bool | None = None,
    commands: Sequence[type[Request[Any]]] = (),
    on_upload: Callable[[int, int], None] | None = None,
    on_wait: Callable[[Waiting], object] | None = None,
    resume: SavedPlan | str | Path | None = None,
    wait_s: float = 0.0,
    restore: bool = False,
    mode: int = 0,
    mode_wait_s: float = 10.0,
    keys: Keys | None = None,
) -> Connection:
    """Connect to a slave; use it as a context manager, as often as you like in one process.

    Args:
        url: ``udp://host:port`` or ``tcp://host:port``.
        a2l: description; without it the slave's own is uploaded (or taken from the cache).
        timeout_s: how long to wait for the answer to a command, per attempt; None = as the description
            says (T1 to T7 of its PROTOCOL_LAYER), 2 s until it is known.
        cache: False = neither use nor fill the cache of uploaded descriptions.
        low_latency: lower the thread switch interval of the interpreter while DAQ runs, which helps
            when other threads of the process are busy: True = all the time, None = while it starts,
            and once such a thread delays the reception of much data, False = never.
        commands: of the maker of the ECU, declared with ``@command``, beside those of the standard.
        resume: what :meth:`~xcaliper.client.connection.Connection.store_measurement` gave, or its file: the slave runs these lists
            since its start. They are looked at, their packets are kept from the first one on, and
            :attr:`~xcaliper.client.connection.Connection.resumed` measures them.
        wait_s: with ``resume``, how long to look for a slave that is still off.
        on_upload: called with bytes so far and bytes in all while the description is uploaded.
        on_wait: called once a second, from the first second on, while the slave puts a command off
            (ERR_CMD_BUSY, EV_CMD_PENDING), with the command, the time so far, and when it is given up.
        restore: whenever the slave is found again after a loss, set the pages again that were set, and
            unlock what was unlocked; what could not be restored is among the diagnostics.
        mode: of CONNECT; 1 = one that the user of the slave defines, such as its boot loader, which may
            listen for a moment after power-up only (XCP Base, CONNECT, 1.0).
        mode_wait_s: how long CONNECT is repeated in such a mode, each time after T6 and T7; no longer
            than that, but T6 at least.
        keys: what opens protected resources when a command needs them: a function of resource and seed
            that gives the key; a mapping of ``cal``, ``daq``, ``stim``, ``pgm``, ``dbg`` to functions or
            libraries; the path of a library with the ASAM interface; or ``"a2l"`` for the library that
            the description names, which must lie beside it. Libraries run in a process of their own.

    Raises:
        UsageError: the URL is wrong, or the keys are none.
        LibraryError: the library of the description is not beside it, or did not do its work.
        UnlockError: the slave refused a key.
        LinkError: nobody listens there.
        ExchangeTimeoutError: no answer.
        A2lError: the file cannot be read.
        ResumeError: the slave runs other lists than those of ``resume``.
        RemoteProtocolError: it does not run stored lists.
    """
    from xcaliper.transport.pump import Link
    from xcaliper.transport.url import open_transport, parse_url

    if mode not in (0, 1) or not 0 <= mode_wait_s <= _MAX_MODE_WAIT_S:
        raise UsageError(f"mode {mode}, {mode_wait_s} s: modes are 0 and 1, a day is the limit.")
    timers = timers_of(timeout_s)
    where = parse_url(url)

    table = COMMANDS.extended(*commands)

    def open_link() -> Link:
        return Link(
            open_transport(where),
            MasterMachine(table, timers=timers, transport=where.scheme),
            alignment=where.alignment,
            switch_interval_s=0.001 if low_latency else None,
            may_hurry=low_latency is not False,
            on_wait=on_wait,
        )

    store = A2lCache() if cache is True else (cache or None)
    if resume is not None:
        saved = load_saved(resume)
        link, session, early = wait_for(open_link, where.scheme, wait_s)
    else:
        link = open_link()
    try:
        if resume is None:
            within_ns = max(int(mode_wait_s * 1e9), timers.t6_ns) if mode else 0
            session = link.run(connect_procedure(mode, within_ns=within_ns, transport=where.scheme))
        found = find_description(link, session, a2l, cache=store, progress=on_upload)
        ring = KeyRing(keys, a2l=Path(a2l) if a2l is not None else None)
        made = Connection(link, session, found, where.scheme, open_link, ring)
        made.restores = restore
        if resume is not None:
            made.adopt(saved, early)
        layer = made.described.protocol_layer if made.described is not None else None
        timers = timers_of(timeout_s, layer)
        link.machine.timers = timers
    except BaseException:
        link.close()
        raise
    return made
