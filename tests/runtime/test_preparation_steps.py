"""Each step of the preparation: what it repairs in a photo, and what it leaves alone."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from mnistsum_runtime import PictureError
from mnistsum_runtime.preparation.boxes import find_boxes, is_rectangle
from mnistsum_runtime.preparation.colour import grey_of_contrast
from mnistsum_runtime.preparation.components import choose_parts, label
from mnistsum_runtime.preparation.ground import NARROW, WIDE, Grounds
from mnistsum_runtime.preparation.ink import find_ink, is_free_of_rest
from mnistsum_runtime.preparation.lines import remove_lines
from mnistsum_runtime.preparation.mnist_form import ink_box
from mnistsum_runtime.preparation.morphology import change_width, closing, stroke_width
from mnistsum_runtime.preparation.prepare import prepare_picture, reduce_size
from mnistsum_runtime.preparation.prepared import PreparedPicture
from mnistsum_runtime.preparation.sheet import cut_out_sheet, find_sheet, is_note, outline

SIDE = 240
Plane = NDArray[np.float32]
SHAPES: dict[str, list[list[tuple[int, int]]]] = {
    "1": [[(120, 50), (120, 190)]],
    "4": [[(100, 50), (80, 130), (165, 130)], [(145, 70), (145, 195)]],
    "5": [[(160, 60), (90, 60), (85, 115), (140, 115), (155, 145), (140, 180), (85, 185)]],
    "7": [[(75, 60), (165, 60), (110, 190)]],
}


@dataclass
class Paper:
    """A sheet with a digit, in numbers 0 black to 1 white."""

    digit: str = "5"
    width: int = 14
    paper: float = 0.85
    ink: float = 0.2
    grain: float = 0.008

    def strokes(self) -> Plane:
        """The digit's ink, [SIDE, SIDE], 0..1."""
        image = Image.new("L", (SIDE, SIDE))
        for line in SHAPES[self.digit]:
            ImageDraw.Draw(image).line(line, fill=255, width=self.width, joint="curve")
        return np.asarray(image.filter(ImageFilter.GaussianBlur(1))).astype(np.float32) / np.float32(255)

    def drawn(self) -> Plane:
        """The sheet in even light."""
        return np.asarray(self.paper + self.strokes() * (self.ink - self.paper), np.float32)

    def photo(self, light: Plane | np.float32 | float = 1.0) -> NDArray[np.uint8]:
        """The sheet in this light, uint8."""
        noise = self.grain * np.random.default_rng(0).standard_normal((SIDE, SIDE))
        return np.asarray(((self.drawn() * light + noise) * 255).clip(0, 255), np.uint8)


ROWS, COLUMNS = np.mgrid[0 : 1 : SIDE * 1j, 0 : 1 : SIDE * 1j].astype(np.float32)


def same(one: PreparedPicture, other: PreparedPicture) -> bool:
    """Whether the network sees the same digit: the fields go together, but for a pixel's shift and soft edges."""
    soft, reference = (change_width(np.pad(picture.field, 1), 2) for picture in (one, other))
    shifts = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)]
    return any(np.corrcoef(np.roll(soft, shift, (0, 1)).ravel(), reference.ravel())[0, 1] > 0.9 for shift in shifts)


def gradient(left: float, right: float) -> Plane:
    return np.asarray(left + (right - left) * COLUMNS, np.float32)


def shadow(softness: float, darkness: float) -> Plane:
    """A shadow over the lower left, its edge across the digit."""
    edge = (ROWS - COLUMNS * 0.6 - 0.25) / softness
    return np.asarray(1 - darkness / (1 + np.exp(-edge.clip(-50, 50))), np.float32)


LIGHTS: dict[str, Plane] = {
    "gradient": gradient(1, 0.35),
    "vignette": np.asarray(1 - 1.2 * ((ROWS - 0.5) ** 2 + (COLUMNS - 0.5) ** 2), np.float32),
    "sharp shadow": shadow(0.008, 0.6),
    "soft shadow": shadow(0.06, 0.6),
}


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("digit", SHAPES)
def test_uneven_light_is_taken_out(light: str, digit: str) -> None:
    prepared = prepare_picture(Paper(digit).photo(LIGHTS[light]))
    assert same(prepared, prepare_picture(Paper(digit).photo()))
    assert prepared.unevenness > 0.1


def test_even_light_is_left_alone() -> None:
    assert prepare_picture(Paper().photo()).unevenness == 0


@pytest.mark.parametrize("light", ["gradient", "vignette"])
def test_thick_strokes_are_not_taken_for_the_ground(light: str) -> None:
    paper = Paper("7", width=44)
    prepared = prepare_picture(paper.photo(LIGHTS[light]))
    assert prepared.mask is not None
    strokes = paper.strokes() > 0.5
    assert (prepared.mask & strokes).sum() > 0.97 * strokes.sum()
    assert (prepared.mask & ~strokes).sum() < 0.1 * strokes.sum()


def test_a_closing_fills_what_is_narrow_and_keeps_a_wide_edge_and_a_slope() -> None:
    levels = np.tile((np.arange(60) * 20).astype(np.int16), (60, 1))
    assert np.array_equal(closing(levels, 21), levels)  # up to the border
    step = np.where(np.arange(60) < 30, 0, 900).astype(np.int16)[None].repeat(60, axis=0)
    assert np.array_equal(closing(step, 21), step)
    scratched = step.copy()
    scratched[:, 40:45] = 100
    assert np.array_equal(closing(scratched, 21), step)


def test_the_narrow_ground_follows_a_shadows_edge_that_the_wide_one_smears() -> None:
    light = shadow(0.03, 0.6)
    grounds = Grounds.of(Paper(width=10).photo(light))
    truth = light * 0.85 * 255
    off = {wide: np.abs(grounds.full_size(grounds.without_ink(True, wide)) - truth) for wide in (WIDE, NARROW)}
    assert np.percentile(off[NARROW], 97) < 12 < np.percentile(off[WIDE], 97)


def test_shadows_of_fingers_beside_the_digit_are_no_ink() -> None:
    fingers = Image.new("L", (SIDE, SIDE))
    for column in (175, 205, 232):
        ImageDraw.Draw(fingers).line((column, SIDE, column + 6, 110), fill=255, width=16)
    dark = np.asarray(fingers.filter(ImageFilter.GaussianBlur(4)), np.float32)
    light = np.asarray(1 - 0.4 * dark / 255, np.float32)
    assert same(prepare_picture(Paper(width=8).photo(light)), prepare_picture(Paper(width=8).photo()))


@pytest.mark.parametrize("light", [1.0, *(pytest.param(LIGHTS[name], id=name) for name in ("gradient", "vignette"))])
def test_chalk_on_a_board_is_found_as_well(light: Plane | float) -> None:
    board = prepare_picture(Paper(paper=0.18, ink=0.85).photo(light))
    assert not board.dark_ink
    assert same(board, prepare_picture(Paper().photo()))


@pytest.mark.parametrize("name", LIGHTS)
def test_ink_in_shadow_is_not_taken_for_light_ink(name: str) -> None:
    assert prepare_picture(Paper().photo(LIGHTS[name])).dark_ink


@pytest.mark.parametrize(("ink", "width"), [(0.72, 8), (0.78, 14), (0.05, 30)], ids=["pencil", "faint", "marker"])
def test_where_ink_begins_follows_the_inks_own_contrast(ink: float, width: int) -> None:
    paper = Paper(width=width, ink=ink)
    prepared = prepare_picture(paper.photo(gradient(1, 0.8)))
    strokes = paper.strokes() > 0.5
    assert prepared.mask is not None
    assert (prepared.mask & strokes).sum() > 0.8 * strokes.sum()
    assert (prepared.mask & ~strokes).sum() < 0.2 * strokes.sum()


def ruled(photo: NDArray[np.uint8], across: bool, down: bool, slope: float = 0.03) -> NDArray[np.uint8]:
    """Print lines on it, two pixels thick, a little askew."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    lines = np.zeros(photo.shape, np.bool_)
    if across:
        lines |= (rows + slope * columns) % 40 < 2
    if down:
        lines |= (columns - slope * rows + 11) % 40 < 2
    return np.where(lines, np.minimum(photo, 140), photo).astype(np.uint8)


@pytest.mark.parametrize(
    ("across", "down"), [(True, False), (False, True), (True, True)], ids=["rows", "columns", "grid"]
)
@pytest.mark.parametrize("digit", SHAPES)
def test_lines_of_the_paper_are_taken_out(digit: str, across: bool, down: bool) -> None:
    light = gradient(1, 0.8)
    prepared = prepare_picture(ruled(Paper(digit).photo(light), across, down))
    assert prepared.lines_removed >= 5
    assert same(prepared, prepare_picture(Paper(digit).photo(light)))


@pytest.mark.parametrize("digit", SHAPES)
def test_straight_strokes_are_not_lines_of_the_paper(digit: str) -> None:
    contrast = Paper(digit).strokes() * np.float32(0.6)
    left, lines = remove_lines(contrast, noise=0.01)
    assert lines == 0
    assert left is contrast or np.array_equal(left, contrast)


def test_ink_that_crosses_a_line_stays_where_they_cross() -> None:
    contrast = Paper("1").strokes() * np.float32(0.7)
    lined = contrast.copy()
    lined[119:121] = np.maximum(lined[119:121], 0.25)
    left, lines = remove_lines(lined, noise=0.01)
    assert lines == 1
    assert np.abs(left - contrast).max() < 0.1


def on_a_desk(desk: float, slant: int) -> NDArray[np.uint8]:
    """The photo of a sheet that does not fill it."""
    picture = Image.new("L", (400, 400), round(255 * desk))
    sheet = Image.fromarray(Paper().photo())
    mask = Image.new("L", sheet.size, 255)
    turned = [part.rotate(slant, expand=True) for part in (sheet, mask)]
    picture.paste(turned[0], (50, 60), turned[1])
    noise = np.random.default_rng(1).normal(0, 2, (400, 400))
    return np.asarray((np.asarray(picture) + noise).clip(0, 255), np.uint8)


@pytest.mark.parametrize("desk", [0.1, 0.5])
@pytest.mark.parametrize("slant", [0, 6, -12])
def test_only_the_sheet_is_looked_at_where_it_lies_on_a_desk(desk: float, slant: int) -> None:
    picture = on_a_desk(desk, slant)
    assert cut_out_sheet(picture).levels.size < 0.6 * picture.size
    prepared = prepare_picture(picture)
    assert prepared.dark_ink
    assert prepared.mask is not None
    rows, columns = np.flatnonzero(prepared.mask.any(axis=1)), np.flatnonzero(prepared.mask.any(axis=0))
    assert 100 < len(rows) < 190
    assert 60 < len(columns) < 140


def test_a_thick_0_and_a_vignette_are_no_sheets() -> None:
    zero = Image.new("L", (200, 240), 200)
    ImageDraw.Draw(zero).ellipse((25, 20, 175, 220), outline=20, width=38)
    assert find_sheet(np.asarray(zero)) is None
    assert find_sheet((200 * LIGHTS["vignette"]).astype(np.uint8)) is None


def speckled(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    spoilt = photo.copy()
    for row, column in np.random.default_rng(3).integers(5, SIDE - 5, (25, 2)):
        spoilt[row : row + 3, column : column + 3] = 50
    return spoilt


@pytest.mark.parametrize("light", [1.0, pytest.param(gradient(1, 0.5), id="gradient")])
def test_specks_are_dropped(light: Plane | float) -> None:
    prepared = prepare_picture(speckled(Paper().photo(light)))
    assert prepared.specks_dropped > 10
    assert same(prepared, prepare_picture(Paper().photo(light)))


@pytest.mark.parametrize("light", [1.0, pytest.param(gradient(1, 0.5), id="gradient")])
def test_the_floating_bar_of_a_5_is_kept(light: Plane | float) -> None:
    photo = Paper().photo(light)
    apart = photo.copy()
    apart[78:90, 60:130] = photo[215:227, 60:130]  # a gap in the upright
    prepared = prepare_picture(apart)
    assert prepared.parts == 2
    assert prepared.strangers_dropped == 0
    assert prepared.box[0] < 60


def test_other_writing_is_dropped_and_told() -> None:
    wide = np.full((SIDE, 3 * SIDE), 216, np.uint8)
    wide[:, :SIDE] = Paper("7").photo()
    wide[:, 2 * SIDE :] = Paper("1", width=12).photo()
    prepared = prepare_picture(wide)
    assert prepared.strangers_dropped == 1
    assert prepared.box[3] < SIDE


def test_of_a_digit_that_is_free_a_pen_at_the_border_is_no_part() -> None:
    photo = Paper(width=10).photo(gradient(1, 0.7))
    photo[100:, 190:206] = 40
    prepared = prepare_picture(photo)
    assert not prepared.cut
    assert prepared.box[3] < 185


def test_parts_are_chosen_by_nearness_size_and_strength() -> None:
    mask = np.zeros((60, 60), np.bool_)
    mask[10:40, 10:14] = True  # the digit
    mask[12:16, 18:30] = True  # a bar beside it
    mask[50, 50] = True  # a speck
    mask[30:50, 45:49] = True  # too far
    parts = label(mask)
    assert len(parts) == 4
    chosen, specks = choose_parts(parts, parts.area.astype(float))
    assert parts.area[chosen].tolist() == [120, 48]
    assert parts.area[specks].tolist() == [1]
    assert parts.mask_of(chosen).sum() == 168


def test_components_touch_at_corners_too() -> None:
    assert len(label(np.eye(7, dtype=np.bool_))) == 1
    assert len(label(np.eye(7, dtype=np.bool_)[:, ::-1])) == 1
    assert len(label(np.arange(49).reshape(7, 7) % 2 == 0)) == 1
    assert len(label(np.zeros((5, 5), np.bool_))) == 0


@pytest.mark.parametrize("width", [5, 10, 20, 40])
def test_stroke_width_is_measured_by_area_and_perimeter(width: int) -> None:
    image = Image.new("L", (300, 300))
    ImageDraw.Draw(image).line((40, 60, 260, 187), fill=255, width=width)  # at 30 degrees, 254 long
    ink = np.asarray(image).astype(np.float32) / np.float32(255)
    assert stroke_width(ink) == pytest.approx(width, rel=0.25)


def test_widening_and_thinning_move_the_edge_by_half_the_amount() -> None:
    bar = np.zeros((60, 60), np.float32)
    bar[10:50, 25:35] = 1
    assert change_width(bar, 4)[30].sum() == pytest.approx(14)
    assert change_width(bar, -4)[30].sum() == pytest.approx(6)
    assert change_width(bar, 1)[30].sum() == pytest.approx(11)


@pytest.mark.parametrize("light", [1.0, pytest.param(gradient(1, 0.5), id="gradient")])
def test_thin_and_thick_strokes_come_near_mnists(light: Plane | float) -> None:
    thin, thick = (prepare_picture(Paper("7", width=width).photo(light)) for width in (3, 44))
    assert thin.thickening > 0.5
    assert thick.thickening < -0.5
    assert stroke_width(thin.field) > thin.stroke_width * thin.scale + 0.4
    assert stroke_width(thick.field) < thick.stroke_width * thick.scale - 0.4


@pytest.mark.parametrize("light", [1.0, pytest.param(gradient(1, 0.5), id="gradient")])
def test_usual_strokes_are_left_alone(light: Plane | float) -> None:
    assert prepare_picture(Paper("7", width=20).photo(light)).thickening == 0


def test_ink_as_light_as_its_paper_is_told_by_colour() -> None:
    strokes = Paper().strokes()[..., None]
    pink, orange = np.array((230, 170, 180)), np.array((245, 175, 60))
    picture = Image.fromarray((pink + strokes * (orange - pink)).astype(np.uint8))
    by_lightness = np.asarray(picture.convert("L")).astype(int)
    by_colour = np.asarray(grey_of_contrast(picture)).astype(int)
    assert np.ptp(by_colour) > 4 * np.ptp(by_lightness)
    assert same(prepare_picture(by_colour.astype(np.uint8)), prepare_picture(Paper().photo()))


def test_grey_and_dark_blue_ink_stay_as_light_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(np.linalg, "eigh")  # not even looked for: its code is a megabyte of a device's memory
    strokes = Paper().strokes()[..., None]
    for paper, ink in (((220, 220, 220), (40, 40, 40)), ((235, 230, 215), (30, 40, 110))):
        picture = Image.fromarray((np.array(paper) + strokes * np.subtract(ink, paper)).astype(np.uint8))
        assert grey_of_contrast(picture).tobytes() == picture.convert("L").tobytes()


def test_paper_without_ink_is_no_digit_whatever_falls_on_it() -> None:
    bare = Paper(ink=0.85)
    pictures = {
        "blank": bare.photo(),
        "gradient": bare.photo(LIGHTS["gradient"]),
        "vignette": bare.photo(LIGHTS["vignette"]),
        "lines": ruled(bare.photo(), True, False),
        "grid": ruled(bare.photo(gradient(1, 0.7)), True, True),
        "noise": np.random.default_rng(0).integers(0, 256, (200, 220), dtype=np.uint8),
    }
    answered = []
    for name, picture in pictures.items():
        try:
            prepare_picture(picture)
        except PictureError as error:
            assert error.kind == "no_digit"
        else:
            answered.append(name)
    assert answered == []


def boxed(digit: str, width: int = 3) -> NDArray[np.uint8]:
    """The sheet with a printed box around the digit."""
    image = Image.fromarray(Paper(digit).photo())
    ImageDraw.Draw(image).rectangle((18, 22, 222, 218), outline=60, width=width)
    return np.asarray(image)


@pytest.mark.parametrize("light", [1.0, pytest.param(gradient(1, 0.5), id="gradient")])
@pytest.mark.parametrize("digit", SHAPES)
def test_a_printed_box_around_the_digit_is_no_ink(digit: str, light: Plane | float) -> None:
    photo = np.asarray(boxed(digit) * np.float32(light), np.uint8)
    assert same(prepare_picture(photo), prepare_picture(Paper(digit).photo()))


def test_a_0_around_a_speck_is_no_printed_box() -> None:
    zero = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(zero).ellipse((60, 30, 180, 210), outline=255, width=12)
    ImageDraw.Draw(zero).ellipse((116, 116, 124, 124), fill=255)
    parts = label(np.asarray(zero) > 0)
    assert not find_boxes(parts, parts.area.astype(float)).any()
    empty = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(empty).rectangle((60, 30, 180, 210), outline=255, width=5)
    parts = label(np.asarray(empty) > 0)
    assert is_rectangle(np.asarray(empty)[30:211, 60:181] > 0)
    assert not find_boxes(parts, parts.area.astype(float)).any()  # a 0 drawn square


def ring(light: Plane | float, paper: float = 0.85, ink: float = 0.2) -> NDArray[np.uint8]:
    """The sheet with a 0."""
    zero = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(zero).ellipse((75, 60, 165, 190), outline=255, width=9)
    strokes = np.asarray(zero.filter(ImageFilter.GaussianBlur(1))).astype(np.float32) / np.float32(255)
    return np.asarray(((paper + strokes * (ink - paper)) * light * 255).clip(0, 255), np.uint8)


@pytest.mark.parametrize(("paper", "ink"), [(0.85, 0.2), (0.15, 0.85)], ids=["pen", "chalk"])
def test_the_ground_inside_a_0_is_torn_and_under_the_0_itself_it_is_not(paper: float, ink: float) -> None:
    levels = ring(gradient(1, 0.6), paper, ink)
    grounds = Grounds.of(levels)
    found = {dark: find_ink(levels, grounds.full_size(grounds.without_ink(dark, WIDE)), dark) for dark in (True, False)}
    right, wrong = found[ink < paper], found[ink > paper]
    assert right is not None
    assert wrong is not None
    assert right.torn == 0
    assert wrong.torn > 0.9
    assert right.weight > wrong.weight


def test_a_digit_in_a_shadow_is_not_taken_for_an_outline() -> None:
    dark = 1 - np.float32(0.62) * ((ROWS > 0.1) & (ROWS < 0.95) & (COLUMNS < 0.8))
    for digit in SHAPES:
        prepared = prepare_picture(Paper(digit, width=10).photo(dark))
        assert same(prepared, prepare_picture(Paper(digit, width=10).photo()))


@pytest.mark.parametrize("digit", ["4", "5", "7"])
@pytest.mark.parametrize("slope", [0.2, 0.35])
def test_darker_ink_on_lines_far_askew_is_parted_from_them(digit: str, slope: float) -> None:
    light = gradient(1, 0.8)
    prepared = prepare_picture(ruled(Paper(digit).photo(light), True, True, slope))
    assert same(prepared, prepare_picture(Paper(digit).photo(light)))


def test_of_a_watercolour_that_runs_over_the_edge_the_faint_part_is_kept() -> None:
    """Over a higher threshold its darker part would be free of the border."""
    strokes = Paper(width=24).strokes()
    strokes[50:71, 160:] = 1  # its bar ends beyond
    wash = 216 - 150 * strokes * np.where(ROWS > 0.36, np.float32(1), np.float32(0.5))
    levels = wash.astype(np.uint8)
    found = find_ink(levels, np.full_like(levels, 216), dark=True)
    assert found is not None
    assert found.contact > 0
    assert found.box[0] < 60


def test_of_a_line_over_a_higher_threshold_nothing_is_free() -> None:
    line = np.zeros((SIDE, SIDE), np.bool_)
    line[118:123, 8:-8] = True
    parts = label(line)
    assert not is_free_of_rest(parts, parts.area.astype(float), 5 * SIDE)
    assert not is_free_of_rest(label(line & False), np.zeros(0), 5 * SIDE)


def test_a_1_nearly_as_long_as_the_picture_is_no_line() -> None:
    contrast = Paper("1").strokes()[35:205] * np.float32(0.6)
    assert remove_lines(contrast, noise=0.01)[1] == 0
    assert remove_lines(np.pad(contrast[25:145], ((6, 6), (0, 0)), mode="edge"), noise=0.01)[1] == 1


@pytest.mark.parametrize("slant", [10, -20, 30])
def test_a_small_note_at_any_angle_is_a_sheet(slant: int) -> None:
    picture = Image.new("L", (520, 420), 60)
    mask = Image.new("L", (SIDE, SIDE), 255)
    turned = [part.rotate(slant, expand=True) for part in (Image.fromarray(Paper(width=20).photo()), mask)]
    picture.paste(turned[0], (110, 50), turned[1])
    prepared = prepare_picture(np.asarray(picture))
    assert prepared.dark_ink
    assert max(prepared.box[1] - prepared.box[0], prepared.box[3] - prepared.box[2]) < 0.75 * SIDE


@pytest.mark.parametrize("digit", SHAPES)
def test_a_bold_digit_is_no_note(digit: str) -> None:
    strokes = Paper(digit, width=50).strokes() > 0.5
    assert not is_note(outline(strokes))
    assert is_note(outline(np.pad(np.ones((60, 90), np.bool_), 20)))


def test_a_page_over_the_pictures_edge_is_not_cut_where_its_light_falls_off() -> None:
    light = np.asarray(1 - 0.9 * ((ROWS - 0.2) ** 2 + (COLUMNS - 0.5) ** 2), np.float32)
    photo = Paper().photo(light)
    photo[:22] = 70
    assert same(prepare_picture(photo), prepare_picture(Paper().photo()))


def test_strokes_are_whole_on_a_long_and_narrow_picture() -> None:
    small = Image.fromarray(Paper().photo()).resize((60, 60), Image.Resampling.BOX)
    long = np.full((60, 1500), 216, np.uint8)
    long[:, 700:760] = np.asarray(small)
    long[:, 100:104] -= 30  # a shade that keeps it from being a clean scan
    assert reduce_size(long) is long
    assert same(prepare_picture(long), prepare_picture(Paper().photo()))


def test_pictures_of_usual_shapes_and_endless_ones_are_reduced() -> None:
    assert reduce_size(np.zeros((3000, 4000), np.uint8)).shape == (750, 1000)
    assert max(reduce_size(np.zeros((2, 90_000), np.uint8)).shape) <= 4000


@pytest.mark.parametrize("digit", ["4", "5"])
def test_a_bold_digit_that_fills_its_picture_is_a_clean_scan(digit: str) -> None:
    strokes = Paper(digit, width=40).strokes()
    top, bottom, left, right = ink_box(strokes > 0.02)
    close = (230 - 200 * np.pad(strokes[top:bottom, left:right], 2)).astype(np.uint8)
    prepared = prepare_picture(close)
    assert prepared.mask is not None
    assert prepared.mask.mean() > 0.35
    assert (prepared.mask == (close < 130)).mean() > 0.98


def test_the_lightest_place_of_the_light_and_a_line_across_are_no_digit() -> None:
    distance = np.hypot(ROWS - 0.45, COLUMNS - 0.4)
    peak = np.asarray(255 * ((1 - 1.4 * distance).clip(0, 1)), np.uint8)
    fold = Paper(ink=0.85).photo(gradient(1, 0.6))
    fold[110:114, 6:-6] -= 40
    for picture in (peak, fold):
        with pytest.raises(PictureError) as caught:
            prepare_picture(picture)
        assert caught.value.kind == "no_digit"
