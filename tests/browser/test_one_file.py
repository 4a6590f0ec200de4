"""The page that `mnistsum-export --page` writes: it opens from the disk, answers by itself, and asks nobody."""

import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from browser.answers import TIMES, expect_equation, expect_nothing
from browser.firefox import installed, running_firefox
from browser.handing import hand_over
from browser.one_file import WEB, OneFile, milliseconds, prepare_on, write_one_file
from browser.pens import DIGITS, Stroke, draw, in_another_hand, on_screen
from browser.watching import SCREENSHOTS, OpenPage, keep_screenshot, record
from mnistsum_export.page.onnxruntime_web import NAME
from mnistsum_runtime.operations import PRODUCT, SUM, Operation
from mnistsum_runtime.predictor import Predictor
from mnistsum_runtime.preparation.picture import read_picture
from mnistsum_runtime.preparation.prepare import prepare_picture
from mnistsum_runtime.reliability import reason_in_preparation

pytestmark = pytest.mark.skipif(not (WEB / NAME).exists(), reason="onnxruntime-web is not fetched: make web")

SAMPLES = Path(__file__).parents[2] / "artifacts" / "samples"
LARGEST_SIZE = 6_500_000
DRAWINGS = 200
LEAST_DIFFERENCE = 1e-3
"""Of a pixel 0..1, as `mnistsum-verify` allows a device."""


@pytest.fixture(scope="module")
def one_file(tmp_path_factory: pytest.TempPathFactory) -> OneFile:
    return write_one_file(tmp_path_factory.mktemp("page"))


def verify(page: Page) -> list[list[str]]:
    """Click the button; the table's rows."""
    page.get_by_role("button", name="Verify").click()
    expect(page.locator("#verification .verdict")).to_be_visible(timeout=30_000)
    rows = page.locator("#verification tr").all()[1:]
    return [row.locator("td").all_inner_texts() for row in rows]


def test_it_is_small(one_file: OneFile) -> None:
    record("bytes of the page in one file", one_file.path.stat().st_size)
    assert one_file.path.stat().st_size <= LARGEST_SIZE


def test_ten_of_ten_digits_are_read_and_no_request_is_made(one_file: OneFile, open_page: OpenPage) -> None:
    watched = open_page(one_file)
    page = watched.page
    took = []
    for digit in DIGITS:
        page.keyboard.press("Escape")
        expect_nothing(page)
        draw(page, digit)
        expect_equation(page, digit, 4, digit + 4)
        took.append(round(milliseconds(page, "answer"), 1))
    record("milliseconds from the last stroke to the answer, page in one file", took)
    verify(page)
    assert watched.requests == [f"GET {one_file.path}"]
    keep_screenshot(page, "one-file")


def test_it_verifies_itself(one_file: OneFile, open_page: OpenPage) -> None:
    page = open_page(one_file).page
    rows = verify(page)
    record("verified by the page in one file", rows)
    assert [row[0] for row in rows] == ["digit", "sum"]
    for _, difference, tolerance, labels, verdict in rows:
        assert float(difference) < float(tolerance) == 1e-4
        assert re.fullmatch(r"(\d+) of \1", labels)
        assert verdict == "ok"
    expect(page.locator("#verification .verdict")).to_have_text("verified")
    expect(page.locator("#verification caption")).to_have_text("inference passed: 231 references")


def spoil(one_file: OneFile, folder: Path, old: str, new: str) -> OneFile:
    """The page with something in it that is not as it was written."""
    text = one_file.path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path = folder / "spoiled.html"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return OneFile(path)


def test_another_model_is_not_verified(
    one_file: OneFile, open_page: OpenPage, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The references of int8 beside the fp32 model: other bytes, other answers."""
    of_int8 = write_one_file(tmp_path_factory.mktemp("int8"), precision="int8").path.read_text(encoding="utf-8")
    block = re.compile(r'id="references">[^<]*<')
    own, other = (block.search(text) for text in (one_file.path.read_text(encoding="utf-8"), of_int8))
    assert own
    assert other
    page = open_page(spoil(one_file, tmp_path, own[0], other[0])).page
    rows = verify(page)
    expect(page.locator("#verification .verdict")).to_have_text("NOT VERIFIED")
    expect(page.locator("#verification")).to_contain_text("The references belong to another model.")
    assert {row[-1] for row in rows} <= {"ok", "DIFFERS"}
    keep_screenshot(page, "one-file-not-verified")


def test_a_script_that_was_changed_does_not_run(one_file: OneFile, open_page: OpenPage, tmp_path: Path) -> None:
    changed = spoil(one_file, tmp_path, "function begin() {", "function begin() { fetch('https://example.org');")
    watched = open_page(changed, wait=False)
    expect(watched.page.get_by_role("status").first).to_contain_text("Nothing there yet")
    watched.page.wait_for_timeout(300)
    assert watched.requests == [f"GET {changed.path}"]
    assert any("Content Security Policy" in complaint for complaint in watched.console)
    watched.console.clear()


def test_the_policy_lets_nothing_out(one_file: OneFile, open_page: OpenPage) -> None:
    watched = open_page(one_file)
    blocked = watched.page.evaluate("fetch('https://example.org/').then(() => 'reached', () => 'blocked')")
    assert blocked == "blocked"
    watched.page.evaluate("document.body.append(Object.assign(new Image(), { src: 'https://example.org/a.png' }))")
    watched.page.wait_for_timeout(200)
    assert watched.console
    assert all("Content Security Policy" in complaint for complaint in watched.console)
    watched.console.clear()
    watched.hosts.clear()  # what was blocked is noted as if it had been sent


# The preparation -------------------------------------------------------------------------------------------------


def test_drawings_are_prepared_as_the_runtime_prepares_them(one_file: OneFile, open_page: OpenPage) -> None:
    page = open_page(one_file).page
    largest = 0.0
    for seed in range(DRAWINGS):
        drawn = prepare_on(page, in_another_hand(seed % 10, seed))
        expected = prepare_picture(read_picture(drawn.png))
        assert drawn.doubt is None
        largest = max(largest, float(np.abs(drawn.field - expected.field).max()))
    record(f"largest difference of a pixel over {DRAWINGS} drawings", largest)
    assert largest < LEAST_DIFFERENCE


def shifted(strokes: list[Stroke], across: float, scale: float = 1.0) -> list[Stroke]:
    return [[(0.5 + scale * (x - 0.5) + across, 0.5 + scale * (y - 0.5)) for x, y in stroke] for stroke in strokes]


SIDE = np.arange(0.1, 0.9, 0.02).tolist()
FRAME: Stroke = [
    *((x, 0.1) for x in SIDE),
    *((0.9, y) for y in SIDE),
    *((1 - x, 0.9) for x in SIDE),
    *((0.1, 1 - y) for y in SIDE),
]
BLOT: Stroke = [(x, y) for y in SIDE[5:-5:2] for x in SIDE[5:-5]]
ODD: dict[str, tuple[list[Stroke], str | None]] = {
    "two digits": (shifted(DIGITS[3], -0.25, 0.5) + shifted(DIGITS[5], 0.25, 0.5), "more than one thing"),
    "over the edge": (shifted(DIGITS[8], 0.45), "the ink runs over"),
    "over two edges": ([[(0.0, 0.5), (0.5, 0.5), (0.5, 0.0)]], "the ink runs over"),
    "a speck beside": ([*DIGITS[7], [(0.3, 0.7)]], None),
    "two parts": ([[(0.42, 0.19), (0.37, 0.43), (0.6, 0.5), (0.6, 0.8)], [(0.5, 0.17), (0.7, 0.17)]], None),
    "in a frame": ([FRAME, *shifted(DIGITS[4], 0, 0.5)], "not a digit in plain strokes"),
    "a blot": ([BLOT], "not a digit in plain strokes"),
    "a dot": ([[(0.5, 0.5)]], None),
    "up to the edge": ([[(0.5, 0.0), (0.5, 1.0)]], "the ink runs over"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_plain_drawing_has_a_doubt_or_is_prepared_alike(
    one_file: OneFile, open_page: OpenPage, name: str
) -> None:
    strokes, doubt = ODD[name]
    drawn = prepare_on(open_page(one_file).page, strokes)
    assert (drawn.doubt or "").startswith(doubt or "")
    if doubt is None:
        expected = prepare_picture(read_picture(drawn.png))
        assert drawn.doubt is None
        assert reason_in_preparation(expected) is None
        assert float(np.abs(drawn.field - expected.field).max()) < LEAST_DIFFERENCE


def test_its_answers_are_those_of_the_runtime(one_file: OneFile, open_page: OpenPage) -> None:
    page = open_page(one_file).page
    predictor = Predictor()
    for seed in range(20):
        strokes = in_another_hand(seed % 10, seed)
        line = page.evaluate("(strokes) => ask({ strokes, photo: null }, 6, page.model)", scaled(strokes))
        expected = predictor.predict(prepare_on(page, strokes).png, 6).to_json("")
        shared = expected.keys() & line.keys()
        assert {"digit", "sum", "digit_confidence", "reliable", "reason"} <= shared
        for key in shared:
            assert line[key] == pytest.approx(expected[key], abs=1e-3), key


def scaled(strokes: list[Stroke]) -> list[Stroke]:
    return [[(280 * x, 280 * y) for x, y in stroke] for stroke in strokes]


# What its user meets ---------------------------------------------------------------------------------------------


def test_a_photo_is_told_to_need_the_runtime(one_file: OneFile, open_page: OpenPage) -> None:
    page = open_page(one_file).page
    hand_over(page, "drop", SAMPLES / "seven.png")
    expect(page.get_by_role("status").first).to_contain_text("A photo needs the runtime")
    expect(page.locator("#photo-name")).to_have_text("seven.png")
    expect(page.locator("#digit")).to_be_empty()
    keep_screenshot(page, "one-file-photo")
    page.get_by_role("button", name="Undo").click()
    expect_nothing(page)
    hand_over(page, "paste", SAMPLES / "seven.png")
    expect(page.get_by_role("status").first).to_contain_text("A photo needs the runtime")
    expect(page.get_by_text("Open a picture")).to_have_count(0)


def test_blank_paper_is_nothing(one_file: OneFile, open_page: OpenPage) -> None:
    page = open_page(one_file).page
    expect_nothing(page)
    expect(page.locator("#why")).to_have_text("Draw one digit with mouse, finger or pen.")
    page.keyboard.press("8")
    expect_nothing(page)
    draw(page, 7)
    expect_equation(page, 7, 8, 15)
    page.get_by_role("button", name="Clear").click()
    expect_nothing(page)


def test_it_says_why_it_is_unsure(one_file: OneFile, open_page: OpenPage) -> None:
    page = open_page(one_file).page
    draw(page, 3, 0.45, (0.27, 0.5))
    draw(page, 5, 0.45, (0.73, 0.5))
    expect(page.locator("#answer")).to_have_attribute("data-state", "unsure")
    expect(page.get_by_role("status").first).to_contain_text("Unsure")
    page.keyboard.press("Escape")
    draw(page, 1, 1.0, (0.5, 0.75))
    expect(page.locator("#why")).to_contain_text("The ink runs over the picture's edge.")
    keep_screenshot(page, "one-file-unsure")


def test_it_shows_bars_and_what_the_network_saw(one_file: OneFile, open_page: OpenPage) -> None:
    page = open_page(one_file).page
    draw(page, 2)
    expect_equation(page, 2, 4, 6)
    expect(page.locator("#digit-bars")).to_have_attribute("aria-label", re.compile(r"Digit: 2 over\s99.9"))
    expect(page.locator("#value-bars")).to_have_attribute("aria-label", re.compile(r"Sum: 6 over\s99.9"))
    lit = "[...field.getContext('2d').getImageData(0, 0, 28, 28).data].filter((v, i) => i % 4 === 0 && v > 100).length"
    assert 40 < page.evaluate(lit) < 250


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_telephone(one_file: OneFile, open_page: OpenPage, scheme: str) -> None:
    options = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2, "color_scheme": scheme}
    page = open_page(one_file, 360, 740, **options).page
    for stroke in DIGITS[5]:
        path = on_screen(page, stroke)
        page.mouse.move(*path[0])
        page.mouse.down()
        for x, y in path[1:]:
            page.mouse.move(x, y)
        page.mouse.up()
    expect_equation(page, 5, 4, 9)
    verify(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep_screenshot(page, f"one-file-360-{scheme}")


@pytest.mark.parametrize(
    ("operation", "precision", "value", "sign"), [(PRODUCT, "fp32", 28, TIMES), (SUM, "int8", 11, "+")]
)
def test_other_shipped_models_make_pages_too(
    open_page: OpenPage, tmp_path: Path, operation: Operation, precision: str, value: int, sign: str
) -> None:
    page = open_page(write_one_file(tmp_path, operation, precision)).page
    draw(page, 7)
    expect_equation(page, 7, 4, value, sign)
    assert page.locator("#value-bars .bar").count() == len(operation.classes)
    verify(page)
    expect(page.locator("#verification .verdict")).to_have_text("verified")


def test_firefox_reads_ten_of_ten_and_verifies_without_a_request(one_file: OneFile) -> None:
    if installed() is None:
        pytest.skip("firefox-esr is not installed: apt-get install firefox-esr, or make browser")
    took = []
    with running_firefox() as firefox:
        firefox.watch_requests()
        firefox.open(one_file.url)
        firefox.wait_for("#about", "mnistsum")
        for digit in DIGITS:
            firefox.click("#clear")
            firefox.draw(digit)
            firefox.wait_for("#digit", str(digit))
            firefox.wait_for("#value", str(digit + 4))
            took.append(firefox.evaluate("return performance.getEntriesByName('answer')[0].duration"))
        firefox.click("#verify")
        firefox.wait_for("#verification", "verified")
        assert firefox.text("#verification").count("231 of 231\tok") == 2
        firefox.screenshot(SCREENSHOTS / "one-file-firefox.png")
        assert firefox.requests() == []
        with suppress(RuntimeError):  # nobody is there
            firefox.open("http://127.0.0.1:18999/")
        assert firefox.requests() == ["http://127.0.0.1:18999/"]  # so requests are noted at all
    record("milliseconds from the last stroke to the answer, page in one file, Firefox", took)
