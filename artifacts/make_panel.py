"""The picture on the first page: what `--explain` draws of a sample, without its words, which would be small there."""

from io import BytesIO
from pathlib import Path

from mnistsum_runtime import Predictor
from mnistsum_runtime.atomic import write_atomically

SAMPLE = "two-blue-ink.png"
SHOWN = (0, 0, 1052, 348)
"""Left, top, right and bottom of what is kept, in pixels."""


def main() -> None:
    """Write one_panel.png."""
    folder, buffer = Path(__file__).parent, BytesIO()
    panel = Predictor().explain((folder / "samples" / SAMPLE).read_bytes(), 4, SAMPLE)
    panel.crop(SHOWN).save(buffer, "PNG", optimize=True)
    write_atomically(folder / "one_panel.png", buffer.getvalue())


if __name__ == "__main__":
    main()
