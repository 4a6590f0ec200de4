"""That everybody can use the page: small screens, the dark scheme, screen readers, keys, contrast, calm."""

import pytest
from playwright.sync_api import Page, expect

from browser.answers import expect_equation
from browser.pens import draw
from browser.watching import OpenPage, Server, keep_screenshot

TEXTS = [
    "h1",
    "header p",
    "#digit",
    "#number",
    "#symbol",
    "#verdict",
    "#why",
    "#undo",
    "#clear",
    ".hint",
    ".hint kbd",
    "legend",
    "#numbers label:nth-child(1) span",
    "#numbers label:nth-child(5) span",
    "figcaption",
    "#digit-bars .bar:nth-child(1)",
    "#digit-bars .bar.best",
    "footer p",
    "#docs",
]
CONTRAST = """(selector) => {
    const canvas = new OffscreenCanvas(1, 1), context = canvas.getContext("2d", { willReadFrequently: true });
    const over = (colour, ground) => {  // what the browser itself makes of a colour on a ground
        for (const each of [ground, colour]) {
            context.fillStyle = each;
            context.fillRect(0, 0, 1, 1);
        }
        return "rgb(" + [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).join(",") + ")";
    };
    const light = (colour) => {  // WCAG 2.2, relative luminance
        const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        const [r, g, b] = colour.match(/\\d+/g).map((v) => linear(v / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const target = document.querySelector(selector), chain = [];
    for (let each = target; each; each = each.parentElement) chain.unshift(getComputedStyle(each).backgroundColor);
    const ground = chain.reduce((under, each) => over(each, under), "rgb(255,255,255)");
    const [high, low] = [light(over(getComputedStyle(target).color, ground)), light(ground)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
}"""


def has_no_sideways_scrolling(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(320, 568), (360, 640), (768, 1024), (1280, 800), (1920, 1080)])
def test_it_fits_every_screen(server: Server, open_page: OpenPage, scheme: str, width: int, height: int) -> None:
    page = open_page(server, width, height, color_scheme=scheme).page
    assert has_no_sideways_scrolling(page)
    keep_screenshot(page, f"{scheme}-{width}-blank")
    page.locator("#canvas").scroll_into_view_if_needed()
    draw(page, 8)
    page.keyboard.press("9")
    expect_equation(page, 8, 9, 17)
    assert has_no_sideways_scrolling(page)
    equation = page.locator(".equation")
    assert equation.evaluate("(each) => each.scrollWidth <= each.clientWidth")
    page.evaluate("scrollTo(0, 0)")
    keep_screenshot(page, f"{scheme}-{width}")


def test_the_paper_stays_where_it_is_while_words_change(server: Server, open_page: OpenPage) -> None:
    page = open_page(server, 360, 640).page
    places = [page.locator("#canvas").bounding_box()]
    for digit, centre in ((3, (0.27, 0.5)), (5, (0.73, 0.5))):
        draw(page, digit, 0.45, centre)
        expect(page.locator("#value")).not_to_be_empty()
        places.append(page.locator("#canvas").bounding_box())
    expect(page.locator("#verdict")).to_have_text("Unsure")
    assert places[1:] == places[:-1]
    keep_screenshot(page, "unsure-360")


def test_a_telephone_shows_answer_and_paper_together(server: Server, open_page: OpenPage) -> None:
    page = open_page(server, 360, 640).page
    for selector in (".equation", "#verdict", "#canvas"):
        box = page.locator(selector).bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 640


def test_the_result_can_be_read_from_two_metres(server: Server, open_page: OpenPage) -> None:
    """Figures of 20 minutes of arc are comfortable to read: 11.6 mm at two metres, 44 of CSS's pixels."""
    for width, height in ((360, 640), (1280, 800)):
        page = open_page(server, width, height).page
        size = page.locator(".equation").evaluate("(each) => parseFloat(getComputedStyle(each).fontSize)")
        assert 0.7 * size >= 44


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", ["sure", "unsure"])
def test_texts_have_the_contrast_of_aa(server: Server, open_page: OpenPage, scheme: str, state: str) -> None:
    page = open_page(server, color_scheme=scheme, reduced_motion="reduce").page
    draw(page, 7)
    expect_equation(page, 7, 4, 11)
    page.evaluate(
        "(state) => { answer.dataset.state = state; notice.hidden = false; showNotice('Away', true); }", state
    )
    low = {each: page.evaluate(CONTRAST, each) for each in [*TEXTS, "#notice-text", "#notice-button"]}
    assert {each: round(ratio, 2) for each, ratio in low.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_paper_is_light_and_the_ink_dark_in_both_schemes(server: Server, open_page: OpenPage, scheme: str) -> None:
    page = open_page(server, color_scheme=scheme).page
    ground = page.evaluate("getComputedStyle(paper).backgroundColor")
    assert min(int(part) for part in ground[4:-1].split(",")) > 220
    draw(page, 1)
    darkest = page.evaluate(
        "[...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.width).data]"
        ".reduce((most, v, i, all) => (i % 4 === 3 && v === 255 ? Math.max(most, all[i - 1]) : most), 0)"
    )
    assert 0 < darkest < 80
    assert (
        page.evaluate("getComputedStyle(document.body).backgroundColor")
        == {
            "light": "rgb(243, 241, 236)",
            "dark": "rgb(21, 24, 29)",
        }[scheme]
    )


def test_a_picture_that_is_sent_is_black_on_white_in_the_dark_scheme_too(server: Server, open_page: OpenPage) -> None:
    page = open_page(server, color_scheme="dark").page
    draw(page, 1)
    corner, darkest = page.evaluate("""async () => {
        const image = await createImageBitmap(await exportStrokes(page.picture.strokes));
        const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
        context.drawImage(image, 0, 0);
        const { data } = context.getImageData(0, 0, image.width, image.height);
        return [[...data.slice(0, 4)], Math.min(...data.filter((_, i) => i % 4 === 0))];
    }""")
    assert corner == [255, 255, 255, 255]
    assert darkest == 0


def test_everything_has_its_role_and_name(server: Server, open_page: OpenPage) -> None:
    page = open_page(server, has_touch=True).page
    expect(page.locator("body")).to_match_aria_snapshot("""
        - banner:
          - heading "mnistsum" [level=1]
        - main:
          - region "Answer":
            - status:
              - strong: Nothing there yet
          - region "Picture":
            - img "Paper to draw one digit on; empty"
            - button "Undo" [disabled]
            - button "Clear" [disabled]
            - button "Take a photo"
            - button "Open a picture"
          - region "Question":
            - radiogroup "Number to add":
              - radio "0"
              - radio "1"
              - radio "2"
              - radio "3"
              - radio "4" [checked]
              - radio "5"
              - radio "6"
              - radio "7"
              - radio "8"
              - radio "9"
          - region "What the network saw and thought":
            - figure /What it saw/:
              - img "The network has seen nothing yet"
            - figure "Digit":
              - 'img "Digit: nothing yet"'
            - figure "Sum":
              - 'img "Sum: nothing yet"'
        - contentinfo
    """)
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.title() == "mnistsum: draw a digit"


def test_the_live_region_changes_once_for_each_answer(server: Server, open_page: OpenPage) -> None:
    page = open_page(server).page
    status = page.get_by_role("status")
    assert status.get_attribute("aria-live") == "polite"
    draw(page, 7)
    expect(status).to_contain_text("7 plus 4 is 11.")
    page.evaluate("""() => {
        globalThis.said = [];
        const status = document.querySelector("[role=status]");
        new MutationObserver(() => said.push(status.textContent.replace(/\\s+/g, " ").trim()))
            .observe(status, { subtree: true, childList: true, characterData: true });
    }""")
    page.keyboard.press("5")
    expect(status).to_contain_text("7 plus 5 is 12.")
    page.keyboard.press("5")
    page.wait_for_timeout(300)
    assert page.evaluate("said") == ["7 plus 5 is 12. Sure Digit over 99.9 %, sum over 99.9 %."]


def test_every_control_is_reached_by_tab_and_shows_that_it_is(server: Server, open_page: OpenPage) -> None:
    page = open_page(server, has_touch=True).page
    draw(page, 7)
    expect_equation(page, 7, 4, 11)
    reached = []
    page.evaluate("scrollTo(0, 0)")
    for _ in range(6):
        page.keyboard.press("Tab")
        name, outline = page.evaluate("""() => {
            const active = document.activeElement;
            const shown = [active, active.nextElementSibling, active.closest("label")].filter(Boolean);
            const styles = shown.map((each) => getComputedStyle(each));
            const outlined = styles.some((s) => s.outlineStyle === "solid" && parseFloat(s.outlineWidth) >= 2);
            return [active.id || active.value, outlined];
        }""")
        reached.append(name)
        assert outline, name
    assert reached == ["undo", "clear", "capture", "file", "4", "docs"]
    page.locator("#numbers input").nth(4).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    keep_screenshot(page, "focus")


def test_nothing_moves_for_those_who_want_calm(server: Server, open_page: OpenPage) -> None:
    durations = """() => [
        getComputedStyle(document.querySelector(".equation")).transitionDuration,
        getComputedStyle(document.querySelector(".bar"), "::before").transitionDuration,
    ]"""
    assert open_page(server, reduced_motion="reduce").page.evaluate(durations) == ["0s", "0s"]
    assert open_page(server).page.evaluate(durations) == ["0.15s", "0.15s"]


def test_colours_that_the_system_chooses_leave_the_bars(server: Server, open_page: OpenPage) -> None:
    page = open_page(server, forced_colors="active").page
    draw(page, 7)
    expect_equation(page, 7, 4, 11)
    keep_screenshot(page, "forced-colours")
    assert page.evaluate("getComputedStyle(document.querySelector('.bar'), '::before').backgroundImage") != "none"


def test_touch_targets_are_large(server: Server, open_page: OpenPage) -> None:
    page = open_page(server, 360, 640, has_touch=True).page
    for target in page.locator("button:visible, label.button:visible, .options span:visible").all():
        box = target.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
