"""Steps of bringing ECU and working data together that memory and sets have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from xcaliper.calib.groups import How
from xcaliper.calib.history import Kind
from xcaliper.client.connect_model import Choice, Choose, Question
from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xcaliper.calib.history import Change, Transaction
    from xcaliper.client.calibration import Calibration
    from xcaliper.core.address import Address

__all__ = ["Told", "decided", "download", "sides"]

Told: TypeAlias = Callable[[str, int, int], object]
"""Called with what is done, bytes so far, bytes in all."""


def decided(choice: Choose, question: Callable[[], Question]) -> Choice | Mapping[str, str]:
    """What was chosen, asked for where somebody is there to be asked.

    Args:
        choice: see :data:`~xcaliper.client.connect_model.Choose`.
        question: gives what is asked.

    Raises:
        UsageError: it is no choice.
    """
    made = choice(question()) if callable(choice) else choice
    if isinstance(made, Mapping):
        return made
    try:
        return Choice(made)
    except ValueError:
        raise UsageError(
            f"synchronise: {made!r} is no choice.",
            hint=f"Use one of {', '.join(Choice)}, or name → ecu or data.",
        ) from None


def sides(names: Iterable[str], made: Mapping[str, str]) -> tuple[list[str], tuple[str, ...]]:
    """Names whose working data is taken, and names that the ECU keeps.

    Raises:
        UsageError: nothing is decided for a name.
    """
    every = tuple(names)
    missing = [name for name in every if made.get(name) not in ("ecu", "data")]
    if missing:
        raise UsageError(
            f"synchronise: nothing is decided for {', '.join(missing[:8])}.",
            hint="Say 'ecu' or 'data' for every parameter that differs.",
        )
    taken = [name for name in every if made[name] == "data"]
    return taken, tuple(name for name in every if made[name] == "ecu")


def download(
    calib: Calibration,
    writes: Sequence[tuple[Address, bytes]],
    told: Told,
    reason: str,
    changes: Sequence[Change] | None = None,
) -> tuple[Transaction | None, str]:
    """Send what differs while the ECU is elsewhere; in order where it has nowhere to go.

    Args:
        calib: calibration of the connection.
        writes: bytes by address.
        told: called while it goes on.
        reason: why, for the history.
        changes: parameters that change; None = found by their addresses.
    """

    def progress(done: int, total: int) -> None:
        told("download", done, total)

    how, note = How.PARK, ""
    try:
        calib.check_park(writes)
    except UsageError as error:
        how, note = How.ORDER, error.message
    group = calib.send(
        writes,
        kind=Kind.DOWNLOAD,
        reason=reason,
        how=how,
        changes=changes,
        land=how is How.PARK,
        progress=progress,
    )
    return group.transaction, note
