"""Everything in one HTML file: it opens by a double click, asks nobody, and reads what is drawn on it.

The page is that of `mnistsum-serve`, of which the parts that need a server are left out; their places have names in its
`index.html`. What stands in a script is executed only if its hash is in the page's Content Security Policy.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from hashlib import sha256
from html import escape
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnistsum_export.page.onnxruntime_web import VERSION
from mnistsum_runtime import __version__
from mnistsum_runtime.contract import CALIBRATION_METADATA, FP32
from mnistsum_runtime.measure.recorded import read_recorded
from mnistsum_runtime.model import open_model
from mnistsum_runtime.proof.references import read_file
from mnistsum_runtime.serve.pages import FOLDER as SERVED

if TYPE_CHECKING:
    from mnistsum_export.page.onnxruntime_web import OnnxruntimeWeb
    from mnistsum_runtime.model import Model

OWN = Path(__file__).parent
SCRIPTS = (
    *(OWN / name for name in ("form.js", "parts.js", "preparation.js", "reliability.js", "network.js")),
    *(OWN / name for name in ("references.js", "verify.js")),
    *(SERVED / name for name in ("paper.js", "showing.js")),
    OWN / "alone.js",
    SERVED / "page.js",
)
"""In the order in which they run, after onnxruntime's."""
STYLES = (SERVED / "page.css", OWN / "alone.css")
PROOF = """
<section class="proof" aria-label="Proof">
  <p>Does this browser compute what was computed where the network was made? {rows} questions are recorded here.</p>
  <button type="button" id="verify" disabled>Verify</button>
  <div id="verification" role="status"></div>
  <p>It is the inference of <code>mnistsum-verify</code>. The photos that it prepares besides need the runtime.</p>
</section>
"""
PROMISE = (
    f"Everything happens in this page: it asks nobody. With ONNX Runtime Web {VERSION}, © Microsoft, MIT licence, and "
    "digits of MNIST, by Y. LeCun, C. Cortes and C. J. C. Burges, CC BY-SA 3.0."
)


def make_page(path: Path, web: OnnxruntimeWeb) -> bytes:
    """The page of a model file of this network, whose references lie beside it.

    Raises:
        ModelError: It is missing, damaged or of another network, or its references are.
    """
    model = open_model(path)
    rows = len(read_recorded(model).references)
    content, references = path.read_bytes(), read_file(path)
    own = (path.read_text(encoding="utf-8") for path in SCRIPTS)
    scripts = [as_classic_script(text) for text in (web.script.decode(), *own)]
    style = "\n".join(path.read_text(encoding="utf-8") for path in STYLES)
    icon = base64.b64encode((SERVED / "icon.svg").read_bytes()).decode()
    packed = {
        "model": content,
        "references": references,
        "onnxruntime-glue": web.glue,
        "onnxruntime-wasm": web.wasm,
    }
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy(scripts, style))}">\n'
        f'<link rel="icon" href="data:image/svg+xml;base64,{icon}">\n<style>{style}</style>'
    )
    body = [
        data_block("facts", "application/json", json.dumps(facts_of(model))),
        *(data_block(name, "application/gzip", pack(what)) for name, what in packed.items()),
        *(f"<script>{script}</script>" for script in scripts),
    ]
    places = dict.fromkeys(("photos", "camera", "pictures", "hint", "docs", "button"), "")
    places |= {"files": head, "proof": PROOF.format(rows=rows), "promise": PROMISE, "token": "\n".join(body)}
    return fill_places((SERVED / "index.html").read_text(encoding="utf-8"), places).encode()


def facts_of(model: Model) -> dict[str, Any]:
    """What the page's scripts must know of a model and cannot ask onnxruntime for; a limit that is none is null."""
    operation, precision = model.operation, model.precision()
    calibration = [value if isfinite(value) else None for value in model.calibration]
    return {
        "version": __version__,
        "models": [
            {
                "name": operation.name if precision == FP32 else f"{operation.name}-{precision}",
                "operation": operation.name,
                "symbol": operation.symbol,
                "precision": precision,
                "sha256": model.sha256(),
                "classes": list(operation.classes),
                "calibration": {
                    key.removeprefix("mnistsum."): value
                    for key, value in zip(CALIBRATION_METADATA, calibration, strict=True)
                },
            }
        ],
    }


def fill_places(page: str, places: dict[str, str]) -> str:
    """Put texts where the page of the server has its own: between `<!-- name -->` and `<!-- end of name -->`.

    Raises:
        LookupError: A place is there that has no text, or a text that has no place.
    """
    found = re.findall(r"<!-- end of (\w+) -->", page)
    if sorted(found) != sorted(places):
        raise LookupError(f"the page has the places {', '.join(found)}, there are texts for {', '.join(places)}")
    for name, text in places.items():
        start, rest = page.split(f"<!-- {name} -->")
        page = start + text + rest.split(f"<!-- end of {name} -->")[1]
    return page


def as_classic_script(text: str) -> str:
    """A script as it may stand in a page, of which it must not be the end.

    Raises:
        ValueError: It has in it what ends a script, or begins a comment.
    """
    text = re.sub(r"^//# sourceMappingURL=.*$", "", text, flags=re.MULTILINE)  # nobody has the map
    if re.search(r"</script|<!--", text, re.IGNORECASE):
        raise ValueError("a script with </script or <!-- in it cannot stand in a page")
    return text


def policy(scripts: list[str], style: str) -> str:
    """The Content Security Policy: these scripts and this style, WebAssembly, the module between, and nothing else."""
    hashes = " ".join(hash_of(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes} 'wasm-unsafe-eval' blob:; style-src {hash_of(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def hash_of(text: str) -> str:
    """A script's or style's hash, as a policy names it."""
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"


def pack(content: bytes) -> str:
    """Bytes as text that may stand in a page; equal bytes give equal text."""
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def data_block(name: str, media_type: str, text: str) -> str:
    """Data in a page, which no browser executes."""
    return f'<script type="{media_type}" id="{name}">{text}</script>'
