"""The tutorial as it is committed: run from top to bottom, small, and without a word of the machine it ran on."""

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
import pytest
from PIL import Image

from execute_tutorial import COLOURS, EXPECTED, LARGEST, NOTEBOOK, outputs_of, problems_of, tidy


@pytest.fixture(scope="module")
def tutorial() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


def test_it_was_run_from_a_clean_kernel(tutorial: Any) -> None:
    code = [cell for cell in tutorial.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(output.output_type != "error" for output in outputs_of(tutorial))


def test_it_can_be_handed_out(tutorial: Any) -> None:
    assert problems_of(tutorial, NOTEBOOK.stat().st_size) == []


def test_words_are_explained_before_the_training_uses_them(tutorial: Any) -> None:
    text = "".join(cell.source for cell in tutorial.cells)
    training = text.index("!mnistsum-train")
    for word in (
        "**label**",
        "**one-hot**",
        "**head**",
        "**logits**",
        "**Softmax**",
        "**gate**",
        "**loss**",
        "**epoch**",
    ):
        assert text.index(word) < training


def notebook_that_says(words: str) -> Any:
    cell = nbformat.v4.new_code_cell("", outputs=[nbformat.v4.new_output("stream", text=words)])  # type: ignore[no-untyped-call]
    return nbformat.v4.new_notebook(cells=[cell])  # type: ignore[no-untyped-call]


def test_what_failed_is_named() -> None:
    words = " ".join(EXPECTED)
    assert problems_of(notebook_that_says(words), LARGEST) == []
    assert problems_of(notebook_that_says(words.replace("7 + 4 = 11", "")), LARGEST) == ["no output says '7 + 4 = 11'"]
    assert len(problems_of(notebook_that_says(words), LARGEST + 1)) == 1


@pytest.mark.parametrize("place", [str(NOTEBOOK.parents[1] / "runs"), str(Path.home() / "x"), "/home/pupil/mnistsum"])
def test_places_of_a_machine_are_found(place: str) -> None:
    (problem,) = problems_of(notebook_that_says(f"{' '.join(EXPECTED)} {place}"), LARGEST)
    assert problem.startswith("an output names /")


def test_a_picture_keeps_its_size_and_loses_colours() -> None:
    noisy = Image.effect_noise((90, 60), 80).convert("RGB")
    buffer = BytesIO()
    noisy.save(buffer, "PNG")
    output = nbformat.v4.new_output(  # type: ignore[no-untyped-call]
        "display_data", data={"image/png": base64.b64encode(buffer.getvalue()).decode()}
    )
    tidy(output)
    with Image.open(BytesIO(base64.b64decode(output.data["image/png"]))) as small:
        assert small.size == (90, 60)
        assert len(small.convert("RGB").getcolors() or ()) <= COLOURS
