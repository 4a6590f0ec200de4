"""Strokes on the paper and what comes of them."""

import re
from statistics import median

import pytest
from playwright.sync_api import CDPSession, Route, expect

from browser.answers import UNEQUAL, equation, expect_equation, expect_nothing
from browser.pens import DIGITS, draw, on_screen
from browser.watching import OpenPage, Server, keep_screenshot, record

SLOWEST_MILLISECONDS = 50
"""From the last stroke's end to the answer on the page, on this machine; the middle one of ten digits."""


@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_ten_of_ten_digits_are_read_and_added(server: Server, open_page: OpenPage, scale: float) -> None:
    page = open_page(server).page
    milliseconds = []
    for digit in DIGITS:
        page.keyboard.press("Escape")
        expect_nothing(page)
        draw(page, digit, scale)
        expect_equation(page, digit, 4, digit + 4)
        if scale == 1:
            keep_screenshot(page, f"digit-{digit}")
        milliseconds.append(page.evaluate("performance.getEntriesByName('answer')[0].duration"))
    record("milliseconds from the last stroke to the answer", [round(each, 1) for each in milliseconds])
    assert median(milliseconds) < SLOWEST_MILLISECONDS


def test_every_stroke_is_answered(server: Server, open_page: OpenPage) -> None:
    watched = open_page(server)
    draw(watched.page, 4)
    expect_equation(watched.page, 4, 4, 8)
    assert watched.reads() == len(DIGITS[4]) == 2


def send_touches(session: CDPSession, path: list[tuple[float, float]]) -> None:
    for i, (x, y) in enumerate(path):
        kind = "touchMove" if i else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def send_pen(session: CDPSession, path: list[tuple[float, float]]) -> None:
    for i, (x, y) in enumerate(path):
        kind = "mouseMoved" if i else "mousePressed"
        event = {"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "pointerType": "pen", "clickCount": 1}
        session.send("Input.dispatchMouseEvent", event)
    x, y = path[-1]
    event = {"type": "mouseReleased", "x": x, "y": y, "button": "left", "pointerType": "pen", "clickCount": 1}
    session.send("Input.dispatchMouseEvent", event)


@pytest.mark.parametrize("send", [send_touches, send_pen])
def test_a_finger_and_a_pen_draw_on_a_telephone(server: Server, open_page: OpenPage, send: object) -> None:
    watched = open_page(server, 360, 740, device_scale_factor=3, has_touch=True, is_mobile=True)
    page = watched.page
    session = page.context.new_cdp_session(page)
    for stroke in DIGITS[5]:
        send(session, on_screen(page, stroke))  # type: ignore[operator]
    expect_equation(page, 5, 4, 9)
    assert page.evaluate("scrollY") == 0
    keep_screenshot(page, f"telephone-{getattr(send, '__name__', '')}")


def test_a_second_finger_and_the_right_button_draw_nothing(server: Server, open_page: OpenPage) -> None:
    watched = open_page(server, has_touch=True)
    page = watched.page
    path = on_screen(page, DIGITS[7][0])
    session = page.context.new_cdp_session(page)
    for i, (x, y) in enumerate(path):
        points = [{"x": x, "y": y, "id": 0}, {"x": x + 30, "y": y, "id": 1}]
        session.send("Input.dispatchTouchEvent", {"type": "touchMove" if i else "touchStart", "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect_equation(page, 7, 4, 11)
    page.mouse.move(*path[0])
    page.mouse.down(button="right")
    page.mouse.move(*path[-1])
    page.mouse.up(button="right")
    assert page.evaluate("page.picture.strokes.length") == 1


def test_the_paper_is_as_sharp_as_the_screen(server: Server, open_page: OpenPage) -> None:
    page = open_page(server, device_scale_factor=2.5).page
    draw(page, 3)
    assert page.evaluate("canvas.width / canvas.clientWidth") == pytest.approx(2.5, abs=0.01)


def test_a_changed_window_keeps_the_drawing(server: Server, open_page: OpenPage) -> None:
    page = open_page(server).page
    draw(page, 3)
    page.set_viewport_size({"width": 500, "height": 700})
    page.wait_for_timeout(200)
    assert page.evaluate("canvas.width === canvas.clientWidth")
    expect_equation(page, 3, 4, 7)
    ink = "[...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.width).data].some((value) => value > 0)"
    assert page.evaluate(ink)


def test_blank_paper_is_nothing_and_is_not_sent(server: Server, open_page: OpenPage) -> None:
    watched = open_page(server)
    page = watched.page
    expect_nothing(page)
    page.keyboard.press("8")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+z")
    expect(page.get_by_role("button", name="Clear")).to_be_disabled()
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    expect_nothing(page)
    assert watched.reads() == 0
    keep_screenshot(page, "blank")


def test_clear_leaves_blank_paper(server: Server, open_page: OpenPage) -> None:
    watched = open_page(server)
    page = watched.page
    draw(page, 7)
    expect_equation(page, 7, 4, 11)
    page.get_by_role("button", name="Clear").click()
    expect_nothing(page)
    assert watched.reads() == 1
    assert not page.evaluate(
        "[...canvas.getContext('2d').getImageData(0, 0, 480, 480).data].some((value) => value > 0)"
    )
    assert page.locator("#field").get_attribute("aria-label") == "The network has seen nothing yet"
    assert page.locator("#digit-bars").get_attribute("aria-label") == "Digit: nothing yet"


def test_undo_takes_back_strokes_and_a_clear(server: Server, open_page: OpenPage) -> None:
    page = open_page(server).page
    undo = page.get_by_role("button", name="Undo")
    draw(page, 1)
    expect_equation(page, 1, 4, 5)
    draw(page, 4)
    undo.click()
    page.keyboard.press("u")
    expect_equation(page, 1, 4, 5)
    page.keyboard.press("Escape")
    expect_nothing(page)
    page.keyboard.press("Control+z")
    expect_equation(page, 1, 4, 5)
    undo.click()
    expect_nothing(page)
    expect(undo).to_be_disabled()


def test_keys_and_buttons_set_the_number(server: Server, open_page: OpenPage) -> None:
    page = open_page(server).page
    draw(page, 7)
    for number in range(10):
        page.keyboard.press(str(number))
        expect_equation(page, 7, number, 7 + number)
        expect(page.get_by_role("radio", name=str(number), exact=True)).to_be_checked()
    page.get_by_text("2", exact=True).first.click()
    expect_equation(page, 7, 2, 9)
    page.get_by_role("radio", name="2", exact=True).press("ArrowRight")
    expect_equation(page, 7, 3, 10)


def test_the_newest_picture_wins_and_two_are_never_asked_at_once(server: Server, open_page: OpenPage) -> None:
    watched = open_page(server)
    page = watched.page
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/read?*", hold)
    with page.expect_request("**/read?number=4*"):
        draw(page, 7)
    for number in (8, 9):
        with page.expect_event("requestfailed"), page.expect_request(f"**/read?number={number}*"):
            page.keyboard.press(str(number))
    expect(page.get_by_role("status")).to_contain_text("Reading")
    held[-1].continue_()
    expect_equation(page, 7, 9, 16)


def test_doubt_is_said_in_words(server: Server, open_page: OpenPage) -> None:
    page = open_page(server).page
    draw(page, 3, 0.45, (0.27, 0.5))
    draw(page, 5, 0.45, (0.73, 0.5))
    status = page.get_by_role("status")
    expect(status).to_contain_text("Unsure")
    expect(status).to_contain_text("More than one thing in the picture. Show one digit alone.")
    expect(page.locator("#digit")).to_have_css("text-decoration-style", "wavy")
    keep_screenshot(page, "unsure")


def test_a_scribble_is_no_sure_digit(server: Server, open_page: OpenPage) -> None:
    page = open_page(server).page
    path = [(0.2 + 0.6 * (i % 2), 0.2 + 0.03 * i) for i in range(20)] + [
        (0.3 + 0.02 * i, 0.8 - 0.6 * (i % 2)) for i in range(20)
    ]
    screen = on_screen(page, path)
    page.mouse.move(*screen[0])
    page.mouse.down()
    for x, y in screen:
        page.mouse.move(x, y)
    page.mouse.up()
    expect(page.locator("#answer")).to_have_attribute("data-state", re.compile("unsure|none"))
    keep_screenshot(page, "scribble")


def test_bars_and_field_show_what_the_network_said_and_saw(server: Server, open_page: OpenPage) -> None:
    page = open_page(server).page
    draw(page, 6)
    expect_equation(page, 6, 4, 10)
    assert page.locator("#digit-bars .bar").count() == 10
    assert page.locator("#value-bars .bar").count() == 19
    expect(page.locator("#digit-bars .best")).to_have_text("6")
    expect(page.locator("#value-bars .best")).to_have_text("10")
    expect(page.locator("#digit-bars")).to_have_attribute("aria-label", re.compile(r"^Digit: 6 over\s99\.9\s%$"))
    lit = page.evaluate(
        "[...field.getContext('2d').getImageData(0, 0, 28, 28).data].filter((v, i) => i % 4 === 0 && v > 128).length"
    )
    assert 40 < lit < 250


def test_two_outputs_that_disagree_are_no_equation(server: Server, open_page: OpenPage) -> None:
    page = open_page(server).page
    page.route("**/read?*", _disagree)
    draw(page, 7)
    expect(page.get_by_role("status")).to_contain_text("Digit 7, sum 12.")
    expect(page.get_by_role("status")).to_contain_text("The two outputs disagree, 7 + 4 = 11.")
    assert equation(page) == f"7 + 4 {UNEQUAL} 12"


def _disagree(route: Route) -> None:
    line = route.fetch().json()
    reason = "the two outputs disagree, 7 + 4 = 11"
    route.fulfill(json=line | {"sum": 12, "consistent": False, "reliable": False, "reason": reason})
