"""Parameter-set files of the vectors, and a second reader and a validator of CDF that share nothing with ours."""

from __future__ import annotations

import os
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from lxml import etree

FOLDER = Path(__file__).parents[1] / "vectors" / "params"
CORPUS = Path(os.environ.get("XCALIPER_CORPUS", Path(__file__).parents[2] / "../shared/data"))


def latin(name: str) -> bytes:
    """A vector in the encoding that it declares."""
    return (FOLDER / name).read_text("utf-8").encode("latin-1")


# -- content models -------------------------------------------------------------------------------

_VALUES = "SW-VALUE-CONT?, SW-AXIS-CONTS?, SW-CS-HISTORY?, SW-CS-FLAGS?"
_MODELS = {
    "MSRSW": "(SHORT-NAME?, CATEGORY?, SW-SYSTEMS?, SDGS?, LOCS?)",
    "SW-SYSTEMS": "(SW-SYSTEM*)",
    "SW-SYSTEM": "(SHORT-NAME, LONG-NAME?, CATEGORY?, SW-INSTANCE-SPEC?)",
    "SW-INSTANCE-SPEC": "(SW-INSTANCE-TREE?)",
    "SW-INSTANCE-TREE": (
        "(SHORT-NAME, LONG-NAME?, CATEGORY?, SW-INSTANCE-TREE-ORIGIN?, SW-CS-COLLECTIONS?,"
        " SW-INSTANCE*)"
    ),
    "SW-INSTANCE-TREE-ORIGIN": "(SYMBOLIC-FILE?, DATA-FILE?)",
    "SW-CS-COLLECTIONS": "(SW-CS-COLLECTION+)",
    "SW-CS-COLLECTION": (
        "(CATEGORY?, SW-FEATURE-REF?, REVISION?, SW-COLLECTION-REF?, SW-CS-HISTORY?)"
    ),
    "SW-INSTANCE": (
        "((SHORT-NAME | SW-ARRAY-INDEX), LONG-NAME?, DISPLAY-NAME?, CATEGORY?, SW-FEATURE-REF?,"
        f" (({_VALUES}) | SW-INSTANCE-PROPS-VARIANTS?), SW-INSTANCE*)"
    ),
    "SW-INSTANCE-PROPS-VARIANTS": "(SW-INSTANCE-PROPS-VARIANT*)",
    "SW-INSTANCE-PROPS-VARIANT": f"(SW-VCD-CRITERION-VALUES?, {_VALUES})",
    "SW-VCD-CRITERION-VALUES": "(SW-VCD-CRITERION-VALUE*)",
    "SW-VCD-CRITERION-VALUE": "(SW-VCD-CRITERION-REF, VT)",
    "SW-VALUE-CONT": "(UNIT-DISPLAY-NAME?, SW-ARRAYSIZE?, SW-VALUES-PHYS?)",
    "SW-ARRAYSIZE": "(V*)",
    "SW-VALUES-PHYS": "(VT | V | VG)*",
    "VG": "(LABEL?, (VT | V | VG)*)",
    "SW-AXIS-CONTS": "(SW-AXIS-CONT*)",
    "SW-AXIS-CONT": (
        "(CATEGORY?, UNIT-DISPLAY-NAME?, SW-INSTANCE-REF?, SW-ARRAYSIZE?, SW-VALUES-PHYS?)"
    ),
    "SW-CS-HISTORY": "(CS-ENTRY*)",
    "CS-ENTRY": "(STATE, DATE, CSUS, CSPR?, CSWP?, CSTO?, CSTV?, CSPI?, CSDI?, REMARK?, SD*)",
    "SW-CS-FLAGS": "(SW-CS-FLAG+)",
    "SW-CS-FLAG": "(CATEGORY?, FLAG?, CSUS?, DATE?, REMARK?)",
    "REMARK": "(P+)",
    "SDGS": "(SDG+)",
    "SDG": "(SDG-CAPTION?, (SD | SDG)*)",
    "SDG-CAPTION": "(SHORT-NAME, LONG-NAME?)",
}
_LEAVES = [
    "SHORT-NAME",
    "LONG-NAME",
    "DISPLAY-NAME",
    "CATEGORY",
    "SYMBOLIC-FILE",
    "DATA-FILE",
    "SW-FEATURE-REF",
    "REVISION",
    "SW-COLLECTION-REF",
    "SW-ARRAY-INDEX",
    "SW-INSTANCE-REF",
    "SW-VCD-CRITERION-REF",
    "UNIT-DISPLAY-NAME",
    "V",
    "VT",
    "LABEL",
    "STATE",
    "DATE",
    "CSUS",
    "CSPR",
    "CSWP",
    "CSTO",
    "CSTV",
    "CSPI",
    "CSDI",
    "P",
    "FLAG",
    "SD",
    "LOCS",
]
_ATTRIBUTES = (
    "MSRSW CREATOR CDATA #IMPLIED",
    "MSRSW CREATOR-VERSION CDATA #IMPLIED",
    "SDG GID CDATA #REQUIRED",
    "SD GID CDATA #REQUIRED",
    'VT xml:space (preserve) #FIXED "preserve"',
)


def validators() -> list[etree.DTD]:
    """The content models above, and every CDF 2.0 DTD that lies in the folder of files by others."""
    lines = [f"<!ELEMENT {name} {model}>" for name, model in _MODELS.items()]
    lines += [f"<!ELEMENT {name} (#PCDATA)>" for name in _LEAVES]
    lines += [f"<!ATTLIST {line}>" for line in _ATTRIBUTES]
    found = [etree.DTD(StringIO("\n".join(lines)))]
    return found + [etree.DTD(str(path)) for path in sorted(CORPUS.glob("params/**/cdf_v2*.dtd"))]


def problems_of(data: bytes) -> list[str]:
    """What the validators say against a file."""
    root = etree.parse(BytesIO(data))
    return [str(error) for one in validators() if not one.validate(root) for error in one.error_log]


# -- second reader --------------------------------------------------------------------------------


def second_reading(data: bytes) -> dict[tuple[str, tuple[str, ...]], dict[str, Any]]:
    """Name and variant → what the file says, of files whose instances are not nested."""
    found = {}
    for instance in ET.fromstring(data).iter("SW-INSTANCE"):
        name = instance.findtext("SHORT-NAME") or ""
        variants = instance.findall("SW-INSTANCE-PROPS-VARIANTS/SW-INSTANCE-PROPS-VARIANT")
        for body in variants or [instance]:
            criteria = body.findall("SW-VCD-CRITERION-VALUES/SW-VCD-CRITERION-VALUE")
            key = tuple(f"{c[0].text}={c[1].text or ''}" for c in criteria)
            phys = body.find("SW-VALUE-CONT/SW-VALUES-PHYS")
            assert phys is not None
            axes = body.findall("SW-AXIS-CONTS/SW-AXIS-CONT")
            found[name, key] = {
                "category": instance.findtext("CATEGORY"),
                "values": _nested(phys),
                "unit": body.findtext("SW-VALUE-CONT/UNIT-DISPLAY-NAME") or "",
                "axes": [
                    (a.findtext("CATEGORY"), a.findtext("SW-INSTANCE-REF"), _points(a))
                    for a in axes
                ],
                "states": [e.findtext("STATE") for e in body.findall("SW-CS-HISTORY/CS-ENTRY")],
            }
    return found


def _points(axis: Any) -> Any:
    phys = axis.find("SW-VALUES-PHYS")
    return None if phys is None else _nested(phys)


def _nested(phys: Any) -> list[Any]:
    return [
        _nested(one)
        if one.tag == "VG"
        else (one.text or "")
        if one.tag == "VT"
        else float(one.text)
        for one in phys
        if one.tag != "LABEL"
    ]
