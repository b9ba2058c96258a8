"""``xcaliper cal list`` and ``get``: parameters and what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xcaliper.cli.cal_options import ChoiceOptionsOfVerb, Flag, TargetOptionsOfVerb
from xcaliper.cli.cal_source import SetSource
from xcaliper.cli.cal_target import Taken, described, looking, meant_by

if TYPE_CHECKING:
    from xcaliper.cli.cal_options import ChoiceOptions, TargetOptions
    from xcaliper.cli.cal_source import Source

__all__ = ["get", "list_parameters"]


def list_parameters(
    target: str,
    /,
    *names: str,
    choice: ChoiceOptionsOfVerb = None,
    json: Flag = False,
    options: TargetOptionsOfVerb = None,
) -> int:
    """List parameters with kind, shape, limits and what the description says of them.

    Args:
        target: URL of a slave, such as udp://127.0.0.1:5555, an image with its --a2l, or a file of
            parameter values.
        names: names of the A2L; * and ? are wildcards; all without any.
        choice: functions and groups to list.
        json: one JSON object per line.
        options: how to open the target.
    """
    from rich.table import Table

    from xcaliper.cli.shell import print_json, print_table

    with looking(target, options) as memory:
        found = _parameters(memory, names or ("*",), _wanted(memory, choice, options))
        rows = [_row(memory, name) for name in found]
    if json:
        for row in rows:
            print_json(row)
        return 0
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("name", "kind", "shape", "limits", "unit", "text"):
        table.add_column(column, overflow="ellipsis", no_wrap=column != "text")
    for row in rows:
        shape = " × ".join(map(str, row["shape"]))
        table.add_row(row["name"], row["kind"], shape, _limits(row), row["unit"], row["text"])
    print_table(table)
    return 0


def get(
    target: str,
    /,
    *names: str,
    choice: ChoiceOptionsOfVerb = None,
    raw: Flag = False,
    surface: Flag = False,
    json: Flag = False,
    options: TargetOptionsOfVerb = None,
) -> int:
    """Show parameters: numbers with their units, curves and maps as tables coloured from low to high.

    Args:
        target: URL of a slave, such as udp://127.0.0.1:5555, an image with its --a2l, or a file of
            parameter values.
        names: names of the A2L; * and ? are wildcards; all of a function or group without any.
        choice: functions and groups to show.
        raw: ECU values instead of physical ones.
        surface: draw curves and maps with characters as well.
        json: one JSON object per line.
        options: how to open the target.
    """
    from xcaliper.cli.shell import print_json
    from xcaliper.cli.value_view import Shown, json_value, show_values
    from xcaliper.core.errors import UsageError

    if not (names or choice):
        raise UsageError("cal get: no name given.", hint=f"xcaliper cal get {target} 'KF*'")
    with looking(target, options, raw=raw) as memory:
        values = memory.read(
            _parameters(memory, names or ("*",), _wanted(memory, choice, options)), raw=raw
        )
        units = {name: memory.describe(name)["unit"] for name in values}
    if json:
        for name, value in values.items():
            print_json({"name": name, "value": json_value(value), "unit": units[name]})
        return 0
    shown = (
        Shown(name, value, "" if raw or isinstance(value, str) else units[name])
        for name, value in values.items()
    )
    show_values(shown, surface=surface)
    return 0


def _wanted(
    memory: Source, choice: ChoiceOptions | None, options: TargetOptions | None
) -> set[str] | None:
    """Names that functions and groups mean; None where nobody asks for some."""
    if not choice:
        return None
    if isinstance(memory, SetSource):
        return meant_by(choice, Taken(memory.values, described(options)))
    return choice.names(memory.catalog)


def _parameters(
    memory: Source, names: tuple[str, ...], wanted: set[str] | None = None
) -> list[str]:
    """Names and patterns as names; patterns mean parameters only.

    Args:
        memory: where they are.
        names: names and patterns.
        wanted: the names that are meant at all; None for every one.

    Raises:
        NotFoundError: a name means nothing, or a pattern no parameter.
    """
    from xcaliper.core.errors import NotFoundError

    known = {*memory.names(kind="characteristic"), *memory.names(kind="axis")}
    found: dict[str, None] = {}
    for name in names:
        matches = memory.expand(name)
        chosen = matches if matches == [name] else [one for one in matches if one in known]
        if wanted is not None:
            chosen = [one for one in chosen if one in wanted]
        if not chosen:
            raise NotFoundError(name, kind="parameter")
        found.update(dict.fromkeys(chosen))
    return list(found)


def _row(memory: Source, name: str) -> dict[str, Any]:
    """What the description says; of an object that cannot be used, why."""
    from xcaliper.core.errors import UsageError

    try:
        facts = memory.describe(name)
    except UsageError as error:
        facts = {"name": name, "kind": "?", "text": error.message}
    blank: dict[str, Any] = {
        "kind": "",
        "shape": [],
        "lower": None,
        "upper": None,
        "unit": "",
        "text": "",
    }
    return {"name": name, **{key: facts.get(key, other) for key, other in blank.items()}}


def _limits(row: dict[str, Any]) -> str:
    from xcaliper.calib.values import format_number

    if row["lower"] is None or row["kind"] == "ASCII":
        return ""
    return f"{format_number(row['lower'])} … {format_number(row['upper'])}"
