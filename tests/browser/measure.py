"""The page in one file, measured as its user meets it, in Debian's chromium and Firefox.

Usage: python -m browser.measure [--out FOLDER] (with tests/ on PYTHONPATH, after `make web`)
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from playwright.sync_api import Page, expect, sync_playwright

from browser.firefox import running_firefox
from browser.one_file import ROOT, OneFile, milliseconds, prepare_on, write_one_file
from browser.pens import DIGITS, draw, in_another_hand
from mnistsum_export.page.onnxruntime_web import VERSION
from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.measure.device import this_device
from mnistsum_runtime.preparation.picture import read_picture
from mnistsum_runtime.preparation.prepare import prepare_picture

ROUNDS = 10
"""Of all ten digits."""
DRAWINGS = 200
READ = "document.querySelector('#digit').innerText + ' ' + document.querySelector('#value').innerText"


@click.command("measure")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "artifacts", help="For page.json.")
def command(out: Path) -> None:
    """Write page.json. Let nothing else run, it takes two minutes; how much did run is written there too."""
    load, _, _ = os.getloadavg()
    with tempfile.TemporaryDirectory() as name:
        file, int8 = write_one_file(Path(name)), write_one_file(Path(name), precision="int8")
        in_chromium, preparation = measure_chromium(file)
        content = {
            "machine": {
                "processor": this_device().board,
                "cores": this_device().cores,
                "load": round(load, 1),
                "system": platform.platform(),
            },
            "onnxruntime_web": VERSION,
            "bytes": {"fp32": file.path.stat().st_size, "int8": int8.path.stat().st_size},
            "preparation": preparation,
            "browsers": [in_chromium, measure_firefox(file)],
        }
    write_atomically(out / "page.json", f"{json.dumps(content, indent=2)}\n".encode())


def measure_chromium(file: OneFile) -> tuple[dict[str, Any], dict[str, Any]]:
    """The page in chromium; and how far its preparation is from Python's."""
    requests: list[str] = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1280, "height": 800})
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.url)
        expect(page.locator("#about")).not_to_be_empty(timeout=30_000)

        def answer(digit: int) -> tuple[str, float]:
            page.keyboard.press("Escape")
            draw(page, digit)
            expect(page.locator("#value")).to_have_text(str(digit + 4))
            return page.evaluate(READ), milliseconds(page, "answer")

        measured = measure_answers(answer) | {"name": f"chromium {chromium.version.split('.')[0]}"}
        page.get_by_role("button", name="Verify").click()
        expect(page.locator("#verification .verdict")).to_be_visible(timeout=30_000)
        measured |= verification(page.locator("#verification").inner_text())
        measured |= {name: round(milliseconds(page, name[:-3])) for name in ("ready_ms", "verify_ms")}
        measured["requests"] = sum(not url.startswith(("blob:", "data:")) for url in requests) - 1  # the file itself
        preparation = measure_preparation(page)
        chromium.close()
    return measured, preparation


def measure_firefox(file: OneFile) -> dict[str, Any]:
    """The page in Firefox."""
    with running_firefox() as firefox:
        firefox.watch_requests()
        firefox.open(file.url)
        firefox.wait_for("#about", "mnistsum")

        def newest(name: str) -> float:
            return float(firefox.evaluate(f"return performance.getEntriesByName('{name}').at(-1).duration"))

        def answer(digit: int) -> tuple[str, float]:
            firefox.click("#clear")
            firefox.draw(digit)
            firefox.wait_for("#value", str(digit + 4))
            return str(firefox.evaluate(f"return {READ}")), newest("answer")

        agent = re.search(r"Firefox/(\d+)", str(firefox.evaluate("return navigator.userAgent")))
        measured = measure_answers(answer) | {"name": f"Firefox {agent[1] if agent else ''}"}
        firefox.click("#verify")
        firefox.wait_for("#verification", "here:")
        measured |= verification(firefox.text("#verification"))
        measured |= {name: round(newest(name[:-3])) for name in ("ready_ms", "verify_ms")}
        measured["requests"] = len(firefox.requests())
    return measured


def measure_answers(answer: Callable[[int], tuple[str, float]]) -> dict[str, Any]:
    """Ten digits, round after round: how many were right, and milliseconds from the last stroke's end to the answer."""
    answers = [(digit, *answer(digit)) for _ in range(ROUNDS) for digit in DIGITS]
    took = sorted(each for _, _, each in answers)
    return {
        "answers": len(answers),
        "right": sum(said == f"{digit} {digit + 4}" for digit, said, _ in answers),
        "answer_ms": {"p50": round(statistics.median(took), 1), "p95": round(took[int(0.95 * len(took))], 1)},
    }


def verification(told: str) -> dict[str, Any]:
    """What the page's table says."""
    rows = re.findall(r"^(\w+)\s+(\S+)\s+(\S+)\s+(\d+) of (\d+)\s+(\w+)$", told, re.MULTILINE)
    outputs = [
        {"name": name, "largest_difference": float(difference), "labels_equal": int(equal), "labels": int(labels)}
        for name, difference, _, equal, labels, _ in rows
    ]
    return {"verified": told.startswith("verified"), "outputs": outputs}


def measure_preparation(page: Page) -> dict[str, Any]:
    """Drawings of many hands, prepared by the page and by the runtime."""
    differences = []
    for seed in range(DRAWINGS):
        drawn = prepare_on(page, in_another_hand(seed % 10, seed))
        differences.append(float(np.abs(drawn.field - prepare_picture(read_picture(drawn.png)).field).max()))
    return {"drawings": DRAWINGS, "largest_difference": max(differences)}


if __name__ == "__main__":
    command()
