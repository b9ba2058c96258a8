"""``xcaliper a2l check``: what is wrong with a description, on paper and against a live ECU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import Parameter

from xcaliper.cli.key_options import KeyOptionsOfVerb
from xcaliper.cli.opening import open_ecu

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcaliper.a2l.choice import Choice
    from xcaliper.cli.key_options import KeyOptions
    from xcaliper.core.diagnostics import Diagnostic

__all__ = ["check", "sarif"]

_LIMIT: Final = 10
_SARIF_LEVELS: Final = {0: "note", 1: "warning", 2: "error"}
_SARIF_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def check(  # noqa: PLR0913 -- options by name
    file: Path,
    /,
    *,
    outside: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    select: Annotated[list[str] | None, Parameter(negative=())] = None,
    ignore: Annotated[list[str] | None, Parameter(negative=())] = None,
    level: Annotated[list[str] | None, Parameter(negative=())] = None,
    severity: Literal["info", "warning", "error"] | None = None,
    limit: int | None = None,
    statistics: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    sarif_file: Annotated[Path | None, Parameter(name="--sarif")] = None,
    against: str | None = None,
    write_corrected: Path | None = None,
    keys: KeyOptionsOfVerb = None,
) -> int:
    """Report defects of a description. Exit code 6 when there are errors, 0 when there are none.

    Checked are syntax, references, names, versions, limits, conversions, layouts, memory, groups,
    variants and IF_DATA; with --against also what a live ECU says otherwise. The options may also
    stand in [a2l-check] of an xcaliper.toml, or in [tool.xcaliper.a2l-check] of a pyproject.toml, in
    the folder of the file or above.

    Args:
        file: the A2L file.
        outside: includes may lie outside of the file's folder.
        select: report these codes only, as live-*; may be repeated.
        ignore: codes not to report, as unused, or codes at objects, as unused:Tmp*; may be repeated.
        level: severity of a code, as unused=warning; may be repeated.
        severity: least severity to report; default info.
        limit: findings of one code in the text report, the others are counted; 0 for all, default 10.
        statistics: number of findings by code instead of the findings.
        json: one JSON object per finding.
        sarif_file: write the findings as SARIF 2.1.0, which code review tools show.
        against: compare with the ECU at this address, such as udp://127.0.0.1:5555; the ECU is right.
        write_corrected: with --against, write a description here that says what the ECU says.
        keys: of protected resources, with --against.
    """
    from xcaliper.a2l.check import check as run_checks
    from xcaliper.a2l.check import suppressions
    from xcaliper.a2l.choice import suppress
    from xcaliper.a2l.lines import bytes_of
    from xcaliper.cli.check_settings import find_settings
    from xcaliper.cli.shell import EXIT_FOUND, EXIT_OK, errors, working
    from xcaliper.client.a2l_source import read_a2l
    from xcaliper.core.diagnostics import Severity
    from xcaliper.core.errors import UsageError
    from xcaliper.quantity.lint import lint

    if write_corrected is not None and against is None:
        raise UsageError("--write-corrected needs an ECU.", hint="Add --against udp://….")
    settings = find_settings(file)
    choice = _choice(settings, select, ignore, level, severity)
    with working(f"Checking {file.name} …") as told:
        tree = read_a2l(file, outside=outside, progress=told)
        assert tree.document is not None, "it was read from a file"
        main = tree.document.sources[0]
        text = bytes_of(main.text)
        stored = None if text.isascii() else main.encoding  # every encoding spells ASCII alike
        tree.load_all()
        findings = [*tree.diagnostics, *run_checks(tree, encoding=stored, progress=told)]
        findings += lint(tree, progress=told)
        if against is not None:
            findings += _live(against, file, write_corrected, keys)
    known = {f.subject for f in findings if f.severity is Severity.ERROR and f.subject}
    findings = [f for f in findings if f.slug != "object-unusable" or f.subject not in known]
    findings = choice.of(suppress(findings, suppressions(text)))
    if sarif_file is not None:
        _write(sarif_file, sarif(findings, str(file)))
    most = settings.get("limit", _LIMIT) if limit is None else limit
    if statistics:
        _count(findings, as_json=json)
    elif json:
        _show_json(findings, file)
    else:
        _show(findings, file, max(0, most))
    if write_corrected is not None:
        errors().print(f"corrected description: {write_corrected}", markup=False)
        if any(f.slug == "live-epk" for f in findings):
            hint = "it is for another program than the original: update its addresses before use."
            errors().print(f"warning: {hint}", markup=False)
    return EXIT_FOUND if any(f.severity is Severity.ERROR for f in findings) else EXIT_OK


def _choice(
    settings: dict[str, Any],
    select: list[str] | None,
    ignore: list[str] | None,
    level: list[str] | None,
    severity: str | None,
) -> Choice:
    """What is wanted: the settings, and the command line over them."""
    from xcaliper.a2l.choice import Choice
    from xcaliper.core.diagnostics import Severity
    from xcaliper.core.errors import UsageError

    levels = dict(settings.get("levels", {}))
    for pair in level or ():
        code, mark, word = pair.partition("=")
        levels[code if mark else pair] = word
    least = severity or settings.get("severity", "info")
    for word in (least, *levels.values()):
        if word.upper() not in Severity.__members__:
            hint = "Write it like unused=warning; severities are info, warning and error."
            raise UsageError(f"{word!r} is no severity.", hint=hint)
    return Choice(
        tuple(select or settings.get("select", ())),
        (*settings.get("ignore", ()), *(ignore or ())),
        {code: Severity[word.upper()] for code, word in levels.items()},
        Severity[least.upper()],
    )


def _live(
    url: str, file: Path, corrected: Path | None, keys: KeyOptions | None
) -> list[Diagnostic]:
    from xcaliper.a2l.edit import Editor
    from xcaliper.client.a2l_source import save_a2l
    from xcaliper.client.compare import compare, live_facts
    from xcaliper.client.correct import correct

    with open_ecu(url, file, keys=keys) as ecu:
        facts = live_facts(ecu)
        found = compare(ecu, facts)
        if corrected is not None:
            tree = ecu.catalog.file
            tree.load_all()
            before = [Editor.inventory(module) for module in tree.modules]
            correct(ecu, facts)
            editor = Editor(tree)
            for module, objects in zip(tree.modules, before, strict=True):
                editor.adopt(module, objects)
            editor.apply()
            save_a2l(tree, corrected)
    return found


def _write(target: Path, content: dict[str, Any]) -> None:
    import json

    target.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _show_json(findings: list[Diagnostic], file: Path) -> None:
    from xcaliper.cli.shell import print_json

    for finding in findings:
        print_json(
            {
                "severity": finding.severity.name.lower(),
                "code": finding.slug,
                "file": finding.where.source or str(file),
                "line": finding.where.line,
                "column": finding.where.column,
                "subject": finding.subject,
                "text": finding.text,
                "hint": finding.hint,
            }
        )


def _show(findings: list[Diagnostic], file: Path, limit: int) -> None:
    """The report for people: of a code that comes often, only the first findings and their number."""
    from collections import Counter

    from xcaliper.cli.shell import errors, stdout
    from xcaliper.core.diagnostics import Severity

    console = stdout()
    total, shown = Counter(f.slug for f in findings), Counter[str]()
    for finding in findings:
        shown[finding.slug] += 1
        if not limit or shown[finding.slug] <= limit:
            console.print(str(finding), markup=False, soft_wrap=True)
    for slug, count in total.items():
        if limit and count > limit:
            more = f"… and {count - limit} more [{slug}]; --limit 0 lists them."
            console.print(more, markup=False, soft_wrap=True)
    worst = [sum(f.severity is level for f in findings) for level in reversed(Severity)]
    errors().print(
        f"{worst[0]} errors, {worst[1]} warnings, {worst[2]} notes in {file.name}", markup=False
    )


def _count(findings: list[Diagnostic], *, as_json: bool) -> None:
    """Number of findings by severity and code, the most frequent first."""
    from collections import Counter

    from xcaliper.cli.shell import print_json, stdout

    counts = Counter((f.severity, f.slug) for f in findings)
    for (severity, slug), count in sorted(counts.items(), key=lambda item: (-item[1], item[0][1])):
        level = severity.name.lower()
        if as_json:
            print_json({"code": slug, "severity": level, "count": count})
        else:
            stdout().print(f"{count:7} {level:7} {slug}", markup=False, soft_wrap=True)


def sarif(findings: Iterable[Diagnostic], source: str) -> dict[str, Any]:
    """Findings as a SARIF 2.1.0 log, ready for JSON.

    Args:
        findings: in any order.
        source: file that findings without a place belong to.
    """
    from xcaliper import __version__
    from xcaliper.a2l.rules import RULES

    found = list(findings)
    slugs = sorted({f.slug for f in found})
    rules = []
    for slug in slugs:
        rule = RULES.get(slug)
        made: dict[str, Any] = {"id": slug}
        if rule is not None:
            made |= {
                "shortDescription": {"text": rule.title},
                "fullDescription": {"text": rule.explanation},
                "help": {"text": rule.remedy},
                "defaultConfiguration": {"level": _SARIF_LEVELS[rule.severity]},
            }
        rules.append(made)
    results = []
    for finding in found:
        region = {"startLine": finding.where.line} if finding.where.line else {}
        if finding.where.line and finding.where.column:
            region["startColumn"] = finding.where.column
        place: dict[str, Any] = {"artifactLocation": {"uri": _uri(finding.where.source or source)}}
        if region:
            place["region"] = region
        results.append(
            {
                "ruleId": finding.slug,
                "ruleIndex": slugs.index(finding.slug),
                "level": _SARIF_LEVELS[finding.severity],
                "message": {"text": f"{finding.text} {finding.hint}".strip()},
                "locations": [{"physicalLocation": place}],
            }
        )
    driver = {"name": "xcaliper", "version": __version__, "rules": rules}
    return {
        "$schema": _SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
        ],
    }


def _uri(source: str) -> str:
    """A path as the reference SARIF wants: percent-encoded, absolute ones with a scheme."""
    from urllib.parse import quote

    path = Path(source)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
