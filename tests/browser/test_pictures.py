"""Pictures that are not drawn: a photo from the telephone, a file, something dropped or pasted."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from browser.answers import expect_equation, expect_nothing
from browser.handing import hand_over
from browser.pens import draw
from browser.watching import OpenPage, Server, keep_screenshot

SAMPLES = Path(__file__).parents[2] / "artifacts" / "samples"


@pytest.mark.parametrize("way", ["#file", "#capture"])
def test_an_uploaded_photo_is_read_and_shown(server: Server, open_page: OpenPage, way: str) -> None:
    watched = open_page(server, has_touch=True)
    page = watched.page
    page.locator(way).set_input_files(SAMPLES / "two-blue-ink.png")
    expect_equation(page, 2, 4, 6)
    expect(page.locator("#photo-name")).to_have_text("two-blue-ink.png")
    expect(page.get_by_role("img", name="Paper to draw one digit on; picture two-blue-ink.png")).to_be_visible()
    keep_screenshot(page, "photo")
    page.keyboard.press("3")
    expect_equation(page, 2, 3, 5)


def test_the_camera_of_a_telephone_is_offered_where_there_is_a_finger(server: Server, open_page: OpenPage) -> None:
    page = open_page(server, has_touch=True).page
    expect(page.get_by_text("Take a photo")).to_be_visible()
    assert page.locator("#capture").get_attribute("capture") == "environment"
    expect(open_page(server).page.get_by_text("Take a photo")).to_be_hidden()


def test_a_stroke_takes_the_place_of_a_photo_and_undo_brings_it_back(server: Server, open_page: OpenPage) -> None:
    page = open_page(server).page
    page.locator("#file").set_input_files(SAMPLES / "zero-chalk.png")
    expect_equation(page, 0, 4, 4)
    draw(page, 7)
    expect_equation(page, 7, 4, 11)
    expect(page.locator("#photo-name")).to_be_hidden()
    page.get_by_role("button", name="Undo").click()
    expect_equation(page, 0, 4, 4)
    page.get_by_role("button", name="Clear").click()
    expect_nothing(page)


def test_a_dropped_file_is_read(server: Server, open_page: OpenPage) -> None:
    page = open_page(server).page
    hand_over(page, "dragover", SAMPLES / "seven.png")
    expect(page.get_by_text("Drop the picture here")).to_be_visible()
    keep_screenshot(page, "dropping")
    hand_over(page, "drop", SAMPLES / "seven.png")
    expect(page.get_by_text("Drop the picture here")).to_be_hidden()
    expect_equation(page, 7, 4, 11)


def test_a_pasted_picture_is_read(server: Server, open_page: OpenPage) -> None:
    page = open_page(server).page
    hand_over(page, "paste", SAMPLES / "four-transparent.png")
    expect_equation(page, 4, 4, 8)


def test_a_file_that_is_no_picture_is_told(server: Server, open_page: OpenPage) -> None:
    page = open_page(server).page
    page.locator("#file").set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"seven"})
    expect(page.get_by_role("status")).to_contain_text("No answer Not a picture")
    expect(page.locator("#photo-name")).to_contain_text("notes.txt (this browser cannot show it)")
    keep_screenshot(page, "no-picture")


def test_an_empty_sheet_is_no_digit(server: Server, open_page: OpenPage) -> None:
    page = open_page(server).page
    sheet = BytesIO()
    Image.new("L", (400, 300), 240).save(sheet, "PNG")
    page.locator("#file").set_input_files({"name": "sheet.png", "mimeType": "image/png", "buffer": sheet.getvalue()})
    expect(page.get_by_role("status")).to_contain_text("there is no digit in it")
    expect(page.locator("#digit")).to_be_empty()


def test_a_heic_photo_is_sent_though_the_browser_cannot_show_it(server: Server, open_page: OpenPage) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    page = open_page(server).page
    photo = BytesIO()
    pillow_heif.from_pillow(Image.open(SAMPLES / "seven.png").convert("RGB")).save(photo, quality=90)
    page.locator("#file").set_input_files({"name": "IMG_1.HEIC", "mimeType": "", "buffer": photo.getvalue()})
    expect_equation(page, 7, 4, 11)


def test_a_large_photo_is_sent_smaller(server: Server, open_page: OpenPage) -> None:
    watched = open_page(server)
    page = watched.page
    grain = np.random.default_rng(0).normal(0, 3, (2400, 3200, 1))
    seven = np.asarray(Image.open(SAMPLES / "seven.png").convert("RGB").resize((3200, 2400)), np.float64)
    photo = BytesIO()
    Image.fromarray((seven + grain).clip(0, 255).astype(np.uint8)).save(photo, "PNG")
    assert len(photo.getvalue()) > 4_000_000
    page.locator("#file").set_input_files({"name": "large.png", "mimeType": "image/png", "buffer": photo.getvalue()})
    expect_equation(page, 7, 4, 11)
    assert page.evaluate("page.picture.photo.content.size") < 2_000_000
