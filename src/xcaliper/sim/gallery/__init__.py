"""Ready virtual ECUs, by name."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from xcaliper.core.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from xcaliper.sim.ecu import MemoryMaker, Model, VirtualEcu
    from xcaliper.sim.extensions import ExtensionMap
    from xcaliper.sim.faults import Faults
    from xcaliper.sim.gallery.concepts import ConceptEcu
    from xcaliper.sim.memory import EcuMemory
    from xcaliper.xcp.slave_config import SlaveConfig

__all__ = ["CONCEPT_NAMES", "NAMES", "build_ecu", "meaning"]

#: ECUs that differ in how parameters are made adjustable.
CONCEPT_NAMES = (
    "flash-parameters",
    "eeprom",
    "ram-parameters",
    "two-ram-pages",
    "flash-overlay",
    "dynamic-overlay",
    "autosar-single-pointer",
    "double-pointer",
    "pointer-table-in-flash",
)
#: Names of the ECUs, as the shell knows them.
NAMES = ("demo-engine", "many-signals", *CONCEPT_NAMES)


def meaning(name: str) -> str:
    """What an ECU of the gallery is, in one line."""
    if name == "demo-engine":
        return "A four-cylinder gasoline engine with its controller"
    if name == "many-signals":
        return "As many signals as wanted on one event"
    from xcaliper.core.datatypes import ByteOrder
    from xcaliper.sim.gallery.concepts import CONCEPTS

    return CONCEPTS[name](ByteOrder.INTEL, 1).declaration.text


def build_ecu(  # noqa: PLR0913  # each one is a choice of its own
    name: str,
    settings: SlaveConfig | None = None,
    *,
    seed: int = 1,
    signals: int = 10_000,
    rate_hz: float = 1000,
    faults: Faults | None = None,
    nvm: Path | None = None,
    extensions: ExtensionMap | None = None,
    on_problem: Callable[[str], object] = lambda _text: None,
) -> VirtualEcu:
    """A fresh ECU of the gallery.

    Args:
        name: one of :data:`NAMES`.
        settings: of its slave; the memory follows its byte order.
        seed: of the model's noise.
        signals: how many ``many-signals`` has.
        rate_hz: of the event of ``many-signals``.
        faults: what goes wrong on purpose.
        nvm: file that keeps what SET_REQUEST stored; None = it lasts as long as the ECU.
        extensions: which memory has which address extension; None = all have 0.
        on_problem: told when that file cannot be read or written.

    Raises:
        NotFoundError: there is no such ECU.
    """
    if name not in NAMES:
        raise NotFoundError(name, kind="virtual ECU", nearest=NAMES)
    from xcaliper.core.datatypes import ByteOrder
    from xcaliper.sim.ecu import VirtualEcu
    from xcaliper.sim.extensions import check_extensions
    from xcaliper.sim.memory import EcuMemory

    order = settings.byte_order if settings else ByteOrder.INTEL
    make: Callable[[EcuMemory], Model]
    memory: MemoryMaker = EcuMemory
    concept: ConceptEcu | None = None
    if extensions is not None and settings is not None:
        check_extensions(settings.quirks)
    if name in CONCEPT_NAMES:
        from xcaliper.sim.gallery.concepts import CONCEPTS, ConceptProgram, with_sectors

        concept = CONCEPTS[name](order, settings.ag if settings else 1)
        if extensions is not None:
            concept = replace(concept, declaration=extensions.applied(concept.declaration))
        declaration, make, memory = concept.declaration, ConceptProgram, concept.memory
        settings = with_sectors(settings, concept.sectors)
    elif name == "many-signals":
        from xcaliper.sim.gallery.many_signals import ManySignals, many_signals

        declaration, make = many_signals(signals, rate_hz, byte_order=order), ManySignals
    else:
        from xcaliper.sim.gallery.demo_engine import DemoEngine, demo_engine

        declaration = demo_engine(byte_order=order)

        make = partial(DemoEngine, seed=seed)
    if extensions is not None and name not in CONCEPT_NAMES:
        declaration = extensions.applied(declaration)

    kept = None
    if nvm is not None:
        from xcaliper.sim.nvm import NvmFile

        program = f"{declaration.name} {declaration.epk}"
        kept = NvmFile(nvm, ecu=program, on_problem=on_problem).memory
        if concept is not None:
            concept.keep(kept)
    return VirtualEcu(declaration, make, settings, faults=faults, nonvolatile=kept, memory=memory)
