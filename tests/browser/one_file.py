"""The page in one file: made of a shipped model, opened as by a double click, and what it makes of drawings."""

import base64
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

from browser.pens import Stroke
from mnistsum_export.page.assemble import make_page
from mnistsum_export.page.onnxruntime_web import FOLDER, read_onnxruntime_web
from mnistsum_runtime.model import shipped_model
from mnistsum_runtime.operations import SUM, Operation

ROOT = Path(__file__).parents[2]
WEB = ROOT / FOLDER
PREPARE = """(strokes) => {
    const canvas = strokesOnWhite(strokes.map((stroke) => stroke.map(([x, y]) => [x * PAPER, y * PAPER])));
    const { field, doubt } = prepareDrawing(levelsOf(canvas));
    return [canvas.toDataURL("image/png").split(",")[1], [...field], doubt];
}"""


@dataclass(frozen=True)
class OneFile:
    """A page on the disk."""

    path: Path

    @property
    def url(self) -> str:
        return self.path.as_uri()


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the page makes of a drawing before the network sees it."""

    png: bytes
    """The drawing."""
    field: NDArray[np.float32]
    """[28, 28]."""
    doubt: str | None


def write_one_file(folder: Path, operation: Operation = SUM, precision: str = "fp32") -> OneFile:
    """The page of a shipped model, as `mnistsum-export --page` writes it."""
    path = folder / f"{operation.name}-{precision}.html"
    path.write_bytes(make_page(Path(shipped_model(operation, precision)), read_onnxruntime_web(WEB)))
    return OneFile(path)


def prepare_on(page: Page, strokes: list[Stroke]) -> Prepared:
    """Draw strokes, in shares of the paper's side, and prepare them, all on the page."""
    png, field, doubt = page.evaluate(PREPARE, strokes)
    return Prepared(base64.b64decode(png), np.array(field, np.float32).reshape(28, 28), doubt)


def milliseconds(page: Page, measure: str) -> float:
    """How long the newest of what the page measures under a name took: `answer`, from the pen's end on; `verify`."""
    return float(page.evaluate("(name) => performance.getEntriesByName(name).at(-1).duration", measure))
