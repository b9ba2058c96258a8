"""IF_DATA changed by what they mean; in the text only the words that differ are exchanged.

Two ways in: the plain values that the file's own A2ML or the built-in types give, for every IF_DATA, and the typed
descriptions of XCP and CCP. Both keep what they do not know, the spelling of numbers, and comments.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from xcaliper.a2l.aml_match import build, match
from xcaliper.a2l.builtin_aml import module_aml
from xcaliper.a2l.if_ccp import CcpDescription, read_ccp, write_ccp
from xcaliper.a2l.if_words import carried, respelled
from xcaliper.a2l.if_xcp import XcpDescription, read_xcp, write_xcp
from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xcaliper.a2l.aml_types import Aml
    from xcaliper.a2l.edit import Editor
    from xcaliper.a2l.ifdata import IfData, IfItem
    from xcaliper.a2l.keywords.project import Module

__all__ = ["carry", "edit_ccp", "edit_values", "edit_xcp", "put_items"]

T = TypeVar("T")


def put_items(editor: Editor, data: IfData, items: list[IfItem]) -> None:
    """Give an IF_DATA another content; numbers that did not change keep their spelling.

    Args:
        editor: of the file.
        data: an IF_DATA of the file.
        items: the new content; it is not changed.
    """
    data.items = respelled(data.items, items)
    editor.touch(data)


@contextmanager
def edit_values(
    editor: Editor, module: Module, data: IfData, aml: Aml | None = None
) -> Iterator[Any]:
    """The content of an IF_DATA as plain values, to be changed inside a ``with``.

    Args:
        editor: of the file.
        module: gives the A2ML; built-in types serve where it says nothing.
        data: an IF_DATA of the file.
        aml: types, when they are at hand.

    Yields:
        What :func:`~xcaliper.a2l.aml_match.match` gives as content: ``TagValues``, or a list.

    Raises:
        UsageError: the content does not fit the types any more; nothing was changed.
    """
    types = module_aml(module) if aml is None else aml
    values = match(types, data).values
    yield values[0][1]
    put_items(editor, data, build(types, values).items)


def carry(data: IfData, before: IfData, after: IfData, says: Callable[[IfData], bool]) -> bool:
    """Change an IF_DATA as much as two views of it differ; order, spelling and strangers stay.

    Args:
        data: as it stands in the file.
        before: what a writer makes of the view that was read from it.
        after: what the writer makes of the view as it shall be.
        says: whether an IF_DATA says what is wanted; looked at once it is changed.

    Returns:
        False when the change has no place in the form that it has; then it is as before.
    """
    held = data.items
    items = carried(held, before.items, after.items) if before.name == after.name else None
    if items is None:
        return False
    data.items = items
    if says(data):
        return True
    data.items = held
    return False


def edit_xcp(
    editor: Editor, data: IfData, change: Callable[[XcpDescription], XcpDescription]
) -> XcpDescription:
    """Change an IF_DATA XCP or XCPplus of a module by its typed description.

    Args:
        editor: of the file.
        data: an IF_DATA of the file.
        change: gives the wanted description for the present one, as with ``dataclasses.replace``.

    Returns:
        The description that now stands in the file.

    Raises:
        UsageError: it is no such IF_DATA, or the change has no place in the form it has.
    """
    return _edit(editor, data, lambda one: read_xcp([one]), write_xcp, change)


def edit_ccp(
    editor: Editor, data: IfData, change: Callable[[CcpDescription], CcpDescription]
) -> CcpDescription:
    """Change an IF_DATA ASAP1B_CCP of a module by its typed description; as :func:`edit_xcp`.

    Args:
        editor: of the file.
        data: an IF_DATA of the file.
        change: gives the wanted description for the present one.

    Raises:
        UsageError: it is no such IF_DATA, or the change has no place in the form it has.
    """
    return _edit(editor, data, lambda one: read_ccp([one]), write_ccp, change)


def _edit(
    editor: Editor,
    data: IfData,
    read: Callable[[IfData], T | None],
    write: Callable[[T], IfData],
    change: Callable[[T], T],
) -> T:
    before = read(data)
    if before is None:
        raise UsageError(
            f"IF_DATA {data.name}: it has no typed description.", hint="Edit its plain values."
        )
    wanted = change(before)
    if not carry(data, write(before), write(wanted), lambda one: read(one) == wanted):
        raise UsageError(
            f"IF_DATA {data.name}: the change has no place in the form that it has.",
            hint="Edit its plain values, or give it new items.",
        )
    editor.touch(data)
    return wanted
