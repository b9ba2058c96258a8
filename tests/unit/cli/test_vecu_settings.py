"""Settings of a virtual ECU in the shell: every one by name, wrong ones in words."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from xcaliper.cli.main import main
from xcaliper.cli.vecu_settings import known_settings, with_settings
from xcaliper.core.errors import NotFoundError, SettingsError, UsageError
from xcaliper.sim.nvm import encode, is_stored
from xcaliper.xcp.slave_config import SlaveConfig
from xcaliper.xcp.slave_store import NonVolatile


def test_settings_by_name():
    texts = ["overload=1", "max-daq-lists=0x10", "Prescaler = off", "link_bytes_per_s=5000",
             "cpu_load_max_total=1.5", "max_dto_stim=none"]  # fmt: skip
    made = with_settings(SlaveConfig(), texts)
    assert (made.overload, made.max_daq_lists, made.prescaler) == (1, 16, False)
    assert (made.link_bytes_per_s, made.cpu_load_max_total, made.max_dto_stim) == (5000, 1.5, None)
    assert with_settings(made, ()) is made


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("overload", UsageError, "name=value"),
        ("overlod=1", NotFoundError, "Did you mean overload"),
        ("overload=two", SettingsError, "not a whole number"),
        ("overload=7", SettingsError, "7 is not 0, 1 or 2"),
        ("overload=none", SettingsError, "none"),
        ("prescaler=maybe", SettingsError, "neither on nor off"),
        ("events=1", NotFoundError, "events"),
        ("cpu_load_max_total=nan", SettingsError, "nan is not 0 to 1"),
        *((f"{name}=-1", SettingsError, name) for name in (
            "queue_size", "min_st", "max_bs", "max_odt_entry_size", "max_daq_lists",
            "link_burst_bytes", "protocol_version", "max_checksum_block")),
    ],
)  # fmt: skip
def test_wrong_ones(text, error, words):
    with pytest.raises(error) as caught:
        with_settings(SlaveConfig(), [text])
    assert words in f"{caught.value} {caught.value.hint}"


def test_every_setting_is_listed_with_its_meaning(capsys):
    assert main(["vecu", "--list-settings", "--json"]) == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    simple = {f.name for f in fields(SlaveConfig) if isinstance(f.default, bool | int | float)}
    assert simple - {"byte_order", "checksum"} <= set(listed)
    assert listed["overload"]["default"] == 2
    assert all(one["meaning"] for one in listed.values())
    assert main(["vecu", "--list-settings"]) == 0
    assert "link_bytes_per_s (int or none, None)" in capsys.readouterr().out
    assert len(known_settings()) == len(listed)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--duration", "nan"], 2, "--duration"),
        (["--duration", "-1"], 2, "--duration"),
        (["--datagram", "3"], 2, "--datagram: 3"),
        (["--nvm", "no/such.json"], 3, "no such folder"),
        (["--a2l-out", "no/such.a2l"], 3, "no such folder"),
        (["--nvm", "foreign.txt"], 2, "would be replaced"),
        (["--nvm", "."], 2, "would be replaced"),
    ],
)
def test_what_would_fail_later_is_refused_at_once(words, code, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "foreign.txt").write_text("somebody's work\n")
    assert main(["vecu", "udp://127.0.0.1:0", *words]) == code
    assert told in capsys.readouterr().err


def test_files_of_stored_pages_are_known(tmp_path):
    file = tmp_path / "x"
    whole = encode(NonVolatile(), ecu="demo")
    for data, ours in (
        (b"", True),
        (whole, True),
        (whole[:9], True),
        (b"{}", False),
        (b"\0", False),
    ):
        file.write_bytes(data)
        assert is_stored(file) is ours, data
