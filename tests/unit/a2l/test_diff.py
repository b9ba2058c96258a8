"""Differences are those of meaning, not of text."""

import json

from xcaliper.a2l import open_a2l, parse
from xcaliper.a2l.diff import diff

HEAD = 'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m ""\n'
TAIL = "/end MODULE /end PROJECT"
A = '/begin MEASUREMENT a "x" UBYTE CM 0x0 00 -1.50e0 255. FORMAT "%3.1" /end MEASUREMENT\n'
B = '/begin MEASUREMENT b "" UBYTE CM 0 0 0 1 /end MEASUREMENT\n'
MAP = (
    '/begin CHARACTERISTIC c "" CURVE 0x10 RL 0 CM 0 255 /begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY CM 4 0 255 '
    "/end AXIS_DESCR /end CHARACTERISTIC\n"
)
GROUP = '/begin GROUP g "" /begin REF_MEASUREMENT a b /end REF_MEASUREMENT /end GROUP\n'
XCP = (
    '/begin IF_DATA XCP 0x0101 /begin DAQ STATIC 0x02 /begin EVENT "10ms" 1 /end EVENT '
    '/begin EVENT "1ms" 2 /end EVENT /end DAQ /end IF_DATA\n'
)


def of(*parts, reader=parse):
    return reader((HEAD + "".join(parts) + TAIL).encode())


def paths(found):
    return [
        (c.status, c.keyword, c.name, [(a.path, a.old, a.new) for a in c.attributes])
        for c in found.changes
    ]


def test_order_layout_and_spelling_do_not_count():
    other = A.replace("0x0 00 -1.50e0 255.", "/* c */ 0\n0.0 -1.5 0xFF")
    group = GROUP.replace("a b", "b\na")
    xcp = XCP.replace("0x0101", "257").replace("0x02", "2")
    for reader in (parse, open_a2l):
        found = diff(of(A, B, GROUP, XCP), of(xcp, group, B, other, reader=reader))
        assert not found
        assert found.summary() == "0 added, 0 removed, 0 changed"


def test_objects_come_and_go():
    found = diff(of(A, B), of(B, MAP))
    assert paths(found) == [
        ("added", "CHARACTERISTIC", "c", []),
        ("removed", "MEASUREMENT", "a", []),
    ]
    assert {(c.old_line, c.new_line) for c in found.changes} == {(2, 0), (0, 3)}


def test_attributes_have_paths():
    changed = (
        MAP.replace("CM 4", "CM 5")
        .replace("0x10", "0x20")
        .replace(
            "/end AXIS_DESCR", "/begin FIX_AXIS_PAR_LIST 1 2 /end FIX_AXIS_PAR_LIST /end AXIS_DESCR"
        )
    )
    ((status, _, _, attributes),) = paths(diff(of(MAP), of(changed)))
    assert status == "changed"
    assert attributes[:2] == [("address", 16, 32), ("axis_descr[0].max_axis_points", 4, 5)]
    assert attributes[2][0] == "axis_descr[0].fix_axis_par_list"
    assert attributes[2][1] is None
    ((_, _, _, attributes),) = paths(diff(of(A), of(A.replace('FORMAT "%3.1"', "DISCRETE"))))
    assert attributes == [("format", "%3.1", None), ("discrete", None, True)]


def test_lists_and_interfaces():
    found = paths(
        diff(of(GROUP, XCP), of(GROUP.replace("a b", "b c"), XCP.replace('"1ms" 2', '"1ms" 3')))
    )
    assert found == [
        ("changed", "IF_DATA", "XCP", [("DAQ/EVENT#2[1]", 2, 3)]),
        (
            "changed",
            "GROUP",
            "g",
            [("ref_measurement.names", "a", None), ("ref_measurement.names", None, "c")],
        ),
    ]


def test_words_and_strings_differ():
    assert diff(of(XCP), of(XCP.replace("STATIC", "DYNAMIC")))
    table = '/begin COMPU_VTAB v "" TAB_VERB 2 0 "a" 1 "b" /end COMPU_VTAB\n'
    found = paths(diff(of(table), of(table.replace('1 "b"', '1 "c"'))))
    assert found[0][3] == [("pairs", (1, "b"), None), ("pairs", None, (1, "c"))]


def test_heads_and_versions():
    other = parse(
        'ASAP2_VERSION 1 60 /begin PROJECT q "" /begin HEADER "h" /end HEADER /begin MODULE n "" '
        "/end MODULE /end PROJECT"
    )
    found = paths(diff(of(), other))
    assert [(f[1], f[3][0][0]) for f in found] == [
        ("ASAP2_VERSION", "version"),
        ("PROJECT", "name"),
        ("MODULE", "name"),
    ]
    assert [a[0] for a in found[1][3]] == ["name", "header"]


def test_modules_belong_together_by_name():
    two = '/begin PROJECT p "" /begin MODULE m "" /end MODULE /begin MODULE k "" /end MODULE /end PROJECT'
    found = paths(diff(of(), parse(two)))
    assert [f[:3] for f in found] == [("added", "MODULE", "k")]


def test_text_and_json():
    found = diff(of(A, B), of(A.replace("255.", "10 "), MAP))
    assert found.text().splitlines() == [
        "+ CHARACTERISTIC c",
        "~ MEASUREMENT a",
        "    upper_limit: 255.0 -> 10",
        "- MEASUREMENT b",
    ]
    plain = json.loads(json.dumps(found.as_dict()))
    assert (plain["added"], plain["removed"], plain["changed"]) == (1, 1, 1)
    assert plain["changes"][1]["attributes"] == [{"path": "upper_limit", "old": 255.0, "new": 10}]


def test_interface_blocks_belong_together_by_name():
    first, second = '/begin EVENT "10ms" 1 /end EVENT ', '/begin EVENT "1ms" 2 /end EVENT '
    assert not diff(of(XCP), of(XCP.replace(first + second, second + first)))
    found = paths(diff(of(XCP), of(XCP.replace(first, '/begin EVENT "new" 0 /end EVENT ' + first))))
    assert found == [("changed", "IF_DATA", "XCP", [("DAQ/EVENT", None, "EVENT new 0")])]
    found = paths(diff(of(XCP), of(XCP.replace(first, ""))))
    assert found == [("changed", "IF_DATA", "XCP", [("DAQ/EVENT", "EVENT 10ms 1", None)])]
    found = paths(diff(of(XCP), of(XCP.replace('"1ms"', '"2ms"'))))
    assert found[0][3] == [("DAQ/EVENT#2[0]", "1ms", "2ms")]


def test_other_names_are_suggested():
    twin = A.replace(" a ", " a2 ")
    found = diff(of(A, B, MAP), of(A.replace(" a ", " z "), B, MAP.replace(' c ""', ' d "other"')))
    assert [str(one) for one in found.renamed] == [
        "? CHARACTERISTIC c -> d: renamed? (same address)",
        "? MEASUREMENT a -> z: renamed? (equal but for the name)",
    ]
    assert found.text().endswith("\n".join(map(str, found.renamed)))
    assert found.as_dict()["renamed"][0]["new"] == "d"
    assert not diff(of(A, twin), of(A.replace(" a ", " z "))).renamed  # it may be either
    assert not diff(of(A), of(B)).renamed


def test_addresses_alone_or_left_out():
    found = diff(of(MAP, A, B), of(MAP.replace("0x10", "0x20").replace("CM 4", "CM 5"), B))
    assert paths(found.addresses("only")) == [
        ("changed", "CHARACTERISTIC", "c", [("address", 16, 32)])
    ]
    assert paths(found.addresses("never")) == [
        ("changed", "CHARACTERISTIC", "c", [("axis_descr[0].max_axis_points", 4, 5)]),
        ("removed", "MEASUREMENT", "a", []),
    ]
    assert not diff(of(MAP), of(MAP.replace("0x10", "0x20"))).addresses("never")
