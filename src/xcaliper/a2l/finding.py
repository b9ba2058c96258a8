"""One finding about an object, its severity from the table of rules."""

from xcaliper.a2l.grammar import Keyword
from xcaliper.a2l.rules import RULES
from xcaliper.core.diagnostics import Diagnostic

__all__ = ["finding"]


def finding(slug: str, made: Keyword, text: str, hint: str, *, subject: str = "") -> Diagnostic:
    """A finding about an object.

    Args:
        slug: the rule.
        made: the object; its keyword and name head the message.
        text: what is wrong.
        hint: what to do.
        subject: name to report it under; the object's own when empty.
    """
    name = str(getattr(made, "name", ""))
    head = f"{made.KEYWORD} {name}".rstrip()
    severity = RULES[slug].severity
    return Diagnostic(severity, slug, made.where, f"{head}: {text}", hint, subject or name)
