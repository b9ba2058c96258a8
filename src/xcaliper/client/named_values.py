"""Reading, writing and describing objects of a description by their names, in a slave or an image."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from xcaliper.calib.live import LiveValues
from xcaliper.calib.parameters import WritePlan, WriteResult, carry_out, plan_write
from xcaliper.client.ahead import ReadAhead
from xcaliper.client.names import expand_names, nearest_names
from xcaliper.core.errors import GapError, NegativeResponseError, NotFoundError, UsageError
from xcaliper.quantity.measurement import BoundMeasurement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from xcaliper.client.connection import Connection
    from xcaliper.core.address import Address
    from xcaliper.core.diagnostics import Diagnostic
    from xcaliper.quantity.catalog import Bound, Catalog
    from xcaliper.quantity.dependents import Dependent

__all__ = ["LiveHost", "NameHost", "NamedMemory", "NamedValues"]


class NamedMemory(Protocol):
    """Memory that names stand for."""

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes at an address."""
        ...

    def read_many(self, places: Sequence[tuple[Address, int]]) -> list[bytes]:
        """Bytes of several places."""
        ...

    def write(self, address: Address, data: bytes) -> None:
        """Replace bytes at an address."""
        ...


class NameHost(Protocol):
    """What has names: a connection or an image."""

    @property
    def catalog(self) -> Catalog:
        """Every object of the description."""
        ...

    @property
    def ag(self) -> int:
        """Bytes per address."""
        ...

    @property
    def chosen(self) -> dict[str, str]:
        """Variant criterion → value taken as in effect, shared with whoever else reads."""
        ...

    @property
    def asks_ahead(self) -> bool:
        """Whether several places are read sooner together than one by one."""
        ...

    def mark_change(self, text: str, name: str) -> None:
        """Take notice of a changed parameter."""
        ...


class LiveHost:
    """The names of a connection.

    Args:
        connection: to the slave.

    Attributes:
        chosen: variant criterion → value taken as in effect.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.chosen: dict[str, str] = {}

    @property
    def catalog(self) -> Catalog:
        """Every object of the description."""
        return self._connection.catalog

    @property
    def ag(self) -> int:
        """Bytes per address."""
        return self._connection.session.profile.ag

    @property
    def asks_ahead(self) -> bool:
        """True with a slave that takes several requests at once."""
        return bool(self._connection.session.queue_size)

    def mark_change(self, text: str, name: str) -> None:
        """Leave a mark in the running measurement."""
        port = self._connection.port
        if port.measurement is not None:
            port.measurement.mark(text, name=name, port=port)


class NamedValues:
    """What names stand for in a memory.

    Args:
        host: whose names they are.
        memory: of the slave, or of an image.
        note: called with the name of what is about to be written.
    """

    def __init__(self, host: NameHost, memory: NamedMemory, note: Callable[[str], None]) -> None:
        self._host = host
        self._memory = memory
        self._note = note
        self._ahead = ReadAhead(memory.read, memory.read_many)

    @cached_property
    def live(self) -> LiveValues:
        """Names in the variant in effect.

        Raises:
            UsageError: there is no description.
        """
        host = self._host
        return LiveValues(host.catalog, self._ahead, host.ag, chosen=host.chosen)

    @property
    def diagnostics(self) -> Iterable[Diagnostic]:
        """What was odd about memory that was read, each told once."""
        live: LiveValues | None = self.__dict__.get("live")  # nothing was read before it is made
        return live.diagnostics.values() if live is not None else ()

    def check_name(self, name: str) -> None:
        """Refuse what is no name; the nearest ones regardless of case when there is none."""
        catalog = self._host.catalog
        made = catalog.index.object(name)
        if made is not None and made.KEYWORD != "INSTANCE":
            return
        try:
            catalog.bind(name)
        except NotFoundError:
            if catalog.find(name):
                raise UsageError(
                    f"{name}: a pattern is not one name.", hint=f"Give a list: [{name!r}]."
                ) from None
            raise NotFoundError(
                name, kind="name in the description", nearest=nearest_names(catalog, name)
            ) from None

    def read(self, name: str | Iterable[str], *, raw: bool) -> Any:
        """See :meth:`~xcaliper.client.connection.Connection.read`."""
        if isinstance(name, str):
            self.check_name(name)
            return self._read(name, raw=raw)
        names = expand_names(self._host.catalog, name)
        if self._host.asks_ahead and len(names) > 1:
            live = self.live
            self._ahead.fetch(live.placed(one) for one in names)
        try:
            return {one: self._read(one, raw=raw) for one in names}
        finally:
            self._ahead.drop()

    def _read(self, name: str, *, raw: bool) -> Any:
        try:
            return self.live.read(name, raw=raw)
        except GapError as error:
            raise error.named(name) from None

    # --- writing ---

    def write(  # options by name
        self,
        name: str,
        value: Any,
        *,
        at: tuple[int, ...] | None,
        raw: bool,
        verify: bool,
        dependents: bool,
    ) -> WriteResult:
        """See :meth:`~xcaliper.client.connection.Connection.write`."""
        bound = self.live.bound(name)
        try:
            plan = plan_write(bound, value, at=at, raw=raw, read=self._memory.read)
            followers = self.live.followers(name, plan) if dependents else []
            result, *rest = [self._carry_out(one, verify=verify) for one in (plan, *followers)]
            result = replace(result, dependents=tuple(rest))
        except NegativeResponseError as error:
            error.message = f"{name}: {error.message}"  # the command alone does not say what for
            raise
        except GapError as error:
            raise error.named(name) from None
        cell = "" if at is None else str(list(at))
        self._mark(name, cell, result, bound.unit)
        for follower, one in zip(followers, result.dependents, strict=True):
            self._mark(one.name, "", one, follower.bound.unit)
        return result

    def check_writable(self, name: str) -> None:
        """Refuse what is no name, and what is computed from others."""
        self.check_name(name)
        self.live.check_writable(name)
        self.live.bound(name)

    def _mark(self, name: str, cell: str, result: WriteResult, unit: str) -> None:
        if not result.changed:
            return
        text = f"{name}{cell} changed"
        if result.is_scalar:
            text = f"{name}{cell}: {result.before} → {result.after} {unit}".rstrip()
        self._host.mark_change(text, name)

    def _carry_out(self, plan: WritePlan, *, verify: bool) -> WriteResult:
        ag = self._host.ag
        self._note(plan.bound.name)
        return carry_out(
            plan, verify=verify, read=self._memory.read, write=self._memory.write, ag=ag
        )

    # --- describing ---

    def describe(self, name: str) -> dict[str, Any]:
        """See :meth:`~xcaliper.client.connection.Connection.describe`."""
        self.check_name(name)
        node = self.live.computed(name)
        if node is not None and not node.has_memory:
            return self._describe_virtual(node)
        return _describe_bound(self.live.bound(name))

    def _describe_virtual(self, node: Dependent) -> dict[str, Any]:
        made: Any = self._host.catalog.index.object(node.name)
        return {
            "name": node.name,
            "kind": "MEASUREMENT" if node.kind == "measurement" else made.type,
            "text": made.long_identifier,
            "unit": node.unit,
            "lower": node.lower,
            "upper": node.upper,
            "address": None,
            "address_extension": 0,
            "datatype": "",
            "shape": [],
            "writable": False,
            "events": [],
            "inputs": list(node.inputs),
        }


def _describe_bound(bound: Bound) -> dict[str, Any]:
    events = getattr(bound, "events", None)
    datatype = getattr(bound, "datatype", None)
    return {
        "name": bound.name,
        "kind": bound.type if not isinstance(bound, BoundMeasurement) else "MEASUREMENT",
        "text": bound.description,
        "unit": bound.unit,
        "lower": bound.lower,
        "upper": bound.upper,
        "address": bound.address.value,
        "address_extension": bound.address.extension,
        "datatype": datatype.value if datatype is not None else "",
        "shape": list(bound.shape),
        "writable": bound.writable,
        "events": list(events.fixed or events.default) if events else [],
    }
