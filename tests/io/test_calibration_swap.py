"""Groups by swapping pages: a virtual ECU with two pages that can be written, over loopback."""

from __future__ import annotations

import numpy as np
import pytest

import xcaliper
from pair.faulty_link import FaultyLink
from xcaliper.calib.history import State
from xcaliper.calib.settle import Settle
from xcaliper.core.errors import TransactionError
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer

SET_CAL_PAGE = 0xEB
SHORT_DOWNLOAD, DOWNLOAD = 0xED, 0xF0
TIMEOUT_S = 0.25
pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def server():
    with EcuServer(build_ecu("two-ram-pages")) as made:
        yield made


def pages(server) -> tuple[int, int]:
    """Page of the ECU and of XCP."""
    memory = server.ecu.memory
    return memory.get_page(0, ecu=True), memory.get_page(0, ecu=False)


def both(calib, number: int) -> None:
    """Two structures that belong together, and a table."""
    with calib.group(f"set {number}"):
        calib["cSetA"] = number
        calib["cSetC"] = number
        calib["KFA"] = np.full((11, 11), float(number))


def test_the_ecu_never_works_with_half_of_a_group(server):
    with xcaliper.connect(server.url, cache=False) as ecu:
        calib = ecu.calib
        mixed = ecu.read("MixedRuns")
        calib["cSetB"] = 5  # one write needs no swap
        with calib.group() as group:
            calib["cSetD"] = 5
            calib["cSetB"] = 6
        assert "page 1 of segment 0 (Calibration) holds something else" in group.note
        assert pages(server) == (0, 0)
        calib.spare.add(0)
        for number in (2, 3, 4):
            both(calib, number)
            used = (number + 1) % 2
            assert pages(server) == (used, used)
            assert calib.history[len(calib.history)].is_swap
            assert (calib["cSetA"], calib["cSetC"], calib["cSetB"]) == (number, number, 6)
        calib.undo()
        assert (calib["cSetA"], calib["cSetC"]) == (3, 3)
        calib.redo()
        assert (ecu.read("cSetA"), ecu.read("cSetC")) == (4, 4)
        assert ecu.read("MixedRuns") == mixed
        assert calib.disagreements() == []
        with calib.group("in order", how="order"):
            calib["cSetA"] = 9
            calib["cSetC"] = 9
        assert calib.history[len(calib.history)].is_swap is False


@pytest.mark.parametrize("how", list(Settle))
@pytest.mark.parametrize("cut", [SHORT_DOWNLOAD, SET_CAL_PAGE])
def test_a_swap_that_was_cut_off_is_known(server, cut, how):
    """Cut before the second write of the other page, or after the ECU has taken it unseen."""
    with (
        FaultyLink(server.url) as link,
        xcaliper.connect(link.url, cache=False, timeout_s=TIMEOUT_S) as ecu,
    ):
        calib = ecu.calib
        both(calib, 2)
        broken, count = [False], [0]

        def down(datagram: bytes):
            if not broken[0] and datagram[4] in (cut, DOWNLOAD) and is_last(datagram):
                broken[0] = True
                return [(0.0, datagram)] if cut == SET_CAL_PAGE else []
            return [] if broken[0] else [(0.0, datagram)]

        def is_last(datagram: bytes) -> bool:
            if cut == SET_CAL_PAGE:
                return datagram[4] == cut and bool(datagram[5] & 1)  # the ECU's page
            count[0] += 1
            return count[0] == 2

        link.down = down
        link.up = lambda datagram: [] if broken[0] else [(0.0, datagram)]
        with pytest.raises(TransactionError) as caught:
            both(calib, 3)
        assert broken[0]
        assert not caught.value.restored
        link.heal()
        ecu.reconnect()
        before = 3 if cut == SET_CAL_PAGE else 2
        assert server.ecu.memory.get_page(0, ecu=True) == (0 if before == 3 else 1)
        (found,) = calib.settle(how)
        assert found.state is (State.DONE if before == 3 else State.UNDONE)
        now = {Settle.LOOK: before, Settle.FINISH: 3, Settle.BACK: 2}[how]
        assert (ecu.read("cSetA"), ecu.read("cSetC")) == (now, now)
        used, seen = pages(server)
        assert used == seen == (0 if now == 3 else 1)
        assert calib.disagreements() == []
        both(calib, 4)
        assert (ecu.read("cSetA"), ecu.read("cSetC")) == (4, 4)
