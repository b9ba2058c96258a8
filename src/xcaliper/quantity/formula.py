"""ASAP2 expressions to checked callables over numpy arrays; never ``eval`` (ASAP2, FORMULA)."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from xcaliper.a2l.formula_text import FORMULA_TOKEN
from xcaliper.core.errors import UsageError

__all__ = ["FUNCTIONS", "Formula", "Step", "compile_formula", "run_steps"]

Array = NDArray[Any]
Step = tuple[Callable[..., Any] | None, int, Any]
"""Function and number of its arguments; without function, a constant, or an input by its index."""

MAX_TOKENS: Final = 20_000
MAX_DEPTH: Final = 60


def _ints(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let an operation on integers take floats that hold whole numbers."""
    return lambda *args: function(*(np.trunc(a).astype(np.int64) for a in args)).astype(float)


def _truth(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: np.asarray(function(*args)).astype(float)


FUNCTIONS: Final[Mapping[str, tuple[int, Callable[..., Any]]]] = {
    "abs": (1, np.abs),
    "acos": (1, np.arccos),
    "arccos": (1, np.arccos),
    "asin": (1, np.arcsin),
    "arcsin": (1, np.arcsin),
    "atan": (1, np.arctan),
    "arctan": (1, np.arctan),
    "cos": (1, np.cos),
    "cosh": (1, np.cosh),
    "exp": (1, np.exp),
    "log": (1, np.log),
    "ln": (1, np.log),
    "log10": (1, np.log10),
    "pow": (2, np.power),
    "sin": (1, np.sin),
    "sinh": (1, np.sinh),
    "sqrt": (1, np.sqrt),
    "tan": (1, np.tan),
    "tanh": (1, np.tanh),
}
_ARITHMETIC: Final[dict[str, tuple[int, Callable[..., Any]]]] = {
    "==": (6, _truth(np.equal)),
    "=": (6, _truth(np.equal)),
    "!=": (6, _truth(np.not_equal)),
    "<>": (6, _truth(np.not_equal)),
    "<": (7, _truth(np.less)),
    ">": (7, _truth(np.greater)),
    "<=": (7, _truth(np.less_equal)),
    ">=": (7, _truth(np.greater_equal)),
    "<<": (8, _ints(np.left_shift)),
    ">>": (8, _ints(np.right_shift)),
    "+": (9, np.add),
    "-": (9, np.subtract),
    "*": (10, np.multiply),
    "/": (10, np.true_divide),
    "%": (10, np.fmod),
}
_NEW: Final[dict[str, tuple[int, Callable[..., Any]]]] = {
    **_ARITHMETIC,
    "||": (1, _truth(np.logical_or)),
    "&&": (2, _truth(np.logical_and)),
    "|": (3, _ints(np.bitwise_or)),
    "^": (4, _ints(np.bitwise_xor)),
    "&": (5, _ints(np.bitwise_and)),
}
_OLD: Final[dict[str, tuple[int, Callable[..., Any]]]] = {
    **_ARITHMETIC,
    "||": (1, _truth(np.logical_or)),
    "|": (1, _truth(np.logical_or)),
    "XOR": (2, _truth(np.logical_xor)),
    "&&": (3, _truth(np.logical_and)),
    "&": (3, _truth(np.logical_and)),
    "^": (12, np.power),
}
_UNARY_LEVEL: Final = 11


@dataclass(frozen=True, slots=True)
class Formula:
    """A compiled expression.

    Attributes:
        text: the expression.
        inputs: number of the highest input used; X2 gives 2.
    """

    text: str
    inputs: int
    _steps: tuple[Step, ...]

    def __call__(self, *inputs: Any) -> Array:
        """Value for arrays of equal shape, or scalars; not-a-number where it has none.

        Raises:
            UsageError: fewer inputs than the expression names.
        """
        if len(inputs) < self.inputs:
            raise UsageError(
                f"formula {self.text!r}: it needs {self.inputs} inputs, {len(inputs)} were given.",
                hint="Give one value per input, in order.",
            )
        arrays = tuple(np.asarray(x, dtype=float) for x in inputs)
        with np.errstate(all="ignore"):
            return np.asarray(run_steps(self._steps, arrays), dtype=float)


def run_steps(steps: Iterable[Step], arrays: Sequence[Any]) -> Any:
    """What steps in postfix order leave: each takes its arguments from a stack.

    Args:
        steps: functions with the number of their arguments, constants, inputs from 1.
        arrays: the inputs.
    """
    stack: list[Any] = []
    for function, count, value in steps:
        if function is None:
            stack.append(arrays[count - 1] if count else value)
        else:
            arguments = stack[-count:]
            del stack[-count:]
            stack.append(function(*arguments))
    return stack[-1]


def compile_formula(
    text: str, *, version: str = "1.71", constants: Mapping[str, str] | None = None
) -> Formula:
    """A callable for an expression.

    Args:
        text: the expression; inputs are X (or X1), X2, …
        version: version of ASAP2; before 1.60 ``^`` is power and ``& | ~`` are logical.
        constants: SYSTEM_CONSTANT values for ``sysc(NAME)``.

    Raises:
        UsageError: the expression cannot be read.
    """
    parts = re.findall(r"\d{1,6}", version)[:2]
    old = bool(parts) and (int(parts[0]), int((parts[1] if parts[1:] else "0").ljust(2, "0"))) < (
        1,
        60,
    )
    compiler = _Compiler(text, _OLD if old else _NEW, constants or {}, logical_not=old)
    compiler.all()
    return Formula(text, compiler.inputs, tuple(compiler.steps))


class _Compiler:
    """Precedence climbing over the tokens of one expression."""

    def __init__(
        self,
        text: str,
        operators: Mapping[str, tuple[int, Callable[..., Any]]],
        constants: Mapping[str, str],
        *,
        logical_not: bool,
    ) -> None:
        self.text = text
        self.operators = operators
        self.constants = constants
        self.logical_not = logical_not
        self.inputs = 0
        self.at = 0
        self.depth = 0
        self.steps: list[Step] = []
        self.tokens: list[str] = []
        place = 0
        stripped = text.rstrip()
        while place < len(stripped):
            match = FORMULA_TOKEN.match(stripped, place)
            if match is None or len(self.tokens) >= MAX_TOKENS:
                raise self.error(f"cannot be read from {stripped[place : place + 20]!r} on")
            self.tokens.append(match[match.lastgroup or 0])
            place = match.end()

    def error(self, what: str) -> UsageError:
        return UsageError(f"formula {self.text[:120]!r}: it {what}.", hint="Correct the formula.")

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        found = self.peek()
        if not found or (expected and found != expected):
            raise self.error(f"lacks {expected!r}" if expected else "ends too early")
        self.at += 1
        return found

    def all(self) -> None:
        """Append the steps of the whole expression."""
        self.binary(0)
        if self.peek():
            raise self.error(f"has {self.peek()!r} too much")

    def binary(self, level: int) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error("is nested too deeply")
        self.unary()
        while True:
            operator = self.operators.get(self.peek()) or self.operators.get(self.peek().upper())
            if operator is None or operator[0] < level:
                self.depth -= 1
                return
            self.at += 1
            # powers group from the right, everything else from the left
            self.binary(operator[0] if operator[0] > _UNARY_LEVEL else operator[0] + 1)
            self.steps.append((operator[1], 2, None))

    def unary(self) -> None:
        sign = self.peek()
        if sign not in ("+", "-", "!", "~"):
            self.primary()
            return
        self.take()
        self.binary(_UNARY_LEVEL)
        if sign == "-":
            self.steps.append((np.negative, 1, None))
        elif sign == "!" or (sign == "~" and self.logical_not):
            self.steps.append((_truth(np.logical_not), 1, None))
        elif sign == "~":
            self.steps.append((_ints(np.invert), 1, None))

    def primary(self) -> None:
        word = self.take()
        if word == "(":
            self.binary(0)
            self.take(")")
        elif word[0].isdigit() or word[0] == ".":
            self.constant(float(int(word, 16)) if word[:2] in ("0x", "0X") else float(word))
        elif self.peek() == "(":
            self.call(word)
        else:
            self.input(word)

    def constant(self, value: float) -> None:
        self.steps.append((None, 0, np.asarray(value)))

    def input(self, word: str) -> None:
        number = re.fullmatch(r"[xX](\d{0,4})", word)
        if number is None:
            raise self.error(f"names {word!r}, which is no input")
        which = int(number[1] or 1)
        if which == 0:
            raise self.error("names X0; inputs start at X1")
        self.inputs = max(self.inputs, which)
        self.steps.append((None, which, None))

    def call(self, name: str) -> None:
        self.take("(")
        if name.lower() == "sysc":
            self.system_constant(self.take())
            self.take(")")
            return
        function = FUNCTIONS.get(name.lower())
        if function is None:
            raise self.error(f"calls {name!r}, which is no function")
        self.binary(0)
        count = 1
        while self.peek() == ",":
            self.take()
            self.binary(0)
            count += 1
        self.take(")")
        if count != function[0]:
            raise self.error(f"calls {name} with {count} arguments")
        self.steps.append((function[1], count, None))

    def system_constant(self, name: str) -> None:
        value = self.constants.get(name, "").strip()
        try:
            hexadecimal = value[:2] in ("0x", "0X")
            self.constant(float(int(value, 16)) if hexadecimal else float(value))
        except (ValueError, OverflowError):
            raise self.error(f"uses sysc({name}), which is no known number") from None
