"""``xcaliper cal export``: parameters into a file of values, segments into an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from xcaliper.cli.cal_keep import FileOptions, FileOptionsOfVerb, check_free, keep, tell_kept
from xcaliper.cli.cal_options import (
    ChangeOptions,
    ChoiceOptionsOfVerb,
    Flag,
    TargetOptionsOfVerb,
    Words,
)
from xcaliper.cli.cal_target import image_of, is_image, is_live, opened, take_from
from xcaliper.core.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from xcaliper.cli.cal_options import TargetOptions
    from xcaliper.cli.cal_target import Target
    from xcaliper.client.offline import OfflineImage
    from xcaliper.image.memory_image import MemoryImage

__all__ = ["ImageOptions", "export"]


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """How an image is written.

    Attributes:
        page: page whose bytes are taken; without it the one that XCP sees.
        segment: only this segment, by number or name; may be given several times.
        image: whole image to put the bytes into; its EPK stays, and it is not changed itself.
        checksum: what to set right in the whole image, as for cal set.
        confirm: put the bytes into the image although the description is for another program (EPK).
    """

    page: int | None = None
    segment: Words = ()
    image: Path | None = None
    checksum: Words = ()
    confirm: Flag = False

    def __bool__(self) -> bool:
        return self != ImageOptions()


_ImageOptionsOfVerb = Annotated[ImageOptions | None, Parameter(name="*")]


def export(  # noqa: PLR0913  # options by name
    target: str,
    file: Path,
    /,
    *names: str,
    choice: ChoiceOptionsOfVerb = None,
    everything: Annotated[Flag, Parameter(name="--all")] = False,
    raw: Flag = False,
    written: FileOptionsOfVerb = None,
    memory: _ImageOptionsOfVerb = None,
    json: Flag = False,
    options: TargetOptionsOfVerb = None,
) -> int:
    """Keep the parameters of an ECU or an image in a file of values, or its calibration segments in an image.

    Args:
        target: URL of a slave, such as udp://127.0.0.1:5555, an image with its --a2l, or a file of parameter
            values.
        file: what to write; its ending tells the format: monday.cdfx has values, page.hex has segments.
        names: parameters to take, with * and ?; all without any.
        choice: functions and groups to take.
        everything: also what the description calls read-only, which is left out unless it is named.
        raw: ECU values instead of physical ones.
        written: how the file is written.
        memory: how an image is written.
        json: print one JSON object.
        options: how to open the target.
    """
    written = written or FileOptions()
    form = _image_format(file, written.to)
    if form:
        if names or choice or raw or everything or written.leave_out:
            raise UsageError(
                f"{file.name}: an image has whole segments, not parameters.",
                hint="Choose with --page and --segment; or put a set of some into an image: xcaliper cal apply.",
            )
        facts = _export_image(target, file, form, written, memory or ImageOptions(), options)
        _tell_image(facts, as_json=json)
        return 0
    if memory:
        raise UsageError(
            f"{file.name}: --page, --segment, --image, --checksum and --confirm are for images.",
            hint="Give a file that ends with .hex, .s19 or .bin.",
        )
    taken = take_from(
        target, names, options, choice=choice, raw=raw, read_only=everything, with_history=True
    )
    if (names or choice) and not len(taken.values):
        raise NotFoundError(" ".join(names) or "such", kind="parameter")
    tell_kept(keep(taken, file, written), as_json=json)
    return 0


def _image_format(file: Path, to: str) -> str:
    """Name of the format of an image; empty for a file of values."""
    from xcaliper.image.files import IMAGE_FORMATS

    if to:
        return to if to in IMAGE_FORMATS else ""
    suffix = file.suffix.lower()
    return next((one.name for one in IMAGE_FORMATS.values() if suffix in one.suffixes), "")


def _export_image(
    target: str,
    file: Path,
    form: str,
    written: FileOptions,
    memory: ImageOptions,
    options: TargetOptions | None,
) -> dict[str, Any]:
    """Write segments, alone or in a whole image; gives what was done."""
    if not is_live(target) and not is_image(target):
        raise UsageError(
            f"{target}: a set has values, but no memory.",
            hint=f"xcaliper cal apply engine.hex {target} --a2l engine.a2l --out {file}",
        )
    if memory.checksum and memory.image is None:
        raise UsageError("--checksum: it is for a whole image.", hint="Give one with --image.")
    check_free(file, written)
    with opened(target, options) as source:
        if memory.image is not None and not memory.confirm:
            source.check_confirmed(str(file))
        held = source.calib.image(memory.page, memory.segment)
        facts: dict[str, Any] = {
            "file": str(file),
            "format": form,
            "segments": [f"{one.start}, {one.size_bytes} bytes" for one in held.ranges()],
            "bytes": held.size_bytes,
            "page": memory.page,
        }
        if memory.image is None:
            _save_alone(held, file, form)
            return facts
        base = _base(memory, options, source)
        reason = f"segments of {target}" + ("" if memory.page is None else f", page {memory.page}")
        done = base.put_memory(held, reason=reason)
    saved = base.save(file, format=form, overwrite=written.overwrite)
    changed = list(done.names) if done is not None else []
    return {**facts, "image": str(memory.image), "changed": changed,
            "checksums": [str(one) for one in saved.checksums]}  # fmt: skip


def _base(memory: ImageOptions, options: TargetOptions | None, source: Target) -> OfflineImage:
    """The whole image, by the description of what is exported."""
    given = ChangeOptions(checksum=memory.checksum)
    base = image_of(str(memory.image), options, given, catalog=source.catalog)
    if memory.confirm:
        base.confirm()
    return base


def _save_alone(held: MemoryImage, file: Path, form: str) -> None:
    """Write bytes as a file of their own.

    Raises:
        GapError: plain bytes cannot hold what is between segments.
        ImageError: the file cannot be written.
    """
    from xcaliper.client.whole_file import write_whole
    from xcaliper.core.errors import GapError, ImageError
    from xcaliper.image.files import write_image

    try:
        data = write_image(held, form)
    except GapError as error:
        error.hint = "Plain bytes hold no gaps: take one --segment, or write .hex or .s19."
        raise
    try:
        write_whole(file, data)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ImageError(
            f"the image cannot be written: {reason}.",
            source=str(file),
            hint="Check path, rights and free space.",
        ) from error


def _tell_image(facts: dict[str, Any], *, as_json: bool) -> None:
    from xcaliper.cli.shell import errors, print_json, stdout

    if as_json:
        print_json(facts)
        return
    page = "as they are seen" if facts["page"] is None else f"of page {facts['page']}"
    text = f"{facts['file']}: {facts['bytes']} bytes {page}"
    if "image" in facts:
        count = len(facts["changed"])
        differ = "1 parameter differs" if count == 1 else f"{count} parameters differ"
        text += f", put into {facts['image']}; {differ} from there"
    stdout().print(text, markup=False, soft_wrap=True)
    for line in (*facts["segments"], *facts.get("checksums", ())):
        errors().print(line, markup=False, soft_wrap=True)
