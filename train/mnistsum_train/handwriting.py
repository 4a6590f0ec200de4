"""How other people write than those of MNIST: strokes that its pictures lack, wide digits, coarse pixels.

MNIST was written in the United States. A network trained on it alone reads a 1 with a long upstroke as a 7, and a 9
with a hooked tail as a 3. What is drawn here is varied by `augmentation` afterwards as every picture is.
"""

import torch
from torch.nn import functional as F

UPSTROKE = 0.5
"""Share of the ones that get an upstroke, as they are written in much of Europe. Their stem is set upright, more or
less: MNIST's ones lean, and upright ones with a long upstroke would be too rare to be told from leaning sevens."""
FOOT = 0.15
"""Share of the ones that get a foot."""
HOOK = 0.2
"""Share of the nines whose tail gets a hook to the left."""
WIDE, NARROW = 0.3, 0.1
"""Share of the pictures that are stretched across, and that are squeezed."""
WIDEST, NARROWEST = 2.0, 0.7
"""Most and least of that: the first only as far as a digit then fits MNIST's box of 20 pixels."""
COARSE = 0.1
"""Share of the pictures that are seen through coarse pixels, of which `FEWEST` to `MOST` make a side."""
FEWEST, MOST = 10, 18
BOX = 20
"""Side of the box into which MNIST's digits fit, in pixels."""

Column = torch.Tensor
"""float [batch, 1, 1]: a value for each picture."""
Point = tuple[Column, Column]
"""Row and column, in pixels."""


def add_strokes(images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Give some ones an upstroke, some a foot, and some nines a hook.

    Args:
        images: float [batch, 1, height, width], 0..1.
        labels: int64 [batch].
        generator: CPU generator; the same numbers are drawn whatever the labels are.

    Returns:
        The same shape and range.
    """
    draw = torch.rand((16, len(images), 1, 1), generator=generator).to(images.device)
    drawn = images[:, 0].clone()
    ones, nines = ((labels == digit).nonzero()[:, 0] for digit in (1, 9))
    drawn[ones] = vary_ones(drawn[ones], draw[:, ones])
    drawn[nines] = vary_nines(drawn[nines], draw[:, nines])
    return drawn[:, None]


def vary_ones(ink: torch.Tensor, draw: torch.Tensor) -> torch.Tensor:
    """Ones (float [batch, height, width]), some with an upstroke, some with a foot; `draw` is [16, batch, 1, 1]."""
    radius = 0.6 + 0.9 * draw[0]
    varied = torch.where(draw[1] < UPSTROKE, upstroke(set_upright(ink, draw[6]), radius, draw[2:6]), ink)
    return torch.where(draw[7] < FOOT, foot(varied, radius, draw[8:11]), varied)


def vary_nines(ink: torch.Tensor, draw: torch.Tensor) -> torch.Tensor:
    """Nines (float [batch, height, width]), some with a hook; `draw` is [16, batch, 1, 1], random numbers 0..1."""
    return torch.where(draw[11] < HOOK, hook(ink, 0.6 + 0.9 * draw[0], draw[12:16]), ink)


def upstroke(ink: torch.Tensor, radius: Column, draw: torch.Tensor) -> torch.Tensor:
    """A 1's upstroke, down to the left from the top of the stem, or from a place in its upper half.

    It falls up to 65 degrees below the horizontal, and at least 22 where the stem is upright; more where the stem
    leans, since a flat stroke on a leaning stem is a 7. It is 4 to 16 pixels long, and bends.

    Args:
        ink: float [batch, height, width].
        radius: Half the stroke's width.
        draw: float [4, batch, 1, 1], random numbers 0..1.
    """
    top, bottom = _rows(ink)
    lower = (draw[2] - 0.7).clamp(min=0) / 0.3 * 0.5  # seven in ten begin at the top
    start = _place_in_row(ink, (top + lower * (bottom - top)).round())
    flattest = 22 + (50 * lean_of(ink)).clamp(0, 18)
    angle, length = torch.deg2rad(flattest + (65 - flattest) * draw[0]), 4 + 12 * draw[1]
    down, left = torch.sin(angle) * length, torch.cos(angle) * length
    end = (start[0] + down).minimum(bottom), start[1] - left
    bend = (draw[3] - 0.4) * 0.5
    middle = (start[0] + end[0]) / 2 + bend * left, (start[1] + end[1]) / 2 + bend * down
    return draw_line(draw_line(ink, start, middle, radius), middle, end, radius)


def lean_of(ink: torch.Tensor) -> Column:
    """How far each stroke's top is to the right of its bottom, as a share of its height."""
    top, bottom = _rows(ink)
    return (_place_in_row(ink, top)[1] - _place_in_row(ink, bottom)[1]) / (bottom - top).clamp(min=1)


def set_upright(ink: torch.Tensor, share: Column) -> torch.Tensor:
    """Shear each picture (float [batch, height, width]) so that its stem leans less, by a share 0..1 of its lean."""
    if not len(ink):
        return ink  # torch samples no empty batch
    matrix = torch.eye(2, 3, device=ink.device).repeat(len(ink), 1, 1)
    matrix[:, 0, 1] = -(lean_of(ink) * share)[:, 0, 0].clamp(-1, 1)
    grid = F.affine_grid(matrix, [len(ink), 1, *ink.shape[1:]], align_corners=False)
    return F.grid_sample(ink[:, None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)[:, 0]


def foot(ink: torch.Tensor, radius: Column, draw: torch.Tensor) -> torch.Tensor:
    """A 1's foot: a bar at the bottom of the stem, 3 to 7 pixels to either side, nearly level."""
    _, bottom = _rows(ink)
    row, column = _place_in_row(ink, bottom)
    tilt, left, right = (draw[0] - 0.5) * 0.3, 3 + 4 * draw[1], 3 + 4 * draw[2]
    return draw_line(ink, (row + tilt * left, column - left), (row - tilt * right, column + right), radius)


def hook(ink: torch.Tensor, radius: Column, draw: torch.Tensor) -> torch.Tensor:
    """A 9's hook: from the end of the tail to the left, 4 to 11 pixels long, at the end turning up."""
    _, bottom = _rows(ink)
    start = _place_in_row(ink, bottom)
    length, fall, rise = 4 + 7 * draw[0], 0.25 * draw[1], 0.8 * draw[2]
    middle = start[0] + fall * length / 2, start[1] - length / 2
    end = middle[0] - rise * length / 2, middle[1] - length / 2
    return draw_line(draw_line(ink, start, middle, radius), middle, end, radius)


def draw_line(ink: torch.Tensor, start: Point, end: Point, radius: Column) -> torch.Tensor:
    """Draw a straight stroke with soft edges and round ends onto each picture: float [batch, height, width]."""
    rows = torch.arange(ink.shape[1], device=ink.device)[None, :, None]
    columns = torch.arange(ink.shape[2], device=ink.device)[None, None, :]
    down, right = end[0] - start[0], end[1] - start[1]
    squared = (down**2 + right**2).clamp(min=1e-6)
    along = (((rows - start[0]) * down + (columns - start[1]) * right) / squared).clamp(0, 1)
    distance = torch.hypot(rows - start[0] - along * down, columns - start[1] - along * right)
    return ink.maximum((radius + 0.5 - distance).clamp(0, 1))


def choose_stretch(images: torch.Tensor, generator: torch.Generator, strength: float = 1.0) -> torch.Tensor:
    """How far each picture is to be stretched across: float [batch], 1 where not at all, less to squeeze it.

    Args:
        images: float [batch, 1, height, width], 0..1.
        generator: CPU generator.
        strength: 0..1; so much of the shares is varied.
    """
    chosen, amount = torch.rand((2, len(images)), generator=generator).to(images.device)
    across = (images[:, 0] > 0.5).any(dim=1)
    width = across.shape[1] - across.int().argmax(1) - across.flip(1).int().argmax(1)
    room = (BOX / width).clamp(1, WIDEST)
    squeezed = torch.full_like(room, NARROWEST)
    most = torch.where(chosen < (WIDE + NARROW) * strength, squeezed, torch.ones_like(room))
    most = torch.where(chosen < WIDE * strength, room, most)
    return torch.pow(most, amount)


def coarsen(images: torch.Tensor, generator: torch.Generator, strength: float = 1.0) -> torch.Tensor:
    """Show some pictures through coarse pixels, which are black or white or nearly.

    Args:
        images: float [batch, 1, 28, 28], 0..1.
        generator: CPU generator.
        strength: 0..1; so much of `COARSE` is shown so.
    """
    count = round(COARSE * strength * len(images))
    side = int(torch.randint(FEWEST, MOST + 1, (), generator=generator))
    order = torch.randperm(len(images), generator=generator)[:count].to(images.device)
    level, gain = torch.rand((2, count, 1, 1, 1), generator=generator).to(images.device)
    small = F.interpolate(images[order], size=(side, side), mode="area")
    threshold = 0.3 + 0.2 * level
    small = ((small - threshold) * (1 + 5 * gain) + threshold).clamp(0, 1)
    return images.index_copy(0, order, F.interpolate(small, size=images.shape[2:], mode="bilinear"))


def _rows(ink: torch.Tensor) -> tuple[Column, Column]:
    """The first and the last row of each picture that has ink."""
    down = (ink > 0.5).any(dim=2).int()
    last = down.shape[1] - 1 - down.flip(1).argmax(dim=1)
    return down.argmax(dim=1)[:, None, None].float(), last[:, None, None].float()


def _place_in_row(ink: torch.Tensor, row: Column) -> Point:
    """The mean column of each picture's ink in a row of its own."""
    columns = torch.arange(ink.shape[2], device=ink.device)[None, None, :]
    rows = torch.arange(ink.shape[1], device=ink.device)[None, :, None]
    there = ((ink > 0.5) & (rows == row)).float()
    count = there.sum(dim=(1, 2), keepdim=True)
    return row, (there * columns).sum(dim=(1, 2), keepdim=True) / count.clamp(min=1)
