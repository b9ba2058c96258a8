"""Copying parameters between sets and images: what is meant, what follows, what is refused."""

from __future__ import annotations

import pytest

import xcaliper
from support.parameters import BODY, BYTES, described
from xcaliper.calib.outcomes import Outcome
from xcaliper.core.address import Address
from xcaliper.core.errors import NotFoundError, PlanError, UsageError
from xcaliper.image.files import write_image
from xcaliper.image.memory_image import MemoryImage


def opened(tmp_path, name, **changes):
    """The parameters of the bench as an image, some of them changed."""
    memory = bytearray(0x100)
    for address, data in BYTES.items():
        memory[address - 0x100 : address - 0x100 + len(data)] = data
    path = tmp_path / f"{name}.hex"
    path.write_bytes(write_image(MemoryImage([(Address(0x100), bytes(memory))]), "ihex"))
    image = xcaliper.open_image(described(BODY), path)
    for one, value in changes.items():
        image.write(one, value)
    return image


@pytest.fixture
def mine(tmp_path):
    """Torque of both functions, a map of the inner one, two instances of a group."""
    changes = {"speed": 900, "torque": 7, "map": [[9, 9, 9], [8, 8, 8]], "block": [[1] * 3] * 2}
    return opened(tmp_path, "mine", **changes, **{"pid[1].p": 99})


@pytest.fixture
def theirs(tmp_path):
    return opened(tmp_path, "theirs")


def told(problem):
    raise AssertionError(problem)


def test_a_function_is_copied_with_those_inside_of_it(mine, theirs):
    done = xcaliper.copy_parameters(
        mine, theirs, functions=["Idle"], reason="idle of the other car", on_problem=told
    )
    names = {one.name: one.outcome for one in done.plan.outcomes}
    assert names == dict.fromkeys(("torque", "speed", "map"), Outcome.APPLIED)
    assert theirs.read("torque") == 7
    assert theirs.read("twice") == 14  # it is computed from the torque
    assert theirs.read("map").values.tolist() == [[9, 9, 9], [8, 8, 8]]
    assert theirs.read("block").tolist() == [[1, 2, 3], [4, 5, 6]]
    assert next(iter(theirs.calib.history)).reason == "idle of the other car"
    theirs.calib.undo()
    assert (theirs.read("torque"), theirs.read("twice")) == (5, 10)


def test_a_group_has_instances_and_functions(mine, theirs):
    xcaliper.copy_parameters(mine, theirs, groups=["All"], on_problem=told)
    assert theirs.read("pid[1].p") == 99
    assert theirs.read("block").tolist() == [[1] * 3] * 2
    assert theirs.read("map").values[0, 0] == 9
    assert theirs.read("speed") == 780


def test_sets_on_either_side(mine, theirs):
    saved, other = mine.calib.snapshot(), theirs.calib.snapshot()
    made = xcaliper.copy_parameters(saved, other, functions=["Idle"], on_problem=told)
    assert (made["torque"].values, made["speed"].values) == (7, 900)
    assert made["map"] == other["map"]  # without a description nobody knows what is inside of Idle
    assert other["torque"].values == 5
    with_image = xcaliper.copy_parameters(mine, other, functions=["Inner"], on_problem=told)
    assert with_image["map"] == saved["map"]
    done = xcaliper.copy_parameters(saved, theirs, ["speed"], on_problem=told)
    assert [one.name for one in done.plan.outcomes] == ["speed"]
    assert theirs.read("speed") == 900


def test_shared_axes_come_along_where_that_is_wished(mine, theirs):
    mine.write("ax", [1000, 2000, 3000])
    with pytest.raises(PlanError, match="axis x has other points"):
        xcaliper.copy_parameters(mine, theirs, ["curve"], on_problem=told)
    xcaliper.copy_parameters(mine, theirs, ["curve"], axes=True, on_problem=told)
    assert theirs.read("ax").tolist() == [1000, 2000, 3000]
    moved = xcaliper.copy_parameters(
        mine, theirs.calib.snapshot(["block"]), ["curve"], axes=True, on_problem=told
    )
    assert moved.names == ("block", "curve", "ax")


def test_what_is_meant_has_to_exist(mine, theirs):
    saved = mine.calib.snapshot()
    for wrong in ({"functions": ["Missing"]}, {"groups": ["Al"]}, {"names": ["spede"]}):
        for source in (mine, saved):
            with pytest.raises(NotFoundError, match=next(iter(wrong.values()))[0]):
                xcaliper.copy_parameters(source, theirs, **wrong, on_problem=lambda _: None)
    with pytest.raises(NotFoundError, match="Missing"):
        xcaliper.copy_parameters(saved, saved, functions=["Missing"], on_problem=told)
    with pytest.raises(UsageError, match="groups"):
        xcaliper.copy_parameters(saved, saved, groups=["All"], on_problem=told)
    with pytest.raises(UsageError, match="nothing is asked for"):
        xcaliper.copy_parameters(mine, theirs, on_problem=told)
    assert len(theirs.calib.history) == 0


def test_what_cannot_be_copied_is_told(mine, theirs):
    notes = []
    with pytest.raises(NotFoundError, match="gone"):  # it is described, and no image has it
        xcaliper.copy_parameters(mine, theirs, ["gone"], on_problem=notes.append)
    assert "gone" in notes[0].text
    mine.image.write(Address(0x190), b"\x05")
    with pytest.raises(PlanError, match="locked"):
        xcaliper.copy_parameters(mine, theirs, ["locked"], on_problem=told)
