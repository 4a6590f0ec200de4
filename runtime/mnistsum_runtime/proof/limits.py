"""What a model file may hold before onnxruntime is given it: found in its bytes, without the onnx package.

A file from a stranger is a program, and nothing here makes it safe to run. What is refused is what no honest file has,
and what would fill the memory or never end before onnxruntime says a word: tensors kept in other files, tensors
larger than any small device holds, functions that call each other again and again.

Reference: onnx.proto3 of ONNX 1.22 (the numbers of the fields), and the encoding of protocol buffers.
"""

from __future__ import annotations

from math import prod
from struct import unpack_from
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ELEMENTS = 1 << 28
"""Of one tensor whose shape the file fixes: a gigabyte of float32."""
MAX_NODES = 200_000
"""Of the graph, with each function put where it is called: large networks for small devices have some thousands."""
MAX_DEPTH = 50
"""Graphs in graphs, and functions in functions."""

_SHAPE_INPUT = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1, "Resize": 3}
"""Operators that make a tensor of a size that is given as numbers, and which of their inputs gives it."""
_SHAPE_ATTRIBUTE = frozenset((b"RandomNormal", b"RandomUniform"))
_MOST_NUMBERS = 64
"""Of a tensor that gives a shape: no tensor has more axes."""
_LOOPS = frozenset((b"Loop", b"Scan", b"SequenceMap"))
_INT64, _EXTERNAL = 7, 1

Span = tuple[int, int]
"""Where a message lies in the file: its first byte, and the one after its last."""


class Part(NamedTuple):
    """What was found in the graph, or in one function."""

    nodes: int
    """With those of the graphs in it."""
    calls: dict[tuple[bytes, bytes], int]
    """How often each operator is called, by domain and name: some of them may be functions of the file."""


class LimitError(ValueError):
    """The file is over a limit; the message says what was found and what is allowed."""


def check_limits(content: bytes) -> bool:
    """Look through a model file.

    Args:
        content: The file's bytes.

    Returns:
        Whether it has a loop, of which nobody can say beforehand how long it runs.

    Raises:
        LimitError: It holds what is never run here.
        ValueError: It is no protocol buffer.
    """
    return _Reader(content).check()


class _Reader:
    """One pass over the bytes of a file; tensors' data are stepped over."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.numbers: dict[bytes, Span] = {}
        """Small int64 tensors by name: what shapes are given by."""
        self.shapes: list[tuple[str, bytes]] = []
        """Operators that make a tensor of a given size, and the name of the tensor that gives it."""

    def check(self) -> bool:
        """All of `check_limits`."""
        main = Part(0, {})
        functions: dict[tuple[bytes, bytes], Part] = {}
        for number, value in self.fields((0, len(self.content))):
            if number == 7 and isinstance(value, tuple):
                main = _together(main, self.graph(value, 0))
            elif number == 25 and isinstance(value, tuple):
                name, part = self.function(value)
                functions[name] = part
        self.check_given_shapes()
        _count(main, functions)
        return any(operator in _LOOPS for part in (main, *functions.values()) for _, operator in part.calls)

    def fields(self, span: Span) -> Iterator[tuple[int, int | Span]]:
        """Each field of a message: its number, and its value, or where that lies."""
        content, (at, end) = self.content, span
        while at < end:
            key, at = self.varint(at, end)
            kind = key & 7
            if kind == 2:
                length, at = self.varint(at, end)
                if length > end - at:
                    raise ValueError("it is cut off")
                yield key >> 3, (at, at + length)
                at += length
            elif kind == 0:
                value, at = self.varint(at, end)
                yield key >> 3, value
            elif kind in (1, 5):
                at += 8 if kind == 1 else 4
            else:
                raise ValueError("it is no protocol buffer")
        if at != end or end > len(content):
            raise ValueError("it is cut off")

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """The number that begins at a byte, and the place after it."""
        value = shift = 0
        while at < end and shift < 70:
            byte = self.content[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value, at
            shift += 7
        raise ValueError("it is cut off")

    def bytes_of(self, span: int | Span) -> bytes:
        return self.content[slice(*span)] if isinstance(span, tuple) else b""

    def graph(self, span: Span, depth: int) -> Part:
        """A graph: its nodes, its tensors, and the shapes that it states."""
        if depth > MAX_DEPTH:
            raise LimitError(f"graphs within graphs, more than {MAX_DEPTH} deep")
        part = Part(0, {})
        for number, value in self.fields(span):
            if not isinstance(value, tuple):
                continue
            if number == 1:
                part = _together(part, self.node(value, depth))
            elif number == 5:
                self.tensor(value)
            elif number == 15:
                self.sparse(value)
            elif number in (11, 12, 13):
                self.value_info(value)
        return part

    def function(self, span: Span) -> tuple[tuple[bytes, bytes], Part]:
        """A function's domain and name, and what is in it."""
        name = domain = b""
        part = Part(0, {})
        for number, value in self.fields(span):
            if not isinstance(value, tuple):
                continue
            if number == 1:
                name = self.bytes_of(value)
            elif number == 10:
                domain = self.bytes_of(value)
            elif number == 7:
                part = _together(part, self.node(value, 0))
            elif number == 12:
                self.value_info(value)
        return (domain, name), part

    def node(self, span: Span, depth: int) -> Part:
        """A node, with the graphs in its attributes."""
        inputs: list[bytes] = []
        outputs: list[bytes] = []
        attributes: list[Span] = []
        operator = domain = b""
        for number, value in self.fields(span):
            if not isinstance(value, tuple):
                continue
            if number == 1:
                inputs.append(self.bytes_of(value))
            elif number == 2:
                outputs.append(self.bytes_of(value))
            elif number == 4:
                operator = self.bytes_of(value)
            elif number == 5:
                attributes.append(value)
            elif number == 7:
                domain = self.bytes_of(value)
        part = Part(1, {(domain, operator): 1})
        for attribute in attributes:
            part = _together(part, self.attribute(attribute, operator, outputs, depth))
        place = _SHAPE_INPUT.get(operator.decode(errors="replace"))
        if place is not None and place < len(inputs):
            self.shapes.append((operator.decode(), inputs[place]))
        return part

    def attribute(self, span: Span, operator: bytes, outputs: list[bytes], depth: int) -> Part:
        """An attribute: its tensors, its graphs; a Constant's small integers are kept by the name of its output."""
        part = Part(0, {})
        integers: list[int] = []
        for number, value in self.fields(span):
            if number == 8:
                integers += self.integers(value)
            if not isinstance(value, tuple):
                continue
            if number in (5, 10):
                self.tensor(value, outputs[0] if operator == b"Constant" and outputs else None)
            elif number in (6, 11):
                part = _together(part, self.graph(value, depth + 1))
            elif number in (22, 23):
                self.sparse(value)
        if operator in _SHAPE_ATTRIBUTE:
            self.check_shape(operator.decode(), integers)
        return part

    def tensor(self, span: Span, name: bytes | None = None) -> None:
        """A tensor: where its data lie, and how large it is."""
        dims: list[int] = []
        kind = 0
        for number, value in self.fields(span):
            if number == 1:
                dims += self.integers(value)
            elif number == 2 and isinstance(value, int):
                kind = value
            elif number == 8 and name is None:
                name = self.bytes_of(value)
            elif number == 13 or (number == 14 and value == _EXTERNAL):
                raise LimitError("a tensor that is kept in another file: only a model in one file is read")
        self.check_shape("a tensor", dims)
        if kind == _INT64 and name is not None and prod(dims) <= _MOST_NUMBERS:
            self.numbers[name] = span

    def sparse(self, span: Span) -> None:
        """A sparse tensor: its two tensors, and the shape of the whole."""
        dims: list[int] = []
        for number, value in self.fields(span):
            if number in (1, 2) and isinstance(value, tuple):
                self.tensor(value)
            elif number == 3:
                dims += self.integers(value)
        self.check_shape("a sparse tensor", dims)

    def value_info(self, span: Span) -> None:
        """An input, an output or a value between: the shape that the file states."""
        for _, kind in self.nested(span, 2):
            for _, tensor in self.nested(kind, 1):
                for _, shape in self.nested(tensor, 2):
                    dims = [
                        size
                        for _, dim in self.nested(shape, 1)
                        for number, size in self.fields(dim)
                        if number == 1 and isinstance(size, int)
                    ]
                    self.check_shape("a value", dims)

    def nested(self, span: Span, wanted: int) -> Iterator[tuple[int, Span]]:
        """The messages in a message that have one number."""
        for number, value in self.fields(span):
            if number == wanted and isinstance(value, tuple):
                yield number, value

    def integers(self, value: int | Span) -> list[int]:
        """Repeated integers, one a field or many in one."""
        if isinstance(value, int):
            return [_signed(value)]
        found, (at, end) = [], value
        while at < end:
            number, at = self.varint(at, end)
            found.append(_signed(number))
        return found

    def check_given_shapes(self) -> None:
        """The sizes that operators are given as constants."""
        for operator, name in self.shapes:
            if name in self.numbers:
                self.check_shape(operator, self.values(self.numbers[name]))

    def values(self, span: Span) -> list[int]:
        """A small int64 tensor's numbers, which are kept in one of two ways."""
        found: list[int] = []
        for number, value in self.fields(span):
            if number == 7:
                found += self.integers(value)
            elif number == 9 and isinstance(value, tuple):
                at, end = value
                found += unpack_from(f"<{(end - at) // 8}q", self.content, at)
        return found

    def check_shape(self, what: str, dims: list[int]) -> None:
        elements = prod(abs(size) for size in dims if size)
        if elements > MAX_ELEMENTS:
            raise LimitError(f"{what} of {elements:,} elements, at most {MAX_ELEMENTS:,} are run here")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _together(one: Part, other: Part) -> Part:
    calls = one.calls
    for name, count in other.calls.items():
        calls[name] = calls.get(name, 0) + count
    return Part(one.nodes + other.nodes, calls)


def _count(main: Part, functions: dict[tuple[bytes, bytes], Part]) -> None:
    """How many nodes there are once every function stands where it is called."""
    known: dict[tuple[bytes, bytes], int] = {}

    def size(part: Part, depth: int) -> int:
        if depth > MAX_DEPTH:
            raise LimitError(f"functions that call functions, more than {MAX_DEPTH} deep")
        nodes = part.nodes
        for name, count in part.calls.items():
            if name in functions:
                if name not in known:
                    known[name] = size(functions[name], depth + 1)
                nodes += count * known[name]
        if nodes > MAX_NODES:
            raise LimitError(f"more than {MAX_NODES:,} nodes once its functions stand where they are called")
        return nodes

    size(main, 0)
