"""Everything a description offers, by name, bound on demand."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from fnmatch import translate

from xcaliper.a2l.if_xcp import XcpDescription, read_xcp
from xcaliper.a2l.index import ModuleIndex
from xcaliper.a2l.parse import A2lFile
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.quantity.axis import AxisPoints, bind_axis_points
from xcaliper.quantity.binding import bind_located_characteristic
from xcaliper.quantity.blob import BoundBlob, bind_located_blob
from xcaliper.quantity.characteristic import BoundCharacteristic
from xcaliper.quantity.dependents import DependencyGraph
from xcaliper.quantity.instance import expand, locate
from xcaliper.quantity.measurement import BoundMeasurement, bind_located_measurement
from xcaliper.quantity.variants import Variants

__all__ = ["Bound", "Catalog"]

Bound = BoundMeasurement | BoundCharacteristic | AxisPoints
"""What a name is bound to by ``Catalog.bind``; raw bytes are bound by ``Catalog.blob``."""


class Catalog:
    """Names of one module and the objects behind them.

    Args:
        file: a parsed description.
        ag: bytes per address unit; from IF_DATA XCP when None.
        formula_version: version of ASAP2 whose formula syntax is meant; that of the file when None.
            Files exist that declare 1.6 and use the older syntax.
    """

    def __init__(
        self, file: A2lFile, *, ag: int | None = None, formula_version: str | None = None
    ) -> None:
        self.file = file
        self.index = ModuleIndex(file.module)
        self.xcp: XcpDescription | None = read_xcp(file.module.if_data)
        layer = self.xcp.merged().protocol_layer if self.xcp else None
        self.ag = ag if ag is not None else (layer.address_granularity if layer else 1)
        self.formula_version = formula_version or file.version
        self._bound: dict[str, Bound] = {}
        self._dependencies: DependencyGraph | None = None
        self._variants: Variants | None = None
        self._names: dict[str, tuple[str, ...]] | None = None
        self._known: frozenset[str] | None = None

    def _by_kind(self) -> dict[str, tuple[str, ...]]:
        if self._names is None:
            found: dict[str, list[str]] = {
                "measurement": [],
                "characteristic": [],
                "axis_pts": [],
                "blob": [],
            }
            for name, kind in self._all():
                found[kind].append(name)
            self._names = {kind: tuple(names) for kind, names in found.items()}
        return self._names

    def _all(self) -> Iterator[tuple[str, str]]:
        module = self.index.module
        for name, keyword in self.index.kinds("object"):
            if keyword != "INSTANCE":
                yield name, keyword.lower()
        for instance in module.instance:
            yield from expand(self.index, instance)

    @property
    def measurements(self) -> tuple[str, ...]:
        """Names of all measurements, those of instances included."""
        return self._by_kind()["measurement"]

    @property
    def characteristics(self) -> tuple[str, ...]:
        """Names of all parameters, those of instances included."""
        return self._by_kind()["characteristic"]

    @property
    def axis_pts(self) -> tuple[str, ...]:
        """Names of all axis objects, those of instances included."""
        return self._by_kind()["axis_pts"]

    @property
    def blobs(self) -> tuple[str, ...]:
        """Names of all runs of raw bytes, those of instances included."""
        return self._by_kind()["blob"]

    @property
    def dependencies(self) -> DependencyGraph:
        """Quantities that are computed from others."""
        if self._dependencies is None:
            self._dependencies = DependencyGraph(self)
        return self._dependencies

    @property
    def variants(self) -> Variants:
        """Parameters that exist once per variant of the ECU."""
        if self._variants is None:
            self._variants = Variants(self)
        return self._variants

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return self.measurements + self.characteristics + self.axis_pts

    def find(self, pattern: str) -> list[str]:
        """Names that match a pattern with ``*`` and ``?``; brackets are taken literally."""
        if "*" not in pattern and "?" not in pattern:  # lists of names have thousands of these
            if self._known is None:
                self._known = frozenset(self.names)
            return [pattern] if pattern in self._known else []
        matches = re.compile(translate(pattern.replace("[", "[[]"))).match
        return [name for name in self.names if matches(name)]

    def bind(self, name: str) -> Bound:
        """The object of a name, ready to read and write.

        Raises:
            NotFoundError: no such name; carries the nearest ones.
            UsageError: its description cannot be used.
        """
        bound = self._bound.get(name)
        if bound is None:
            bound = self._bound[name] = self._bind(name)
        return bound

    def blob(self, name: str) -> BoundBlob:
        """The raw bytes of a name.

        Raises:
            NotFoundError: no such name; carries the nearest ones.
            UsageError: its description cannot be used.
        """
        located = locate(self.index, name, ag=self.ag)
        if located is None or located.kind != "blob":
            nearest = tuple(get_close_matches(name, self.blobs, n=3))
            raise NotFoundError(name, kind="blob", nearest=nearest)
        return bind_located_blob(self.index, located, ag=self.ag)

    def _bind(self, name: str) -> Bound:
        located = locate(self.index, name, ag=self.ag)
        if located is None:
            variant = self.variants.find(name)
            if variant is not None:
                return self.variants.bind(variant)
            raise NotFoundError(
                name, kind="object", nearest=tuple(get_close_matches(name, self.names, n=3))
            )
        version = self.formula_version
        if located.kind == "measurement":
            return bind_located_measurement(self.index, located, ag=self.ag, version=version)
        if located.kind == "characteristic":
            return bind_located_characteristic(self.index, located, ag=self.ag, version=version)
        if located.kind == "axis_pts":
            return bind_axis_points(self.index, located, ag=self.ag, version=version)
        raise UsageError(f"{name}: it is a BLOB.", hint="Bind it as one: Catalog.blob().")
