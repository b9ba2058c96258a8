"""Signals that are computed from measured ones, while they come."""

from __future__ import annotations

__all__: list[str] = []
