"""What the ``cal`` verbs work on: a slave behind a URL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from xcaliper.cli.key_options import KeyOptions
from xcaliper.cli.opening import open_ecu
from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from xcaliper.client.connection import Connection as Target

__all__ = ["Target", "TargetOptions", "TargetOptionsOfVerb", "open_target"]


@dataclass(frozen=True, slots=True)
class TargetOptions(KeyOptions):
    """How a target is opened.

    Attributes:
        a2l: description to use; without it a slave is asked for its own.
        timeout: seconds to wait for an answer of a slave.
    """

    a2l: Path | None = None
    timeout: float = 2.0


TargetOptionsOfVerb = Annotated[TargetOptions | None, Parameter(name="*")]


def open_target(target: str, options: TargetOptions | None = None) -> Target:
    """What a verb works on, ready for use; a context manager that ends it.

    Args:
        target: URL of a slave.
        options: how to open it.

    Raises:
        UsageError: it is none.
        XcaliperError: it cannot be opened.
    """
    options = options or TargetOptions()
    if "://" not in target:
        raise UsageError(f"{target}: it is no URL.", hint="As udp://127.0.0.1:5555.")
    return open_ecu(target, options.a2l, timeout=options.timeout, keys=options)
