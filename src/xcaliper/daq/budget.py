"""The work that a plan may take, counted in steps: the same on every machine."""

from __future__ import annotations

from typing import Final

__all__ = ["MAX_STEPS", "Budget"]

#: Steps of one plan; a step is a look at one ODT, one region or one class of sizes. About a second.
MAX_STEPS: Final = 1_000_000


class Budget:
    """Counts steps; when they are spent, the planner takes the first way that fits.

    Nothing stops at the limit: what is left to do goes on in time that grows with the signals, but no
    longer looks for fewer ODTs.

    Args:
        steps: until it is spent.

    Attributes:
        used: steps so far, those behind the limit as well.
    """

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self._steps = steps
        self.used = 0

    @property
    def left(self) -> int:
        """Steps until it is spent, 0 from then on."""
        return max(self._steps - self.used, 0)

    @property
    def is_spent(self) -> bool:
        """True when only quick ways may be tried."""
        return self.used >= self._steps

    def charge(self, steps: int) -> None:
        """Count work that was done."""
        self.used += steps
