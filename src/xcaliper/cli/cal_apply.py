"""``xcaliper cal apply``: values of a set into an ECU or an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from xcaliper.cli.cal_options import (
    ChangeOptionsOfVerb,
    Flag,
    TargetOptionsOfVerb,
)
from xcaliper.cli.cal_target import changing, opened, take_from
from xcaliper.core.errors import NotFoundError

if TYPE_CHECKING:
    from xcaliper.calib.exchange import Applied
    from xcaliper.calib.outcomes import ApplyPlan

__all__ = ["apply"]


def apply(  # noqa: PLR0913  # options by name
    target: str,
    values: str,
    /,
    *names: str,
    partly: Flag = False,
    clamp: Flag = False,
    on_axis: Literal["refuse", "keep", "interpolate"] = "refuse",
    dry_run: Flag = False,
    change: ChangeOptionsOfVerb = None,
    json: Flag = False,
    options: TargetOptionsOfVerb = None,
) -> int:
    """Bring the values of a set into an ECU or an image, all of them or none; exit code 6 when some do not fit.

    Every entry is checked before anything is written and has one outcome in the report. Only bytes that differ are
    sent, in one step of the history.

    Args:
        target: URL of a slave, such as udp://127.0.0.1:5555, or an image with its --a2l.
        values: a file of parameter values, or another image or slave.
        names: entries to take, with * and ?; all without any.
        partly: write what fits although some entries do not.
        clamp: bring values outside of their limits to them, and say so.
        on_axis: what becomes of a table whose shared axis has other points: refuse it, keep its values, or
            interpolate them.
        dry_run: only tell what would be done.
        change: where the change is kept.
        json: print one JSON object.
        options: how to open the target.
    """
    from xcaliper.cli.shell import EXIT_FOUND, EXIT_OK

    taken = take_from(values, names, options).values
    if not len(taken):
        raise NotFoundError(" ".join(names) or values, kind="parameter")
    reason = (change.reason if change else "") or f"apply {values}"
    place = opened(target, options) if dry_run else changing(target, options, change)
    with place as memory:
        plan = memory.calib.plan_set(taken, clamp=clamp, on_axis=on_axis)
        done = None
        if (plan.is_complete or partly) and plan.writes and not dry_run:
            done = memory.calib.apply(
                taken, reason=reason, clamp=clamp, on_axis=on_axis, partial=partly
            )
    _tell(plan, done, as_json=json)
    return EXIT_OK if plan.is_complete else EXIT_FOUND


def _tell(plan: ApplyPlan, done: Applied | None, *, as_json: bool) -> None:
    from xcaliper.cli.shell import errors, print_json, stdout

    sent = done.bytes_sent if done is not None else 0
    if as_json:
        print_json({**plan.as_dict(), "bytes_sent": sent})
        return
    console = stdout()
    console.print(plan.report(), markup=False, soft_wrap=True)
    if done is not None:
        console.print(f"{sent} bytes written", markup=False)
        if done.note:
            errors().print(f"note: {done.note}", markup=False, soft_wrap=True)
    elif plan.writes:
        console.print("nothing is written", markup=False)
