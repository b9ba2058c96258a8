"""C source of a parameter set: what a compiler makes of it, read through the description."""

import shutil
import subprocess

import numpy as np
import pytest

from support.set_ecu import catalog, values
from xcaliper.calib.formats.table import write_set
from xcaliper.calib.parameters import read_value
from xcaliper.calib.paramset import EntryKind
from xcaliper.core.address import Address
from xcaliper.core.memory import SparseMemory

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Bytes of every object by name, as the compiler laid them out."""
    folder = tmp_path_factory.mktemp("c")
    found = values()
    (folder / "run_7.c").write_bytes(write_set(found, "c", catalog=catalog()))
    (folder / "run_7.h").write_bytes(write_set(found, "c-header", catalog=catalog()))
    names = [one.name for one in found]
    dump = "".join(f'  show("{name}", &{name}, sizeof {name});\n' for name in names)
    (folder / "main.c").write_text(
        '#include <stdio.h>\n#include "run_7.h"\n#include "run_7.h"\n'
        "static void show(const char *name, const void *at, unsigned long size) {\n"
        '  printf("%s ", name);\n'
        '  while (size--) printf("%02x", *(const unsigned char *)at++);\n'
        '  printf("\\n");\n}\n'
        f"int main(void) {{\n{dump}  return 0;\n}}\n"
    )
    strict = ["-std=c11", "-Wall", "-Wextra", "-Werror"]
    for name, flags in (("run_7", [*strict, "-pedantic"]), ("main", strict)):
        subprocess.run(["gcc", *flags, "-c", f"{name}.c"], cwd=folder, check=True, timeout=60)
    subprocess.run(["gcc", "main.o", "run_7.o", "-o", "show"], cwd=folder, check=True, timeout=60)
    text = subprocess.run(
        [str(folder / "show")], check=True, capture_output=True, text=True, timeout=20
    ).stdout
    return {name: bytes.fromhex(data) for name, data in map(str.split, text.splitlines())}


def test_compiled_objects_hold_the_values_of_the_set(compiled):
    found = values()
    places = {one.name: 0x1000 + 0x100 * number for number, one in enumerate(found)}
    ecu = catalog(places=places)
    memory = SparseMemory()
    for name, data in compiled.items():
        memory.add(Address(places[name]), data.ljust(0x100, b"\xee"))
    for one in found:
        got = read_value(ecu.bind(one.name), memory.read, raw=False)
        if one.kind in (EntryKind.VALUE, EntryKind.ASCII):
            assert got == one.values
            continue
        assert np.allclose(np.asarray(getattr(got, "values", got)), one.values, rtol=1e-12), (
            one.name
        )
        for axis, given in zip(getattr(got, "axes", ()), one.axes, strict=True):
            assert np.allclose(axis.points, given.values, rtol=1e-12), one.name
    assert len(compiled) == len(list(found)) == 17


def test_a_wrong_layout_does_not_compile(tmp_path):
    """Alignment that the compiler does not have is a message of the compiler, not a wrong byte."""
    text = write_set(values(), "c", catalog=catalog()).decode()
    (tmp_path / "run_7.h").write_bytes(write_set(values(), "c-header", catalog=catalog()))
    wrong = text.replace("fnc_values) == ", "fnc_values) == 1")
    assert wrong != text
    (tmp_path / "run_7.c").write_text(wrong)
    made = subprocess.run(
        ["gcc", "-std=c11", "-c", "run_7.c"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert made.returncode != 0
    assert "Curve.fnc_values" in made.stderr
