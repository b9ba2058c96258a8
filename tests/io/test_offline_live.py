"""An image against the ECU that runs it: values of both, differences, a set carried over."""

import numpy as np
import pytest

import xcaliper
from xcaliper.core.address import Address
from xcaliper.image.files import write_image
from xcaliper.image.memory_image import MemoryImage
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.process import EcuProcess

pytestmark = pytest.mark.timeout(60)


def test_an_image_and_its_ecu(tmp_path):
    made = build_ecu("demo-engine")
    (tmp_path / "e.a2l").write_text(made.a2l, "utf-8")
    runs = [
        (Address(one.address, one.extension), one.initial)
        for one in made.image.regions.values()
        if one.name != "RAM"
    ]
    (tmp_path / "e.hex").write_bytes(write_image(MemoryImage(runs), "ihex"))
    image = xcaliper.open_image(tmp_path / "e.a2l", tmp_path / "e.hex")
    with EcuProcess() as process, xcaliper.connect(process.url) as ecu:
        names = image.names("c*", kind="characteristic")
        assert len(names) > 40
        ours, theirs = image.read(names), ecu.read(names)
        assert [n for n in names if not np.array_equal(ours[n], theirs[n])] == []
        assert image.describe("cIdleSpeedTarget") == ecu.describe("cIdleSpeedTarget")
        in_ram = set(ecu.names(kind="characteristic")) - set(image.calib.snapshot().names)
        ecu.write("cIdleSpeedTarget", 950)
        ecu.write("KFZW", 12.5, at=(1, 2))
        found = image.diff(ecu)
        assert set(found.names) - in_ram == {"cIdleSpeedTarget", "KFZW"}
        values = image.calib.snapshot(["cIdleSpeedTarget", "KFZW"])
        image.write("cIdleSpeedTarget", 900)
        assert image.diff(values).names == ("cIdleSpeedTarget",)
