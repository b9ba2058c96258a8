"""One ECU for each concept of calibration, all with the same program: only the memory differs."""

from xcaliper.sim.gallery.concepts.ecus import CONCEPTS, ConceptEcu, with_sectors
from xcaliper.sim.gallery.concepts.program import ConceptProgram

__all__ = ["CONCEPTS", "ConceptEcu", "ConceptProgram", "with_sectors"]
