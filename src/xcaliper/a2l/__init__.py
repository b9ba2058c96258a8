"""ASAP2 descriptions: text to typed tree and back, with findings instead of failures.

``parse`` and ``write`` are the two ends; the keyword classes live in ``xcaliper.a2l.keywords``.
"""

from xcaliper.a2l.parse import A2lFile, SourceText, open_a2l, parse
from xcaliper.a2l.tokens import decode_text
from xcaliper.a2l.write import write

__all__ = ["A2lFile", "SourceText", "decode_text", "open_a2l", "parse", "write"]
