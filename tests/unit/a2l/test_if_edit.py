"""IF_DATA are edited by what they mean; in the text only the words that differ are exchanged."""

import os
from dataclasses import replace
from difflib import unified_diff
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcaliper.a2l import open_a2l, parse
from xcaliper.a2l.edit import Editor
from xcaliper.a2l.if_ccp import read_ccp
from xcaliper.a2l.if_edit import edit_ccp, edit_values, edit_xcp, put_items
from xcaliper.a2l.if_xcp import read_xcp
from xcaliper.a2l.ifdata import IfBlock, IfData, Quoted
from xcaliper.core.errors import UsageError

ROOT = Path(os.environ.get("XCALIPER_CORPUS", Path(__file__).parents[3] / "../shared/data"))
FILES = sorted(p for p in ROOT.glob("a2l/**/*.a2l") if p.stat().st_size < 300_000)

TEXT = """ASAP2_VERSION 1 71
/begin PROJECT p ""
  /begin MODULE m ""
    /begin A2ML
      block "IF_DATA" taggedunion if_data {
        "TOOL" struct { uint; char[20]; taggedstruct { "SPEED" uint; block "PART" struct { uint; }; }; };
      };
    /end A2ML
    /begin IF_DATA XCP
      /begin PROTOCOL_LAYER
        0x0101 /* version */
        0x07D0 25 25 10 25 20 0 // timeouts
        0x00FF   0x0100
        BYTE_ORDER_MSB_LAST ADDRESS_GRANULARITY_BYTE
        OPTIONAL_CMD SHORT_UPLOAD /* fast */
        OPTIONAL_CMD DOWNLOAD
      /end PROTOCOL_LAYER
      /begin DAQ
        DYNAMIC 0 0x02 0 OPTIMISATION_TYPE_DEFAULT ADDRESS_EXTENSION_FREE
        IDENTIFICATION_FIELD_TYPE_ABSOLUTE GRANULARITY_ODT_ENTRY_SIZE_DAQ_BYTE 0x07 NO_OVERLOAD_INDICATION
        /begin EVENT /* the fast one */
          "fast" "f" 0x0000 DAQ 0xFF 1 6 0x00 // 1 ms
        /end EVENT
        /* between */
        /begin EVENT "slow" "s" 0x01 DAQ 0xFF 10 6 0 /end EVENT // 10 ms
      /end DAQ
      /begin VENDOR_STUFF 1 "2" /end VENDOR_STUFF
      /begin XCP_ON_UDP_IP
        0x0100 5555 // port
        ADDRESS "10.0.0.7" /* of the bench */
      /end XCP_ON_UDP_IP
    /end IF_DATA
    /begin IF_DATA ASAP1B_CCP
      /begin RASTER "10 ms" "10" 0x02 4 1 /end RASTER // second
      /begin TP_BLOB 0x0201 0x0202 0x700 0x701 /* station */ 0x0010 2 /end TP_BLOB
    /end IF_DATA
    /begin IF_DATA TOOL 0x0005 "name" SPEED 0x10 /* fine */ /begin PART 1 /end PART /end IF_DATA
  /end MODULE
/end PROJECT
"""


@pytest.fixture(params=[parse, open_a2l])
def editor(request):
    return Editor(request.param(TEXT.encode()))


def exchanged(*pairs):
    text = TEXT
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def text_of(editor):
    data = editor.to_bytes()
    again = parse(data)
    assert [d.slug for d in again.diagnostics] == [d.slug for d in parse(TEXT).diagnostics]
    assert again.module == editor.file.module
    return data.decode()


def events(change):
    return lambda xcp: replace(xcp, daq=replace(xcp.daq, events=tuple(change(*xcp.daq.events))))


XCP_EDITS = {
    "MAX_DTO keeps its width": (
        lambda xcp: replace(xcp, protocol_layer=replace(xcp.protocol_layer, max_dto=0x2C)),
        [("0x00FF   0x0100", "0x00FF   0x002C")],
    ),
    "name and cycle of an event": (
        events(lambda a, b: (replace(a, name="very fast", time_cycle=5), b)),
        [('"fast" "f"', '"very fast" "f"'), ("0xFF 1 6", "0xFF 5 6")],
    ),
    "an event goes": (
        events(lambda a, _: (a,)),
        [('        /begin EVENT "slow" "s" 0x01 DAQ 0xFF 10 6 0 /end EVENT //', " //")],
    ),
    "the address": (
        lambda xcp: replace(xcp, transports=(replace(xcp.transports[0], address="1.2.3.4"),)),
        [('"10.0.0.7"', '"1.2.3.4"')],
    ),
    "DAQ capabilities": (
        lambda xcp: replace(xcp, daq=replace(xcp.daq, max_event_channel=3, min_daq=1)),
        [("DYNAMIC 0 0x02 0", "DYNAMIC 0 0x03 1")],
    ),
    "nothing": (lambda xcp: xcp, []),
}


@pytest.mark.parametrize("name", XCP_EDITS)
def test_xcp_changes_only_what_differs(editor, name):
    change, pairs = XCP_EDITS[name]
    wanted = edit_xcp(editor, editor.file.module.if_data[0], change)
    assert text_of(editor) == exchanged(*pairs)
    assert read_xcp(parse(editor.to_bytes()).module.if_data) == wanted


def test_a_new_event_stands_behind_the_others(editor):
    data = editor.file.module.if_data[0]
    change = events(lambda a, b: (a, b, replace(b, name="new", channel=2)))
    edit_xcp(editor, data, change)
    text = text_of(editor)
    head, _, tail = text.partition("/end EVENT // 10 ms\n")
    assert head + "/end EVENT // 10 ms\n" == TEXT[: len(head) + len("/end EVENT // 10 ms\n")]
    assert tail.endswith(TEXT[TEXT.index("      /end DAQ") :])
    new = tail.removesuffix(TEXT[TEXT.index("      /end DAQ") :])
    assert new.startswith('        /begin EVENT\n          "new" "s" 2')
    assert new.rstrip("\n").endswith("        /end EVENT")
    names = [e.name for e in read_xcp(parse(text).module.if_data).daq.events]
    assert names == ["fast", "slow", "new"]


def test_a_change_without_a_place_is_refused(editor):
    data = editor.file.module.if_data[0]
    with pytest.raises(UsageError, match="no place"):
        edit_xcp(editor, data, lambda xcp: replace(xcp, plus_version=0x0102))
    with pytest.raises(UsageError, match="no typed description"):
        edit_xcp(editor, editor.file.module.if_data[2], lambda xcp: xcp)
    assert editor.to_bytes().decode() == TEXT


def test_ccp_changes_only_what_differs(editor):
    data = editor.file.module.if_data[1]

    def change(ccp):
        blob = replace(ccp.tp_blob, station_address=0x20)
        return replace(ccp, tp_blob=blob, rasters=(replace(ccp.rasters[0], rate=2),))

    wanted = edit_ccp(editor, data, change)
    assert text_of(editor) == exchanged(("0x0010 2", "0x0020 2"), ("0x02 4 1", "0x02 4 2"))
    assert read_ccp(parse(editor.to_bytes()).module.if_data) == wanted


def test_values_of_the_files_own_grammar(editor):
    module = editor.file.module
    with edit_values(editor, module, module.if_data[2]) as content:
        content[1] = "other"
        content[2].put("SPEED", 32)
        content[2].values("PART")[0][0] = 2
    assert text_of(editor) == exchanged(
        ('0x0005 "name" SPEED 0x10', '0x0005 "other" SPEED 0x20'), ("PART 1", "PART 2")
    )
    before = editor.to_bytes()
    with (
        pytest.raises(UsageError, match="a number"),
        edit_values(editor, module, module.if_data[2]) as content,
    ):
        content[0] = "none"
    assert editor.to_bytes() == before


def test_items_of_another_kind_take_the_place(editor):
    data = editor.file.module.if_data[2]
    items = [IfBlock("HEAD", ["1"]), Quoted("name"), "SPEED", "16", IfBlock("PIECE", ["1"])]
    put_items(editor, data, items)
    assert text_of(editor) == exchanged(
        ("TOOL 0x0005", "TOOL /begin HEAD 1 /end HEAD"),
        ("/begin PART 1 /end PART", "/begin PIECE 1 /end PIECE"),
    )


def test_quotes_make_a_difference(editor):
    put_items(editor, data := editor.file.module.if_data[2], [])
    editor.change(data, items=["0x0005", "name", "SPEED", "0x10", IfBlock("PART", ["1"])])
    assert text_of(editor) == exchanged(('0x0005 "name"', "0x0005 name"))


WORDS = st.one_of(
    st.sampled_from(["1", "0x10", "A", "B", "1.5"]),
    st.sampled_from(["", "a b", 'q"q']).map(Quoted),
)
ITEMS = st.recursive(
    st.lists(WORDS, max_size=5),
    lambda inner: st.lists(
        st.one_of(WORDS, st.builds(IfBlock, st.sampled_from(["T", "U"]), inner)), max_size=5
    ),
    max_leaves=12,
)


@given(
    before=ITEMS, after=ITEMS, blank=st.sampled_from([" ", "\n", " /* c */ ", " // c\n", "\n  "])
)
def test_any_content_becomes_any_other(before, after, blank):
    from xcaliper.a2l.write import write

    words = write(IfData("X", before)).split("\n")
    body = blank.join(words)
    text = f'/begin PROJECT p "" /begin MODULE m ""\n{body}\n/end MODULE /end PROJECT\n'
    file = parse(text)
    assert not file.diagnostics
    editor = Editor(file)
    editor.change(file.module.if_data[0], items=after)
    edited = editor.to_bytes().decode()
    again = parse(edited)
    assert not again.diagnostics
    assert again.module.if_data[0].items == after
    assert before != after or edited == text


@pytest.mark.skipif(not FILES, reason="the corpus is not here")
def test_events_in_real_files():
    seen = 0
    for path in FILES:
        data = path.read_bytes()
        for at, block in enumerate(parse(data).module.if_data if parse(data).modules else ()):
            if block.name not in ("XCP", "XCPplus") or read_xcp([block]) is None:
                continue
            if not read_xcp([block]).daq or not read_xcp([block]).daq.events:
                continue
            file = parse(data)
            if len(file.document.sources) > 1:
                continue
            editor = Editor(file)
            renamed = events(lambda a, *more: (replace(a, name="renamed"), *more))
            wanted = edit_xcp(editor, file.module.if_data[at], renamed)
            text = editor.to_bytes()
            assert read_xcp([parse(text).module.if_data[at]]) == wanted, path
            lines = [side.decode("latin-1").split("\n") for side in (data, text)]
            found = [line for line in unified_diff(*lines, n=0) if line[:1] in "+-"]
            assert len(found) == 4, path  # two of them are heads
            seen += 1
    assert seen
