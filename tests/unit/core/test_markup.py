"""Text that may stand in XML."""

from __future__ import annotations

from xcaliper.core.markup import escape, is_writable


def test_markup_is_escaped_and_what_xml_forbids_is_replaced() -> None:
    assert escape("<a b=\"c\"> & 'd'\n") == "&lt;a b=&quot;c&quot;&gt; &amp; 'd'\n"
    assert escape("\0\ud800\uffff") == "\ufffd" * 3


def test_what_xml_can_hold() -> None:
    assert is_writable("tab\t line\n ü \U0001f600")
    assert not is_writable("a\x01")
    assert not is_writable("\ud800")
