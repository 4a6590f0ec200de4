"""Ten digits as a hand writes them: the paths of a pen, stroke by stroke; and the hand that follows them."""

import math
import random

from playwright.sync_api import Page

Point = tuple[float, float]
Stroke = list[Point]
"""In shares of the paper's side."""

PATHS = {
    0: ["58,20 47,18 37,25 31,38 29,53 32,68 40,79 51,82 61,76 68,63 70,48 68,33 62,23 53,18"],
    1: ["55,17 54,28 52,42 50,56 48,70 47,83"],
    2: ["30,34 33,25 42,18 53,17 63,22 67,32 64,43 56,54 46,65 36,76 29,82 40,80 52,80 64,81 73,80"],
    3: ["32,24 41,18 52,17 62,22 64,32 58,42 47,47 58,49 66,56 68,67 62,77 51,82 39,80 31,74"],
    4: [
        "40,17 37,28 33,40 28,53 38,54 50,53 62,52 74,51",
        "62,21 61,34 60,48 59,62 58,75 57,85",
    ],
    5: [
        "42,19 40,30 37,43 47,40 58,42 66,50 68,61 63,72 53,80 41,81 32,76",
        "42,19 52,19 62,18 70,17",
    ],
    6: ["58,16 48,25 40,37 35,50 33,63 37,75 47,82 58,80 66,72 67,61 60,53 50,53 41,59 36,67"],
    7: ["29,22 40,21 52,20 63,19 71,18 65,30 58,43 52,57 47,70 44,83"],
    8: ["62,25 52,18 42,21 37,30 42,40 52,47 62,56 66,67 61,78 50,83 39,78 35,67 40,56 50,47 60,39 64,30 60,22"],
    9: ["64,30 57,20 46,18 36,25 34,37 41,46 52,46 61,39 65,28 64,41 61,55 58,69 55,84"],
}
"""Points `x,y` in hundredths of the paper's side, from its upper left corner."""
DIGITS: dict[int, list[Stroke]] = {
    digit: [[(int(x) / 100, int(y) / 100) for x, y in (point.split(",") for point in path.split())] for path in paths]
    for digit, paths in PATHS.items()
}


STEPS = 4
"""Places that the pen is seen at from one point to the next."""


def smooth(stroke: Stroke) -> Stroke:
    """The path through all points of a stroke, as a hand's: a Catmull-Rom spline."""
    ends = [stroke[0], *stroke, stroke[-1]]
    path = [stroke[0]]
    for before, start, end, after in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        for step in range(1, STEPS + 1):
            t = step / STEPS
            x = _between(t, before[0], start[0], end[0], after[0])
            path.append((x, _between(t, before[1], start[1], end[1], after[1])))
    return path


def _between(t: float, a: float, b: float, c: float, d: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def in_another_hand(digit: int, seed: int) -> list[Stroke]:
    """The digit's paths turned, slanted, stretched and trembling, at a place of the paper where they have room."""
    hand = random.Random(seed)
    turn, slant, wide = hand.uniform(-0.25, 0.25), hand.uniform(-0.3, 0.3), hand.uniform(0.7, 1.2)
    cos, sin = math.cos(turn), math.sin(turn)
    strokes = []
    for stroke in DIGITS[digit]:
        trembling = [(x + hand.gauss(0, 0.008), y + hand.gauss(0, 0.008)) for x, y in smooth(stroke)]
        slanted = [(wide * (x - 0.5) + slant * (0.5 - y), y - 0.5) for x, y in trembling]
        strokes.append([(cos * x - sin * y, sin * x + cos * y) for x, y in slanted])
    points = [point for stroke in strokes for point in stroke]
    (left, right), (top, bottom) = ((min(axis), max(axis)) for axis in zip(*points, strict=True))
    size = hand.uniform(0.35, 0.85) / max(right - left, bottom - top)
    x, y = (hand.uniform(0.06, 0.94 - size * length) for length in (right - left, bottom - top))
    return [[(x + size * (a - left), y + size * (b - top)) for a, b in stroke] for stroke in strokes]


def on_screen(page: Page, stroke: Stroke, scale: float = 1.0, centre: Point = (0.5, 0.5)) -> Stroke:
    """A stroke's path in the window's pixels."""
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    return [
        (
            box["x"] + box["width"] * (centre[0] + scale * (x - 0.5)),
            box["y"] + box["height"] * (centre[1] + scale * (y - 0.5)),
        )
        for x, y in smooth(stroke)
    ]


def draw(page: Page, digit: int, scale: float = 1.0, centre: Point = (0.5, 0.5)) -> None:
    """Write a digit with the mouse."""
    for stroke in DIGITS[digit]:
        path = on_screen(page, stroke, scale, centre)
        page.mouse.move(*path[0])
        page.mouse.down()
        for x, y in path[1:]:
            page.mouse.move(x, y)
        page.mouse.up()
