"""Linked programs: symbols, sections and bytes of an ELF file, its types, and linker maps."""
