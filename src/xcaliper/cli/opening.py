"""How the verbs connect: with keys, and with a word when the slave keeps them waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcaliper.cli.key_options import keys_of

if TYPE_CHECKING:
    from pathlib import Path

    from xcaliper.cli.key_options import KeyOptions
    from xcaliper.client.connection import Connection
    from xcaliper.proto.exchange import Waiting

__all__ = ["open_ecu"]


def open_ecu(
    url: str,
    a2l: Path | None = None,
    *,
    timeout: float | None = None,
    keys: KeyOptions | None = None,
) -> Connection:
    """A connection as the options of a verb want it."""
    from xcaliper import connect

    return connect(url, a2l=a2l, timeout_s=timeout, keys=keys_of(keys), on_wait=_say)


def _say(waiting: Waiting) -> None:
    """On standard error, once a second: it is short, and it tells when to stop waiting."""
    from xcaliper.cli.shell import errors

    errors().print(f"note: {waiting}.", markup=False, soft_wrap=True)
