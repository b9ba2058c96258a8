"""``xcaliper cal connect``: an ECU and the image or set one works on, brought together; who wins is a choice."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from xcaliper.cli.cal_history import kept_history
from xcaliper.cli.cal_options import (
    ChangeOptions,
    ChangeOptionsOfVerb,
    Flag,
    TargetOptionsOfVerb,
    Words,
    pairs,
)
from xcaliper.cli.cal_target import (
    check_place,
    image_of,
    is_image,
    is_live,
    load,
    open_slave,
    save_image,
    tell,
)
from xcaliper.core.errors import PlanError, UsageError

if TYPE_CHECKING:
    from xcaliper.calib.port import MemoryPort
    from xcaliper.client.connect_choice import ParameterDifference, Question, Synchronised
    from xcaliper.client.connection import Connection
    from xcaliper.client.offline import OfflineImage

__all__ = ["connect"]

_WHOLE: Final = ("upload", "download", "offline")
_SIDES: Final = ("ecu", "data")
_SHOWN: Final = 20


def connect(  # options by name
    target: str,
    data: str,
    /,
    *,
    choose: Words = (),
    partly: Flag = False,
    change: ChangeOptionsOfVerb = None,
    json: Flag = False,
    options: TargetOptionsOfVerb = None,
) -> int:
    """Bring an ECU and the image or set one works on together: who wins where they differ is a choice.

    The EPK is checked first; then checksums tell which segments differ. While data is downloaded the ECU works with
    its reference page, where it has one. Exit code 5 when the program is another one and nothing was done.

    Args:
        target: URL of a slave, such as udp://127.0.0.1:5555.
        data: image, or file of parameter values, with what one works on.
        choose: upload, the ECU wins; download, the data wins; offline, nothing is done; or NAME=ecu and NAME=data
            for each parameter, *=ecu or *=data for all others. Asked for when it is not given.
        partly: of a file of parameter values, leave out what the ECU cannot take.
        change: where the change is kept; what is uploaded changes the image or the file.
        json: print one JSON object.
        options: how to open both.
    """
    from xcaliper.cli.shell import EXIT_OK, EXIT_REFUSED, working
    from xcaliper.client.connect_choice import Outcome

    change = change or ChangeOptions()
    answer = _Answer(choose, data, change)
    if not is_live(target):
        raise UsageError(f"{target}: it is no URL.", hint="xcaliper cal connect URL IMAGE")
    with open_slave(target, options) as ecu:
        if change.confirm:
            ecu.confirm()
        place: _ImageFile | _SetFile
        if is_image(data):
            place = _ImageFile(data, image_of(data, options, change, catalog=ecu.catalog), change)
        else:
            place = _SetFile(data, ecu, change, partly=partly)
        with kept_history(target, ecu, replace(change, out=None)):
            reason = change.reason or f"connect with {data}"
            with working("Comparing …") if choose else nullcontext() as told:
                try:
                    done = ecu.calib.synchronise(place.memory, answer, reason=reason, progress=told)
                except PlanError as error:
                    error.hint = error.hint.replace("partial=True", "--partly")
                    error.hint = error.hint.replace("apply()", "xcaliper cal apply")
                    raise
            place.save()
    _tell(done, as_json=json)
    return EXIT_REFUSED if done.outcome is Outcome.READ_ONLY else EXIT_OK


class _ImageFile:
    """An image that one works on."""

    def __init__(self, name: str, image: OfflineImage, change: ChangeOptions) -> None:
        if change.confirm:
            image.confirm()
        image.check_confirmed(name)
        self._name, self._image, self._change = name, image, change
        self.memory: MemoryPort = image.page

    def save(self) -> None:
        """Write what the ECU changed."""
        save_image(self._image, self._name, self._change)


class _SetFile:
    """A file of parameter values that one works on."""

    def __init__(self, name: str, ecu: Connection, change: ChangeOptions, *, partly: bool) -> None:
        from xcaliper.client.set_memory import SetMemory

        if change.checksum:
            raise UsageError(f"{name}: --checksum is for images.")
        self._name, self._ecu, self._change = name, ecu, change
        self.memory = SetMemory(ecu.calib, load(name).values, partial=partly)

    def save(self) -> None:
        """Write the set where the ECU has won."""
        from xcaliper.cli.shell import errors
        from xcaliper.client.set_file import save_set

        if self._ecu.calib.is_offline or not self.memory.is_changed:
            return
        file = self._change.out or Path(self._name)
        save_set(self.memory.values(), file, catalog=self._ecu.catalog)
        tell(self.memory.diagnostics)
        errors().print(f"wrote {file}", markup=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What was chosen on the command line, or is asked for.

    Attributes:
        words: of the command line.
        data: name of the image or set.
        change: where it goes.
    """

    words: tuple[str, ...]
    data: str
    change: ChangeOptions

    def __post_init__(self) -> None:
        whole = [one for one in self.words if "=" not in one]
        if len(whole) > 1 or (whole and len(self.words) > 1):
            raise UsageError("--choose: one choice for everything, or one for each name.")
        if whole and whole[0] not in _WHOLE:
            raise UsageError(
                f"--choose: {whole[0]!r} is no choice.",
                hint=f"Use {', '.join(_WHOLE)}, or NAME=ecu and NAME=data.",
            )
        for name, side in self._sides().items():
            if side not in _SIDES:
                raise UsageError(f"--choose: {name}={side} is neither ecu nor data.")
        if whole == ["upload"] or "ecu" in self._sides().values():
            check_place(self.data, self.change)

    def _sides(self) -> dict[str, str]:
        return pairs(tuple(one for one in self.words if "=" in one), "choose")

    def __call__(self, question: Question) -> str | Mapping[str, str]:
        """The choice; refused when its result could not be kept.

        Raises:
            UsageError: nothing is chosen, and nobody can be asked.
        """
        made = self._made(question)
        if made == "upload" or (isinstance(made, Mapping) and "ecu" in made.values()):
            check_place(self.data, self.change)
        return made

    def _made(self, question: Question) -> str | Mapping[str, str]:
        if not self.words:
            return _asked(question)
        sides = self._sides()
        if not sides:
            return self.words[0]
        rest = sides.get("*")
        found = {name: sides.get(name, rest) for name in question.dirty.names}
        open_ = [name for name, side in found.items() if side is None]
        if open_:
            raise UsageError(
                f"--choose: nothing is said about {', '.join(open_[:8])}.",
                hint="Add *=ecu or *=data for all others.",
            )
        return {name: side for name, side in found.items() if side is not None}


# --- asking ---


def _asked(question: Question) -> str | Mapping[str, str]:
    """What somebody at the terminal decides.

    Raises:
        UsageError: nobody is there.
    """
    from xcaliper.cli.shell import errors

    if not sys.stdin.isatty():
        raise UsageError(
            f"connect: ECU and data differ in {len(question.dirty.names)} parameters, and nobody can be asked.",
            hint=f"Use --choose {', --choose '.join(_WHOLE)}, or --choose NAME=ecu.",
        )
    console = errors()
    for one in question.segments:
        console.print(f"{one.label}: {one.bytes_changed} bytes differ", markup=False)
    names = question.dirty.names
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    console.print(f"{len(names)} parameters: {', '.join(names[:_SHOWN])}{more}", markup=False)
    letter = _ask(
        "u: upload, the ECU wins; d: download, the data wins; p: per parameter; o: offline", "udpo"
    )
    if letter != "p":
        return {"u": "upload", "d": "download", "o": "offline"}[letter]
    return _each(question.parameters())


def _each(differences: list[ParameterDifference]) -> dict[str, str]:
    """Which side each parameter takes; a capital letter decides all that are left."""
    found: dict[str, str] = {}
    letter = ""
    for one in differences:
        if letter not in ("E", "D"):
            text = f"{one.name}: ECU {_short(one.ecu)}, data {_short(one.data)}; e: ECU, d: image, E or D for all that follow"
            letter = _ask(text, "edED")
        found[one.name] = "ecu" if letter in ("e", "E") else "data"
    return found


def _ask(text: str, letters: str) -> str:
    """One of some letters.

    Raises:
        UsageError: there is no answer.
    """
    from xcaliper.cli.shell import errors

    for _ in range(10):
        errors().print(f"{text}: ", markup=False, soft_wrap=True, end="")
        answer = sys.stdin.readline()
        if not answer:
            break
        if answer.strip()[:1] in letters and answer.strip():
            return answer.strip()[:1]
    raise UsageError("connect: no answer; nothing was written.")


def _short(value: Any) -> str:
    from xcaliper.calib.values import format_number

    if isinstance(value, list):
        return "(table)"
    return "unknown" if value is None else format_number(value)


# --- telling ---


def _tell(done: Synchronised, *, as_json: bool) -> None:
    from xcaliper.cli.shell import errors, print_json, stdout

    if as_json:
        transaction = done.transaction
        print_json(
            {
                "outcome": str(done.outcome),
                "segments": [
                    {
                        "segment": one.label,
                        "bytes_changed": one.bytes_changed,
                        "uploaded": one.uploaded,
                    }
                    for one in done.segments
                ],
                "bytes_sent": transaction.bytes_sent if transaction else 0,
                "kept": list(done.kept),
                "note": done.note,
            }
        )
        return
    console = stdout()
    for one in done.segments:
        text = f"{one.label}: {one.bytes_changed} bytes differed, {one.uploaded} were read to know"
        console.print(text, markup=False, soft_wrap=True)
    sent = f", {done.transaction.bytes_sent} bytes sent" if done.transaction else ""
    console.print(f"{done.outcome}{sent}", markup=False)
    if done.note:
        errors().print(f"note: {done.note}", markup=False, soft_wrap=True)
