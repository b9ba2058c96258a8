"""A run as one page that needs nothing but itself."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from xcaliper.conformance.model import Group, Severity, Verdict
from xcaliper.core.wording import counted

if TYPE_CHECKING:
    from xcaliper.conformance.model import Result, Step
    from xcaliper.conformance.report import Report

__all__ = ["as_html"]

_STYLE: Final = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1c2430;--dim:#667085;--line:#e3e7ee;
--ok:#16794a;--ok-bg:#e3f5ea;--bad:#b42318;--bad-bg:#fdeceb;--warn:#a15c07;--warn-bg:#fdf3e0;
--note:#33589c;--note-bg:#e9effb;--skip:#667085;--skip-bg:#eef0f4;--code:#f3f5f8}
@media(prefers-color-scheme:dark){:root{--bg:#12161d;--card:#1a2029;--ink:#e6eaf1;--dim:#97a1b2;
--line:#2b3442;--ok:#5cc98d;--ok-bg:#16301f;--bad:#ff8a80;--bad-bg:#3a1d1c;--warn:#f2b45c;
--warn-bg:#36290f;--note:#8fb2f5;--note-bg:#1b2940;--skip:#97a1b2;--skip-bg:#252d39;--code:#202834}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 20px 80px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:17px;margin:32px 0 8px;display:flex;gap:10px;
align-items:baseline}h2 small{color:var(--dim);font-weight:400;font-size:13px}
p{margin:4px 0}.dim{color:var(--dim)}code{font:13px/1.45 ui-monospace,monospace}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:12px;margin:22px 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}
.tile b{display:block;font-size:26px;line-height:1.2;font-variant-numeric:tabular-nums}
.bar{display:flex;height:10px;border-radius:5px;overflow:hidden;background:var(--skip-bg)}
.bar i{display:block}.p{background:var(--ok)}.v{background:var(--bad)}.d{background:var(--warn)}
.n{background:var(--note)}
.tools{display:flex;flex-wrap:wrap;gap:8px;margin:18px 0;position:sticky;top:0;padding:8px 0;
background:var(--bg);z-index:1}
.tools button,.tools input{font:inherit;color:inherit;border:1px solid var(--line);border-radius:8px;
background:var(--card);padding:6px 12px}.tools button{cursor:pointer}
.tools button[aria-pressed=true]{border-color:var(--note);color:var(--note)}
.tools input{flex:1;min-width:180px}
details,.rule{background:var(--card);border:1px solid var(--line);border-top-width:0}
section>div>:first-child{border-top-width:1px;border-radius:10px 10px 0 0}
section>div>:last-child{border-radius:0 0 10px 10px}
summary{display:grid;grid-template-columns:86px 84px 1fr;gap:12px;padding:9px 14px;cursor:pointer;
align-items:baseline;list-style:none}summary::-webkit-details-marker{display:none}
summary .why{grid-column:3;color:var(--dim);font-size:14px}
.tag{border-radius:6px;padding:1px 8px;font-size:12.5px;text-align:center;font-weight:600}
.passed{color:var(--ok);background:var(--ok-bg)}.violation{color:var(--bad);background:var(--bad-bg)}
.deviation{color:var(--warn);background:var(--warn-bg)}.note{color:var(--note);background:var(--note-bg)}
.skipped{color:var(--skip);background:var(--skip-bg)}.error{color:var(--bad);background:var(--bad-bg)}
.body{padding:2px 14px 14px 112px}.body p{max-width:75ch}
table{border-collapse:collapse;width:100%;margin-top:8px;background:var(--code);border-radius:8px}
td{padding:4px 10px;vertical-align:top;overflow-wrap:anywhere}td:first-child{white-space:nowrap;
width:1%;text-align:right;color:var(--dim);font-variant-numeric:tabular-nums}
td span{margin-left:6px}td.w{width:1%;white-space:nowrap;color:var(--dim)}.stop{border-left:4px solid var(--bad);
padding:8px 14px;background:var(--bad-bg);border-radius:6px}
@media(max-width:640px){summary{grid-template-columns:80px 1fr}summary .t{grid-column:1/-1}
summary .why{grid-column:1/-1}.body{padding-left:14px}}
@media print{.tools{display:none}}
"""
_SCRIPT: Final = """
const rows=[...document.querySelectorAll('details')],tools=document.querySelector('.tools'),
find=document.querySelector('input');let kind='all';
function show(){const words=find.value.toLowerCase();rows.forEach(r=>{
r.hidden=!((kind==='all'||r.dataset.kind===kind)&&r.textContent.toLowerCase().includes(words))});
document.querySelectorAll('section').forEach(s=>s.hidden=![...s.querySelectorAll('details')].some(
r=>!r.hidden))}
tools.addEventListener('click',e=>{const b=e.target.closest('button');if(!b)return;kind=b.dataset.kind;
tools.querySelectorAll('button').forEach(o=>o.setAttribute('aria-pressed',o===b));show()});
find.addEventListener('input',show);
"""
_TITLES: Final = {
    Group.SESSION: "Session",
    Group.STATUS: "Status",
    Group.IDENTIFICATION: "Identification",
    Group.COMM_MODE: "Communication modes",
    Group.UNKNOWN: "Commands that do not exist",
    Group.SYNTAX: "Syntax",
    Group.MEMORY: "Reading memory",
    Group.CALIBRATION: "Calibration",
    Group.PAGING: "Segments and pages",
    Group.DAQ_INFO: "Data acquisition: what is told",
    Group.DAQ_CONFIG: "Data acquisition: configuration",
    Group.DAQ_RUN: "Data acquisition: running lists",
    Group.STIMULATION: "Stimulation",
    Group.STORING: "Storing and RESUME",
    Group.TIME: "Clock and time correlation",
    Group.SECURITY: "Seed and key",
    Group.PROGRAMMING: "Programming",
    Group.TRANSPORT: "Transport",
    Group.OBSERVED: "Observed over the whole run",
    Group.A2L: "A2L against the wire",
}


def as_html(report: Report) -> str:
    """The report as a page with style and script inside; nothing is fetched."""
    sections = "".join(_section(report, group) for group in Group)
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width,initial-scale=1'>"
        f"<title>XCP conformance of {escape(report.target)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{_head(report)}{_tools()}{sections}</main>"
        f"<script>{_SCRIPT}</script></body></html>\n"
    )


def _kind(one: Result) -> str:
    return one.rule.severity.value if one.verdict is Verdict.FAILED else one.verdict.value


def _head(report: Report) -> str:
    outcome = report.outcome
    counts = [
        (outcome.count(Verdict.PASSED), "passed", "passed", "p"),
        (outcome.count(Verdict.FAILED, Severity.VIOLATION), "violation", "", "v"),
        (outcome.count(Verdict.FAILED, Severity.DEVIATION), "deviation", "", "d"),
        (outcome.count(Verdict.FAILED, Severity.NOTE), "note", "", "n"),
        (outcome.count(Verdict.SKIPPED), "not run", "not run", ""),
        (outcome.count(Verdict.ERROR), "error", "", ""),
    ]
    total = sum(count for count, *_ in counts) or 1
    words = (counted(count, one, many).partition(" ") for count, one, many, _ in counts)
    tiles = "".join(f"<div class=tile><b>{count}</b>{word}</div>" for count, _, word in words)
    parts = "".join(
        f"<i class={mark} style='width:{100 * count / total:.2f}%'></i>"
        for count, _, _, mark in counts
        if mark
    )
    stopped = ""
    if outcome.stopped:
        stopped = f"<p class=stop>The run could not be finished: {escape(outcome.stopped)}</p>"
    allowed = ", ".join(report.allowed) or "reading only"
    return (
        f"<h1>XCP conformance</h1><p><code>{escape(report.target)}</code></p>"
        f"<p class=dim>{escape(report.started)} · {report.duration_s:.1f} s · allowed: "
        f"{escape(allowed)} · xcaliper {escape(report.version)}</p>"
        f"<p class=dim><code>{escape(report.slave)}</code></p>{stopped}"
        f"<div class=tiles>{tiles}</div><div class=bar>{parts}</div>"
    )


def _tools() -> str:
    kinds = ("all", "violation", "deviation", "note", "passed", "skipped", "error")
    buttons = "".join(
        f"<button data-kind={kind} aria-pressed={str(kind == 'all').lower()}>{kind}</button>"
        for kind in kinds
    )
    return f"<div class=tools>{buttons}<input placeholder='Find id, text or bytes'></div>"


def _section(report: Report, group: Group) -> str:
    results = [one for one in report.outcome.results if one.rule.group is group]
    if not results:
        return ""
    passed = sum(one.verdict is Verdict.PASSED for one in results)
    failed = sum(one.verdict is Verdict.FAILED for one in results)
    rows = "".join(map(_row, results))
    return (
        f"<section><h2>{_TITLES[group]} <small>{passed} passed, {failed} failed, "
        f"{len(results) - passed - failed} not run</small></h2><div>{rows}</div></section>"
    )


def _row(one: Result) -> str:
    kind, rule = _kind(one), one.rule
    why = f"<span class=why>{escape(one.reason)}</span>" if one.reason else ""
    opened = " open" if one.verdict in (Verdict.FAILED, Verdict.ERROR) else ""
    steps = "".join(map(_step, one.steps))
    if one.left_out:
        steps += f"<tr><td></td><td class=w></td><td>{one.left_out} more</td></tr>"
    table = f"<table>{steps}</table>" if steps else ""
    return (
        f"<details data-kind={kind}{opened}><summary><span class='tag {kind}'>{kind}</span>"
        f"<code>{rule.id}</code><span class=t>{escape(rule.title)}</span>{why}</summary>"
        f"<div class=body><p>{escape(rule.demands)}</p><p class=dim>{escape(rule.source)} · "
        f"{rule.severity.value}</p>{table}</div></details>"
    )


def _step(step: Step) -> str:
    time = f"{step.t_ns / 1e6:.1f} ms"
    rows = [_line(time, "asked", step.asked.hex(" "), step.question)]
    rows += [
        _line("", "came", packet.hex(" "), words)
        for packet, words in zip(step.came, step.answers, strict=True)
    ]
    if not step.came:
        rows.append(_line("", "came", "", "nothing"))
    return "".join(rows)


def _line(time: str, what: str, data: str, words: str) -> str:
    shown = data if len(data) < 200 else data[:200] + " …"
    return f"<tr><td>{time}</td><td class=w>{what}</td><td><code>{shown}</code> <span>{escape(words)}</span></td></tr>"
