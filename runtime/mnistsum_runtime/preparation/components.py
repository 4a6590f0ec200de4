"""Connected parts of a mask, found by their runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    """[height, width]."""
    Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Components:
    """The 8-connected components of a mask. Every array but the runs' has an entry for each component."""

    shape: tuple[int, int]
    """Height and width of the mask."""
    run_rows: Indices
    run_starts: Indices
    run_ends: Indices
    """Every run of true pixels along a row: its row, its first column, the column after its last."""
    run_labels: Indices
    """Which component each run belongs to, from 0."""
    area: Indices
    """Pixels."""
    top: Indices
    bottom: Indices
    left: Indices
    right: Indices
    """The box of each component, the ends exclusive."""

    def __len__(self) -> int:
        """How many components."""
        return len(self.area)

    def mask_of(self, chosen: Mask) -> Mask:
        """The pixels of the components that are true in `chosen`."""
        height, width = self.shape
        keep = chosen[self.run_labels]
        # +1 where a run begins, -1 after its end, summed along the rows.
        steps = np.zeros(height * (width + 1), np.int8)
        steps[self.run_rows[keep] * (width + 1) + self.run_starts[keep]] = 1
        steps[self.run_rows[keep] * (width + 1) + self.run_ends[keep]] = -1
        filled = np.cumsum(steps, dtype=np.int8).view(np.bool_).reshape(height, width + 1)
        return filled[:, :width]

    def border_contact(self) -> Indices:
        """How many of each component's pixels lie on the picture's border."""
        height, width = self.shape
        count = len(self)
        lengths = self.run_ends - self.run_starts
        outer = (self.run_rows == 0) | (self.run_rows == height - 1)
        contact = np.bincount(self.run_labels, np.where(outer, lengths, 0), count)
        sides = (self.run_starts == 0).astype(np.int64) + (self.run_ends == width)
        sides = np.minimum(sides, lengths)  # in a picture one pixel wide, one pixel lies on both
        contact += np.bincount(self.run_labels, np.where(outer, 0, sides), count)
        return contact.astype(np.int64)


def label(mask: Mask) -> Components:
    """Find the 8-connected components of a mask.

    Runs of neighbouring rows that touch are joined; labels then travel to the smallest of their component by pointer
    jumping, a few rounds for any picture. (L. He, Y. Chao, K. Suzuki: A run-based two-scan labeling algorithm, IEEE
    Trans. Image Processing 17, 2008.)
    """
    height, width = mask.shape
    padded = np.zeros((height, width + 2), np.int8)
    padded[:, 1:-1] = mask
    changes = np.flatnonzero(padded.ravel()[1:] != padded.ravel()[:-1])
    starts, ends = changes[::2], changes[1::2]
    rows = starts // (width + 2)
    offset = rows * (width + 2)
    first, last = starts - offset, ends - offset
    count = len(rows)
    # A run of the row above touches when it does not end before this one begins, nor begin after this one has ended:
    # corners count.
    above = starts - (width + 2)
    low = np.searchsorted(ends, above, side="left")
    high = np.searchsorted(starts, ends - (width + 2), side="right")
    touching = np.maximum(high - low, 0)
    own = np.repeat(np.arange(count), touching)
    shift = np.arange(len(own)) - np.repeat(np.cumsum(touching) - touching, touching)
    other = np.repeat(low, touching) + shift
    roots = _join(count, own, other)
    unique, labels = np.unique(roots, return_inverse=True)
    number = len(unique)
    lengths = last - first
    top, left = np.full(number, height), np.full(number, width)
    bottom, right = np.zeros(number, np.int64), np.zeros(number, np.int64)
    np.minimum.at(top, labels, rows)
    np.maximum.at(bottom, labels, rows + 1)
    np.minimum.at(left, labels, first)
    np.maximum.at(right, labels, last)
    area = np.bincount(labels, lengths, number).astype(np.int64)
    return Components((height, width), rows, first, last, labels, area, top, bottom, left, right)


def choose_parts(parts: Components, strength: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which parts are the digit, and which are specks.

    The digit is the part of most evidence, and what lies near it and is neither much smaller nor along the border: the
    floating bar of a 5, the pieces of a faint stroke. Of a digit that is free of the border, no part touches it.
    """
    main = int(strength.argmax())
    longest = np.maximum(parts.bottom - parts.top, parts.right - parts.left)
    size = longest[main]
    down = np.maximum(parts.top - parts.bottom[main], parts.top[main] - parts.bottom).clip(0, None)
    across = np.maximum(parts.left - parts.right[main], parts.left[main] - parts.right).clip(0, None)
    near = np.hypot(down, across) < 0.4 * size
    specks = (longest < 0.15 * size) | (parts.area < 0.02 * parts.area[main])
    contact = parts.border_contact()
    kept_out = contact > 0 if contact[main] == 0 else 2 * contact >= longest
    chosen = near & ~specks & ~kept_out & (strength > 0.02 * strength[main])
    chosen[main] = True
    return chosen, specks


def _join(count: int, one: Indices, other: Indices) -> Indices:
    """The smallest member of each one's component, where the pairs (one[i], other[i]) are joined."""
    roots = np.arange(count)
    while len(one):
        a, b = roots[one], roots[other]
        apart = a != b
        if not apart.any():
            break
        one, other, a, b = one[apart], other[apart], a[apart], b[apart]
        np.minimum.at(roots, np.maximum(a, b), np.minimum(a, b))
        while True:
            jumped = roots[roots]
            if np.array_equal(jumped, roots):
                break
            roots = jumped
    return roots
