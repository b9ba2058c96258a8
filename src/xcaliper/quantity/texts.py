"""Texts in memory: their codec, decoding up to the end mark, encoding into a fixed room (ASAP2, ASCII, ENCODING)."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from xcaliper.core.datatypes import ByteOrder, DataType
from xcaliper.core.errors import UsageError
from xcaliper.quantity.memory_values import to_bytes

__all__ = ["codec_of", "decode_text", "encode_text"]

_CODECS: Final = {"UTF8": "utf-8", "UTF16": "utf-16", "UTF32": "utf-32"}


def codec_of(encoding: str, datatype: DataType, order: ByteOrder) -> str:
    """Codec of texts; empty where the description does not say."""
    codec = _CODECS.get(encoding, "")
    mark = "be" if order.mark == ">" else "le"
    if not codec and datatype.size_bytes > 1:
        codec = {2: "utf-16", 4: "utf-32"}.get(datatype.size_bytes, "utf-8")
    return f"{codec}-{mark}" if codec in ("utf-16", "utf-32") else codec


def decode_text(values: NDArray[Any], encoding: str, datatype: DataType, order: ByteOrder) -> str:
    """The text of memory values, up to its first NUL.

    Args:
        values: memory values in native byte order, array[n].
        encoding: ENCODING word, or empty.
        datatype: type of one value.
        order: order of its bytes.
    """
    codec = codec_of(encoding, datatype, order)
    if codec in ("", "utf-8") or datatype.size_bytes > 1:
        ends = np.flatnonzero(values == 0)
        values = values[: ends[0]] if len(ends) else values
    data = to_bytes(values, datatype, order)
    if not codec:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return data.decode("latin-1")
    return data.decode(codec, errors="replace").split("\0", 1)[0]


def encode_text(  # a text, its room and its coding
    name: str,
    text: Any,
    size_bytes: int,
    encoding: str,
    datatype: DataType,
    order: ByteOrder,
) -> bytes:
    """Bytes of a text, filled up with NUL.

    Args:
        name: name for messages.
        text: the text.
        size_bytes: room for it.
        encoding: ENCODING word, or empty.
        datatype: type of one value.
        order: order of its bytes.

    Raises:
        UsageError: no text, too long, or with characters the ECU cannot hold.
    """
    if not isinstance(text, str):
        raise UsageError(f"{name}: it is a text; {type(text).__name__} was given.")
    try:
        data = text.encode(codec_of(encoding, datatype, order) or "latin-1")
    except (UnicodeEncodeError, LookupError):
        raise UsageError(
            f"{name}: the text has characters the ECU cannot hold.", hint="Use ASCII characters."
        ) from None
    if len(data) > size_bytes:
        raise UsageError(
            f"{name}: the text needs {len(data)} bytes, there is room for {size_bytes}.",
            hint="Shorten it.",
        )
    return data.ljust(size_bytes, b"\0")
