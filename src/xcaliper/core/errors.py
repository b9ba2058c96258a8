"""Every exception of the project: one tree, stable slugs, messages built from the fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from xcaliper.core.address import Address, AddressRange

__all__ = [
    "A2lError",
    "AccessDeniedError",
    "AccessLockedError",
    "AlgorithmError",
    "BusyError",
    "DaqActiveError",
    "ExchangeTimeoutError",
    "FramingError",
    "GapError",
    "ImageError",
    "IntegrityError",
    "LibraryError",
    "LimitError",
    "LinkError",
    "LocalProtocolError",
    "MdfError",
    "MemoryOverflowError",
    "NegativeResponseError",
    "NotFoundError",
    "OutOfRangeError",
    "ParameterSetError",
    "PlanError",
    "ProtocolError",
    "RemoteProtocolError",
    "ResumeError",
    "SequenceError",
    "SettingsError",
    "SourceError",
    "TransactionError",
    "UnknownCommandError",
    "UnlockError",
    "UsageError",
    "WireError",
    "WriteProtectedError",
    "XcaliperError",
]


class XcaliperError(Exception):
    """Root of the tree.

    Args:
        message: what is wrong, starting with the thing.
        hint: what to do about it; empty when there is nothing to add.

    Attributes:
        slug: stable, machine-readable name of the kind of error.
    """

    slug: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip() if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(
    kind: type[XcaliperError], args: tuple[Any, ...], state: dict[str, Any]
) -> XcaliperError:
    error = kind.__new__(kind)
    Exception.__init__(error, *args)
    error.__dict__.update(state)
    return error


class UsageError(XcaliperError, ValueError):
    """Somebody asked for something impossible."""

    slug = "usage"


class NotFoundError(UsageError, LookupError):
    """A name that does not exist.

    Attributes:
        name: what was asked for.
        nearest: existing names that look alike, best first.
    """

    slug = "not-found"

    def __init__(
        self, name: str, *, kind: str = "name", nearest: tuple[str, ...] = (), hint: str = ""
    ) -> None:
        self.name = name
        self.kind = kind
        self.nearest = nearest
        hint = f"Did you mean {', '.join(nearest)}?" if nearest else hint
        super().__init__(f"{name or repr(name)}: no such {kind}.", hint=hint)


class GapError(UsageError):
    """Memory that an image does not hold.

    Attributes:
        address: what was asked for begins here.
        size_bytes: its length.
        gap: the first run of it that is not there.
        name: the parameter that lies there; empty when only an address was asked for.
    """

    slug = "image-gap"

    def __init__(
        self,
        address: Address,
        size_bytes: int,
        gap: AddressRange,
        *,
        name: str = "",
        hint: str = "",
    ) -> None:
        self.address = address
        self.size_bytes = size_bytes
        self.gap = gap
        self.name = name
        missing = "the image holds none of it"
        if gap.size_bytes < size_bytes:
            missing = f"the image lacks {_bytes(gap.size_bytes)} at {gap.start}"
        super().__init__(
            f"{name or 'memory'} at {address}, {_bytes(size_bytes)}: {missing}.",
            hint=hint,
        )

    def named(self, name: str) -> GapError:
        """The same, said of a parameter."""
        return GapError(self.address, self.size_bytes, self.gap, name=name, hint=self.hint)


def _bytes(count: int) -> str:
    return f"{count} byte" if count == 1 else f"{count} bytes"


_MAX_REASONS: Final = 20
"""Reasons that a message shows."""


class PlanError(UsageError):
    """A plan that does not fit; carries every reason at once.

    Attributes:
        subject: what was planned.
        problems: each reason, one sentence each; the message has the first ones.
        leave_out: every signal that reasons of a measurement say to leave out; they name the first few.
    """

    slug = "plan"

    def __init__(
        self,
        subject: str,
        problems: tuple[str, ...],
        *,
        hint: str = "",
        leave_out: tuple[str, ...] = (),
    ) -> None:
        self.subject = subject
        self.problems = problems
        self.leave_out = leave_out
        more = len(problems) - _MAX_REASONS
        shown = [*problems[:_MAX_REASONS], *([f"and {more} more"] if more > 0 else [])]
        super().__init__(f"{subject}: {'; '.join(shown)}.", hint=hint)


class LimitError(UsageError):
    """A physical value outside its limits; nothing was sent.

    Attributes:
        name: object or element.
        phys: refused value.
        lower: lowest allowed value.
        upper: highest allowed value.
    """

    slug = "limit"

    def __init__(
        self, name: str, *, phys: float, lower: float, upper: float, unit: str = ""
    ) -> None:
        self.name = name
        self.phys = phys
        self.lower = lower
        self.upper = upper
        suffix = f" {unit}" if unit else ""
        super().__init__(
            f"{name}: {phys:.15g}{suffix} is outside {lower:.15g} … {upper:.15g}{suffix}.",
            hint="Nothing was written.",
        )


class SettingsError(UsageError):
    """A setting that cannot be used.

    Attributes:
        key: name of the setting.
        source: where it came from (argument, file, environment).
    """

    slug = "settings"

    def __init__(self, key: str, reason: str, *, source: str = "argument", hint: str = "") -> None:
        self.key = key
        self.source = source
        super().__init__(f"{key} ({source}): {reason}.", hint=hint)


class WireError(XcaliperError, ValueError):
    """Bytes that do not fit a layout.

    Attributes:
        layout: name of the layout.
        need: bytes (or value) needed.
        got: bytes (or value) found.
    """

    slug = "wire"

    def __init__(self, layout: str, *, need: object, got: object, what: str = "length") -> None:
        self.layout = layout
        self.need = need
        self.got = got
        super().__init__(f"{layout}: {what} needs {need}, got {got}.")


class FramingError(WireError):
    """Length, counter, checksum or fill of a transport frame is wrong."""

    slug = "framing"


class ProtocolError(XcaliperError):
    """The rules of the protocol were broken."""

    slug = "protocol"


class LocalProtocolError(ProtocolError):
    """We tried what the state forbids."""

    slug = "local-protocol"


class RemoteProtocolError(ProtocolError):
    """The peer did what the standard forbids."""

    slug = "remote-protocol"


class ExchangeTimeoutError(ProtocolError, TimeoutError):
    """No answer in time, after all allowed attempts.

    Attributes:
        command: standard name of the command.
        timer: timer that ran out, T1 to T7.
        attempts: how often the command was sent.
        elapsed_ns: time since the first attempt.
    """

    slug = "timeout"

    def __init__(
        self, command: str, *, timer: str, attempts: int, elapsed_ns: int, hint: str = ""
    ) -> None:
        self.command = command
        self.timer = timer
        self.attempts = attempts
        self.elapsed_ns = elapsed_ns
        noun = "attempt" if attempts == 1 else "attempts"
        super().__init__(
            f"{command}: no answer in {elapsed_ns / 1e6:.1f} ms ({timer}, {attempts} {noun}).",
            hint=hint,
        )


class NegativeResponseError(ProtocolError):
    """The slave refused a command.

    Attributes:
        command: standard name of the command.
        code: error code of the answer.
        code_name: its standard name, ``ERR_OUT_OF_RANGE``.
        remedy: what usually helps.
        info: bytes behind the error code.
        request: the request object; None when unknown.
    """

    slug = "refused"

    def __init__(
        self,
        command: str,
        *,
        code: int,
        code_name: str,
        meaning: str = "",
        remedy: str = "",
        info: bytes = b"",
        request: object = None,
    ) -> None:
        self.command = command
        self.code = code
        self.code_name = code_name
        self.meaning = meaning
        self.remedy = remedy
        self.info = info
        self.request = request
        detail = f": {meaning}" if meaning else ""
        super().__init__(
            f"{command}: the slave answered {code_name} (0x{code:02X}){detail}.", hint=remedy
        )


class BusyError(NegativeResponseError):
    """The slave cannot do it now; try again later."""

    slug = "refused-busy"


class DaqActiveError(NegativeResponseError):
    """The slave refuses while data acquisition runs."""

    slug = "refused-daq-active"


class UnknownCommandError(NegativeResponseError):
    """The slave does not have the command or sub-command."""

    slug = "refused-unknown-command"


class OutOfRangeError(NegativeResponseError):
    """A parameter is outside what the slave accepts."""

    slug = "refused-out-of-range"


class WriteProtectedError(NegativeResponseError):
    """The memory or page cannot be written."""

    slug = "refused-write-protected"


class AccessDeniedError(NegativeResponseError):
    """The memory cannot be accessed."""

    slug = "refused-access-denied"


class AccessLockedError(NegativeResponseError):
    """The resource is protected by seed and key."""

    slug = "refused-locked"


class MemoryOverflowError(NegativeResponseError):
    """The slave has no memory left, for lists or for copies of parameters."""

    slug = "refused-memory-overflow"


class UnlockError(ProtocolError):
    """The slave refused the key of a resource; the session is over (XCP Base, UNLOCK, 1.0).

    Attributes:
        resource: ``cal``, ``daq``, ``stim``, ``pgm`` or ``dbg``.
    """

    slug = "wrong-key"

    def __init__(self, resource: str) -> None:
        self.resource = resource
        super().__init__(
            f"UNLOCK: the slave refused the key of {resource}; the session is over.",
            hint="Check the key function; connect again. Slaves count wrong keys.",
        )


class SequenceError(NegativeResponseError):
    """The order of commands was wrong."""

    slug = "refused-sequence"


class LinkError(XcaliperError, OSError):
    """Cable, driver or socket failed; keeps its cause."""

    slug = "link"


class AlgorithmError(XcaliperError):
    """A function of the user failed while the ECU used its results; what it raised is the cause."""

    slug = "algorithm"


class LibraryError(XcaliperError):
    """A shared library of keys or checksums did not do its work; this program goes on.

    Attributes:
        path: of the library.
        reason: ``missing``, ``no-library``, ``architecture``, ``load``, ``symbol``, ``crashed``,
            ``exited``, ``time``, ``helper``, ``refused`` or ``answer``.
    """

    slug = "library"

    def __init__(self, path: str, reason: str, text: str, *, hint: str = "") -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {text}.", hint=hint)


class SourceError(XcaliperError):
    """A file is wrong.

    Attributes:
        source: file name or other origin.
        line: 1-based line, 0 when unknown.
        column: 1-based column, 0 when unknown.
    """

    slug = "source"

    def __init__(
        self, message: str, *, source: str = "", line: int = 0, column: int = 0, hint: str = ""
    ) -> None:
        self.source = source
        self.line = line
        self.column = column
        where = source
        if line:
            where = f"{source or '<text>'}:{line}" + (f":{column}" if column else "")
        super().__init__(f"{where}: {message}" if where else message, hint=hint)


class A2lError(SourceError):
    """An ASAP2 description that cannot be used for what was asked."""

    slug = "a2l"


class ImageError(SourceError):
    """A program file (ELF, linker map) that cannot be used for what was asked."""

    slug = "image"


class ParameterSetError(SourceError):
    """A file of parameter values cannot be read."""

    slug = "parameter-set"


class MdfError(SourceError):
    """A recording that cannot be written or read."""

    slug = "mdf"


class IntegrityError(XcaliperError):
    """EPK, checksum or verification mismatch.

    Attributes:
        expected: what should be there.
        actual: what is there.
    """

    slug = "integrity"

    def __init__(self, subject: str, *, expected: object, actual: object, hint: str = "") -> None:
        self.expected = expected
        self.actual = actual
        super().__init__(f"{subject}: expected {expected!r}, found {actual!r}.", hint=hint)


class ResumeError(IntegrityError):
    """The slave runs, or has stored, other DAQ lists than those that were expected."""

    slug = "resume"

    def __init__(self, subject: str, *, expected: object, actual: object, hint: str = "") -> None:
        remedy = hint or "Others were stored since: take their file, or store the measurement anew."
        super().__init__(subject, expected=expected, actual=actual, hint=remedy)


class TransactionError(XcaliperError):
    """Changes that belong together were not all made; what stopped them is the cause.

    Attributes:
        number: of the transaction in the history.
        restored: everything is as it was before.
        written: addresses and lengths of what is in the ECU all the same.
        unknown: addresses and lengths of what may be in the ECU or not, because it did not answer.
    """

    slug = "transaction"

    def __init__(
        self,
        what: str,
        reason: str,
        *,
        number: int = 0,
        restored: bool = False,
        written: tuple[tuple[str, int], ...] = (),
        unknown: tuple[tuple[str, int], ...] = (),
    ) -> None:
        self.number = number
        self.restored = restored
        self.written = written
        self.unknown = unknown
        hint = "Everything is as it was before."
        if unknown:
            hint = "Nobody knows what arrived: reconnect, then settle() looks and can finish or undo it."
        elif not restored:
            hint = f"{len(written)} places could not be put back: settle() can try again."
        super().__init__(f"{what}: {reason}", hint=hint)
