"""Stop and start of single DAQ lists while the others of a slave go on."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from xcaliper.xcp.procedures import daq_setup

if TYPE_CHECKING:
    from xcaliper.client.daq_port import DaqPort
    from xcaliper.daq.decode import DaqDecoder
    from xcaliper.daq.plan import DaqPlan
    from xcaliper.proto.procedure import Procedure

__all__ = ["ListSwitch"]

#: Behind a stop, until every row that was on its way has been handed out: three times the longest that
#: received bytes wait for it.
HANDED_OUT_NS: Final = 300_000_000


class ListSwitch:
    """Which lists of one slave were told to stop.

    Args:
        port: lists of the slave.
        plan: what it was told to do.

    Attributes:
        lock: held while lists are switched, or set up anew.
        stopped: indices of the rasters whose lists shall not run.
    """

    def __init__(self, port: DaqPort, plan: DaqPlan) -> None:
        self.lock = threading.Lock()
        self.stopped: frozenset[int] = frozenset()
        self._port = port
        self._plan = plan
        self._since_ns: dict[int, int] = {}

    @property
    def is_all(self) -> bool:
        """True when the slave has lists and none of them shall run."""
        return bool(self.stopped) and len(self.stopped) == len(self._plan.rasters)

    def stop(self, raster: int, decoder: DaqDecoder | None) -> bool:
        """Stop a list (XCP Base, START_STOP_DAQ_LIST, 1.0); False when it does not run.

        Args:
            raster: index.
            decoder: of the session; None while there is none, and the list is not to start with the next.

        Raises:
            NegativeResponseError: the slave refused.
            ExchangeTimeoutError: no answer.
        """
        if raster in self.stopped:
            return False
        daq_list = self._plan.rasters[raster].daq_list
        if decoder is not None:
            self._port.connection.link.run(_stop(daq_list, raster, decoder))
        self._port.idle.add(daq_list)
        self.stopped |= {raster}
        self._since_ns[raster] = time.monotonic_ns()
        return True

    def await_rest(self, raster: int) -> None:
        """Wait until what was on its way when a list was stopped has been handed out; bounded."""
        rest_ns = self._since_ns[raster] + HANDED_OUT_NS - time.monotonic_ns()
        if rest_ns > 0:
            time.sleep(rest_ns * 1e-9)

    def start(self, raster: int, decoder: DaqDecoder | None) -> None:
        """Start a list that was stopped.

        Args:
            raster: index.
            decoder: of the session; None while there is none, and the list is to start with the next.

        Raises:
            NegativeResponseError: the slave refused.
            ExchangeTimeoutError: no answer.
        """
        daq_list = self._plan.rasters[raster].daq_list
        if decoder is not None:
            self._port.connection.link.run(_start(daq_list, raster, decoder))
        self._port.idle.discard(daq_list)
        self.stopped -= {raster}

    def renew(self, decoder: DaqDecoder) -> None:
        """Tell the decoder of a new session what does not run in it."""
        for raster in self.stopped:
            decoder.pause(raster)


# Both run while the link is held, so that no other thread decodes.


def _stop(daq_list: int, raster: int, decoder: DaqDecoder) -> Procedure[None]:
    yield from daq_setup.stop_list(daq_list)
    decoder.pause(raster)


def _start(daq_list: int, raster: int, decoder: DaqDecoder) -> Procedure[None]:
    decoder.go_on(raster)
    try:
        yield from daq_setup.start_list(daq_list)
    except BaseException:
        decoder.pause(raster)
        raise
