"""History, flags and remarks: elements → model *(CDF 2.0, CS-ENTRY, SW-CS-FLAG)*."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcaliper.calib.formats.cdf_words import HISTORY_FIELDS
from xcaliper.calib.paramset import Flag, HistoryEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.calib.formats.xml_records import Node

__all__ = ["read_entries", "read_flags", "read_history", "read_remark"]


def read_remark(owner: Node) -> tuple[str, ...]:
    """Paragraphs of REMARK; a text that stands without paragraphs is one."""
    remark = owner.child("REMARK")
    if remark is None:
        return ()
    paragraphs = tuple(one.text.strip() for one in remark.all("P"))
    loose = remark.text.strip()
    return paragraphs or ((loose,) if loose else ())


def read_history(owner: Node) -> tuple[HistoryEntry, ...]:
    """Entries of SW-CS-HISTORY, as they stand."""
    return read_entries(owner, "CS-ENTRY", HISTORY_FIELDS, "SD")


def read_entries(
    owner: Node, entry: str, fields: Mapping[str, str], special: str
) -> tuple[HistoryEntry, ...]:
    """Entries of SW-CS-HISTORY whose elements have these names.

    Args:
        owner: instance or variant.
        entry: name of an entry.
        fields: field of the model → element.
        special: element of further data; its name is the attribute GID.
    """
    history = owner.child("SW-CS-HISTORY")
    if history is None:
        return ()
    return tuple(
        HistoryEntry(
            **{field: one.value(tag) for field, tag in fields.items()},
            remark=read_remark(one),
            special=tuple(
                (sd.attributes.get("GID", ""), sd.text.strip()) for sd in one.all(special)
            ),
        )
        for one in history.all(entry)
    )


def read_flags(owner: Node) -> tuple[Flag, ...]:
    """Flags of SW-CS-FLAGS."""
    flags = owner.child("SW-CS-FLAGS")
    if flags is None:
        return ()
    return tuple(
        Flag(
            category=one.value("CATEGORY"),
            flag=one.value("FLAG"),
            user=one.value("CSUS"),
            date=one.value("DATE"),
            remark=read_remark(one),
        )
        for one in flags.all("SW-CS-FLAG")
    )
