"""What the second output computes from the digit and the number: the one place that defines operations.

Training takes its targets from here, the export writes `name` and `classes` into the model file, and the runtime
compares what it finds in a file with them.
"""

from collections.abc import Callable
from functools import cache
from operator import add, mul
from typing import NamedTuple


class Operation(NamedTuple):
    """A function of two digits, learned as a classification over its distinct values."""

    name: str
    """Name on the command line, of the model's second output and of the field in a JSON answer."""
    symbol: str
    """What stands between the operands in a sentence: `7 + 4 = 11`."""
    function: Callable[[int, int], int]
    """The value for (digit, number), both 0..9."""

    @property
    def classes(self) -> tuple[int, ...]:
        """The value of each class of the second output, distinct and ascending."""
        return _values_of(self.function)

    def class_table(self) -> list[list[int]]:
        """10 x 10 class indices: `class_table()[digit][number]` is the training target."""
        index = {value: i for i, value in enumerate(self.classes)}
        return [[index[self.function(digit, number)] for number in range(10)] for digit in range(10)]


@cache
def _values_of(function: Callable[[int, int], int]) -> tuple[int, ...]:
    return tuple(sorted({function(a, b) for a in range(10) for b in range(10)}))


SUM = Operation("sum", "+", add)
PRODUCT = Operation("product", "x", mul)
OPERATIONS = {operation.name: operation for operation in (SUM, PRODUCT)}
