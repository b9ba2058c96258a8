"""Computed and variant-coded quantities over a real connection, with a description that adds them."""

from __future__ import annotations

import numpy as np
import pytest

import xcaliper
from xcaliper.core.errors import LimitError, UsageError
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.process import EcuProcess

pytestmark = pytest.mark.timeout(60)

# Parameters of the demo engine under further names: cDriveCycleEnable selects, cIdleSpeedTarget,
# cRevLimit, cFuelCutSpeed and cFuelCutResume (quarters of a turn, 16 bit) hold the values.
EXTRA = """
/begin CHARACTERISTIC Target "" VALUE 0x8020000 RL_V_UWORD 0 CM_rpm_0_25 600 1200 /end CHARACTERISTIC
/begin CHARACTERISTIC Resume "" VALUE 0x802003E RL_V_UWORD 0 CM_rpm_0_25 800 2200
  /begin DEPENDENT_CHARACTERISTIC "2 * X1" Target /end DEPENDENT_CHARACTERISTIC /end CHARACTERISTIC
/begin CHARACTERISTIC Sum "" VALUE 0 RL_V_UWORD 0 CM_rpm_0_25 0 16000
  /begin VIRTUAL_CHARACTERISTIC "X1 + X2" Target Resume /end VIRTUAL_CHARACTERISTIC /end CHARACTERISTIC
/begin COMPU_METHOD Twice "" FORM "%8.2" "1/min" /begin FORMULA "2 * X1 + X2" /end FORMULA /end COMPU_METHOD
/begin MEASUREMENT VirtualSpeed "" FLOAT64_IEEE Twice 0 0 0 100000
  /begin VIRTUAL Target Target /end VIRTUAL /end MEASUREMENT
/begin CHARACTERISTIC Limit "" VALUE 0x8020036 RL_V_UWORD 0 CM_rpm_0_25 1000 7000 /end CHARACTERISTIC
/begin VARIANT_CODING VAR_SEPARATOR "."
  /begin VAR_CRITERION Cycle "" Manual Driven VAR_SELECTION_CHARACTERISTIC cDriveCycleEnable /end VAR_CRITERION
  /begin VAR_CHARACTERISTIC Limit Cycle
    /begin VAR_ADDRESS 0x8020036 0x802003C /end VAR_ADDRESS /end VAR_CHARACTERISTIC
/end VARIANT_CODING
"""


@pytest.fixture
def ecu(tmp_path):
    head, end, tail = build_ecu("demo-engine").a2l.rpartition("/end MODULE")
    path = tmp_path / "engine.a2l"
    path.write_text(head + EXTRA + end + tail, encoding="utf-8")
    with EcuProcess() as process, xcaliper.connect(process.url, a2l=path) as connection:
        yield connection


def test_dependents_follow_and_virtual_ones_are_computed(ecu):
    done = ecu.write("Target", 1000)
    assert [(one.name, one.after) for one in done.dependents] == [("Resume", 2000)]
    assert ecu.read("cFuelCutResume") == 2000
    assert done.as_dict()["dependents"][0]["after"] == 2000
    assert ecu.read(["Sum", "VirtualSpeed"]) == {"Sum": 3000, "VirtualSpeed": 3000}
    with pytest.raises(LimitError, match="Resume"):
        ecu.write("Target", 1150)  # 2300 is too much for what depends on it
    assert (ecu.read("Target"), ecu.read("Resume")) == (1000, 2000)
    assert ecu.write("Target", 1150, dependents=False).dependents == ()
    for name in ("Resume", "Sum", "VirtualSpeed"):
        with pytest.raises(UsageError, match="it is computed from"):
            ecu.write(name, 1000)
    facts = ecu.describe("Sum")
    assert (facts["address"], facts["unit"], facts["inputs"]) == (None, "rpm", ["Target", "Resume"])
    with pytest.raises(UsageError, match="virtual and cannot be measured"):
        ecu.measure("VirtualSpeed", duration_s=0.1)


def test_the_variant_in_effect(ecu):
    slow, fast = ecu.read("cRevLimit"), ecu.read("cFuelCutSpeed")
    ecu.write("cDriveCycleEnable", 0, raw=True)
    assert ecu.variants() == {"Cycle": "Manual"}
    assert ecu.read("Limit") == slow
    ecu.write("cDriveCycleEnable", 1, raw=True)
    assert ecu.read("Limit") == fast
    done = ecu.write("Limit", 3000)
    assert (done.name, ecu.read("cFuelCutSpeed"), ecu.read("cRevLimit")) == ("Limit.1", 3000, slow)
    blocks = list(ecu.measure("Limit", duration_s=0.3))
    assert {value for block in blocks for value in block["Limit"].tolist()} == {3000.0}
    ecu.choose_variant("Cycle", "Manual")
    assert ecu.read("Limit") == slow
    assert ecu.read("Limit.1") == 3000
    ecu.choose_variant("Cycle", None)
    assert np.isclose(ecu.read("Limit"), 3000)
