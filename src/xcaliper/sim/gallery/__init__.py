"""Ready virtual ECUs, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcaliper.core.errors import NotFoundError

if TYPE_CHECKING:
    from xcaliper.sim.ecu import VirtualEcu
    from xcaliper.xcp.slave_config import SlaveConfig

__all__ = ["NAMES", "build_ecu"]

#: Names of the ECUs, as the shell knows them.
NAMES = ("demo-engine",)


def build_ecu(name: str, settings: SlaveConfig | None = None, *, seed: int = 1) -> VirtualEcu:
    """A fresh ECU of the gallery.

    Args:
        name: one of :data:`NAMES`.
        settings: of its slave; the memory follows its byte order.
        seed: of the model's noise.

    Raises:
        NotFoundError: there is no such ECU.
    """
    if name not in NAMES:
        raise NotFoundError(name, kind="virtual ECU", nearest=NAMES)
    from xcaliper.core.datatypes import ByteOrder
    from xcaliper.sim.ecu import VirtualEcu
    from xcaliper.sim.gallery.demo_engine import DemoEngine, demo_engine

    order = settings.byte_order if settings else ByteOrder.INTEL
    return VirtualEcu(
        demo_engine(byte_order=order), lambda memory: DemoEngine(memory, seed=seed), settings
    )
