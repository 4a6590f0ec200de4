"""What is done after the last epoch takes seconds too: each stage has a name, and somebody may watch it go on."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Watch(Protocol):
    """Hands on the items of a stage one by one, and sees so how far it is."""

    def __call__(self, items: Sequence[T], /) -> Iterable[T]:
        """The same items in the same order."""
        ...


OnStage = Callable[[str], Watch]
"""Called with the name of each stage."""


def unwatched(items: Sequence[T], /) -> Iterable[T]:
    """Nobody looks."""
    return items
