"""Reading, writing and describing objects of a description by their names, in a live slave."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from xcaliper.calib.live import LiveValues
from xcaliper.calib.parameters import WritePlan, WriteResult, carry_out, plan_write
from xcaliper.client.ahead import ReadAhead
from xcaliper.client.names import nearest_names
from xcaliper.core.errors import NegativeResponseError, NotFoundError, UsageError
from xcaliper.quantity.measurement import BoundMeasurement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xcaliper.client.connection import Connection
    from xcaliper.client.memory_access import MemoryAccess
    from xcaliper.core.diagnostics import Diagnostic
    from xcaliper.quantity.catalog import Bound
    from xcaliper.quantity.dependents import Dependent

__all__ = ["NamedValues"]


class NamedValues:
    """What names stand for in the slave of a connection.

    Args:
        connection: to the slave.
        memory: its memory.
        note: called with the name of what is about to be written.
    """

    def __init__(
        self, connection: Connection, memory: MemoryAccess, note: Callable[[str], None]
    ) -> None:
        self._connection = connection
        self._memory = memory
        self._note = note
        self._ahead = ReadAhead(memory.read, memory.read_many)

    @cached_property
    def live(self) -> LiveValues:
        """Names in the variant in effect.

        Raises:
            UsageError: there is no description.
        """
        connection = self._connection
        return LiveValues(connection.catalog, self._ahead, connection.session.profile.ag)

    @property
    def diagnostics(self) -> Iterable[Diagnostic]:
        """What was odd about memory that was read, each told once."""
        live: LiveValues | None = self.__dict__.get("live")  # nothing was read before it is made
        return live.diagnostics.values() if live is not None else ()

    def check_name(self, name: str) -> None:
        """Refuse what is no name; the nearest ones regardless of case when there is none."""
        catalog = self._connection.catalog
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
            return self.live.read(name, raw=raw)
        names = self._connection.expand(name)
        if self._connection.session.queue_size and len(names) > 1:
            live = self.live
            self._ahead.fetch(live.placed(one) for one in names)
        try:
            return {one: self.live.read(one, raw=raw) for one in names}
        finally:
            self._ahead.drop()

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
        """Leave a mark of a change in the running measurement."""
        measurement = self._connection.port.measurement
        if measurement is None or not result.changed:
            return
        text = f"{name}{cell} changed"
        if result.is_scalar:
            text = f"{name}{cell}: {result.before} → {result.after} {unit}".rstrip()
        measurement.mark(text, name=name)

    def _carry_out(self, plan: WritePlan, *, verify: bool) -> WriteResult:
        ag = self._connection.session.profile.ag
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
        made: Any = self._connection.catalog.index.object(node.name)
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
