"""What the verbs that change a description share: where the result goes, and what is different in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.a2l import A2lFile

__all__ = ["NO_TARGET", "Change", "Target", "inventory", "summary", "tell_summary"]

_TYPES: Final = ("datatype", "type", "deposit", "deposit_record", "type_ref", "conversion_type")

Flag = Annotated[bool, Parameter(negative=(), show_default=False)]

#: Keyword and name of an object → its addresses, and the words for its type; once per object of that name.
Inventory = dict[tuple[str, str], list[tuple[Any, Any]]]


@Parameter(name="*")
@dataclass(frozen=True)
class Target:
    """Where the result goes."""

    out: Path | None = None
    "File to write; without it and --in-place nothing is written."
    in_place: Flag = False
    "Write the file itself."
    backup: Annotated[bool, Parameter(negative="--no-backup")] = True
    "With --in-place, keep the file before as FILE.bak."
    outside: Flag = False
    "Includes may lie outside of the file's folder."


NO_TARGET: Final = Target()


def inventory(tree: A2lFile) -> Inventory:
    """What the objects of a description are, where they lie and of which types."""
    from xcaliper.a2l.grammar import table_of
    from xcaliper.a2l.keywords.project import Module

    found: Inventory = {}
    for module in tree.modules:
        for entry in table_of(Module).optional.values():
            for made in getattr(module, entry.attr) if entry.repeated else ():
                address = getattr(made, "address", getattr(made, "ecu_address", None))
                types = tuple(getattr(made, attr, None) for attr in _TYPES)
                key = entry.name, str(getattr(made, "name", ""))
                found.setdefault(key, []).append((address, types))
    return found


def summary(
    before: Inventory, after: Inventory, renamed: Mapping[tuple[str, str], str] | None = None
) -> dict[str, Any]:
    """What is different, as numbers.

    Args:
        before: objects of the file as it was.
        after: objects now.
        renamed: keyword and old name → new name; such objects did not vanish.
    """
    counts = [Counter[str](), Counter[str]()]
    for side, held in zip(counts, (before, after), strict=True):
        for (keyword, _), made in held.items():
            side[keyword] += len(made)
    moved = types = vanished = 0
    for key, made in before.items():
        name = (renamed or {}).get(key, key[1])
        now = after.get((key[0], name), [])
        vanished += max(0, len(made) - len(now))
        for (address, kind), (new_address, new_kind) in zip(made, now, strict=False):
            moved += address != new_address
            types += kind != new_kind
    keywords = [*dict.fromkeys([*counts[0], *counts[1]])]
    return {
        "total": {"before": counts[0].total(), "after": counts[1].total()},
        "objects": {
            keyword: {"before": counts[0][keyword], "after": counts[1][keyword]}
            for keyword in keywords
            if counts[0][keyword] != counts[1][keyword]
        },
        "changes": {"addresses_moved": moved, "types_changed": types, "vanished": vanished},
    }


def tell_summary(facts: Mapping[str, Any]) -> None:
    """Print a summary before and after, on standard error."""
    from xcaliper.cli.shell import errors

    console = errors()
    for label, pair in (("objects", facts["total"]), *facts["objects"].items()):
        console.print(f"{label}: {pair['before']} -> {pair['after']}", markup=False)
    changes = facts["changes"]
    console.print(
        f"{changes['addresses_moved']} addresses moved, {changes['types_changed']} types changed, "
        f"{changes['vanished']} vanished",
        markup=False,
    )


class Change:
    """One file that a verb changes: what it was before, and where it goes."""

    def __init__(self, file: Path, tree: A2lFile, target: Target) -> None:
        from xcaliper.cli.shell import working
        from xcaliper.core.errors import UsageError

        if target.out is not None and target.in_place:
            raise UsageError("--out and --in-place exclude each other.", hint="Give one of them.")
        self.file = file
        self.target = target
        self.renamed: dict[tuple[str, str], str] = {}
        with working(f"Reading {file.name} …", tree):
            self.before = inventory(tree)
        self.size = len(tree.to_bytes())

    def save(self, tree: A2lFile, data: bytes | None = None) -> dict[str, Any]:
        """Write the result; gives the facts. Comes before anything is printed: a reader may leave early.

        Args:
            tree: the description.
            data: its bytes, when they are not those of its document.
        """
        written = self.write(tree, data)
        size = len(tree.to_bytes() if data is None else data)
        return {
            "bytes": {"before": self.size, "after": size},
            **summary(self.before, inventory(tree), self.renamed),
            "written": [str(path) for path in written],
        }

    def tell(self, facts: dict[str, Any]) -> None:
        """Summary before and after, on standard error."""
        from xcaliper.cli.shell import errors

        console = errors()
        tell_summary(facts)
        size = facts["bytes"]
        console.print(f"bytes: {size['before']} -> {size['after']}", markup=False)
        for path in facts["written"]:
            console.print(f"wrote {path}", markup=False, soft_wrap=True)
        if not facts["written"]:
            console.print("Nothing was written; add --out FILE or --in-place.", markup=False)

    def write(self, tree: A2lFile, data: bytes | None) -> list[Path]:
        """Write the files; gives their paths."""
        from xcaliper.client.a2l_source import save_a2l, save_text
        from xcaliper.core.errors import A2lError

        place = self.target.out if self.target.out is not None else self.file
        if self.target.out is None and not self.target.in_place:
            return []
        try:
            if self.target.in_place and self.target.backup:
                self.keep(tree)
        except OSError as error:
            raise A2lError(
                f"the copy .bak cannot be written: {error.strerror or error}.",
                source=str(place),
                hint="Check rights, or add --no-backup.",
            ) from error
        if data is None:
            return save_a2l(tree, place)
        save_text(place, data)
        return [place]

    def keep(self, tree: A2lFile) -> None:
        """Copies of the files as they are, beside them."""
        names = [self.file]
        if tree.document is not None:
            names += [Path(source.name) for source in tree.document.sources[1:]]
        for name in names:
            name.with_name(f"{name.name}.bak").write_bytes(name.read_bytes())
