"""What the page makes of its server: tokens, absence, a camera, and that it reaches nothing else."""

import gzip
import json
import re
import sys
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, Route, expect

from browser.answers import TIMES, expect_equation, expect_nothing
from browser.pens import draw
from browser.watching import OpenPage, Server, StartServer, keep_screenshot, record

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "runtime" / "mnistsum_runtime" / "serve" / "page"
SAMPLES = ROOT / "artifacts" / "samples"
AWAY = "The server does not answer"


def get(url: str) -> tuple[bytes, str]:
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.read(), response.headers.get("Content-Encoding", "")


def test_the_page_is_small(server: Server) -> None:
    files = sorted(PAGE.iterdir())
    assert sum(path.stat().st_size for path in files) <= 100_000
    sent = 0
    for name in ("", "page.css", "paper.js", "showing.js", "server.js", "page.js", "icon.svg"):
        content, encoding = get(f"{server.url}/{name}")
        assert encoding == "gzip"
        assert gzip.decompress(content) == (PAGE / (name or "index.html")).read_bytes()
        sent += len(content)
    record("bytes over the wire", sent)
    assert sent <= 60_000


def test_the_page_loads_nothing_from_elsewhere() -> None:
    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"//[a-z0-9.-]+\.[a-z]{2,}/|@import|<style|\sstyle=|\son[a-z]+=", text), path.name


def test_the_content_security_policy_holds(server: Server, open_page: OpenPage) -> None:
    """`open_page` checks at the end that there is no complaint, and no other host."""
    watched = open_page(server)
    draw(watched.page, 7)
    expect_equation(watched.page, 7, 4, 11)
    blocked = watched.page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'reached', () => 'blocked')")
    assert blocked == "blocked"
    watched.page.wait_for_timeout(100)
    assert watched.console
    assert all("Content Security Policy" in complaint for complaint in watched.console)
    watched.console.clear()
    assert {path.split(" ")[1] for path in watched.requests} == {
        "/",
        "/page.css",
        "/paper.js",
        "/showing.js",
        "/server.js",
        "/page.js",
        "/icon.svg",
        "/about",
        "/read",
    }


def test_a_token_is_asked_for_once(start_server: StartServer, open_page: OpenPage, tmp_path: Path) -> None:
    token = tmp_path / "token.txt"
    token.write_text("correct-horse-battery\n", encoding="utf-8")
    server = start_server("--token", str(token))
    watched = open_page(server)
    page = watched.page
    dialog = page.get_by_role("dialog", name="This server asks for a token")
    expect(dialog).to_be_visible()
    expect(page.get_by_label("Token", exact=True)).to_be_focused()
    keep_screenshot(page, "token")

    page.get_by_label("Token", exact=True).fill("12345678")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="does not take this token")).to_be_visible()
    assert page.locator("#number").inner_text() == "4"
    keep_screenshot(page, "token-wrong")

    page.get_by_role("button", name="Not now").click()
    draw(page, 7)
    expect(page.get_by_role("status")).to_contain_text("The server wants its token first.")
    expect(dialog).to_be_hidden()
    assert watched.reads() == 0

    page.get_by_role("button", name="Enter the token").click()
    page.get_by_label("Token", exact=True).fill("correct-horse-battery")
    page.get_by_role("button", name="Use it").click()
    expect(dialog).to_be_hidden()
    expect_equation(page, 7, 4, 11)
    expect(page.locator("#notice")).to_be_hidden()

    page.reload()
    expect(page.locator("#about")).not_to_be_empty()
    draw(page, 3)
    expect_equation(page, 3, 4, 7)
    expect(dialog).to_be_hidden()


def test_a_server_that_was_away_answers_what_stands_there(start_server: StartServer, open_page: OpenPage) -> None:
    server = start_server()
    page = open_page(server).page
    draw(page, 7)
    expect_equation(page, 7, 4, 11)
    server.stop()
    page.keyboard.press("5")
    expect(page.get_by_role("alert")).to_contain_text(AWAY)
    expect(page.locator("#value")).to_be_empty()
    keep_screenshot(page, "away")
    page.keyboard.press("Escape")
    draw(page, 2)
    expect(page.get_by_role("alert")).to_contain_text(AWAY)

    start_server(port=server.port)
    expect_equation(page, 2, 5, 7)
    expect(page.locator("#notice")).to_be_hidden()


def test_a_server_that_comes_back_to_blank_paper_is_told_too(start_server: StartServer, open_page: OpenPage) -> None:
    server = start_server()
    watched = open_page(server)
    page = watched.page
    server.stop()
    draw(page, 2)
    expect(page.get_by_role("alert")).to_contain_text(AWAY)
    page.keyboard.press("Escape")
    expect_nothing(page)
    expect(page.get_by_role("alert")).to_contain_text(AWAY)
    start_server(port=server.port)
    expect(page.locator("#notice")).to_be_hidden()
    assert watched.reads() == 1


def test_another_server_in_its_place_is_taken_as_it_is(start_server: StartServer, open_page: OpenPage) -> None:
    server = start_server()
    page = open_page(server).page
    draw(page, 7)
    expect_equation(page, 7, 4, 11)
    server.stop()
    start_server("--operation", "product", port=server.port)
    page.keyboard.press("5")
    expect_equation(page, 7, 5, 35, TIMES)


def test_a_busy_server_is_asked_again_when_it_says(server: Server, open_page: OpenPage) -> None:
    watched = open_page(server)
    page = watched.page
    busy = {"error": {"kind": "busy", "message": "too many requests wait"}}

    def refuse(route: Route) -> None:
        route.fulfill(status=503, headers={"Retry-After": "2"}, json=busy)

    page.route("**/read?*", refuse)
    draw(page, 7)
    expect(page.get_by_role("alert")).to_contain_text("The server has too much to do.")
    page.wait_for_timeout(1200)
    assert watched.reads() == 1
    page.unroute("**/read?*")
    expect_equation(page, 7, 4, 11)
    expect(page.locator("#notice")).to_be_hidden()


def test_a_refusal_is_told_in_the_servers_words(server: Server, open_page: OpenPage) -> None:
    page = open_page(server).page
    error = {"error": {"kind": "too_large", "message": "more than 1,000 bytes, the most that is read"}}
    page.route("**/read?*", lambda route: route.fulfill(status=413, json=error))
    draw(page, 7)
    expect(page.get_by_role("status")).to_contain_text("No answer More than 1,000 bytes, the most that is read.")


def test_one_of_several_networks_is_chosen(start_server: StartServer, open_page: OpenPage) -> None:
    server = start_server("--operation", "sum", "--operation", "product", "--model", "int8")
    page = open_page(server).page
    draw(page, 7)
    expect_equation(page, 7, 4, 11)
    page.get_by_text(f"{TIMES} product (fp32)").click()
    expect_equation(page, 7, 4, 28, TIMES)
    assert page.locator("#value-bars .bar").count() == 37
    expect(page.get_by_role("radiogroup", name="Number to multiply with")).to_be_visible()
    keep_screenshot(page, "product")
    page.get_by_role("radio", name="+ sum-int8 (int8)").press("Space")
    expect_equation(page, 7, 4, 11)


CAMERA = """
import io, itertools, sys, time
from PIL import Image

frames = []
for path in sys.argv[1:]:
    picture = Image.open(path).convert("RGBA")
    sheet = Image.new("RGBA", picture.size, "white")
    sheet.alpha_composite(picture)
    frame = io.BytesIO()
    sheet.convert("RGB").resize((640, 480)).save(frame, "JPEG", quality=90)
    frames.append(frame.getvalue())
for frame in itertools.cycle(frames):
    sys.stdout.buffer.write(frame)
    sys.stdout.buffer.flush()
    time.sleep(1.5)
"""


def camera_command(tmp_path: Path, *names: str) -> str:
    """A stub for `rpicam-vid --codec mjpeg -o -`: plays samples in a loop."""
    script = tmp_path / "camera.py"
    script.write_text(CAMERA, encoding="utf-8")
    return " ".join(map(str, (sys.executable, script, *(SAMPLES / name for name in names))))


def paper_is_blank(page: Page) -> bool:
    script = "[...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.width).data].every((value) => !value)"
    return bool(page.evaluate(script))


def test_a_camera_is_shown_live_with_what_was_read(
    start_server: StartServer, open_page: OpenPage, tmp_path: Path
) -> None:
    token = tmp_path / "token.txt"
    token.write_text("correct-horse-battery", encoding="utf-8")
    frames = camera_command(tmp_path, "seven.png", "two-blue-ink.png")
    server = start_server("--frames", frames, "--number", "6", "--token", str(token))
    watched = open_page(server)
    page = watched.page
    page.get_by_label("Token", exact=True).fill("correct-horse-battery")
    page.keyboard.press("Enter")
    expect_equation(page, 7, 6, 13)
    expect_equation(page, 2, 6, 8)
    expect(page.get_by_role("radio", name="Live camera")).to_be_checked()
    expect(page.get_by_role("radio", name="6", exact=True)).to_be_checked()
    expect(page.get_by_role("img", name="Live camera")).to_be_visible()
    assert not paper_is_blank(page)
    keep_screenshot(page, "camera")

    page.keyboard.press("3")
    expect_equation(page, 7, 3, 10)
    expect_equation(page, 2, 3, 5)

    page.get_by_text("Paper", exact=True).click()
    expect_nothing(page)
    assert paper_is_blank(page)
    page.wait_for_timeout(500)
    asked = len(watched.requests)
    page.wait_for_timeout(1000)
    assert len(watched.requests) == asked
    page.get_by_text("Live camera").click()
    expect_equation(page, 7, 3, 10)
    draw(page, 4)
    expect_equation(page, 4, 3, 7)
    expect(page.get_by_role("radio", name="Paper")).to_be_checked()


def test_nobody_looks_at_a_hidden_camera(start_server: StartServer, open_page: OpenPage, tmp_path: Path) -> None:
    server = start_server("--frames", camera_command(tmp_path, "seven.png"))
    watched = open_page(server)
    page = watched.page
    expect_equation(page, 7, 0, 7)
    hide = """(hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    page.wait_for_timeout(600)
    asked = len(watched.requests)
    page.wait_for_timeout(1000)
    assert len(watched.requests) == asked
    page.evaluate(hide, False)
    page.wait_for_timeout(600)
    assert len(watched.requests) > asked


def test_a_camera_that_fails_says_why(start_server: StartServer, open_page: OpenPage) -> None:
    server = start_server("--frames", "no-such-camera -o -")
    page = open_page(server).page
    expect(page.get_by_role("status")).to_contain_text("The camera gives no picture: no-such-camera: No such file")


def test_about_is_what_the_page_is_made_for(server: Server) -> None:
    about = json.loads(get(f"{server.url}/about")[0])
    assert about.keys() == {"version", "token", "frames", "models"}
    assert about["models"][0].keys() == {"name", "operation", "symbol", "precision", "sha256"}
