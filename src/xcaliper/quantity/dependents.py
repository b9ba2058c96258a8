"""Quantities computed from others, in the right order (ASAP2, DEPENDENT_CHARACTERISTIC and others).

DEPENDENT_CHARACTERISTIC and VIRTUAL_CHARACTERISTIC have a formula over the physical values of others;
a VIRTUAL measurement has its conversion rule for that. The result is physical.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.a2l.lazy import Objects
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.quantity.compu import (
    Conversion,
    FormulaConversion,
    Verbal,
    compile_conversion,
    system_constants,
)
from xcaliper.quantity.conversion import floats_of, is_text
from xcaliper.quantity.formula import Formula, compile_formula
from xcaliper.quantity.instance import wholes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xcaliper.quantity.catalog import Catalog

__all__ = ["DependencyGraph", "Dependent", "ReadPhys"]

_WORDS: Final = ("DEPENDENT_CHARACTERISTIC", "VIRTUAL_CHARACTERISTIC")

ReadPhys = Callable[[str], Any]
"""Gives the physical value of a quantity that has memory, by name."""


@dataclass(frozen=True, slots=True)
class Dependent:
    """One computed quantity.

    Attributes:
        name: its name.
        kind: ``dependent`` has memory that follows its inputs, ``virtual`` has none,
            ``measurement`` is a virtual measurement.
        formula: text of the formula; empty for measurements, whose conversion rule counts.
        inputs: names of X1, X2, … in order.
        unit: physical unit.
        lower: lowest physical value.
        upper: highest physical value.
    """

    name: str
    kind: str
    formula: str
    inputs: tuple[str, ...]
    unit: str
    lower: float
    upper: float

    @property
    def has_memory(self) -> bool:
        """True when the result is kept in the ECU and has to be written there."""
        return self.kind == "dependent"


class DependencyGraph:
    """Who is computed from whom.

    Args:
        catalog: names and descriptions.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._nodes: dict[str, Dependent | None] = {}
        self._formulas: dict[str, Formula | Conversion] = {}
        self._users: dict[bool, dict[str, list[str]]] = {}

    def find(self, name: str) -> Dependent | None:
        """What a name is computed by; None when it is not. Only this object is read for it."""
        if name not in self._nodes:
            made = self._catalog.index.object(name)
            self._nodes[name] = None if made is None else self._made(made)
        return self._nodes[name]

    def _made(self, made: Any) -> Dependent | None:
        virtual = getattr(made, "virtual_characteristic", None)
        rule = virtual or getattr(made, "dependent_characteristic", None)
        if rule is not None:
            kind = "virtual" if virtual is not None else "dependent"
            text, inputs, limits = rule.formula, rule.characteristic, made.extended_limits or made
        elif getattr(made, "virtual", None) is not None:
            kind, text, inputs, limits = "measurement", "", made.virtual.names, made
        else:
            return None
        return Dependent(
            made.name,
            kind,
            text,
            tuple(inputs),
            self._unit(made),
            limits.lower_limit,
            limits.upper_limit,
        )

    def _all(self, *, measurements: bool = True) -> Iterator[Dependent]:
        """Every computed quantity; of a large description only what says so is read."""
        module = self._catalog.index.module
        names = dict.fromkeys(
            one.name for word in _WORDS for one in _mentioning(module.characteristic, word)
        )
        if measurements:
            names.update(dict.fromkeys(m.name for m in _mentioning(module.measurement, "VIRTUAL")))
        for name in names:
            if (node := self.find(name)) is not None:
                yield node

    def _users_of(self, name: str, *, measurements: bool) -> list[str]:
        users = self._users.get(measurements)
        if users is None:
            users = self._users[measurements] = {}
            for node in self._all(measurements=measurements):
                for one in dict.fromkeys(node.inputs):
                    users.setdefault(one, []).append(node.name)
        return users.get(name, [])

    def _unit(self, made: Any) -> str:
        method = self._catalog.index.find(made.conversion, "COMPU_METHOD")
        return str(made.phys_unit or (method.unit if method is not None else ""))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all computed quantities."""
        return tuple(node.name for node in self._all())

    def __contains__(self, name: str) -> bool:
        """True for a computed quantity."""
        return self.find(name) is not None

    def __getitem__(self, name: str) -> Dependent:
        """The computed quantity of a name.

        Raises:
            NotFoundError: it is not computed.
        """
        node = self.find(name)
        if node is None:
            raise NotFoundError(name, kind="computed quantity")
        return node

    def cycles(self) -> list[tuple[str, ...]]:
        """Quantities that depend on themselves, each cycle once, first name repeated at its end."""
        found: dict[frozenset[str], tuple[str, ...]] = {}
        done: set[str] = set()
        for name in self.names:
            cycle = self._cycle_from(name, done)
            if cycle:
                found.setdefault(frozenset(cycle), cycle)
        return list(found.values())

    def _cycle_from(self, start: str, done: set[str]) -> tuple[str, ...]:
        """A cycle that can be reached from a quantity; what is free of one is remembered."""
        path: list[str] = []
        on_path: set[str] = set()
        stack: list[tuple[str, bool]] = [(start, False)]
        while stack:
            name, leaving = stack.pop()
            if leaving:
                path.pop()
                on_path.discard(name)
                done.add(name)
                continue
            if name in on_path:
                return (*path[path.index(name) :], name)
            node = self.find(name)
            if name in done or node is None:
                continue
            path.append(name)
            on_path.add(name)
            stack.append((name, True))
            stack.extend((one, False) for one in reversed(node.inputs))
        return ()

    def _inputs_first(self, names: Iterable[str]) -> tuple[str, ...]:
        """Computed quantities behind some names, inputs before what needs them.

        Raises:
            UsageError: they depend on themselves.
        """
        order: dict[str, None] = {}
        for start in names:
            cycle = self._cycle_from(start, set())
            if cycle:
                raise UsageError(
                    f"{start}: it depends on itself: {' → '.join(cycle)}.",
                    hint="Correct the formulas of the description.",
                )
            stack: list[tuple[str, bool]] = [(start, False)]
            while stack:
                name, ready = stack.pop()
                if ready:
                    order.setdefault(name)
                elif (node := self.find(name)) is not None and name not in order:
                    stack.append((name, True))
                    stack.extend((one, False) for one in reversed(node.inputs))
        return tuple(order)

    def affected_by(self, names: Iterable[str], *, measurements: bool = True) -> tuple[str, ...]:
        """Computed quantities that change with some others, in the order to compute them.

        Args:
            names: what was changed; a component or array element counts for its whole too.
            measurements: virtual measurements as well, not only parameters.

        Raises:
            UsageError: one of them depends on itself.
        """
        reached: dict[str, None] = {}
        waiting = [part for name in names for part in wholes_of(name)]
        while waiting:
            for user in self._users_of(waiting.pop(), measurements=measurements):
                if user not in reached:
                    reached[user] = None
                    waiting.append(user)
        return tuple(name for name in self._inputs_first(reached) if name in reached)

    def evaluate(self, name: str, read_phys: ReadPhys) -> Any:
        """The physical value a computed quantity should have now; number or array.

        Inputs that are computed themselves are computed, not read.

        Args:
            name: a computed quantity.
            read_phys: gives the physical value of a quantity that has memory.

        Raises:
            NotFoundError: the name is not a computed quantity.
            UsageError: it depends on itself, or its formula cannot be used.
        """
        node = self[name]
        known: dict[str, Any] = {}
        for one in self._inputs_first([node.name]):
            known[one] = self._value(one, known, read_phys)
        return known[name]

    def recompute(self, names: Iterable[str], read_phys: ReadPhys) -> dict[str, Any]:
        """Physical values of everything that changes with some quantities, in order.

        What has memory (``Dependent.has_memory``) is then to be written.

        Args:
            names: what was changed.
            read_phys: gives the physical value of a quantity that has memory, changes included.

        Raises:
            UsageError: one of them depends on itself, or a formula cannot be used.
        """
        wanted = self.affected_by(names)
        known: dict[str, Any] = {}
        for one in self._inputs_first(wanted):
            known[one] = self._value(one, known, read_phys)
        return {name: known[name] for name in wanted}

    def _value(self, name: str, known: Mapping[str, Any], read_phys: ReadPhys) -> Any:
        node = self[name]
        rule = self._rule(node)
        inputs = [
            self._number(one, known[one] if one in known else read_phys(one)) for one in node.inputs
        ]
        if isinstance(rule, Formula):
            found: NDArray[Any] = self._apply(name, rule, inputs)
        elif len(inputs) == 1:
            found = rule.to_phys(inputs[0])
        else:
            raise UsageError(
                f"{name}: its conversion takes one input, it has {len(inputs)}.",
                hint="Give it a COMPU_METHOD with a FORMULA over X1, X2, …",
            )
        return found[()] if found.ndim == 0 else found

    def _apply(self, name: str, rule: Formula, inputs: list[NDArray[Any]]) -> NDArray[Any]:
        try:
            arrays = np.broadcast_arrays(*inputs) if inputs else []
        except ValueError:
            shapes = ", ".join(str(one.shape) for one in inputs)
            raise UsageError(
                f"{name}: its inputs differ in shape: {shapes}.", hint="Correct the description."
            ) from None
        found = rule(*arrays)
        return np.broadcast_to(found, arrays[0].shape) if arrays else found

    def _number(self, name: str, value: Any) -> NDArray[Any]:
        """Numbers of an input; a text of a verbal conversion gives its raw value."""
        array = np.asarray(getattr(value, "values", value))
        if is_text(array).any():
            array = self._raw_of_text(name, array)
        try:
            return floats_of(array)
        except (TypeError, ValueError):
            raise UsageError(
                f"{name}: {value!r} is not a number.", hint="Check the input."
            ) from None

    def _raw_of_text(self, name: str, value: NDArray[Any]) -> NDArray[Any]:
        node = self.find(name)
        rule = self._rule(node) if node else getattr(self._catalog.bind(name), "conversion", None)
        if not isinstance(rule, Verbal):
            raise UsageError(f"{name}: it is a text.", hint="Formulas need numbers.")
        return rule.to_raw(value)

    def _rule(self, node: Dependent) -> Formula | Conversion:
        rule = self._formulas.get(node.name)
        if rule is None:
            rule = self._formulas[node.name] = self._compile(node)
        return rule

    def _compile(self, node: Dependent) -> Formula | Conversion:
        index, version = self._catalog.index, self._catalog.formula_version
        if node.kind != "measurement":
            return compile_formula(node.formula, version=version, constants=system_constants(index))
        made = index.find(node.name, "MEASUREMENT")
        assert made is not None, "nodes come from the module"
        limits = (node.lower, node.upper)
        rule = compile_conversion(made.conversion, index, limits=limits, version=version)
        if isinstance(rule, FormulaConversion) and rule.formula is not None:
            return rule.formula
        return rule


def _mentioning(objects: Iterable[Any], word: str) -> Iterable[Any]:
    """Objects with a word in their text; all of them where they were read already."""
    return objects.mentioning(word) if isinstance(objects, Objects) else objects
