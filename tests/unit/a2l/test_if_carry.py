"""Changes of a view carried over to the text it was read from."""

from dataclasses import replace

import pytest

from xcaliper.a2l import parse
from xcaliper.a2l.edit import Editor
from xcaliper.a2l.if_edit import carry
from xcaliper.a2l.if_xcp import read_xcp, write_xcp

TEXT = """ASAP2_VERSION 1 71
/begin PROJECT p "" /begin MODULE m ""
/begin IF_DATA XCP /* head */
\t/begin DAQ
\t\tDYNAMIC 0x0 0x02 0 OPTIMISATION_TYPE_DEFAULT ADDRESS_EXTENSION_FREE // one line
\t\tIDENTIFICATION_FIELD_TYPE_ABSOLUTE GRANULARITY_ODT_ENTRY_SIZE_DAQ_BYTE 0x04 NO_OVERLOAD_INDICATION
\t\tRESUME_SUPPORTED PRESCALER_SUPPORTED OWN_WORD 7
\t\t/begin EVENT "b" "b" 0x0002 DAQ 0xFF 10 6 0 /end EVENT /* second first */
\t\t/begin EVENT "a" "a" 0x0001 DAQ 0xFF 10 6 0 /end EVENT
\t\t/begin OWN_BLOCK 1 2 3 /end OWN_BLOCK
\t/end DAQ
/end IF_DATA
/end MODULE /end PROJECT
"""


def changed(change):
    tree = parse(TEXT)
    (data,) = tree.module.if_data
    view = read_xcp([data])
    wanted = replace(view, daq=change(view.daq))
    assert carry(data, write_xcp(view), write_xcp(wanted), lambda one: read_xcp([one]) == wanted)
    editor = Editor(tree)
    editor.touch(data)
    editor.apply()
    return tree.to_bytes().decode()


def event(daq, number, **values):
    return replace(
        daq, events=tuple(replace(e, **values) if e.channel == number else e for e in daq.events)
    )


@pytest.mark.parametrize(
    ("change", "old", "new"),
    [
        (lambda daq: replace(daq, max_event_channel=200), "0x02 0", "0xC8 0"),
        (lambda daq: replace(daq, max_odt_entry_size_daq=9), "BYTE 0x04", "BYTE 0x09"),
        (lambda daq: replace(daq, overload=2), "NO_OVERLOAD_INDICATION", "OVERLOAD_INDICATION_EVENT"),
        (lambda daq: replace(daq, prescaler_supported=False), " PRESCALER_SUPPORTED", ""),
        (lambda daq: replace(daq, resume_supported=False), "RESUME_SUPPORTED ", ""),
        (lambda daq: event(daq, 1, name="new"), '"a" "a"', '"new" "a"'),
        (lambda daq: event(daq, 2, time_cycle=20), "2 DAQ 0xFF 10", "2 DAQ 0xFF 20"),
        (
            lambda daq: replace(daq, events=daq.events[:1]),
            '\t\t/begin EVENT "a" "a" 0x0001 DAQ 0xFF 10 6 0 /end EVENT\n',
            "",
        ),
    ],
)  # fmt: skip
def test_only_the_wrong_words_change(change, old, new):
    assert TEXT.count(old) == 1
    got = changed(change)
    wanted = TEXT.replace(old, new)
    assert got.split() == wanted.split()
    assert got.replace(" ", "").replace("\t", "") == wanted.replace(" ", "").replace("\t", "")


def test_new_events_stand_on_their_own_lines():
    text = changed(
        lambda daq: replace(daq, events=(*daq.events, replace(daq.events[0], name="c", channel=3)))
    )
    lines = text.splitlines()
    at = lines.index("\t\t/begin EVENT")
    assert lines[at + 1].strip() == '"c" "b" 3 DAQ 255 10 6 0'
    assert lines[at - 1].endswith("/end EVENT")
    assert [line for line in lines if line in TEXT.splitlines()] == TEXT.splitlines()


def test_nothing_to_change_is_no_edit():
    assert changed(lambda daq: daq) == TEXT
