"""``xcaliper cal``: parameters of ECUs, images and sets, looked at and changed."""

from __future__ import annotations

from typing import Final

from cyclopts import App

from xcaliper.cli.shell import example_text

__all__ = ["cal"]

_URL: Final = "udp://127.0.0.1:5555"
_EXAMPLES: Final = (
    f"xcaliper cal list {_URL} 'KF*'",
    f"xcaliper cal get {_URL} KFZW --surface",
    f"xcaliper cal set {_URL} cIdleSpeedTarget 900",
    f"xcaliper cal export {_URL} monday.cdfx",
    f"xcaliper cal export {_URL} new.hex --image engine.hex",
    f"xcaliper cal diff {_URL} monday.cdfx --relative 1e-6",
    "xcaliper cal merge monday.cdfx anna.cdfx bert.dcm --out both.cdfx",
    f"xcaliper cal apply {_URL} both.cdfx --reason 'cold start'",
    f"xcaliper cal connect {_URL} engine.hex --a2l engine.a2l --choose download",
    f"xcaliper cal set {_URL} KFZW --offset 2 --where 'x 1000..3000, y > 50'",
)

cal = App(
    name="cal",
    help="Look at parameters, change them, keep them and bring them back.",
    help_epilogue=example_text(_EXAMPLES),
)
for _verb, _place, _help in (
    ("list", "cal_values:list_parameters", "List parameters."),
    ("get", "cal_values:get", "Show parameters: numbers, coloured tables, surfaces."),
    ("set", "cal_change:set_parameter", "Change a parameter, or cells of it by an operation."),
    ("undo", "cal_history:undo", "Take the latest change back."),
    ("redo", "cal_history:redo", "Make a change again that was taken back."),
    ("history", "cal_history:history", "Show what was changed: when, by whom, and why."),
    (
        "export",
        "cal_export:export",
        "Keep parameters in a file of values, or segments in an image.",
    ),
    ("import", "cal_sets:import_set", "Read a file of any format and keep it in another one."),
    ("apply", "cal_apply:apply", "Bring the values of a set into an ECU or an image."),
    ("diff", "cal_sets:diff", "Compare parameters of ECUs, images and files."),
    ("merge", "cal_sets:merge", "Merge what two people changed since they parted."),
    ("stats", "cal_sets:stats", "Numbers about parameters and sets."),
    (
        "connect",
        "cal_connect:connect",
        "Bring an ECU and an image or a set together; who wins is a choice.",
    ),
):
    cal.command(f"xcaliper.cli.{_place}", name=_verb, help=_help)
