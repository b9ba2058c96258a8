"""``xcaliper page``: pages of calibration segments, shown, switched, copied and stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter

from xcaliper.cli.key_options import KeyOptionsOfVerb
from xcaliper.cli.opening import open_ecu

if TYPE_CHECKING:
    from xcaliper.client.connection import Connection
    from xcaliper.client.paging import SegmentPages

__all__ = ["page"]


#: Actions, each with how many values it needs; None is any number, with ``all`` for every segment.
_ACTIONS: Final[dict[str, int | None]] = {
    "show": 0,
    "switch": 2,
    "copy": 4,
    "freeze": None,
    "unfreeze": None,
    "store": None,
}
_EXAMPLE: Final = "xcaliper page switch URL 1 0; xcaliper page copy URL 1 1 1 0"


def page(  # options by name
    *words: str,
    side: Literal["both", "ecu", "xcp"] = "both",
    a2l: Path | None = None,
    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    timeout: float = 2.0,
    keys: KeyOptionsOfVerb = None,
) -> int:
    """Show the pages of calibration segments; switch, copy, freeze and store them.

    Args:
        words: an action and where the slave listens, in any order, then what the action needs: show;
            switch SEGMENT PAGE; copy SEGMENT PAGE SEGMENT PAGE (from, to); freeze or unfreeze SEGMENT...;
            store, with the segments to freeze before it. A segment is its number or its name, "all" is
            every segment.
        side: whose page is switched: that of the ECU, the one that XCP sees, or both.
        a2l: description to use; without it the slave is asked for its own.
        json: one JSON object per segment.
        timeout: seconds to wait for an answer.
        keys: of protected resources.
    """
    action, url, values = _understood(words)
    with open_ecu(url, a2l, timeout=timeout, keys=keys) as ecu:
        _act(ecu, action, values, side)
        _show(list(ecu.paging), as_json=json)
    return 0


def _understood(words: tuple[str, ...]) -> tuple[str, str, tuple[str, ...]]:
    """Action, URL and values; nothing is sent before they fit.

    Raises:
        UsageError: they do not.
    """
    from xcaliper.core.errors import UsageError

    urls = [at for at, word in enumerate(words[:2]) if "://" in word]
    if not urls:
        raise UsageError("page: where does the slave listen?", hint="xcaliper page show URL")
    url = words[urls[0]]
    rest = words[: urls[0]] + words[urls[0] + 1 :]
    action, values = (rest[0], rest[1:]) if rest else ("show", ())
    action = "switch" if action == "set" else action
    if action not in _ACTIONS:
        raise UsageError(f"page: no action {action!r}.", hint=f"Use {', '.join(_ACTIONS)}.")
    needs = _ACTIONS[action]
    if needs is not None and len(values) != needs:
        raise UsageError(
            f"page {action}: {len(values)} values are given, {needs} are needed.", hint=_EXAMPLE
        )
    if action in ("freeze", "unfreeze") and not values:
        raise UsageError(f"page {action}: no segment is given.", hint='Name one, or "all".')
    return action, url, values


def _act(ecu: Connection, action: str, values: tuple[str, ...], side: str) -> None:
    paging = ecu.paging
    if action == "switch":
        ecu_side, xcp_side = side != "xcp", side != "ecu"
        if values[0] == "all":
            paging.set_all(_number(values[1]), ecu=ecu_side, xcp=xcp_side)
        else:
            paging.set(_segment(values[0]), _number(values[1]), ecu=ecu_side, xcp=xcp_side)
    elif action == "copy":
        source = _segment(values[0]), _number(values[1])
        paging.copy(source, (_segment(values[2]), _number(values[3])))
    elif action == "store":
        paging.store(*_segments(ecu, values))
    elif action != "show":
        for segment in _segments(ecu, values):
            paging.freeze(segment, on=action == "freeze")


def _segments(ecu: Connection, values: tuple[str, ...]) -> list[int | str]:
    if values == ("all",):
        return [one.number for one in ecu.paging]
    return [_segment(value) for value in values]


def _segment(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def _number(text: str) -> int:
    from xcaliper.core.errors import UsageError

    if not text.isdecimal():
        raise UsageError(f"page {text!r}: it is no number.")
    return int(text)


def _show(segments: list[SegmentPages], *, as_json: bool) -> None:
    from rich.table import Table

    from xcaliper.cli.shell import print_json, print_table

    if as_json:
        for one in segments:
            print_json(
                {
                    "segment": one.number,
                    "name": one.name,
                    "ecu_page": one.ecu_page,
                    "xcp_page": one.xcp_page,
                    "frozen": one.frozen,
                    "pages": [
                        dict(zip(("ecu", "read", "write"), one.rights(number), strict=True))
                        for number in range(len(one.rules))
                    ],
                }
            )
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("segment", "name", "page", "used by", "ECU", "XCP reads", "XCP writes", "frozen"):
        table.add_column(name)
    for one in segments:
        for number in range(max(len(one.rules), 1)):
            users = [
                who
                for who, used in (("ECU", one.ecu_page), ("XCP", one.xcp_page))
                if used == number
            ]
            first = (str(one.number), one.name) if number == 0 else ("", "")
            frozen = "yes" if one.frozen and number == 0 else ""
            rights = (text or "?" for text in one.rights(number))
            table.add_row(*first, str(number), " ".join(users), *rights, frozen)
    print_table(table)
