"""Expressions over signals: Python's syntax, numpy's meaning, nothing else; never ``eval``.

An expression is checked and compiled once and then evaluated for whole blocks of samples. The
time axis is the first axis of every array and takes no part in shapes: an array signal of shape
(3,) and a scalar one go together as in numpy.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import numpy as np

from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.quantity.expression_functions import (
    BINARY,
    BOOLEAN,
    COMPARISONS,
    CONSTANTS,
    ELEMENTWISE,
    MAX_ELEMENTS,
    REDUCTIONS,
    UNARY,
)
from xcaliper.quantity.formula import Step, run_steps
from xcaliper.quantity.stateful import STATEFUL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["Expression", "Input", "Known", "Running", "as_numbers", "compile_expression"]

MAX_LENGTH: Final = 4096
MAX_DEPTH: Final = 200
MAX_NODES: Final = 2000
MAX_CELLS: Final = 1 << 20
_NAMED: Final = 8
_TIME: Final = "t"
_QUOTED: Final = re.compile(r"`([^`\n]+)`")
_FIRST_MARK: Final = 0x4E00  # letters that Python takes as names and leaves as they are
_MARKS: Final = 20_000

Kind = Literal["phys", "raw", "text", "time"]


@dataclass(frozen=True, slots=True)
class Known:
    """A signal that expressions may name.

    Attributes:
        dtype: of its physical values; texts are compared, their numbers are computed with.
        raw_dtype: of its ECU values.
        shape: of one sample, () for scalars.
        has_texts: its values have texts.
    """

    dtype: np.dtype[Any]
    raw_dtype: np.dtype[Any]
    shape: tuple[int, ...] = ()
    has_texts: bool = False


@dataclass(frozen=True, slots=True)
class Input:
    """What an expression needs of a signal.

    Attributes:
        name: the signal; empty for the time.
        kind: ``phys``, ``raw``, ``text`` or ``time`` (seconds).
    """

    name: str
    kind: Kind = "phys"


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression; ``start`` it to evaluate blocks.

    Attributes:
        text: as written.
        inputs: what it needs, in the order in which values are given.
        dtype: of the result: bool, int64, uint64 or float64.
        shape: of one sample of the result.
    """

    text: str
    inputs: tuple[Input, ...]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    _steps: tuple[Step, ...]
    _memories: tuple[Callable[[], Any] | None, ...]
    _width: int

    @property
    def names(self) -> tuple[str, ...]:
        """Signals that it names, each once."""
        return tuple(dict.fromkeys(item.name for item in self.inputs if item.name))

    def start(self) -> Running:
        """A new evaluation, which remembers nothing."""
        return Running(self)


class Running:
    """One evaluation of an expression, block after block."""

    def __init__(self, expression: Expression) -> None:
        self._expression = expression
        self._t_ns: NDArray[np.int64] = np.empty(0, np.int64)
        self._steps = tuple(
            step if memory is None else (self._timed(memory()), step[1], step[2])
            for step, memory in zip(expression._steps, expression._memories, strict=True)  # noqa: SLF001  # a friend
        )
        self._rows = max(1, MAX_CELLS // expression._width)  # noqa: SLF001  # a friend

    def _timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: function(self._t_ns, *arguments)

    def __call__(self, t_ns: NDArray[np.int64], inputs: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Values of a block, array[n, *shape] of the expression's dtype.

        Args:
            t_ns: int64[n], times of the samples, after those of the block before.
            inputs: per entry of ``Expression.inputs`` array[n, *shape] (``as_numbers`` of its
                kind; texts as objects); what is given for the time is not looked at.
        """
        parts = [
            self._part(t_ns[at : at + self._rows], [x[at : at + self._rows] for x in inputs])
            for at in range(0, max(len(t_ns), 1), self._rows)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _part(self, t_ns: NDArray[np.int64], inputs: list[NDArray[Any]]) -> NDArray[Any]:
        self._t_ns = t_ns
        expression = self._expression
        arrays = [
            t_ns / 1e9 if item.kind == "time" else values
            for item, values in zip(expression.inputs, inputs, strict=True)
        ]
        with np.errstate(all="ignore"):
            result = np.asarray(run_steps(self._steps, arrays))
        whole = np.broadcast_to(_spread(result), (len(t_ns), *expression.shape))
        return whole.astype(expression.dtype, copy=False)


def _spread(values: NDArray[Any]) -> NDArray[Any]:
    return values[None] if values.ndim == 0 else values


def as_numbers(values: NDArray[Any]) -> NDArray[Any]:
    """Values as expressions compute with them: bool, int64, uint64 or float64."""
    kind = values.dtype.kind
    if kind == "b" or values.dtype in (np.int64, np.float64, np.uint64):
        return values
    if kind in "iu":
        return values.astype(np.uint64 if kind == "u" and values.dtype.itemsize == 8 else np.int64)
    return values.astype(np.float64)


def compile_expression(text: str, known: Mapping[str, Known]) -> Expression:
    """Check and compile an expression.

    Names are those of signals, dots and indices included; a name in backticks may hold any
    character. ``t`` is the time in seconds unless a signal has that name.

    Args:
        text: the expression, at most 4096 characters.
        known: signals by name.

    Raises:
        UsageError: it cannot be read or computed; says where and why.
        NotFoundError: no such signal or function; carries the nearest names.
    """
    return _Compiler(text, known).result()


class _Compiler:
    def __init__(self, text: str, known: Mapping[str, Known]) -> None:
        self.text = text.strip()
        self.known = known
        self.inputs: list[Input] = []
        self.steps: list[Step] = []
        self.memories: list[Callable[[], Any] | None] = []
        self.places: list[ast.AST] = []
        self.quoted: dict[str, str] = {}
        self.nodes = 0
        self.source = ""

    def error(self, what: str, node: ast.AST | None = None, hint: str = "") -> UsageError:
        where = f", character {self.column(node) + 1}" if node is not None else ""
        return UsageError(
            f"expression {self.text[:120]!r}{where}: {what}.", hint=hint or "Correct it."
        )

    def column(self, node: ast.AST) -> int:
        octets = self.source.encode()[: getattr(node, "col_offset", 0)]
        return len(octets.decode("utf-8", "ignore"))

    def word(self, node: ast.AST) -> str:
        """The part of the text that a node stands for."""
        end = getattr(node, "end_col_offset", None) or 0
        octets = self.source.encode()[:end]
        return self.text[self.column(node) : len(octets.decode("utf-8", "ignore"))]

    def result(self) -> Expression:
        self.visit(self.parse(), 0)
        result, width = self.try_out()
        return Expression(
            self.text,
            tuple(self.inputs),
            as_numbers(result).dtype,
            result.shape[1:],
            tuple(self.steps),
            tuple(self.memories),
            width,
        )

    def parse(self) -> ast.expr:
        if len(self.text) > MAX_LENGTH:
            raise self.error(f"it has {len(self.text)} characters, at most {MAX_LENGTH} are read")
        if not self.text:
            raise self.error("it is empty")
        plain = "".join(" " if c in "\n\r\f\t" else c for c in self.text)
        self.source = _QUOTED.sub(self.mark, plain)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(self.source, mode="eval")
        except SyntaxError as error:
            at = f", character {error.offset}" if error.offset else ", at its end"
            raise UsageError(
                f"expression {self.text[:120]!r}{at}: {error.msg}.",
                hint="Write it like \"EngineSpeed > 3000 and Gear == 'D'\"; names that are no plain "
                "words stand in backticks.",
            ) from None
        except (ValueError, MemoryError, RecursionError):
            raise self.error("it is nested too deeply or holds what is no text") from None
        return tree.body

    def mark(self, match: re.Match[str]) -> str:
        """A name of equal length in place of one in backticks."""
        name = match[1]
        width = len(name) + 1
        for number in range(len(self.quoted), _MARKS):
            mark = chr(_FIRST_MARK + number) + "_" * width
            if mark not in self.text and mark not in self.quoted:
                self.quoted[mark] = name
                return mark
        raise self.error("it has too many names in backticks")

    def add(
        self,
        node: ast.AST,
        function: Callable[..., Any] | None,
        count: int,
        value: Any = None,
        memory: Callable[[], Any] | None = None,
    ) -> None:
        self.steps.append((function, count, value))
        self.memories.append(memory)
        self.places.append(node)

    def visit(self, node: ast.expr, depth: int) -> None:
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise self.error("it is nested too deeply or too long", node, "Split it.")
        name = self.path(node)
        if name is not None and self.is_input(name, node):
            self.input(Input(name), node)
            return
        visitor = getattr(self, f"on_{type(node).__name__.lower()}", None)
        if visitor is None:
            raise self.error(f"{self.word(node)[:40]!r} is nothing that expressions know", node)
        visitor(node, depth + 1)

    # --- names ---

    def path(self, node: ast.expr) -> str | None:
        """Name that a chain of words, dots and indices spells; ``None`` = no such chain."""
        parts: list[str] = []
        while True:
            match node:
                case ast.Attribute(value, attr):
                    parts.append(f".{self.quoted.get(attr, attr)}")
                    node = value
                case ast.Subscript(value, ast.Constant(value=int() as index)):
                    parts.append(f"[{index}]")
                    node = value
                case ast.Name(id=word):
                    parts.append(self.quoted.get(word, word))
                    return "".join(reversed(parts))
                case _:
                    return None

    def is_input(self, name: str, node: ast.expr) -> bool:
        if name in self.known:
            return True
        if isinstance(node, ast.Subscript):
            return False  # an index into a signal
        if isinstance(node, ast.Name) and (name == _TIME or name in CONSTANTS):
            return False
        raise NotFoundError(
            name,
            kind=f"signal (expression {self.text[:120]!r}, character {self.column(node) + 1})",
            nearest=tuple(get_close_matches(name, self.known, n=3)),
            hint=f"It can name {', '.join(islice(self.known, _NAMED))}"
            f"{' …' if len(self.known) > _NAMED else ''}.",
        )

    def input(self, item: Input, node: ast.AST) -> None:
        if item not in self.inputs:
            self.inputs.append(item)
        self.add(node, None, self.inputs.index(item) + 1)

    def on_name(self, node: ast.Name, _depth: int) -> None:
        if node.id == _TIME:
            self.input(Input("", "time"), node)
        else:
            self.add(node, None, 0, np.float64(CONSTANTS[node.id]))

    # --- values ---

    def on_constant(self, node: ast.Constant, _depth: int) -> None:
        value = node.value
        if isinstance(value, str):
            raise self.error("a text can only be compared with a signal by == or !=", node)
        try:
            if isinstance(value, (bool, float)):
                constant: Any = np.asarray(value)
            elif isinstance(value, int):
                constant = np.asarray(value, np.int64 if value < 1 << 63 else np.uint64)
            else:
                raise self.error(f"{self.word(node)[:40]!r} is no number", node)
        except OverflowError:
            raise self.error("a whole number of more than 64 bits", node) from None
        self.add(node, None, 0, constant)

    def on_binop(self, node: ast.BinOp, depth: int) -> None:
        function = BINARY.get(type(node.op))
        if function is None:
            raise self.error("an operator that expressions do not know", node)
        self.visit(node.left, depth)
        self.visit(node.right, depth)
        self.add(node, function, 2)

    def on_unaryop(self, node: ast.UnaryOp, depth: int) -> None:
        self.visit(node.operand, depth)
        self.add(node, UNARY[type(node.op)], 1)

    def on_boolop(self, node: ast.BoolOp, depth: int) -> None:
        for number, value in enumerate(node.values):
            self.visit(value, depth)
            if number:
                self.add(node, BOOLEAN[type(node.op)], 2)

    def on_ifexp(self, node: ast.IfExp, depth: int) -> None:
        for part in (node.test, node.body, node.orelse):
            self.visit(part, depth)
        self.add(node, ELEMENTWISE["where"][2], 3)

    def on_compare(self, node: ast.Compare, depth: int) -> None:
        left = node.left
        for number, (op, right) in enumerate(zip(node.ops, node.comparators, strict=True)):
            function = COMPARISONS.get(type(op))
            if function is None:
                raise self.error("a comparison that expressions do not know", node)
            if not self.texts(left, right, op):
                self.visit(left, depth)
                self.visit(right, depth)
            self.add(node, function, 2)
            if number:
                self.add(node, BOOLEAN[ast.And], 2)
            left = right

    def texts(self, left: ast.expr, right: ast.expr, op: ast.cmpop) -> bool:
        """Compile a comparison of a signal with a text; False = it is none."""
        for signal, other in ((left, right), (right, left)):
            if not (isinstance(other, ast.Constant) and isinstance(other.value, str)):
                continue
            name = self.path(signal)
            if name is None or name not in self.known or not isinstance(op, (ast.Eq, ast.NotEq)):
                raise self.error("a text can only be compared with a signal by == or !=", other)
            if not self.known[name].has_texts:
                raise self.error(f"{name} has no texts", other, "Compare it with a number.")
            self.input(Input(name, "text"), signal)
            self.add(other, None, 0, np.asarray(other.value, dtype=object))
            return True
        return False

    def on_subscript(self, node: ast.Subscript, depth: int) -> None:
        self.visit(node.value, depth)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        index = (slice(None), *(self.index(part) for part in parts))
        self.add(node, lambda values: values[index], 1)

    def index(self, node: ast.expr) -> int | slice:
        if isinstance(node, ast.Slice):
            ends = (node.lower, node.upper, node.step)
            return slice(*(None if end is None else self.whole(end) for end in ends))
        return self.whole(node)

    def whole(self, node: ast.expr) -> int:
        sign = 1
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            sign, node = -1, node.operand
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value < 1 << 31:
            return sign * node.value
        raise self.error("an index must be a whole number", node)

    # --- calls ---

    def on_call(self, node: ast.Call, depth: int) -> None:
        if not isinstance(node.func, ast.Name):
            raise self.error("only the functions of expressions can be called", node)
        name = node.func.id
        if node.keywords or any(isinstance(arg, ast.Starred) for arg in node.args):
            raise self.error(f"{name}() takes plain arguments only", node)
        count = len(node.args)
        if name == "raw":
            self.raw(node)
            return
        if name in REDUCTIONS and count == 1:
            self.visit(node.args[0], depth)
            self.add(node, REDUCTIONS[name], 1)
            return
        least, most = self.arity(name, node)
        if not least <= count <= most:
            span = str(least) if least == most else f"{least} to {most}"
            raise self.error(f"{name}() takes {span} arguments, {count} are given", node)
        for argument in node.args:
            self.visit(argument, depth)
        if name in STATEFUL:
            self.add(node, None, count, memory=STATEFUL[name][2])
        else:
            self.add(node, ELEMENTWISE[name][2], count)

    def arity(self, name: str, node: ast.Call) -> tuple[int, int]:
        found = STATEFUL.get(name) or ELEMENTWISE.get(name)
        if found is None:
            every = [*STATEFUL, *ELEMENTWISE, *REDUCTIONS, "raw"]
            raise NotFoundError(
                name,
                kind=f"function (expression {self.text[:120]!r}, character "
                f"{self.column(node) + 1})",
                nearest=tuple(get_close_matches(name, every, n=3)),
            )
        return found[0], found[1]

    def raw(self, node: ast.Call) -> None:
        name = self.path(node.args[0]) if len(node.args) == 1 else None
        if name is None:
            raise self.error("raw() takes the name of a signal", node)
        if self.is_input(name, node.args[0]):
            self.input(Input(name, "raw"), node)
        else:
            raise self.error(f"raw() takes the name of a signal, {name!r} is none", node)

    # --- types ---

    def prototype(self, item: Input) -> NDArray[Any]:
        if item.kind == "time":
            return np.zeros(1)
        signal = self.known[item.name]
        if int(np.prod(signal.shape)) > MAX_ELEMENTS:
            raise self.error(
                f"{item.name} has more than {MAX_ELEMENTS} elements", hint="Take a part."
            )
        if item.kind == "text":
            return np.full((1, *signal.shape), "", dtype=object)
        dtype = signal.raw_dtype if item.kind == "raw" else signal.dtype
        if dtype.kind not in "biuf":
            raise self.error(f"{item.name} is no number", hint="Compare it with a text.")
        return as_numbers(np.zeros((1, *signal.shape), dtype))

    def try_out(self) -> tuple[NDArray[Any], int]:
        """The result for one sample of zeros, and the most elements any step had.

        Types and shapes do not depend on values, so nothing else can fail later.
        """
        width = 16
        arrays = [self.prototype(item) for item in self.inputs]
        stack: list[Any] = []
        t_ns = np.zeros(1, np.int64)
        with np.errstate(all="ignore"):
            for step, memory, node in zip(self.steps, self.memories, self.places, strict=True):
                function, count, value = step
                if memory is not None:
                    timed = cast("Callable[..., Any]", memory())
                    function = lambda *a, timed=timed: timed(t_ns, *a)  # noqa: E731
                if function is None:
                    stack.append(arrays[count - 1] if count else value)
                    continue
                arguments = stack[-count:]
                del stack[-count:]
                try:
                    stack.append(function(*arguments))
                    width = max(width, np.size(stack[-1]))
                except (TypeError, ValueError, IndexError) as error:
                    raise self.error(_reason(error), node) from None
        result = np.asarray(stack[-1])
        if result.dtype.kind not in "biuf":
            raise self.error("its value is no number")
        return result, width


def _reason(error: Exception) -> str:
    text = str(error)
    if isinstance(error, TypeError) and "ufunc" in text:
        return "bits need whole numbers; write and, or, not for conditions"
    if "broadcast" in text or "remapping" in text:
        return "shapes that do not fit together"
    if isinstance(error, IndexError):
        return "an index outside of the array"
    return text.rstrip(".")
