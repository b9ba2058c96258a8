"""Parameters that exist once per variant of the ECU (ASAP2, VARIANT_CODING)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.address import Address
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.quantity.axis import AxisPoints, BoundAxis
from xcaliper.quantity.characteristic import BoundCharacteristic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from xcaliper.a2l.keywords.variant import VarCharacteristic, VarCriterion, VariantCoding
    from xcaliper.quantity.catalog import Catalog

__all__ = ["Criterion", "Variant", "Variants"]

MAX_COMBINATIONS: Final = 65_536
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Criterion:
    """A choice with its values.

    Attributes:
        name: its name.
        values: names of the values, in order.
        measurement: measurement that tells the value in effect, or empty.
        selector: parameter that selects the value, or empty.
    """

    name: str
    values: tuple[str, ...]
    measurement: str = ""
    selector: str = ""


@dataclass(frozen=True, slots=True)
class Variant:
    """One place of a variant-coded parameter.

    Attributes:
        name: ``parameter.0``, with the separator of the description.
        parameter: name of the parameter.
        number: place in the list of addresses, from 0.
        values: value of each criterion.
        address: address of the parameter in this variant.
    """

    name: str
    parameter: str
    number: int
    values: Mapping[str, str]
    address: int


class Variants:
    """The variant coding of a module.

    Args:
        catalog: names and descriptions.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        coding: VariantCoding | None = catalog.index.module.variant_coding
        criteria: list[VarCriterion] = coding.var_criterion if coding else []
        self.criteria: dict[str, Criterion] = {
            c.name: Criterion(
                c.name,
                tuple(c.value),
                c.var_measurement or "",
                c.var_selection_characteristic or "",
            )
            for c in criteria
        }
        self.separator = (coding.var_separator if coding else None) or "."
        self._letters = bool(coding and coding.var_naming == "ALPHA")
        self._forbidden = [dict(f.combination) for f in coding.var_forbidden_comb] if coding else []
        self._coded: dict[str, VarCharacteristic] = (
            {c.name: c for c in coding.var_characteristic} if coding else {}
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the variant-coded parameters."""
        return tuple(self._coded)

    def __contains__(self, name: str) -> bool:
        """True for a variant-coded parameter."""
        return name in self._coded

    def combinations(self, *criteria: str) -> tuple[tuple[str, ...], ...]:
        """Permitted values of some criteria together; the last criterion changes fastest.

        A forbidden combination rules out what contains all of its values
        *(ASAP2, VAR_FORBIDDEN_COMB)*.

        Raises:
            NotFoundError: no such criterion.
            UsageError: there are too many.
        """
        chosen = [self._criterion(name) for name in criteria]
        total = 1
        for criterion in chosen:
            total *= max(1, len(criterion.values))
            if total > MAX_COMBINATIONS:
                raise UsageError(
                    f"{', '.join(criteria)}: they have more than {MAX_COMBINATIONS} combinations.",
                    hint="Correct VARIANT_CODING.",
                )
        return tuple(self._permitted(chosen))

    def _criterion(self, name: str) -> Criterion:
        criterion = self.criteria.get(name)
        if criterion is None:
            raise NotFoundError(name, kind="variant criterion")
        return criterion

    def _permitted(self, criteria: list[Criterion]) -> Iterator[tuple[str, ...]]:
        for values in product(*(c.values for c in criteria)):
            chosen = {c.name: value for c, value in zip(criteria, values, strict=True)}
            if not any(
                f and all(chosen.get(name) == value for name, value in f.items())
                for f in self._forbidden
            ):
                yield values

    def of(self, name: str) -> tuple[Variant, ...]:
        """Every variant of a parameter, in the order of its addresses.

        Raises:
            NotFoundError: the parameter is not variant-coded, or a criterion does not exist.
            UsageError: addresses and permitted combinations differ in number.
        """
        coded = self._coded.get(name)
        if coded is None:
            raise NotFoundError(name, kind="variant-coded parameter")
        criteria = tuple(coded.criterion_name)
        combinations = self.combinations(*criteria)
        addresses = coded.var_address.address if coded.var_address else []
        if len(addresses) != len(combinations):
            raise UsageError(
                f"{name}: {len(combinations)} combinations are permitted, "
                f"{len(addresses)} addresses are given.",
                hint="Correct VAR_ADDRESS.",
            )
        return tuple(
            Variant(
                f"{name}{self.separator}{self._label(n)}",
                name,
                n,
                dict(zip(criteria, values, strict=True)),
                address,
            )
            for n, (values, address) in enumerate(zip(combinations, addresses, strict=True))
        )

    def _label(self, number: int) -> str:
        if not self._letters:
            return str(number)
        text = ""
        number += 1
        while number:
            number, rest = divmod(number - 1, len(_LETTERS))
            text = _LETTERS[rest] + text
        return text

    def find(self, name: str) -> Variant | None:
        """The variant of a name like ``PUMKF.1``; None when there is none."""
        parameter, found, _ = name.rpartition(self.separator)
        if not found or parameter not in self._coded:
            return None
        return next((v for v in self.of(parameter) if v.name == name), None)

    def select(self, name: str, values: Mapping[str, str]) -> Variant:
        """The variant of a parameter for values of the criteria; further criteria are ignored.

        Raises:
            NotFoundError: the parameter is not variant-coded.
            UsageError: a criterion is not given, or the combination is forbidden.
        """
        for variant in self.of(name):
            if all(values.get(c) == value for c, value in variant.values.items()):
                return variant
        raise UsageError(
            f"{name}: no variant for {dict(values)}.",
            hint=f"It depends on {', '.join(self._coded[name].criterion_name)}.",
        )

    def current(self, criterion: str, read_phys: Callable[[str], Any]) -> str:
        """The value of a criterion in effect now.

        The measurement is asked, else the selecting parameter. A number is the place of the value
        in its list, a text is the value; a text of a conversion that is none of the values stands
        for its number.

        Args:
            criterion: name of the criterion.
            read_phys: gives the physical value of a quantity by name.

        Raises:
            NotFoundError: no such criterion.
            UsageError: nothing tells the value, or it is none of the list.
        """
        made = self._criterion(criterion)
        source = made.measurement or made.selector
        if not source:
            raise UsageError(
                f"{criterion}: neither VAR_MEASUREMENT nor VAR_SELECTION_CHARACTERISTIC is given.",
                hint="Choose the value yourself.",
            )
        found = np.asarray(read_phys(source)).reshape(-1)
        value = found[0].item() if len(found) and hasattr(found[0], "item") else found[:1].tolist()
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, str) and value in made.values:
            return value
        place = self._number_of(source, value) if isinstance(value, str) else value
        if isinstance(place, int | float) and place in range(len(made.values)):
            return made.values[int(place)]
        raise UsageError(
            f"{criterion}: {source} is {value!r}, which stands for none of its values.",
            hint=f"They are {', '.join(made.values)}.",
        )

    def _number_of(self, source: str, text: str) -> Any:
        try:
            return np.asarray(self._catalog.bind(source).conversion.to_raw(text)).item()
        except (NotFoundError, UsageError):
            return None

    def active(self, name: str, read_phys: Callable[[str], Any]) -> Variant:
        """The variant of a parameter that is in effect now.

        Args:
            name: name of the parameter.
            read_phys: gives the physical value of a quantity by name.

        Raises:
            NotFoundError: the parameter is not variant-coded.
            UsageError: the ECU does not tell, or is in a forbidden combination.
        """
        if name not in self._coded:
            raise NotFoundError(name, kind="variant-coded parameter")
        criteria = self._coded[name].criterion_name
        return self.select(name, {c: self.current(c, read_phys) for c in criteria})

    def bind(self, variant: Variant) -> BoundCharacteristic | AxisPoints:
        """The parameter at the place it has in a variant.

        Raises:
            UsageError: its description cannot be used.
        """
        bound = self._catalog.bind(variant.parameter)
        if not isinstance(bound, BoundCharacteristic | AxisPoints):
            raise UsageError(
                f"{variant.parameter}: it is no parameter.", hint="Correct VARIANT_CODING."
            )
        place = Address(variant.address, bound.address.extension)
        return self.with_axes(replace(bound, name=variant.name, address=place), variant.values)

    def has_addresses(self, name: str) -> bool:
        """True for a parameter that has places of its own per variant (ASAP2, VAR_ADDRESS)."""
        coded = self._coded.get(name)
        return coded is not None and coded.var_address is not None

    def criteria_of(self, name: str) -> tuple[str, ...]:
        """Criteria that decide about the place of a parameter, those of its axes included."""
        found: dict[str, None] = {}
        names = [name]
        if self.criteria and (bound := self._bound_table(name)) is not None:
            names.extend(axis.shared.name for axis in bound.axes if axis.shared is not None)
            names.extend(axis.curve.name for axis in bound.axes if axis.curve is not None)
        for one in names:
            if self.has_addresses(one):
                found.update(dict.fromkeys(self._coded[one].criterion_name))
        return tuple(found)

    def _bound_table(self, name: str) -> BoundCharacteristic | None:
        bound = self._catalog.bind(name)
        return bound if isinstance(bound, BoundCharacteristic) else None

    def with_axes(
        self, bound: BoundCharacteristic | AxisPoints, values: Mapping[str, str]
    ) -> BoundCharacteristic | AxisPoints:
        """The same parameter with its variant-coded axes at their places.

        Args:
            bound: the parameter.
            values: values of criteria; an axis that depends on others stays where it is.
        """
        if not isinstance(bound, BoundCharacteristic) or not self.criteria:
            return bound
        axes = tuple(self._axis(axis, values) for axis in bound.axes)
        return replace(bound, axes=axes)

    def _axis(self, axis: BoundAxis, values: Mapping[str, str]) -> BoundAxis:
        part = axis.shared or axis.curve
        if part is None or not self.has_addresses(part.name):
            return axis
        if not set(self._coded[part.name].criterion_name) <= set(values):
            return axis
        moved = self.bind(self.select(part.name, values))
        if isinstance(moved, AxisPoints):
            return replace(axis, shared=moved)
        return replace(axis, curve=moved)

    def placed(self, name: str, values: Mapping[str, str]) -> BoundCharacteristic | AxisPoints:
        """A parameter at the place it has for values of the criteria, its axes as well.

        Raises:
            UsageError: a criterion is not given, or the combination is forbidden.
        """
        if self.has_addresses(name):
            return self.with_axes(self.bind(self.select(name, values)), values)
        bound = self._catalog.bind(name)
        if not isinstance(bound, BoundCharacteristic | AxisPoints):
            raise UsageError(f"{name}: it is no parameter.", hint="Correct VARIANT_CODING.")
        return self.with_axes(bound, values)
