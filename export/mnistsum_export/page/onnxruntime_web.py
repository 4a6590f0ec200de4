"""onnxruntime for browsers, from npm: fetched once by `make web`, kept whole, and checked whenever it is used.

    python -m mnistsum_export.page.onnxruntime_web

fetches it into the folder `.web` where it is called.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from hashlib import sha512
from io import BytesIO
from pathlib import Path
from urllib.request import urlopen

from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.errors import CallError, MnistsumError, WorkError
from mnistsum_runtime.terminal import write_error

VERSION = "1.24.3"
"""The smallest that runs from a file as it is: before 1.24 the bytes of the WebAssembly are taken, and its address is
wanted all the same, which a file that is opened by a double click has not. It reads every opset that is exported."""
INTEGRITY = "sha512-41dDq7fxtTm0XzGE7N0d6m8FcOY8EWtUA65GkOixJPB/G7DGzBmiDAnVVXHznRw9bgUZpb+4/1lQK/PNxGpbrQ=="
"""Of the package, as npm states it."""
FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
"""In the order of `OnnxruntimeWeb`."""
FOLDER = Path(".web")
NAME = f"onnxruntime-web-{VERSION}.tgz"
REGISTRY = "https://registry.npmjs.org/"
REMEDY = "fetch it with `make web`, or `python -m mnistsum_export.page.onnxruntime_web`"
SECONDS = 120


@dataclass(frozen=True)
class OnnxruntimeWeb:
    """The three files of the build that is for the CPU alone, the smallest one."""

    script: bytes
    """Declares `ort`."""
    glue: bytes
    """A module between the script and the WebAssembly."""
    wasm: bytes


def read_onnxruntime_web(folder: Path = FOLDER) -> OnnxruntimeWeb:
    """Read what was fetched.

    Raises:
        CallError: It was not, or it is not the package that is expected.
    """
    path = folder / NAME
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CallError(f"--page needs onnxruntime-web {VERSION} in {path}: {REMEDY}") from error
    if integrity(content) != INTEGRITY:
        raise CallError(f"{path} is not onnxruntime-web {VERSION} as npm has it: remove it, and {REMEDY}")
    files = members(content)
    return OnnxruntimeWeb(*(files[f"package/dist/{name}"] for name in FILES))


def members(package: bytes) -> dict[str, bytes]:
    """The files of a package that are used, by their path in it."""
    with tarfile.open(fileobj=BytesIO(package)) as archive:
        opened = ((member.name, archive.extractfile(member)) for member in archive if Path(member.name).name in FILES)
        return {name: file.read() for name, file in opened if file is not None}


def integrity(content: bytes) -> str:
    """A package's hash as npm writes it."""
    return "sha512-" + base64.b64encode(sha512(content).digest()).decode()


def fetch(folder: Path = FOLDER) -> Path:
    """Fetch the package from the registry that npm is set to, or from npm's own; one that is there already stays.

    Raises:
        WorkError: It cannot be had, is another than expected, or cannot be written.
    """
    path = folder / NAME
    if path.is_file() and integrity(path.read_bytes()) == INTEGRITY:
        return path
    url = f"{registry().rstrip('/')}/onnxruntime-web/-/{NAME}"
    if not url.startswith("https://"):
        raise WorkError(f"npm's registry is {registry()}: expected an address that begins with https://")
    try:
        with urlopen(url, timeout=SECONDS) as response:  # noqa: S310  (it is https)
            content = response.read()
    except OSError as error:
        raise WorkError(f"onnxruntime-web {VERSION} cannot be fetched: {error}") from error
    if integrity(content) != INTEGRITY:
        raise WorkError(f"what npm's registry has as onnxruntime-web {VERSION} is not what is expected: not kept")
    folder.mkdir(exist_ok=True)
    write_atomically(path, content)
    return path


def registry() -> str:
    """The registry that npm is set to; without npm, its own."""
    npm = shutil.which("npm")
    if npm is None:
        return REGISTRY
    asked = subprocess.run([npm, "config", "get", "registry"], capture_output=True, text=True, check=False)  # noqa: S603
    return asked.stdout.strip() or REGISTRY


def main() -> None:
    """Entry point."""
    try:
        print(fetch())  # noqa: T201
    except MnistsumError as error:
        write_error(f"onnxruntime-web: {error}")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
