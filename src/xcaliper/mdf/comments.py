"""XML comments of MDF4 blocks: made from values, read back leniently *(MDF4, MD block)*."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from xcaliper.core.markup import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["comment_text", "element_text", "properties_of", "wrap"]

_PLAIN: Final = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"}
_ENTITY: Final = re.compile("&(?:amp|lt|gt|quot|apos);")
_PROPERTY: Final = re.compile(r'<e name="([^"]*)"[^>]*>([^<]*)</e>')
_TAG: Final = re.compile(r"<[^>]*>")


def _unescape(text: str) -> str:
    return _ENTITY.sub(lambda m: _PLAIN[m[0]], text)


def wrap(
    root: str,
    text: str,
    *,
    elements: Mapping[str, str] | None = None,
    properties: Mapping[str, str] | None = None,
    inner: str = "",
) -> str:
    """XML comment with a text, simple elements and common properties.

    Args:
        root: element name such as ``CNcomment``.
        text: plain text of the comment.
        elements: element name → plain text; empty ones are left out.
        properties: name → value for ``common_properties``; empty ones are left out.
        inner: further markup, used as it is.
    """
    parts = [f"<{root}><TX>{escape(text)}</TX>", inner]
    parts += [f"<{k}>{escape(v)}</{k}>" for k, v in (elements or {}).items() if v]
    rows = [f'<e name="{escape(k)}">{escape(v)}</e>' for k, v in (properties or {}).items() if v]
    if rows:
        parts.append(f"<common_properties>{''.join(rows)}</common_properties>")
    parts.append(f"</{root}>")
    return "".join(parts)


def element_text(xml: str, element: str) -> str:
    """Plain text of the first element of that name, or an empty text."""
    start = xml.find(f"<{element}>")
    end = xml.find(f"</{element}>", start)
    if start < 0 or end < 0:
        return ""
    return _unescape(_TAG.sub("", xml[start + len(element) + 2 : end]))


def comment_text(xml: str) -> str:
    """What a person wrote: the TX element, or the whole text when it is not XML."""
    return element_text(xml, "TX") if "<TX>" in xml else xml


def properties_of(xml: str) -> dict[str, str]:
    """Common properties by name."""
    return {_unescape(k): _unescape(v) for k, v in _PROPERTY.findall(xml)}
