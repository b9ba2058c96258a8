"""Bring a description up to date with a linked program: addresses always, types when asked for."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from xcaliper.a2l.grammar import Keyword, table_of
from xcaliper.a2l.index import ModuleIndex, walk
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.diagnostics import Diagnostic, Severity
from xcaliper.core.errors import NotFoundError, PlanError
from xcaliper.core.progress import counted
from xcaliper.describe.links import Blob, Link, LinkMap, blobs_of, link_maps_of, links_of
from xcaliper.describe.report import Change, ChangeKind, MissingSymbol, UpdateReport
from xcaliper.describe.takeover import Takeover
from xcaliper.image.c_types import size_of
from xcaliper.quantity.memory_values import byte_order_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcaliper.a2l.keywords.project import Module
    from xcaliper.a2l.parse import A2lFile
    from xcaliper.core.progress import Progress
    from xcaliper.image.debug_info import Place
    from xcaliper.image.program import Program

__all__ = ["Editor", "MissingPolicy", "UpdateMode", "update"]

UpdateMode: TypeAlias = Literal["report", "addresses", "full"]
MissingPolicy: TypeAlias = Literal["keep", "zero", "remove", "fail"]

_KINDS: Final = ("axis_pts", "blob", "characteristic", "instance", "measurement")
_MAX_NAMED: Final = 50
#: From this many objects on, a share of missing symbols above that says that the program is another one.
_FEW, _MOST = 4, 0.9


def update(
    file: A2lFile,
    program: Program,
    *,
    mode: UpdateMode = "addresses",
    missing: MissingPolicy = "keep",
    types: bool | None = None,
    epk: str = "",
    progress: Progress | None = None,
) -> UpdateReport:
    """Compare every object with its symbol and take over what changed.

    Running it again changes nothing: offsets belong to the symbol and are kept.

    Args:
        file: the description; changed in place unless only a report is wanted.
        program: what the linker and the compiler said.
        mode: ``report`` changes nothing, ``addresses`` takes over addresses, ``full`` also types, dimensions, limits,
            conversions of enums and sizes of typedefs.
        missing: objects without a symbol are kept, kept with address 0, removed, or make the update fail.
        types: for ``report``: compare types too; follows from the mode otherwise.
        epk: symbol of the identification text; ADDR_EPK and EPK follow it.
        progress: told how many objects were held against their symbols, for large files.

    Raises:
        PlanError: ``fail`` was asked for and symbols are missing; nothing was changed.
        NotFoundError: the EPK symbol does not exist.
    """
    if missing == "fail" and mode != "report":
        found = update(file, program, mode="report", types=False)
        if found.missing:
            raise PlanError(
                "update",
                tuple(str(gone) for gone in found.missing[:_MAX_NAMED]),
                hint="Correct the links, or update with missing symbols kept.",
            )
    full = mode == "full" if types is None or mode != "report" else types
    if mode == "report" and types is None:
        full = program.has_types
    editor = Editor(apply=mode != "report")
    for module in file.modules:
        _ModuleUpdate(module, program, editor, file.version, full=full, missing=missing).run(
            epk, progress
        )
    return editor.report()


class Editor:
    """Collects changes and makes them, or only collects.

    Args:
        apply: make the changes.
    """

    def __init__(self, *, apply: bool) -> None:
        self.apply = apply
        self.changes: list[Change] = []
        self.missing: list[MissingSymbol] = []
        self.findings: list[Diagnostic] = []
        self.skipped: list[str] = []
        self.unchanged = 0

    def set(  # the fields of one change
        self,
        made: Any,
        attr: str,
        new: Any,
        kind: ChangeKind,
        *,
        owner: Any = None,
        symbol: str = "",
    ) -> None:
        """Give an attribute a new value, if it differs."""
        old = getattr(made, attr)
        if old == new:
            return
        owner = owner or made
        self.note(kind, owner, attr.upper(), old, new, symbol)
        if self.apply:
            setattr(made, attr, new)

    def note(
        self, kind: ChangeKind, owner: Any, attribute: str, old: Any, new: Any, symbol: str = ""
    ) -> None:
        """Record a change that is made elsewhere."""
        name = getattr(owner, "name", "")
        self.changes.append(Change(kind, owner.KEYWORD, name, attribute, old, new, symbol))

    def add(self, things: list[Any], made: Any) -> None:
        """Add an object to the module."""
        if self.apply:
            things.append(made)

    def finding(self, slug: str, made: Any, text: str, hint: str) -> None:
        """Report what cannot be decided."""
        self.findings.append(
            Diagnostic(
                Severity.WARNING,
                slug,
                made.where,
                f"{made.KEYWORD} {made.name}: {text}",
                hint,
                made.name,
            )
        )

    def report(self) -> UpdateReport:
        """Everything so far."""
        moves = ("address", "interface")
        return UpdateReport(
            tuple(c for c in self.changes if c.kind in moves),
            tuple(c for c in self.changes if c.kind not in moves),
            tuple(self.missing),
            self.unchanged,
            tuple(self.skipped),
            tuple(self.findings),
            self.apply,
        )


class _ModuleUpdate:
    """Work in progress on one module."""

    def __init__(
        self,
        module: Module,
        program: Program,
        editor: Editor,
        version: str,
        *,
        full: bool,
        missing: MissingPolicy,
    ) -> None:
        self.module = module
        self.program = program
        self.editor = editor
        self.missing = missing
        self.takeover = Takeover(ModuleIndex(module), editor, version) if full else None
        self.moves: dict[str, tuple[int, int]] = {}
        self.gone_before = len(editor.missing)
        self.skipped_before = len(editor.skipped)

    def objects(self) -> Iterator[Any]:
        for kind in _KINDS:
            yield from getattr(self.module, kind)

    def run(self, epk: str, progress: Progress | None = None) -> None:
        self.same_target()
        links = {id(made): links_of(made) for made in self.objects()}
        shared = Counter(found[0].text for found in links.values())
        gone: list[Any] = []
        for made in counted(self.objects(), "symbols matched", len(links), progress):
            if self.has_no_memory(made, links[id(made)]):
                self.editor.skipped.append(made.name)
                continue
            before = len(self.editor.changes)
            link, place = self.resolve(links[id(made)])
            if place is None:
                gone += self.vanished(made, links[id(made)])
                continue
            self.move(made, place, link)
            if self.takeover is not None and place.type is not None:
                alone = shared[link.text] == 1
                self.takeover.object(made, place, link, alone=alone)
            self.editor.unchanged += len(self.editor.changes) == before
        self.variants()
        self.same_program(len(links))
        if epk:
            self.identification(epk)
        if gone:
            self.remove(gone)

    def same_target(self) -> None:
        """Report an object file, and a program of another byte order (ASAP2, MOD_COMMON BYTE_ORDER)."""
        if self.program.elf is not None and not self.program.elf.is_linked:
            self.editor.finding(
                "not-linked",
                self.module,
                "the file is not linked; its addresses are not those of the program.",
                "Give the linked program.",
            )
        common, order = self.module.mod_common, self.program.byte_order
        if common is None or common.byte_order is None or order is None:
            return
        told = byte_order_of(common.byte_order, ModuleIndex(self.module))
        if told.mark != order.mark:
            words = "least" if order is ByteOrder.INTEL else "most"
            self.editor.finding(
                "byte-order",
                self.module,
                f"BYTE_ORDER is {common.byte_order}, but the program has the {words} significant byte first.",
                "Check whether this is the program of this description.",
            )

    def same_program(self, count: int) -> None:
        """Report a program that has hardly anything of what the description names."""
        gone = len(self.editor.missing) - self.gone_before
        linked = count - (len(self.editor.skipped) - self.skipped_before)
        if linked >= _FEW and gone > linked * _MOST:
            self.editor.finding(
                "other-program",
                self.module,
                f"{gone} of {linked} objects have no symbol.",
                "Check whether this is the program of this description, and not stripped.",
            )

    def has_no_memory(self, made: Any, links: list[Link]) -> bool:
        """Virtual objects, and those of another address space that only their name would link."""
        if getattr(made, "virtual", None) or getattr(made, "virtual_characteristic", None):
            return True
        named = links[0].origin in ("NAME", "DISPLAY_IDENTIFIER")
        if named and made.ecu_address_extension:
            return True
        return (
            named
            and made.KEYWORD == "MEASUREMENT"
            and made.ecu_address is None
            and self.program.locate(links[0].text) is None
        )

    def resolve(self, links: list[Link]) -> tuple[Link, Place | None]:
        """The first link that leads somewhere."""
        for link in links:
            place = self.program.locate(link.text)
            if place is not None:
                return link, place
        return links[0], None

    def move(self, made: Any, place: Place, link: Link) -> None:
        """Take over the address, and its copies in IF_DATA."""
        attr = "ecu_address" if made.KEYWORD == "MEASUREMENT" else "address"
        old = getattr(made, attr)
        address = place.address + link.offset
        if address < 0:
            self.editor.finding(
                "offset-outside",
                made,
                f"the offset {link.offset} leads before address 0.",
                "Correct SYMBOL_LINK.",
            )
            return
        self.editor.set(made, attr, address, "address", symbol=link.text)
        if old is not None and old != address:
            self.moves[made.name] = (old, address)
        for entry in link_maps_of(made.if_data):
            own = place if entry.symbol == link.text else self.program.locate(entry.symbol)
            if own is not None:
                self.copy(made, entry, LinkMap.BASE, own.address, "LINK_MAP")
        for blob in blobs_of(made.if_data):
            now = blob.number(Blob.ADDRESS)
            if now is not None:
                shift = now - old if old else 0  # a blob may point beside the object on purpose
                self.copy(made, blob, Blob.ADDRESS, max(0, address + shift), "BLOB address")
            size = size_of(place.type) if place.type is not None else 0
            if self.takeover is not None and size and link.offset == 0 and blob.number(Blob.LENGTH):
                self.copy(made, blob, Blob.LENGTH, place.storage_bytes or size, "BLOB length")

    def copy(self, made: Any, words: LinkMap | Blob, index: int, new: int, what: str) -> None:
        """Replace a number inside IF_DATA, if it differs."""
        old = words.number(index)
        if old is None or old == new:
            return
        self.editor.note("interface", made, what, old, new)
        if self.editor.apply:
            words.put(index, new)

    def vanished(self, made: Any, links: list[Link]) -> list[Any]:
        """Report an object without symbol; those to remove are given back."""
        few = len(self.editor.missing) < _MAX_NAMED  # looking for alike names is slow
        near = self.program.nearest(links[0].text) if few else ()
        texts = tuple(link.text for link in links)
        self.editor.missing.append(MissingSymbol(made.KEYWORD, made.name, texts, near))
        if self.missing == "zero":
            attr = "ecu_address" if made.KEYWORD == "MEASUREMENT" else "address"
            self.editor.set(made, attr, 0, "address")
        return [made] if self.missing == "remove" else []

    def variants(self) -> None:
        """Addresses of variants move with their object (ASAP2, VAR_ADDRESS)."""
        coding = self.module.variant_coding
        for entry in coding.var_characteristic if coding else ():
            if entry.var_address is None or entry.name not in self.moves:
                continue
            old, new = self.moves[entry.name]
            moved = [max(0, address + new - old) for address in entry.var_address.address]
            self.editor.note(
                "address", entry, "VAR_ADDRESS", tuple(entry.var_address.address), tuple(moved)
            )
            if self.editor.apply:
                entry.var_address.address[:] = moved

    def identification(self, symbol: str) -> None:
        """ADDR_EPK and EPK from the program (ASAP2, MOD_PAR)."""
        place = self.program.locate(symbol)
        if place is None:
            raise NotFoundError(symbol, kind="EPK symbol", nearest=self.program.nearest(symbol))
        made = self.module.mod_par
        if made is None:
            return
        self.editor.set(made, "addr_epk", [place.address], "address", symbol=symbol)
        text = self.program.elf.text_at(place.address) if self.program.elf else None
        if text:
            self.editor.set(made, "epk", text, "conversion", symbol=symbol)

    def remove(self, gone: list[Any]) -> None:
        """Take objects out, and their names out of every list."""
        names = {made.name for made in gone}
        away = {id(made) for made in gone}
        for made in gone:
            self.editor.note("removed", made, made.KEYWORD, made.name, None)
        if not self.editor.apply:
            return
        for kind in _KINDS:
            things = getattr(self.module, kind)
            things[:] = [made for made in things if id(made) not in away]
        for user in (*self.module.group, *self.module.function, *self.module.frame):
            for holder in walk(user):
                _forget(holder, names)


def _forget(holder: Keyword, names: set[str]) -> None:
    table = table_of(holder.__class__)
    if table.rest is None or len(table.rest[1]) != 1:
        return
    ref = table.rest[1][0].ref
    if (ref is not None and "MEASUREMENT" in ref.targets) or (
        ref is not None and "CHARACTERISTIC" in ref.targets
    ):
        things = getattr(holder, table.rest[0])
        things[:] = [name for name in things if name not in names]
