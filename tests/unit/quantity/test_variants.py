"""Variant coding: combinations, addresses, names, the active variant."""

import numpy as np
import pytest

from xcaliper.a2l import parse
from xcaliper.core.address import Address
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.core.memory import SparseMemory
from xcaliper.quantity.catalog import Catalog

BODY = """
/begin RECORD_LAYOUT L FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT A AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin CHARACTERISTIC PUMKF "" VALUE 0x100 L 0 NO_COMPU_METHOD 0 255 /end CHARACTERISTIC
/begin AXIS_PTS AX "" 0x200 NO_INPUT_QUANTITY A 0 NO_COMPU_METHOD 2 0 255 /end AXIS_PTS
/begin VARIANT_CODING VAR_SEPARATOR "{separator}" VAR_NAMING {naming}
  /begin VAR_CRITERION Car "" Limousine Kombi Cabrio VAR_MEASUREMENT S_CAR /end VAR_CRITERION
  /begin VAR_CRITERION Gear "" Manual Automatic VAR_SELECTION_CHARACTERISTIC V_GEAR /end VAR_CRITERION
  /begin VAR_CRITERION Mute "" One /end VAR_CRITERION
  /begin VAR_FORBIDDEN_COMB Car Limousine Gear Manual /end VAR_FORBIDDEN_COMB
  /begin VAR_FORBIDDEN_COMB Car Cabrio Gear Automatic /end VAR_FORBIDDEN_COMB
  /begin VAR_CHARACTERISTIC PUMKF Gear Car /begin VAR_ADDRESS 0x8840 0x8858 0x8870 0x8888 /end VAR_ADDRESS
  /end VAR_CHARACTERISTIC
  /begin VAR_CHARACTERISTIC AX Gear /begin VAR_ADDRESS 0x300 0x310 /end VAR_ADDRESS /end VAR_CHARACTERISTIC
  /begin VAR_CHARACTERISTIC SHORT Gear /begin VAR_ADDRESS 0x300 /end VAR_ADDRESS /end VAR_CHARACTERISTIC
  /begin VAR_CHARACTERISTIC LOST Nothing /begin VAR_ADDRESS 0x300 /end VAR_ADDRESS /end VAR_CHARACTERISTIC
/end VARIANT_CODING
"""


def catalog(separator=".", naming="NUMERIC"):
    body = BODY.format(separator=separator, naming=naming)
    file = parse(
        f'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m "" {body} /end MODULE /end PROJECT'
    )
    return Catalog(file)


def test_permitted_combinations_in_order():
    """Two by three values, two forbidden: four addresses, the last criterion fastest."""
    variants = catalog().variants
    assert variants.combinations("Gear", "Car") == (
        ("Manual", "Kombi"), ("Manual", "Cabrio"), ("Automatic", "Limousine"), ("Automatic", "Kombi")
    )  # fmt: skip
    assert variants.combinations("Gear") == (("Manual",), ("Automatic",))
    assert [(v.name, v.address) for v in variants.of("PUMKF")] == [
        ("PUMKF.0", 0x8840), ("PUMKF.1", 0x8858), ("PUMKF.2", 0x8870), ("PUMKF.3", 0x8888)
    ]  # fmt: skip
    assert dict(variants.of("PUMKF")[1].values) == {"Gear": "Manual", "Car": "Cabrio"}
    assert variants.names == ("PUMKF", "AX", "SHORT", "LOST")
    assert "PUMKF" in variants
    assert "Car" not in variants


def test_a_variant_is_bound_at_its_own_address():
    made = catalog()
    variant = made.variants.select("PUMKF", {"Gear": "Automatic", "Car": "Kombi", "Mute": "One"})
    bound = made.variants.bind(variant)
    assert (bound.name, bound.address) == ("PUMKF.3", Address(0x8888))
    assert made.bind("PUMKF.2").address == Address(0x8870)
    assert made.bind("PUMKF").address == Address(0x100)
    memory = SparseMemory()
    memory.add(Address(0x310), bytearray(b"\x07\x09"))
    assert made.bind("AX.1").decode(memory.read).tolist() == [7, 9]
    for name in ("PUMKF.4", "PUMKF.x", "PUMKF.", "OTHER.1"):
        with pytest.raises(NotFoundError):
            made.bind(name)


@pytest.mark.parametrize(
    ("car", "gear", "number"), [("Kombi", 0, 0), (2.0, 0, 1), (np.array(0), 1, 2), ("Kombi", 1, 3)]
)
def test_the_ecu_tells_the_active_variant(car, gear, number):
    variants = catalog().variants
    found = variants.active("PUMKF", {"S_CAR": car, "V_GEAR": gear}.__getitem__)
    assert found.number == number


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"S_CAR": "Limousine", "V_GEAR": 0}, "PUMKF: no variant for"),
        ({"S_CAR": "Truck", "V_GEAR": 0}, "Car: S_CAR is 'Truck'"),
        ({"S_CAR": 3, "V_GEAR": 0}, "Car: S_CAR is 3"),
        ({"S_CAR": -1, "V_GEAR": 0}, "Car: S_CAR is -1"),
        ({"S_CAR": float("nan"), "V_GEAR": 0}, "Car: S_CAR is nan"),
        ({"S_CAR": [], "V_GEAR": 0}, "Car: S_CAR is"),
    ],
)
def test_states_without_a_variant(told, word):
    with pytest.raises(UsageError, match=word):
        catalog().variants.active("PUMKF", told.__getitem__)


def test_descriptions_that_do_not_fit():
    variants = catalog().variants
    with pytest.raises(UsageError, match="SHORT: 2 combinations are permitted, 1 addresses"):
        variants.of("SHORT")
    with pytest.raises(NotFoundError, match="Nothing"):
        variants.of("LOST")
    with pytest.raises(UsageError, match="Mute: neither"):
        variants.current("Mute", lambda _: 0)
    with pytest.raises(NotFoundError):
        variants.active("Car", lambda _: 0)
    with pytest.raises(UsageError, match="more than"):
        variants.combinations(*["Car", "Gear"] * 12)


def test_names_by_letters_and_separators():
    variants = catalog("_", "ALPHA").variants
    assert [v.name for v in variants.of("PUMKF")] == ["PUMKF_A", "PUMKF_B", "PUMKF_C", "PUMKF_D"]
    assert variants.find("PUMKF_C").address == 0x8870
    assert variants.find("PUMKF.C") is None


def test_a_module_without_variants():
    variants = Catalog(parse('/begin GROUP g "" /end GROUP')).variants
    assert variants.names == ()
    assert variants.combinations() == ((),)
