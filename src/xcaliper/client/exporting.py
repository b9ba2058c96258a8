"""Calibration whose values can be kept in files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from xcaliper.calib.calibrator import Calibrator
from xcaliper.client.set_file import format_for, save_set

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from xcaliper.calib.paramset import ParameterSet

__all__ = ["ExportingCalibrator"]


class ExportingCalibrator(Calibrator):
    """A :class:`~xcaliper.calib.calibrator.Calibrator` that keeps its values in files.

    Attributes:
        has_own_file: what is calibrated is a file itself, with which ``dirty("file")`` compares.
    """

    has_own_file: ClassVar[bool] = False

    def export(
        self,
        path: str | PathLike[str],
        names: Iterable[str] | None = None,
        *,
        format: str = "",  # noqa: A002  # the word users know
        **options: Any,
    ) -> ParameterSet:
        """Keep a snapshot in a file; one that is there is replaced at once, or stays as it is.

        Where everything of an ECU is kept, ``dirty("file")`` compares with it from then on.

        Args:
            path: the file.
            names: what to take; None for everything.
            format: name of the format; told by the name of the file when empty.
            options: as those of :meth:`snapshot`.

        Returns:
            What the file holds.

        Raises:
            NotFoundError: no such format.
            ParameterSetError: the file cannot be written.
            UsageError: the format cannot hold an entry, or is not told.
            XcaliperError: the slave is silent.
        """
        form = format or format_for(Path(path))  # told before anything is read
        taken = self.snapshot(names, **options)
        save_set(taken, path, format=form, catalog=self.catalog)
        if names is None and not options.get("variants") and not self.has_own_file:
            self.mark_saved()
        return taken
