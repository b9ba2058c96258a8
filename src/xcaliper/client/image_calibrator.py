"""Changes to an image with their history, and what differs in it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from xcaliper.calib.dirty import Dirty
from xcaliper.calib.places import PlaceIndex
from xcaliper.calib.port import PlainPort
from xcaliper.client.calibration import author_name
from xcaliper.client.exporting import ExportingCalibrator
from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from xcaliper.calib.history import Transaction
    from xcaliper.calib.image_values import GuardedImage
    from xcaliper.calib.paramset import ParameterSet
    from xcaliper.core.diagnostics import Diagnostic
    from xcaliper.image.memory_image import MemoryImage
    from xcaliper.quantity.catalog import Catalog

__all__ = ["ImageCalibrator"]


class ImageCalibrator(ExportingCalibrator):
    """Parameters of an image, changed with a memory of what was.

    Args:
        catalog: names and descriptions.
        memory: the image, with what must stay.
        chosen: variant criterion → value, shared with whoever else reads.
        name: of the image, for sets that come out of it.
        check_confirmed: refuses changes of an image of another program, called with what is to change.
        others: number of a page → its image, to compare with.
        program: EPK that the image holds; may be empty.
    """

    has_own_file = True

    def __init__(
        self,
        catalog: Catalog,
        memory: GuardedImage,
        chosen: dict[str, str],
        *,
        name: str,
        check_confirmed: Callable[[str], None],
        others: Callable[[], Mapping[int, MemoryImage]],
        program: str = "",
    ) -> None:
        super().__init__(
            catalog, PlainPort(memory), clock=time.time_ns, author=author_name(), variants=chosen
        )
        self.program = program or self.program
        self._memory = memory
        self._name = name
        self._check_confirmed = check_confirmed
        self._others = others
        self._file = memory.page.image.copy()

    def check_allowed(self, transaction: Transaction) -> None:
        """Refuse changes that the EPK forbids, and those of the EPK.

        Raises:
            IntegrityError: the image is of another program.
            UsageError: the EPK lies there.
        """
        name = ", ".join(transaction.names[:3]) or "image"
        self._check_confirmed(name)
        for run in transaction.runs:
            self._memory.check(run.address, run.size_bytes, name)

    def snapshot(  # options by name
        self,
        names: Iterable[str] | None = None,
        *,
        variants: Mapping[str, str] | None = None,
        raw: bool = False,
        name: str = "",
        read_only: bool = False,
        on_problem: Callable[[Diagnostic], None] = lambda _: None,
    ) -> ParameterSet:
        """A set of what the image holds, which it names; see :meth:`~xcaliper.calib.calibrator.Calibrator.snapshot`."""
        made = super().snapshot(
            names,
            variants=variants,
            raw=raw,
            name=name,
            read_only=read_only,
            on_problem=on_problem,
        )
        return made.with_head(origin=replace(made.origin, image=self._name))

    def dirty(self, against: str = "file", *, page: int | None = None) -> Dirty:
        """Parameters that are not as in the file, or not as on another page that there is an image of.

        Args:
            against: ``file`` or ``reference``.
            page: the other page; None = the first one.

        Raises:
            UsageError: there is no image of another page, or it has another granularity.
        """
        if against not in ("reference", "file"):
            raise UsageError(f"dirty: against {against!r} is neither 'reference' nor 'file'.")
        other = self._file if against == "file" else self._reference(page)
        found = other.compare(self._memory.page.image)
        index = PlaceIndex(self.catalog, self._memory.page.read, self._memory.page.locate)
        names, unnamed = index.names_in(found.changed)
        return Dirty(tuple(names), tuple(unnamed), sum(one.size_bytes for one in found.changed))

    def _reference(self, page: int | None) -> MemoryImage:
        others = self._others()
        number = next(iter(others), None) if page is None else page
        if number is None or number not in others:
            raise UsageError(
                "dirty: there is no image of another page.",
                hint='Open one with it, or use dirty("file").',
            )
        return others[number]

    def mark_saved(self) -> None:
        """What the image holds now is what the file holds."""
        self._file = self._memory.page.image.copy()

    @property
    def is_saved(self) -> bool:
        """True while the image is as in the file."""
        return self._file == self._memory.page.image
