"""Parameter sets as JSON: our own format, which loses nothing of the model.

One object with ``format`` = ``xcaliper-parameter-set`` and ``version`` = 1; every entry stands on a line of its
own, so that line-based tools show which parameter changed. Fields have the names of the model and are left
out where empty. What JSON has no word for is an object: ``{"number": "NaN"}`` (or INF, -INF),
``{"bytes": "00ff"}``, and ``{"dtype": "float32", "shape": [2, 3], "cells": [...]}`` for an array, cells in C order,
with the texts NaN, INF and -INF for such numbers.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from xcaliper.calib.formats.findings import Findings
from xcaliper.calib.formats.json_fields import (
    ENTRY,
    FUNCTION,
    ORIGIN,
    Field,
    FieldError,
    from_json,
    text_of,
    to_json,
)
from xcaliper.calib.formats.model import Holds, ReadSet, SetFormat
from xcaliper.calib.formats.text_parts import refuse
from xcaliper.calib.paramset import CollectionInfo, Entry, Origin, ParameterSet
from xcaliper.core.errors import ParameterSetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcaliper.quantity.catalog import Catalog

__all__ = ["FORMAT", "MAX_ENTRIES", "MAX_SIZE_BYTES", "VERSION", "read_json", "write_json"]

NAME: Final = "xcaliper-parameter-set"
VERSION: Final = 1
MAX_SIZE_BYTES: Final = 1 << 30
MAX_ENTRIES: Final = 5_000_000
_HINT: Final = "Read it with the program that wrote it, or export it again."


def _looks_so(data: bytes) -> bool:
    head = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    return head.startswith(b"{") and f'"{NAME}"'.encode() in head


def write_json(values: ParameterSet, *, catalog: Catalog | None = None) -> bytes:  # noqa: ARG001 - as every writer
    """Write a set as JSON, UTF-8.

    Args:
        values: what to write.
        catalog: not needed.

    Raises:
        PlanError: an entry holds an array of a type that is neither number nor text.
    """
    problems: list[str] = []
    lines: list[str] = []
    for entry in values:
        try:
            lines.append(_text(to_json(entry, ENTRY)))
        except FieldError as error:
            problems.append(f"{entry.name}: {error}")
    refuse("JSON", problems, "Correct them, or leave them out.")
    head = {
        "format": NAME,
        "version": VERSION,
        "name": values.name,
        "origin": to_json(values.origin, ORIGIN),
        "functions": [to_json(one, FUNCTION) for one in values.functions],
        "criteria": {name: list(texts) for name, texts in values.criteria.items()},
        "comments": list(values.comments),
    }
    rows = [f"{_text(key)}: {_text(value)}" for key, value in head.items()]
    body = ",\n".join(lines)
    rows.append(f'"entries": [\n{body}\n]' if lines else '"entries": []')
    return ("{\n" + ",\n".join(rows) + "\n}\n").encode()


def _text(value: Any) -> str:
    # Lone surrogates stay escapes, so that the file is UTF-8 whatever a text holds.
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text if text.isascii() or _encodes(text) else json.dumps(value, allow_nan=False)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_json(data: bytes, *, source: str = "") -> ReadSet:
    """Read a set from JSON.

    Entries that are wrong are left out and reported, with their place in the list.

    Args:
        data: bytes of the file; UTF-8, a byte order mark is accepted.
        source: its name, for messages.

    Raises:
        ParameterSetError: no JSON, of another format, of a later version, or cut short.
    """
    root = _parse(data, source)
    findings = Findings(source)
    try:
        read = ParameterSet(
            _entries(root.get("entries", []), findings),
            name=text_of(root.get("name", ""), "name"),
            origin=from_json(root.get("origin", {}), Origin, ORIGIN, _unknown(findings, "origin")),
            functions=[
                from_json(one, CollectionInfo, FUNCTION, _unknown(findings, "functions"))
                for one in _listed(root.get("functions", []), "functions")
            ],
            criteria=_criteria(root.get("criteria", {})),
            comments=[
                text_of(one, "comments") for one in _listed(root.get("comments", []), "comments")
            ],
        )
    except FieldError as error:
        raise ParameterSetError(f"{error}.", source=source, hint=_HINT) from error
    known = {"format", "version", "name", "origin", "functions", "criteria", "comments", "entries"}
    for key in sorted(root.keys() - known):
        _unknown(findings, "the file")(key)
    return ReadSet(read, findings.all())


def _parse(data: bytes, source: str) -> dict[str, Any]:
    if len(data) > MAX_SIZE_BYTES:
        raise ParameterSetError(
            f"{len(data)} bytes, at most {MAX_SIZE_BYTES} are read.",
            source=source,
            hint="Split it.",
        )
    try:
        root = json.loads(data.decode("utf-8-sig"), parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ParameterSetError(
            f"no JSON: {error.msg}.",
            source=source,
            line=error.lineno,
            column=error.colno,
            hint=_HINT,
        ) from error
    except RecursionError as error:
        raise ParameterSetError("nested too deeply.", source=source, hint=_HINT) from error
    except ValueError as error:  # encoding, numbers of thousands of digits, constants
        raise ParameterSetError(f"no JSON: {error}.", source=source, hint=_HINT) from error
    if not isinstance(root, dict) or root.get("format") != NAME:
        raise ParameterSetError(
            f"no parameter set: 'format' is not {NAME!r}.",
            source=source,
            hint="Give another format.",
        )
    if root.get("version") != VERSION or isinstance(root.get("version"), bool):
        raise ParameterSetError(
            f"version {str(root.get('version'))[:20]} of the format; {VERSION} is known.",
            source=source,
            hint="Use a later release.",
        )
    return root


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _unknown(findings: Findings, where: str) -> Field:
    return lambda name: findings.note(
        "unknown-field", f"{where}: field {name[:80]!r} is not known and not kept."
    )


def _listed(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise FieldError(f"{what}: a list is due")
    return value


def _criteria(value: Any) -> list[tuple[str, tuple[str, ...]]]:
    if not isinstance(value, dict):
        raise FieldError("criteria: an object is due")
    return [
        (name, tuple(text_of(one, "criteria") for one in _listed(texts, "criteria")))
        for name, texts in value.items()
    ]


def _entries(value: Any, findings: Findings) -> Iterator[Entry]:
    rows = _listed(value, "entries")
    if len(rows) > MAX_ENTRIES:
        raise FieldError(f"entries: {len(rows)}, at most {MAX_ENTRIES} are read")
    seen: set[tuple[str, Any]] = set()
    for number, row in enumerate(rows):
        place = f"entry {number}"
        name = row.get("name") if isinstance(row, dict) else None
        subject = name if isinstance(name, str) else ""
        try:
            entry = from_json(
                row, Entry, ENTRY, _unknown(findings, f"{place} {subject}".strip()), where=place
            )
        except FieldError as error:
            findings.error(
                "bad-entry", f"{place} {subject}: {error}; left out.", subject=subject, hint=_HINT
            )
            continue
        if entry.key in seen:
            findings.warn(
                "duplicate",
                f"{place} {entry.name}: given again; the later one counts.",
                subject=subject,
            )
        seen.add(entry.key)
        yield entry


FORMAT: Final = SetFormat(
    "json",
    "XCaliper JSON",
    (".json",),
    read=read_json,
    write=write_json,
    sniff=_looks_so,
    holds=frozenset(Holds),
)
