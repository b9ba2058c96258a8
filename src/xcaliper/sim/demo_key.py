"""The seed and key of the virtual ECUs: no secret, but all that real ones have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.xcp.slave_security import SecuritySettings

if TYPE_CHECKING:
    from xcaliper.xcp.codes import Resource

__all__ = ["DEMO_LIBRARY", "demo_key", "demo_security"]

#: Name of the library that the A2L of a protected virtual ECU names; nobody has built it for you.
DEMO_LIBRARY: Final = "demo_key.dll"
_MASK: Final = 0x5A


def demo_key(resource: Resource, seed: bytes) -> bytes:
    """The seed backwards, each byte exclusive-or 0x5A plus the resource's bit, modulo 256."""
    return bytes(((byte ^ _MASK) + resource) & 0xFF for byte in reversed(seed))


def demo_security(protected: Resource) -> SecuritySettings:
    """Settings of a slave that protects resources with :func:`demo_key`."""
    return SecuritySettings(protected=protected, key=demo_key, library=DEMO_LIBRARY)
