"""Names at a live connection: variants in effect, computed values, and what follows a write."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from xcaliper.calib.parameters import plan_write, read_value
from xcaliper.calib.values import plain
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.quantity.measurement import BoundMeasurement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcaliper.calib.parameters import Read, WritePlan
    from xcaliper.core.address import Address
    from xcaliper.quantity.catalog import Bound, Catalog
    from xcaliper.quantity.dependents import Dependent

__all__ = ["LiveValues", "Overlay"]

_STRETCH: Final = 64
"""Addresses whose writes are looked through together."""


class Overlay:
    """Memory as it will be once some planned writes are done.

    Args:
        read: gives bytes of memory as it is, for an address and a size.
        ag: bytes per address unit.
    """

    def __init__(self, read: Read, ag: int = 1) -> None:
        self._read = read
        self._ag = ag
        self._planned: list[tuple[Address, bytes]] = []
        self._near: dict[tuple[int, int], list[int]] = {}  # numbers of the writes in each stretch

    def add(self, writes: Iterable[tuple[Address, bytes]]) -> None:
        """Plan more writes; later ones win."""
        for where, new in writes:
            for stretch in self._stretches(where, len(new)):
                self._near.setdefault((where.extension, stretch), []).append(len(self._planned))
            self._planned.append((where, new))

    def _stretches(self, address: Address, size_bytes: int) -> range:
        last = address.value + max(0, size_bytes - 1) // self._ag
        return range(address.value // _STRETCH, last // _STRETCH + 1)

    def __call__(self, address: Address, size_bytes: int) -> bytes:
        """Bytes at an address, planned ones included."""
        data = bytearray(self._read(address, size_bytes))
        if not self._planned:
            return bytes(data)
        near, extension = self._near, address.extension
        numbers: set[int] = set()
        for stretch in self._stretches(address, size_bytes):
            if (extension, stretch) in near:
                numbers.update(near[extension, stretch])
        for number in sorted(numbers):
            where, new = self._planned[number]
            at = (where.value - address.value) * self._ag
            low, high = max(0, at), min(len(data), at + len(new))
            if low < high:
                data[low:high] = new[low - at : high - at]
        return bytes(data)


class LiveValues:
    """What names of a description stand for in an ECU that answers.

    Args:
        catalog: names and descriptions.
        read: gives bytes of memory for an address and a size.
        ag: bytes per address unit.
        chosen: variant criterion → value taken as in effect; given where somebody shares it.

    Attributes:
        chosen: the same.
        diagnostics: what was odd about memory that was read, each told once, by what it is about.
    """

    def __init__(
        self, catalog: Catalog, read: Read, ag: int = 1, *, chosen: dict[str, str] | None = None
    ) -> None:
        self._catalog = catalog
        self._read = read
        self._ag = ag
        self.chosen: dict[str, str] = {} if chosen is None else chosen
        self.diagnostics: dict[str, Diagnostic] = {}

    # --- variants ---

    def choose(self, criterion: str, value: str | None) -> None:
        """Take a value of a variant criterion as in effect; None asks the ECU again.

        Raises:
            NotFoundError: no such criterion.
            UsageError: it has no such value.
        """
        made = self._catalog.variants.criteria.get(criterion)
        if made is None:
            known = tuple(self._catalog.variants.criteria)
            raise NotFoundError(criterion, kind="variant criterion", nearest=known[:8])
        if value is None:
            self.chosen.pop(criterion, None)
            return
        if value not in made.values:
            raise UsageError(
                f"{criterion}: it has no value {value!r}.",
                hint=f"Use one of {', '.join(made.values)}.",
            )
        self.chosen[criterion] = value

    def variants(self) -> dict[str, str]:
        """Criterion → value in effect: the chosen one, else what the ECU says.

        Raises:
            UsageError: the ECU does not tell.
        """
        return {name: self._in_effect(name) for name in self._catalog.variants.criteria}

    def _told(self, name: str, read: Read | None = None) -> Any:
        return read_value(self._catalog.bind(name), read or self._read, raw=False)

    def bound(self, name: str, read: Read | None = None) -> Bound:
        """The object of a name; a variant-coded parameter at its place in the variant in effect.

        Raises:
            NotFoundError: no such name.
            UsageError: its description cannot be used, or nothing tells the variant.
        """
        variants = self._catalog.variants
        bound = self._catalog.bind(name)
        if not variants.criteria or variants.find(name) is not None:
            return bound
        criteria = variants.criteria_of(name)
        if not criteria:
            return bound
        try:
            return variants.placed(name, {c: self._in_effect(c, read) for c in criteria})
        except UsageError as error:
            if type(error) is not UsageError:
                raise
            raise UsageError(
                f"{name}: its variant is not known: {error.message}",
                hint=f"Use choose_variant(), or name one place, as {name}{variants.separator}0.",
            ) from None

    def _in_effect(self, criterion: str, read: Read | None = None) -> str:
        if criterion in self.chosen:
            return self.chosen[criterion]
        return self._catalog.variants.current(criterion, lambda name: self._told(name, read))

    def placed(self, name: str) -> Bound | None:
        """The object when reading it is reading its memory; None for what is computed or cannot be found."""
        node = self.computed(name)
        if node is not None and not node.has_memory:
            return None
        try:
            return self.bound(name)
        except UsageError:
            return None

    # --- computed values ---

    def computed(self, name: str) -> Dependent | None:
        """How a quantity is computed; None when it is not."""
        return self._catalog.dependencies.find(name)

    def read(self, name: str, *, raw: bool = False) -> Any:
        """The value of a name; virtual quantities are computed from what the ECU holds now.

        Raises:
            NotFoundError: no such name.
            UsageError: it cannot be bound or computed, or a raw value of a virtual one was asked for.
        """
        node = self.computed(name)
        if node is None or node.has_memory:
            once = cache(self._read)
            bound = self.bound(name)
            value = read_value(bound, once, raw=raw)
            if not isinstance(bound, BoundMeasurement):
                self._note(bound.doubts(once))
            return value
        if raw:
            raise UsageError(
                f"{name}: it is virtual and has no ECU value.", hint="Read its physical value."
            )
        return self._evaluate(name, self._read)

    def _note(self, doubts: Iterable[str]) -> None:
        for text in doubts:
            name = text.partition(":")[0]
            told = Diagnostic(Severity.WARNING, "count", Where(), f"{text}.", subject=name)
            self.diagnostics.setdefault(text.partition(" is ")[0], told)  # once per count

    def _evaluate(self, name: str, read: Read) -> Any:
        def phys(one: str) -> Any:
            return read_value(self.bound(one, read), read, raw=False)

        return plain(self._catalog.dependencies.evaluate(name, cache(phys)))

    def check_writable(self, name: str) -> None:
        """Refuse what is computed; it follows its inputs.

        Raises:
            UsageError: it is computed.
        """
        node = self.computed(name)
        if node is not None:
            follows = "it follows" if node.has_memory else "it has no memory"
            inputs = ", ".join(node.inputs) or "nothing"
            raise UsageError(
                f"{name}: it is computed from {inputs}; {follows}.",
                hint="Write what it is computed from.",
            )

    def followers(self, name: str, plan: WritePlan) -> list[WritePlan]:
        """Checked writes of every parameter that is computed from another one, inputs first.

        Args:
            name: the parameter that will be written.
            plan: how.

        Raises:
            LimitError: a computed value is outside of its limits.
            UsageError: a value cannot be computed.
        """
        graph = self._catalog.dependencies
        names = graph.affected_by(self._meanings(name, plan), measurements=False)
        memory = Overlay(self._read, self._ag)
        memory.add(plan.writes)
        plans: list[WritePlan] = []
        for one in names:
            if not graph[one].has_memory:
                continue
            bound = replace(self.bound(one, memory), writable=True)
            value = self._evaluate(one, memory)
            made = plan_write(bound, value, at=None, raw=False, read=memory)
            memory.add(made.writes)
            plans.append(made)
        return plans

    def _meanings(self, name: str, plan: WritePlan) -> list[str]:
        """The name, that of the variant-coded parameter, and criteria that it selects."""
        found = [name]
        variant = self._catalog.variants.find(plan.bound.name)
        if variant is not None and variant.parameter != name:
            found.append(variant.parameter)
        for criterion in self._catalog.variants.criteria.values():
            if name in (criterion.selector, criterion.measurement):
                found.extend(self._catalog.variants.names)
        return found
