"""Calibration without an ECU: parameters of a hex, S-record or binary image, by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xcaliper.calib.history import Kind
from xcaliper.calib.image_values import GuardedImage, ParameterDifference, compare_images
from xcaliper.calib.page_image import (
    PageImage,
    described_moves,
    described_ranges,
    given_moves,
    segment_range,
)
from xcaliper.client.a2l_source import read_a2l
from xcaliper.client.image_calibrator import ImageCalibrator
from xcaliper.client.image_file import load_image, save_image
from xcaliper.client.memory_access import as_address
from xcaliper.client.memory_sets import diff_by_name
from xcaliper.client.named_objects import NamedObjects
from xcaliper.client.named_values import NamedValues
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import (
    GapError,
    IntegrityError,
    NotFoundError,
    UsageError,
)
from xcaliper.image.checksum import ChecksumRegion, check_checksums, compute_checksum
from xcaliper.image.epk import FoundEpk, find_epk
from xcaliper.quantity.catalog import Catalog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from xcaliper.a2l import A2lFile
    from xcaliper.calib.calibrator import Group
    from xcaliper.calib.history import History, Transaction
    from xcaliper.calib.page_image import Offset
    from xcaliper.calib.parameters import WriteResult
    from xcaliper.calib.paramset import ParameterSet
    from xcaliper.client.connection import Connection
    from xcaliper.client.image_file import SavedImage
    from xcaliper.core.address import Address
    from xcaliper.image.checksum import Algorithm, ChecksumState
    from xcaliper.image.files import ImageFile
    from xcaliper.image.memory_image import MemoryImage

__all__ = ["OfflineImage", "open_image"]


def open_image(  # noqa: PLR0913  # options by name
    a2l: str | Path | A2lFile | Catalog,
    image: str | Path | Mapping[int, str | Path],
    *,
    offset: Offset | None = None,
    checksums: Sequence[ChecksumRegion] = (),
    format: str = "",  # noqa: A002  # the word that users give
    address: int | Address | None = None,
    extension: int = 0,
    ag: int | None = None,
    file_ag: int | None = None,
    incomplete: bool = False,
) -> OfflineImage:
    """The parameters of an image, read and written by name as those of an ECU.

    Parameters in RAM are found at their initial values in flash: by what the description says of pages
    that are initialised from segments, of address mappings and of mirrors, or by ``offset``. An image of
    another program than the description's, by its EPK, is read-only until
    :meth:`~OfflineImage.confirm` is called.

    Args:
        a2l: description: file, parsed, or a catalog.
        image: Intel HEX, Motorola S-records or plain bytes; or number of a page → its file, the first of
            which is opened, see :meth:`~OfflineImage.on_page`.
        offset: where initial values are, added to every address that the image does not hold; or name of
            a memory segment → added to its addresses; or :class:`~xcaliper.calib.page_image.Move` objects.
        checksums: what :meth:`~OfflineImage.save` sets right, by addresses of the image.
        format: ``ihex``, ``srec`` or ``binary``; found out when empty.
        address: where plain bytes begin.
        extension: address extension of what the file holds.
        ag: bytes per address of the ECU; those of the description when None.
        file_ag: bytes per address as the file counts; those of the ECU when None.
        incomplete: take a file without its end record, which half-written files lack as well.

    Raises:
        A2lError: the description cannot be read.
        ImageError: an image is missing, damaged or half-written.
        NotFoundError: ``offset`` names a segment that does not exist, or a checksum an unknown algorithm.
        UsageError: plain bytes without an address, or no file.
    """
    catalog = a2l if isinstance(a2l, Catalog) else _catalog(a2l, ag)
    files = dict(image) if isinstance(image, Mapping) else {0: image}
    if not files:
        raise UsageError("image: no file is given.", hint="Give one file, or one for each page.")
    pages: dict[int, OfflineImage] = {}
    for number, path in files.items():
        found = load_image(
            path,
            ag=catalog.ag,
            format=format,
            address=address,
            extension=extension,
            file_ag=file_ag,
            incomplete=incomplete,
        )
        pages[number] = OfflineImage(
            catalog, found, offset=offset, checksums=checksums, number=number, pages=pages
        )
    return next(iter(pages.values()))


def _catalog(a2l: str | Path | A2lFile, ag: int | None) -> Catalog:
    return Catalog(read_a2l(a2l) if isinstance(a2l, str | Path) else a2l, ag=ag)


def _is_same(one: Catalog, other: Catalog) -> bool:
    """True for two catalogs of one description, included files too."""
    return one is other or _texts(one) == _texts(other)


def _texts(catalog: Catalog) -> list[bytes]:
    document = catalog.file.document
    if document is None:
        return [catalog.file.to_bytes()]
    return [document.to_bytes(number) for number in range(len(document.sources))]


class _View:
    """Memory as names read it: what a group has planned included."""

    def __init__(self, owner: OfflineImage) -> None:
        self._owner = owner

    def read(self, address: Address, size_bytes: int) -> bytes:
        return self._owner.calib.read_memory(address, size_bytes)

    def read_many(self, places: Sequence[tuple[Address, int]]) -> list[bytes]:
        return [self.read(address, size_bytes) for address, size_bytes in places]

    def write(self, address: Address, data: bytes) -> None:
        self._owner.write_memory(address, data)


class OfflineImage(NamedObjects):
    """Parameters of an image; made by :func:`open_image`. What it shares with a connection works as there.

    Attributes:
        number: of the page that the image is of.
        confirmed: True once the user says that an image of another program may be written.
        calib: changes with undo, redo and history; sets out of the image and into it.
        epk: what the image says about its program.
    """

    def __init__(
        self,
        catalog: Catalog,
        file: ImageFile,
        *,
        offset: Offset | None = None,
        checksums: Sequence[ChecksumRegion] = (),
        number: int = 0,
        pages: Mapping[int, OfflineImage] | None = None,
    ) -> None:
        self._catalog = catalog
        self.number = number
        self._pages = pages if pages is not None else {number: self}
        self.confirmed = False
        self._file = file
        self._checksums = tuple(checksums)
        for one in self._checksums:
            one.stored_range()  # an unknown algorithm is told now, not after a day of work
        mod_par = catalog.index.module.mod_par
        wanted = (mod_par.epk or "") if mod_par else ""
        self.epk: FoundEpk = find_epk(file.image, wanted, mod_par.addr_epk if mod_par else ())
        moves = (*given_moves(catalog, offset), *described_moves(catalog))
        self._page = PageImage(file.image, moves, described_ranges(catalog))
        kept = [(one, "the EPK") for one in self.epk.described_places]
        self._named = NamedValues(self, _View(self), note=self.check_confirmed)
        self._chosen: dict[str, str] = {}
        memory = GuardedImage(self._page, kept)
        self.calib = ImageCalibrator(
            catalog,
            memory,
            self._chosen,
            name=self.name,
            check_confirmed=self.check_confirmed,
            others=self._others,
            program=self.epk.text,
        )

    def _others(self) -> dict[int, MemoryImage]:
        """Images of the other pages."""
        return {number: one.image for number, one in self._pages.items() if one is not self}

    # --- facts ---

    @property
    def catalog(self) -> Catalog:
        """Every object of the description."""
        return self._catalog

    @property
    def name(self) -> str:
        """Name of the file."""
        return Path(self._file.source).name

    @property
    def image(self) -> MemoryImage:
        """Its bytes, by addresses of the file."""
        return self._file.image

    @property
    def page(self) -> PageImage:
        """Its bytes, by addresses of the description."""
        return self._page

    @property
    def ag(self) -> int:
        """Bytes per address."""
        return self.catalog.ag

    @property
    def asks_ahead(self) -> bool:
        """Nothing is gained by reading several places together."""
        return False

    @property
    def chosen(self) -> dict[str, str]:
        """Variant criterion → value that was chosen."""
        return self._chosen

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What is odd about file, EPK and memory that was read, each told once."""
        told = [*self._file.diagnostics, *self._epk_notes(), *self._named.diagnostics]
        return tuple(told)

    def _epk_notes(self) -> list[Diagnostic]:
        where = Where(self._file.source)
        if not self.epk.is_right:
            text = (
                f"the description is for EPK {self.epk.wanted!r}, the image has {self.epk.text!r}."
            )
            hint = "Writing is refused until confirm() is called."
            return [Diagnostic(Severity.ERROR, "epk-mismatch", where, text, hint)]
        if self.epk.wanted and not self.epk.is_known:
            text = f"the image does not hold EPK {self.epk.wanted!r}."
            hint = "Check that it is of the program that the description is for."
            return [Diagnostic(Severity.WARNING, "epk-missing", where, text, hint)]
        return []

    def __repr__(self) -> str:
        return f"<OfflineImage {self.name}, {self.image.size_bytes} bytes, A2L: {Path(self.catalog.file.source).name}>"

    def mark_change(self, text: str, name: str) -> None:
        """Nobody measures an image."""

    def confirm(self) -> None:
        """Allow writing although the image is of another program than the description."""
        self.confirmed = True

    def check_confirmed(self, name: str) -> None:
        """Refuse what the EPK forbids.

        Raises:
            IntegrityError: the image is of another program.
        """
        if self.epk.is_right or self.confirmed:
            return
        raise IntegrityError(
            f"{name}: not written, EPK",
            expected=self.epk.wanted,
            actual=self.epk.text,
            hint="Use the description of this program, or call confirm() first.",
        )

    # --- memory ---

    def read_memory(self, address: int | Address, size: int, extension: int = 0) -> bytes:
        """Bytes at an address of the description.

        Raises:
            GapError: the image does not hold all of them.
        """
        return self.calib.read_memory(as_address(address, extension), size)

    def write_memory(self, address: int | Address, data: bytes, extension: int = 0) -> None:
        """Replace bytes at an address of the description; no limits: prefer :meth:`write`.

        Raises:
            GapError: the image does not hold all of them; nothing was written.
            IntegrityError: the image is of another program.
            UsageError: the EPK lies there.
        """
        place = as_address(address, extension)
        with self.calib.group() as group:
            self.calib.read_memory(place, len(data))  # a gap is told before anything is planned
            group.staged.write(place, bytes(data))

    def checksum(
        self,
        address: int | Address,
        size: int,
        extension: int = 0,
        *,
        algorithm: Algorithm = "XCP_CRC_32",
    ) -> int:
        """Checksum over memory by a named algorithm, or a function of the bytes.

        Raises:
            GapError: the image does not hold all of it.
            NotFoundError: no such algorithm.
            UsageError: the size does not suit the algorithm.
        """
        places = tuple(self._page.places(as_address(address, extension), size))
        function = not isinstance(algorithm, str)
        region = ChecksumRegion("memory", places, algorithm, size_bytes=8 if function else None)
        return compute_checksum(self.image, region)

    # --- values ---

    def write(
        self,
        name: str,
        value: Any,
        *,
        at: int | tuple[int, ...] | None = None,
        raw: bool = False,
        dependents: bool = True,
        reason: str = "",
    ) -> WriteResult:
        """Write a parameter and what is computed from it; shape and limits are checked first.

        Args:
            name: of the parameter.
            value: physical value: number, text, array, nested lists or table.
            at: one cell of an array, curve or map, as numpy counts: ``(y, x)`` for a map.
            raw: the value is an ECU value.
            dependents: compute and write what depends on it.
            reason: why, for the history.

        Raises:
            GapError: the image does not hold it; tells the parameter and what is missing.
            LimitError: the value, or one computed from it, is outside of its limits.
            NotFoundError: no such name; carries the nearest ones.
            UsageError: wrong shape or kind, read-only or computed.
            IntegrityError: the image is of another program.
        """
        self._named.check_name(name)
        self.check_confirmed(name)
        try:
            return self.calib.write(
                name, value, at=at, raw=raw, reason=reason, dependents=dependents
            )
        except GapError as error:
            raise error.named(name) from None

    def group(self, reason: str = "") -> AbstractContextManager[Group]:
        """Writes that are made together when the ``with`` block ends: all of them, or none."""
        return self.calib.group(reason)

    def undo(self) -> Transaction | None:
        """Take the latest change back.

        Raises:
            UsageError: there is nothing to undo.
        """
        return self.calib.undo()

    def redo(self) -> Transaction | None:
        """Make the latest change again that was taken back.

        Raises:
            UsageError: there is nothing to redo.
        """
        return self.calib.redo()

    @property
    def history(self) -> History:
        """What was changed since the image was opened."""
        return self.calib.history

    def put_memory(self, memory: MemoryImage, *, reason: str = "") -> Transaction | None:
        """Take over bytes, such as pages of an ECU: all of them or none; None where all were there already.

        Args:
            memory: by addresses of the description, as ``connection.calib.image()`` gives it.
            reason: why, for the history.

        Raises:
            GapError: the image does not hold all of it; nothing was written.
            IntegrityError: the image is of another program.
            UsageError: another granularity, or other bytes where the EPK is.
        """
        if memory.ag != self.ag:
            raise UsageError(
                f"image: {memory.ag} bytes per address cannot go where there are {self.ag}."
            )
        self.check_confirmed("memory")
        return self.calib.send(memory.runs(), kind=Kind.APPLY, reason=reason).transaction

    # --- differences ---

    def diff(
        self,
        other: OfflineImage | Connection | ParameterSet,
        *,
        absolute: float = 0.0,
        relative: float = 0.0,
    ) -> ParameterDifference:
        """Where another image, an ECU or a set differs from this image, in parameters instead of bytes.

        Images of one description are compared byte by byte first, and only parameters that differ are
        read; what differs and is no parameter is told as well. Others are compared by name.

        Args:
            other: an image, a connection, or a set, whose entries alone are compared.
            absolute: how far numbers may be apart, in their unit.
            relative: how far they may be apart, as a part of the larger one.

        Raises:
            UsageError: the other image has another granularity, or a tolerance is below 0.
        """
        if isinstance(other, OfflineImage) and _is_same(self.catalog, other.catalog):
            return compare_images(
                self.catalog, self._page, other.page, absolute=absolute, relative=relative
            )
        return diff_by_name(self, other, absolute=absolute, relative=relative)

    def changed(self) -> tuple[str, ...]:
        """Parameters that are not as in the file, in the order of their addresses."""
        return self.calib.dirty("file").names

    @property
    def is_changed(self) -> bool:
        """True while something differs from the file."""
        return not self.calib.is_saved

    # --- pages ---

    @property
    def pages(self) -> tuple[int, ...]:
        """Numbers of the pages that there are images of."""
        return tuple(self._pages)

    def on_page(self, number: int) -> OfflineImage:
        """The image of another page.

        Raises:
            NotFoundError: there is none.
        """
        if number not in self._pages:
            known = tuple(str(one) for one in self._pages)
            raise NotFoundError(str(number), kind="page with an image", nearest=known)
        return self._pages[number]

    def copy_page(self, source: tuple[int, int], destination: tuple[int, int]) -> None:
        """Copy the (segment, page) of one image into another one (XCP Base, COPY_CAL_PAGE, 1.0).

        Raises:
            NotFoundError: no such segment, or no image of a page.
            UsageError: the segments are of different lengths.
            GapError: an image does not hold all of a segment.
        """
        ends = [segment_range(self.catalog, segment) for segment, _ in (source, destination)]
        if ends[0].size_bytes != ends[1].size_bytes:
            raise UsageError(
                f"segments {source[0]} and {destination[0]}: they have {ends[0].size_bytes} and "
                f"{ends[1].size_bytes} bytes.",
                hint="Copy between segments of one length.",
            )
        data = self.on_page(source[1]).read_memory(ends[0].start, ends[0].size_bytes)
        reason = f"page {source[1]} of segment {source[0]} copied"
        target = self.on_page(destination[1])
        target.check_confirmed(f"segment {destination[0]}")
        target.read_memory(ends[1].start, ends[1].size_bytes)  # a gap is told before anything
        target.calib.send([(ends[1].start, data)], kind=Kind.GROUP, reason=reason)

    # --- saving ---

    def checksums(self) -> tuple[ChecksumState, ...]:
        """What each checksum of the image should be, and what is stored.

        Raises:
            GapError: the image does not hold all of a region, or its result.
        """
        return check_checksums(self.image, self._checksums)

    def save(
        self,
        path: str | Path | None = None,
        *,
        format: str = "",  # noqa: A002  # the word that users give
        overwrite: bool = False,
    ) -> SavedImage:
        """Set the checksums right and write a file: whole, or not at all.

        Written in the format it was read in, only records whose bytes changed are other than before.

        Args:
            path: the file; None is the one that was read.
            format: ``ihex``, ``srec`` or ``binary``; that of the file that was read when empty.
            overwrite: replace a file that exists, the one that was read included.

        Raises:
            UsageError: the file exists, or the format cannot hold the image.
            GapError: a checksum needs what the image does not hold, or plain bytes would have gaps.
            IntegrityError: the EPK is not what it was.
            ImageError: the file cannot be written.
        """
        done = save_image(
            self._file, self.epk, self._checksums, path=path, format=format, overwrite=overwrite
        )
        self.calib.mark_saved()
        return done
