"""Page against page and image against ECU, end to end: exactly what was changed differs."""

from __future__ import annotations

import numpy as np
import pytest

import xcaliper
from xcaliper.calib.compare import compare
from xcaliper.calib.extract import extract
from xcaliper.calib.page_set import page_set
from xcaliper.core.address import Address
from xcaliper.image.files import write_image
from xcaliper.image.memory_image import MemoryImage
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def server():
    with EcuServer(build_ecu("demo-engine")) as made:
        yield made


@pytest.fixture
def ecu(server):
    with xcaliper.connect(server.url, cache=False) as connection:
        yield connection


def change(ecu):
    """One value, one cell of a map, and one word of an enumeration."""
    ecu.write("cIdleSpeedTarget", 950)
    ecu.write("KFZW", 12.5, at=(1, 2))
    ecu.write("cFuelCutEnable", "OFF" if ecu.read("cFuelCutEnable") == "ON" else "ON")


def test_one_page_against_the_other(ecu):
    told = []
    pages = ecu.pages()
    before = page_set(ecu.calib, 1, on_problem=told.append)
    assert compare(before, page_set(ecu.calib, 0, on_problem=told.append)).is_equal
    change(ecu)
    reference, working = (page_set(ecu.calib, n, on_problem=told.append) for n in (1, 0))
    assert (reference.name, working.name) == ("page 1", "page 0")
    assert compare(before, reference).is_equal
    found = compare(reference, working)
    assert {one.name for one in found.changed} == {"cIdleSpeedTarget", "KFZW", "cFuelCutEnable"}
    assert not found.left_only
    assert not found.right_only
    cells = {one.name: one.cells.tolist() for one in found.changed}
    assert cells["KFZW"] == [[1, 2]]
    assert working["KFZW"].values[1, 2] == 12.5
    assert working["cIdleSpeedTarget"].values == 950
    step = abs(working["cIdleSpeedTarget"].values - reference["cIdleSpeedTarget"].values)
    near = compare(reference, working, absolute=step)
    assert "cIdleSpeedTarget" not in {one.name for one in near.changed}
    assert ecu.pages() == pages  # as it was before
    assert {one.slug for one in told} <= {"read-only", "virtual"}


def test_an_image_against_the_ecu(server, ecu, tmp_path):
    made = server.ecu
    runs = [
        (Address(one.address, one.extension), one.initial)
        for one in made.image.regions.values()
        if one.name != "RAM"
    ]
    path = tmp_path / "e.hex"
    path.write_bytes(write_image(MemoryImage(runs), "ihex"))
    image = xcaliper.open_image(ecu.catalog, path)
    names = image.calib.snapshot().names

    def both():
        told = []
        sides = [
            extract(one.catalog, one.read_memory, names, on_problem=told.append)
            for one in (image, ecu)
        ]
        assert not told
        return compare(*sides)

    assert both().is_equal
    change(ecu)
    assert {one.name for one in both().changed} == {"cIdleSpeedTarget", "KFZW", "cFuelCutEnable"}
    copied = xcaliper.copy_parameters(
        ecu, image, ["KFZW", "cFuelCutEnable"], reason="from the car", on_problem=pytest.fail
    )
    assert [one.name for one in copied.plan.changed] == ["KFZW", "cFuelCutEnable"]
    (left,) = both().changed
    assert left.name == "cIdleSpeedTarget"
    image.write("cIdleSpeedTarget", 900)
    xcaliper.copy_parameters(image, ecu, ["cIdleSpeedTarget"], on_problem=pytest.fail)
    assert ecu.read("cIdleSpeedTarget") == 900
    assert both().is_equal
    assert np.array_equal(image.read("KFZW").values, ecu.read("KFZW").values)
