"""Where key functions come from, and where the library of a description may lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from xcaliper.client import keys
from xcaliper.client.keys import beside_a2l, key_function, python_function
from xcaliper.core.errors import AccessLockedError, LibraryError, SettingsError
from xcaliper.sandbox.keys import KeyLibrary
from xcaliper.sim.demo_key import demo_key
from xcaliper.xcp.seed_key import resource_named

if TYPE_CHECKING:
    from pathlib import Path

CAL, DAQ = resource_named("cal"), resource_named("daq")


def test_functions_mappings_and_libraries(tmp_path) -> None:
    assert key_function(demo_key) is demo_key
    by_name = key_function({"cal": demo_key, "DAQ": tmp_path / "keys.so"})
    assert by_name(CAL, b"\x01\x02") == bytes((0x59, 0x5C))
    with pytest.raises(LibraryError, match="no such library"):
        by_name(DAQ, b"\x01")
    with pytest.raises(AccessLockedError, match="stim is protected, and the keys have none"):
        by_name(resource_named("stim"), b"\x01")
    library = key_function("keys.so")
    assert isinstance(library, KeyLibrary)
    assert library.path.name == "keys.so"


@pytest.fixture
def a2l(tmp_path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder / "ecu.a2l"


@pytest.mark.parametrize(
    ("named", "there"),
    [
        ("keys.dll", "keys.dll"),
        ("keys.dll", "keys.so"),
        ("keys.dll", "libkeys.so"),
        ("keys.dll", "KEYS.DLL"),
        ("lib\\keys.dll", "lib/keys.dll"),
        ("lib/keys.dll", "keys.dll"),
        ("..\\keys.dll", "keys.dll"),
        ("C:\\tools\\keys.dll", "keys.dll"),
        ("/opt/keys.so", "keys.so"),
    ],
)
def test_the_library_of_a_description_lies_beside_it(
    a2l, named: str, there: str, monkeypatch
) -> None:
    monkeypatch.setattr(keys.sys, "platform", "linux")
    place = a2l.parent / there
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b"")
    assert beside_a2l(named, a2l, "X").samefile(place)
    found = key_function("a2l", a2l=a2l, described=named)
    assert isinstance(found, KeyLibrary)
    assert found.path.samefile(place)


@pytest.mark.parametrize("named", ["../keys.dll", "..\\keys.dll", "sub/../../keys.dll"])
def test_a_description_does_not_lead_out_of_its_folder(a2l, named: str) -> None:
    (a2l.parent.parent / "keys.dll").write_bytes(b"")
    with pytest.raises(LibraryError, match="not beside the A2L"):
        beside_a2l(named, a2l, "X")
    absolute = str(a2l.parent.parent / "keys.dll")
    with pytest.raises(LibraryError, match="not beside the A2L"):
        beside_a2l(absolute, a2l, "X")


def test_a_description_that_names_nothing_or_lies_nowhere(a2l, tmp_path) -> None:
    with pytest.raises(SettingsError, match="has no SEED"):
        beside_a2l(None, a2l, "SEED")
    with pytest.raises(SettingsError, match="the slave's own"):
        beside_a2l("keys.dll", None, "SEED")
    with pytest.raises(LibraryError):
        beside_a2l("keys.dll", tmp_path / "absent" / "ecu.a2l", "SEED")


def test_functions_by_their_name() -> None:
    assert python_function("xcaliper.sim.demo_key:demo_key") is demo_key
    for wrong in ("demo_key", ":x", "m:"):
        with pytest.raises(SettingsError, match="MODULE:FUNCTION"):
            python_function(wrong)
