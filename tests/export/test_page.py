"""`mnistsum-export --page`: what is in the file, what it allows itself, and what is told before the proof."""

import base64
import gzip
import io
import json
import re
import tarfile
from collections.abc import Callable
from hashlib import sha256
from html import unescape
from pathlib import Path
from urllib.error import URLError

import pytest

from calling import assert_one_line, call
from exporting import SAMPLES, Exported
from mnistsum_export.cli import command
from mnistsum_export.page import assemble, onnxruntime_web
from mnistsum_export.page.assemble import as_classic_script, fill_places, make_page
from mnistsum_export.page.onnxruntime_web import FILES, NAME, OnnxruntimeWeb, fetch, integrity, read_onnxruntime_web
from mnistsum_runtime.errors import CallError, ModelError, WorkError
from mnistsum_runtime.model import shipped_model
from mnistsum_runtime.operations import PRODUCT, SUM
from mnistsum_runtime.proof.references import references_path

WEB = OnnxruntimeWeb(b"var ort = {};\n//# sourceMappingURL=ort.map", b"export default 1;", b"\0asm\1\0\0\0")
"""Not onnxruntime, but as large as the tests need it."""


def package() -> bytes:
    """Files of their names, as npm packs them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in zip(FILES, (WEB.script, WEB.glue, WEB.wasm), strict=True):
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in that has the package, of which this process knows the hash."""
    content = package()
    monkeypatch.setattr(onnxruntime_web, "INTEGRITY", integrity(content))
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".web").mkdir()
    (tmp_path / ".web" / NAME).write_bytes(content)
    return tmp_path


def data(page: str, name: str) -> bytes:
    """What the page carries under a name."""
    found = re.search(rf'<script type="application/gzip" id="{name}">([^<]*)</script>', page)
    assert found
    return gzip.decompress(base64.b64decode(found[1]))


@pytest.fixture(scope="module")
def page() -> str:
    return make_page(Path(shipped_model()), WEB).decode()


def test_it_carries_the_bytes_that_were_proven(page: str) -> None:
    model = Path(shipped_model())
    assert data(page, "model") == model.read_bytes()
    assert data(page, "references") == references_path(model).read_bytes()
    assert data(page, "onnxruntime-glue") == WEB.glue
    assert data(page, "onnxruntime-wasm") == WEB.wasm


def test_the_same_gives_the_same_page(page: str) -> None:
    assert make_page(Path(shipped_model()), WEB).decode() == page


def test_it_knows_what_the_model_says_of_itself() -> None:
    facts = re.search(r'id="facts">(.*?)</script>', make_page(Path(shipped_model(PRODUCT)), WEB).decode())
    assert facts
    (model,) = json.loads(facts[1])["models"]
    assert (model["name"], model["symbol"], model["classes"]) == ("product", "x", list(PRODUCT.classes))
    assert model["calibration"].keys() == {"digit_temperature", "value_temperature", "least_confidence"}
    assert 0 < model["calibration"]["least_confidence"] < 1


def test_a_model_without_a_calibration_has_no_limit(exported: Exported) -> None:
    facts = re.search(r'id="facts">(.*?)</script>', make_page(exported.path, WEB).decode())
    assert facts
    assert json.loads(facts[1])["models"][0]["calibration"]["least_confidence"] is None


def test_only_its_own_scripts_may_run(page: str) -> None:
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    assert policy
    allowed = unescape(policy[1])
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'" for text in scripts]
    assert len(scripts) == len(assemble.SCRIPTS) + 1
    assert f"script-src {' '.join(hashes)} 'wasm-unsafe-eval' blob:;" in allowed
    assert allowed.startswith("default-src 'none';")
    assert "unsafe-inline" not in allowed
    assert page.index("Content-Security-Policy") < page.index("<style>") < page.index("<script")


def test_nothing_in_it_is_fetched_and_nothing_is_of_a_server(page: str) -> None:
    markup = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert not re.search(r'\b(src|href)="(?!data:)', markup)
    assert not re.search(r"server|token|[Oo]pen a picture", markup.replace("mnistsum-serve", ""))
    assert "sourceMappingURL" not in page


def test_a_place_of_the_page_that_is_not_known_is_told() -> None:
    served = "<!-- one -->of the server<!-- end of one -->"
    assert fill_places(served, {"one": "own"}) == "own"
    for places in ({}, {"two": ""}, {"one": "", "two": ""}):
        with pytest.raises(LookupError, match="the page has the places one"):
            fill_places(served, places)


@pytest.mark.parametrize("text", ["'</script>'", "'</SCRIPT '", "a<!--b"])
def test_a_script_that_would_end_itself_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a page"):
        as_classic_script(text)


def test_references_of_another_model_make_no_page(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(Path(shipped_model(SUM)).read_bytes())
    with pytest.raises(ModelError, match="no references"):
        make_page(model, WEB)
    references_path(model).write_bytes(references_path(shipped_model(PRODUCT)).read_bytes())
    with pytest.raises(ModelError, match="belong to another model"):
        make_page(model, WEB)


# The command -----------------------------------------------------------------------------------------------------


def test_the_command_writes_it_after_the_proof(fetched: Path, checkpoint_file: Path) -> None:
    options = ("--checkpoint", checkpoint_file, "--output", "m.onnx", "--samples", SAMPLES, "--page", "sum.html")
    called = call(command, *options, "--json")
    assert called.code == 0, called.err
    content = (fetched / "sum.html").read_bytes()
    record = json.loads(called.out)
    assert (record["page"], record["page_bytes"]) == ("sum.html", len(content))
    assert data(content.decode(), "model") == (fetched / "m.onnx").read_bytes()


def test_without_the_package_nothing_is_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_checkpoint_file: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    called = call(command, "--checkpoint", small_checkpoint_file, "--page", "sum.html")
    assert_one_line(called, 2, "--page needs onnxruntime-web", "make web")
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_is_another_is_not_used(fetched: Path, small_checkpoint_file: Path) -> None:
    with (fetched / ".web" / NAME).open("ab") as file:
        file.write(b"more")
    called = call(command, "--checkpoint", small_checkpoint_file, "--page", "sum.html")
    assert_one_line(called, 2, "is not onnxruntime-web", "remove it", "make web")
    assert [path.name for path in fetched.iterdir()] == [".web"]


@pytest.mark.parametrize("page", ["m.onnx", "m.references.npz", "checkpoint.safetensors", "../here/m.onnx"])
def test_the_page_takes_the_place_of_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_checkpoint_file: Path, page: str
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("checkpoint.safetensors").hardlink_to(small_checkpoint_file)
    before = small_checkpoint_file.read_bytes()
    called = call(command, "--checkpoint", small_checkpoint_file, "--output", "m.onnx", "--page", page)
    assert_one_line(called, 2, "would write over", "name another one")
    assert small_checkpoint_file.read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["checkpoint.safetensors"]


def test_it_is_for_the_network_that_reads_digits() -> None:
    called = call(command, "--module", "a:b", "--inputs", "x.npz", "--output", "m.onnx", "--page", "page.html")
    assert_one_line(called, 2, "--page is for the network that reads digits")


def test_a_page_that_cannot_be_written_is_exit_1(fetched: Path, small_checkpoint_file: Path) -> None:
    options = ("--checkpoint", small_checkpoint_file, "--output", "m.onnx", "--samples", 1)
    assert_one_line(call(command, *options, "--page", "nowhere/sum.html"), 1, "cannot write nowhere/sum.html")
    assert (fetched / "m.onnx").exists()


# The package -----------------------------------------------------------------------------------------------------


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes | Exception], list[str]]:
    """Sets what the registry answers; the addresses that it is asked for."""

    def set_answer(content: bytes | Exception) -> list[str]:
        asked: list[str] = []

        def urlopen(url: str, timeout: float) -> io.BytesIO:
            asked.append(url)
            if isinstance(content, Exception):
                raise content
            return io.BytesIO(content)

        monkeypatch.setattr(onnxruntime_web, "urlopen", urlopen)
        monkeypatch.setattr(onnxruntime_web, "registry", lambda: "https://registry.example/npm/")
        return asked

    return set_answer


def test_it_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Callable[..., list[str]]) -> None:
    monkeypatch.setattr(onnxruntime_web, "INTEGRITY", integrity(package()))
    asked = answer(package())
    assert fetch(tmp_path / ".web") == fetch(tmp_path / ".web") == tmp_path / ".web" / NAME
    assert asked == [f"https://registry.example/npm/onnxruntime-web/-/{NAME}"]
    assert read_onnxruntime_web(tmp_path / ".web") == WEB


@pytest.mark.parametrize(
    ("content", "told"), [(b"another package", "is not what is expected"), (URLError("no route"), "cannot be fetched")]
)
def test_what_is_not_the_package_is_not_kept(
    tmp_path: Path, answer: Callable[..., list[str]], content: bytes | Exception, told: str
) -> None:
    answer(content)
    with pytest.raises(WorkError, match=told):
        fetch(tmp_path / ".web")
    with pytest.raises(CallError, match="make web"):
        read_onnxruntime_web(tmp_path / ".web")


def test_a_registry_without_encryption_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Callable[..., list[str]]
) -> None:
    asked = answer(package())
    monkeypatch.setattr(onnxruntime_web, "registry", lambda: "http://registry.example/")
    with pytest.raises(WorkError, match="https"):
        fetch(tmp_path)
    assert asked == []
