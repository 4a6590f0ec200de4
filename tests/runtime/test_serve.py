"""`mnistsum-serve`: what it answers, to whom, and what it refuses. It runs in a process of its own, as on a device."""

import asyncio
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mnistsum_runtime import Predictor
from mnistsum_runtime.errors import CallError
from mnistsum_runtime.model import open_model, shipped_model
from mnistsum_runtime.operations import PRODUCT, SUM
from mnistsum_runtime.proof.references import read_references
from mnistsum_runtime.serve.frames import FrameSplitter
from mnistsum_runtime.serve.messages import Refused
from mnistsum_runtime.serve.pool import Pool
from mnistsum_runtime.serve.settings import Limits, read_token
from mnistsum_runtime.serve.systemd import notify, unit

SAMPLE = Path(__file__).parents[2] / "artifacts" / "samples" / "seven.png"
PICTURE = SAMPLE.read_bytes()


@dataclass(frozen=True)
class Answer:
    """What came back for one request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))


@dataclass(frozen=True)
class Running:
    """A server that runs."""

    process: subprocess.Popen[str]
    port: int
    said: list[str]
    """Its first lines."""

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body or None, {k.replace("_", "-"): v for k, v in headers.items()})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def raw(self, request: bytes, seconds: float = 5.0) -> bytes:
        """Send bytes, say no more, and read to the end."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            found = b""
            while data := connection.recv(65536):
                found += data
            return found

    def memory(self) -> int:
        """Resident bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024


@contextmanager
def serving(*options: object) -> Iterator[Running]:
    """A server on a free port, ended afterwards."""
    command = [sys.executable, "-P", "-m", "mnistsum_runtime.commands.serve", "--port", "0", *map(str, options)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said: list[str] = []
    try:
        while not (said and "serving http" in said[-1]):
            line = process.stderr.readline()
            assert line, f"it did not start: {said}"
            said.append(line)
        found = re.search(r"serving http://.*:(\d+)", said[-1])
        assert found is not None
        drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
        try:
            yield Running(process, int(found[1]), said)
        finally:
            drain.kill()
            drain.wait()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serving("--operation", "sum", "--operation", "product", "--model", "int8", "--max-body", 2_000_000) as running:
        yield running
        assert running.process.poll() is None, "the server died"


def expected_line(number: int, operation: str = "sum") -> dict[str, Any]:
    return dict(Predictor(operation=operation).predict(SAMPLE, number).to_json("the picture"))


@pytest.mark.parametrize(("model", "operation"), [("sum", "sum"), ("product", "product")])
@pytest.mark.parametrize("number", [0, 4, 9])
def test_a_picture_gets_the_line_that_the_command_prints(
    server: Running, model: str, operation: str, number: int
) -> None:
    found = server.ask("POST", f"/read?number={number}&model={model}", PICTURE)
    assert (found.status, found.json) == (200, expected_line(number, operation))


def test_a_form_s_file_is_a_picture_too(server: Running) -> None:
    form = (
        b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\nnot a file\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
        + PICTURE
        + b"\r\n--x--\r\n"
    )
    found = server.ask("POST", "/read?number=4", form, content_type="multipart/form-data; boundary=x")
    assert (found.status, found.json) == (200, expected_line(4))


def test_detail_adds_both_outputs_and_the_field(server: Running) -> None:
    line = server.ask("POST", "/read?number=4&detail=1", PICTURE).json
    prediction = Predictor().predict(SAMPLE, 4)
    assert line["digit_probabilities"] == pytest.approx(prediction.digit_probabilities.tolist(), abs=1e-4)
    assert line["value_probabilities"] == pytest.approx(prediction.value_probabilities.tolist(), abs=1e-4)
    assert line["classes"] == list(SUM.classes)
    assert len(line["field"]) == 784
    assert max(line["field"]) == 255


def test_explain_gives_the_panel(server: Running) -> None:
    found = server.ask("POST", "/read?number=4&explain=1", PICTURE)
    assert (found.status, found.headers["content-type"]) == (200, "image/png")
    assert found.body.startswith(b"\x89PNG")


REFUSALS: dict[str, tuple[str, str, bytes, int, str]] = {
    "no picture": ("POST", "/read?number=4", b"", 400, "empty"),
    "no digit": ("POST", "/read?number=4", b"P5 30 30 255\n" + bytes(900), 422, "no_digit"),
    "not a picture": ("POST", "/read?number=4", b"hello", 422, "not_a_picture"),
    "a cut picture": ("POST", "/read?number=4", PICTURE[:100], 422, "truncated"),
    "no number": ("POST", "/read", PICTURE, 400, "bad_call"),
    "a number that is none": ("POST", "/read?number=%D9%A3", PICTURE, 400, "bad_call"),
    "a large number": ("POST", "/read?number=10", PICTURE, 400, "bad_call"),
    "a model that is not served": ("POST", "/read?number=4&model=nano", PICTURE, 404, "no_model"),
    "a large body": ("POST", "/read?number=4", bytes(2_000_001), 413, "too_large"),
    "another method": ("GET", "/read?number=4", b"", 405, "method"),
    "another path": ("GET", "/etc/passwd", b"", 404, "not_found"),
    "a path upwards": ("GET", "/../page.js", b"", 404, "not_found"),
    "many fields": ("POST", "/read?" + "&".join(f"a{i}=1" for i in range(40)), PICTURE, 400, "bad_query"),
    "no camera": ("GET", "/frame", b"", 404, "no_frames"),
    "another model's metadata": ("GET", "/v2/models/none", b"", 404, "no_model"),
    "another version": ("GET", "/v2/models/sum/versions/2", b"", 404, "not_found"),
}


@pytest.mark.parametrize(("method", "path", "body", "status", "kind"), REFUSALS.values(), ids=REFUSALS.keys())
def test_what_cannot_be_answered_is_told_in_json(
    server: Running, method: str, path: str, body: bytes, status: int, kind: str
) -> None:
    found = server.ask(method, path, body)
    assert (found.status, found.json["error"]["kind"]) == (status, kind)
    assert "\n" not in found.json["error"]["message"]


def test_a_picture_without_an_answer_has_the_command_s_line(server: Running) -> None:
    line = server.ask("POST", "/read?number=4", b"hello").json
    assert (line["digit"], line["sum"], line["error"]["kind"]) == (None, None, "not_a_picture")


def test_every_answer_keeps_other_pages_out(server: Running) -> None:
    for path in ("/", "/docs", "/about", "/nothing"):
        headers = server.ask("GET", path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


def test_the_page_is_compressed_and_asked_for_once(server: Running) -> None:
    plain, small = server.ask("GET", "/"), server.ask("GET", "/", accept_encoding="gzip")
    assert small.headers["content-encoding"] == "gzip"
    assert plain.headers["content-type"] == "text/html; charset=utf-8"
    again = server.ask("GET", "/", if_none_match=plain.headers["etag"])
    assert (again.status, again.body) == (304, b"")


def test_docs_and_openapi_name_every_route(server: Running) -> None:
    described = server.ask("GET", "/openapi.json").json
    assert described["openapi"].startswith("3.")
    page = server.ask("GET", "/docs").body.decode()
    for path in described["paths"]:
        assert path in page
        filled = path.replace("{name}", "sum")
        method = "POST" if "post" in described["paths"][path] else "GET"
        assert server.ask(method, filled).status != 405
    assert "<script" not in page


# The Open Inference Protocol.


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(("name", "file"), [("sum", None), ("product", "product"), ("sum-int8", "int8")])
def test_triton_s_client_gets_every_reference(server: Running, name: str, file: str | None, binary: bool) -> None:
    client_module = pytest.importorskip("tritonclient.http")
    path = shipped_model(SUM, "int8") if file == "int8" else shipped_model(PRODUCT if file else SUM)
    model = open_model(path)
    references = read_references(path, model.sha256())
    client = client_module.InferenceServerClient(f"127.0.0.1:{server.port}")
    try:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready(name)
        assert client.get_model_metadata(name)["name"] == name
        for start in range(0, len(references), 60):
            rows = slice(start, start + 60)
            inputs = []
            for key, array in references.inputs.items():
                tensor = client_module.InferInput(key, list(array[rows].shape), "FP32")
                tensor.set_data_from_numpy(np.ascontiguousarray(array[rows]), binary_data=binary)
                inputs.append(tensor)
            outputs = [client_module.InferRequestedOutput(key, binary_data=binary) for key in references.outputs]
            answer = client.infer(name, inputs, outputs=outputs, request_id=str(start))
            bare = model.session.run(
                list(references.outputs), {key: array[rows] for key, array in references.inputs.items()}
            )
            for key, expected in zip(references.outputs, bare, strict=True):
                np.testing.assert_array_equal(answer.as_numpy(key), expected)
            assert answer.get_response()["id"] == str(start)
    finally:
        client.close()


def infer_request(**changes: Any) -> bytes:
    image, number = {"name": "image", "shape": [1, 1, 28, 28], "datatype": "FP32", "data": [0.0] * 784}, None
    number = {"name": "number", "shape": [1, 10], "datatype": "FP32", "data": [1.0] + [0.0] * 9}
    request: dict[str, Any] = {"inputs": [image | changes.pop("image", {}), number | changes.pop("number", {})]}
    return json.dumps(request | changes).encode()


def test_without_wishes_all_outputs_come_as_json(server: Running) -> None:
    answer = server.ask("POST", "/v2/models/sum/versions/1/infer", infer_request(id="a")).json
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("sum", "1", "a")
    assert [(each["name"], each["shape"]) for each in answer["outputs"]] == [("digit", [1, 10]), ("sum", [1, 19])]


WRONG: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "no JSON"),
    "deep": (b"[" * 100_000, "no JSON"),
    "a list": (b"[]", "no JSON object"),
    "no inputs": (b"{}", "expected the inputs"),
    "NaN": (infer_request(image={"data": [float("nan")] * 784}), "no JSON"),
    "another name": (infer_request(image={"name": "picture"}), "expected the inputs"),
    "another datatype": (infer_request(image={"datatype": "FP64"}), "expected the datatype FP32"),
    "another shape": (infer_request(image={"shape": [1, 1, 28, 29], "data": [0.0] * 812}), "onnxruntime|dimensions"),
    "a short list": (infer_request(image={"data": [0.0]}), "expected 784 values"),
    "texts": (infer_request(image={"data": ["a"] * 784}), "expected 784 values"),
    "an uneven list": (infer_request(image={"data": [[0.0], [0.0, 1.0]]}), "no even list"),
    "a negative shape": (infer_request(image={"shape": [-1, 1, 28, 28]}), "whole numbers above 0"),
    "a shape of text": (infer_request(image={"shape": "1"}), "whole numbers above 0"),
    "many rows": (infer_request(image={"shape": [65, 1, 28, 28]}), "at most 64"),
    "rows that differ": (infer_request(number={"shape": [2, 10], "data": [0.0] * 20}), "different numbers of rows"),
    "an output that is none": (infer_request(outputs=[{"name": "x"}]), "expected outputs among"),
    "a huge value": (infer_request(image={"data": [1e300] * 784}), "out of the datatype's range"),
    "a size that is none": (infer_request(image={"parameters": {"binary_data_size": -1}}), "binary_data_size is -1"),
}


@pytest.mark.parametrize(("body", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_inference_request_is_the_client_s_fault(server: Running, body: bytes, message: str) -> None:
    found = server.ask("POST", "/v2/models/sum/infer", body)
    assert found.status == 400
    assert re.search(message, found.json["error"]["message"])


@pytest.mark.parametrize("length", ["-1", "x", "99999999999999999999999", "1000000", "\u0663"])
def test_a_json_length_that_is_none_is_refused(server: Running, length: str) -> None:
    headers = {"inference_header_content_length": length.encode().decode("latin-1")}
    assert server.ask("POST", "/v2/models/sum/infer", infer_request(), **headers).status == 400


# Limits.


def test_a_connection_that_says_little_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as running:
        begun = time.monotonic()
        with socket.create_connection(("127.0.0.1", running.port), timeout=15) as silent:
            with socket.create_connection(("127.0.0.1", running.port), timeout=15) as slow:
                slow.sendall(b"GET /about HTT")
                assert slow.recv(100) == b""
            assert silent.recv(100) == b""
        assert time.monotonic() - begun < Limits().header_seconds + 4
        assert running.ask("GET", "/about").status == 200


def test_a_wrong_protocol_closes_one_connection_and_no_more(server: Running) -> None:
    for request in (b"\x16\x03\x01hello", b"GET / HTTP/9\r\n\r\n", b"G" * 100_000, b"POST /read HTTP/1.1\r\n\r\n"):
        assert server.raw(request)[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 431")
    assert server.ask("GET", "/about").status == 200


def test_a_body_that_ends_early_is_no_fault_of_the_server(server: Running) -> None:
    server.raw(b"POST /read?number=4 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nshort")
    server.raw(b"POST /read?number=4 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert server.ask("POST", "/read?number=4", PICTURE).status == 200


def run_pool(limits: Limits, work: Any, clients: list[str]) -> list[Any]:
    """Ask a pool of one worker for all at once."""

    async def run() -> list[Any]:
        pool = Pool(1, limits)
        try:
            return await asyncio.gather(*(pool.run(client, work) for client in clients), return_exceptions=True)
        finally:
            pool.close()

    return asyncio.run(run())


def statuses(found: list[Any]) -> list[int]:
    return [each.status if isinstance(each, Refused) else 200 for each in found]


def test_over_the_queue_s_end_a_request_is_told_to_come_back() -> None:
    found = run_pool(Limits(queue=2), lambda: time.sleep(0.05), [f"client {n}" for n in range(6)])
    assert sorted(statuses(found)) == [200, 200, 200, 503, 503, 503]
    assert found[-1].headers["retry-after"] == "1"


def test_one_client_cannot_fill_the_queue() -> None:
    found = run_pool(Limits(queue=8, per_client=2), lambda: time.sleep(0.05), ["greedy"] * 4 + ["other"])
    assert statuses(found) == [200, 200, 429, 429, 200]


def test_work_that_takes_too_long_is_told_and_its_place_is_free_when_it_ends() -> None:
    async def run() -> tuple[int, int, int]:
        pool = Pool(1, Limits(work_seconds=0.05))
        with pytest.raises(Refused) as caught:
            await pool.run("a", lambda: time.sleep(0.2))
        during = pool.pending
        await asyncio.sleep(0.3)
        pool.close()
        return caught.value.status, during, pool.pending

    assert asyncio.run(run()) == (503, 1, 0)


# Token, origins, start, end.


def test_a_token_is_asked_for_and_compared(tmp_path: Path) -> None:
    token = tmp_path / "token.txt"
    token.write_text("correct-horse\n", encoding="ascii")
    with serving("--token", token) as running:
        assert running.ask("GET", "/").status == 200
        assert running.ask("GET", "/about").json["token"] is True
        wrong: list[dict[str, Any]] = [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic correct-horse"}]
        for given in wrong:
            found = running.ask("POST", "/read?number=4", PICTURE, **given)
            assert (found.status, found.headers["www-authenticate"]) == (401, "Bearer")
            assert running.ask("GET", "/metrics", **given).status == 401
        right: dict[str, Any] = {"authorization": "Bearer correct-horse"}
        assert running.ask("POST", "/read?number=4", PICTURE, **right).json == expected_line(4)
        assert "correct-horse" not in "".join(running.said)


@pytest.mark.parametrize("content", [b"", b"short", b"with a space in it", b"caf\xc3\xa9-token", None])
def test_a_file_that_has_no_token_is_a_wrong_call(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "token.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CallError, match="--token"):
        read_token(path)


def test_other_origins_are_let_in_where_asked_for() -> None:
    with serving("--cors", "http://localhost:3000") as running:
        found = running.ask("POST", "/read?number=4", PICTURE, origin="http://localhost:3000")
        assert found.headers["access-control-allow-origin"] == "http://localhost:3000"
        assert running.ask("OPTIONS", "/read", origin="http://localhost:3000").status == 204


def refused(*options: object) -> tuple[int, str]:
    command = [sys.executable, "-P", "-m", "mnistsum_runtime.commands.serve", *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.returncode, done.stderr


def test_a_port_that_cannot_be_had_is_one_line(server: Running) -> None:
    code, line = refused("--port", server.port)
    assert code == 1
    assert line.startswith(f"mnistsum-serve: cannot listen on 127.0.0.1 port {server.port}: Address already in use")
    assert refused("--host", "203.0.113.1", "--port", 0)[0] == 1
    assert refused("--host", "no.such.host.invalid")[0] == 1


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--port", "70000"), 2),
        (("--cors", "localhost"), 2),
        (("--frames", "'"), 2),
        (("--model", "nothing.onnx"), 3),
        (("--operation", "sum", "--operation", "sum"), 2),
    ],
)
def test_a_wrong_start_is_one_line(options: tuple[str, ...], code: int) -> None:
    assert refused("--port", 0, *options)[0] == code if "--port" not in options else refused(*options)[0] == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_and_what_was_accepted_is_answered(number: signal.Signals) -> None:
    with serving() as running:
        with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
            head = f"POST /read?number=4 HTTP/1.1\r\nHost: a\r\nContent-Length: {len(PICTURE)}\r\n\r\n"
            connection.sendall(head.encode() + PICTURE[:50])
            time.sleep(0.3)
            running.process.send_signal(number)
            time.sleep(0.3)
            connection.sendall(PICTURE[50:])
            found = b""
            while data := connection.recv(65536):
                found += data
        assert found.startswith(b"HTTP/1.1 200 OK")
        assert running.process.wait(timeout=7) == 0


# As a service, and its figures.


def test_the_unit_file_is_one_that_systemd_reads(tmp_path: Path) -> None:
    text = unit(["--port", "8000", "--frames", "camera -o -"], loopback=True, camera=True)
    assert '"camera -o -"' in text
    assert "WatchdogSec" in text
    path = tmp_path / "mnistsum.service"
    path.write_text(unit([], loopback=True, camera=False), encoding="utf-8")
    analyze = "/usr/bin/systemd-analyze"
    if not Path(analyze).exists():
        pytest.skip("systemd-analyze is not installed")
    done = subprocess.run([analyze, "verify", path], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "mnistsum" in line]) == (0, [])


@pytest.mark.parametrize("camera", [False, True])
@pytest.mark.parametrize("loopback", [False, True])
@pytest.mark.parametrize("prefix", ["/opt/mnistsum", "/home/pi/mnistsum"])
def test_the_service_has_little_to_lose(
    prefix: str, loopback: bool, camera: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", prefix)
    text = unit([], loopback=loopback, camera=camera)
    assert f"ProtectHome={'yes' if prefix.startswith('/opt') else 'read-only'}\n" in text
    path = tmp_path / "mnistsum.service"
    path.write_text(text, encoding="utf-8")
    analyze = "/usr/bin/systemd-analyze"
    if not Path(analyze).exists():
        pytest.skip("systemd-analyze is not installed")
    command = [analyze, "security", "--offline=true", "--no-pager", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    exposure = re.search(r"exposure level for mnistsum.service: ([\d.]+)", done.stdout)
    assert exposure is not None
    assert float(exposure[1]) <= 2.0


def test_systemd_is_told_that_it_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(address))
        listening.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        with serving() as running:
            assert listening.recv(200).startswith(b"READY=1")
            assert {listening.recv(200) for _ in range(3)} == {b"WATCHDOG=1"}
            running.process.terminate()
            while listening.recv(200) != b"STOPPING=1":
                pass
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")  # nobody listens


def test_prometheus_reads_the_figures(server: Running) -> None:
    parser = pytest.importorskip("prometheus_client.parser")
    server.ask("POST", "/read?number=4", PICTURE)
    server.ask("POST", "/read?number=4", b"hello")
    server.ask("GET", "/nothing")
    text = server.ask("GET", "/metrics").body.decode()
    samples = [sample for family in parser.text_string_to_metric_families(text) for sample in family.samples]
    value = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}
    answers = {labels: count for (name, labels), count in value.items() if name == "mnistsum_answers_total"}
    assert answers[("model", "sum"), ("outcome", "reliable"), ("reason", "")] >= 1
    assert answers[("model", "sum"), ("outcome", "error"), ("reason", "not_a_picture")] >= 1
    routes = {sample.labels["route"] for sample in samples if sample.name == "mnistsum_requests_total"}
    assert "other" in routes
    assert not any("nothing" in route for route in routes)
    steps = {sample.labels["step"] for sample in samples if sample.name == "mnistsum_step_seconds_count"}
    assert steps == {"read", "prepare", "infer"}
    hashes = {sample.labels["sha256"] for sample in samples if sample.name == "mnistsum_model_info"}
    assert open_model(shipped_model()).sha256() in hashes


# The camera.


def jpeg(shade: int) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    Image.new("L", (40, 30), shade).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_frames_are_found_however_they_come(size: int) -> None:
    pictures = [jpeg(shade) for shade in (0, 100, 200)]
    stream = b"noise" + b"".join(pictures)
    splitter, found = FrameSplitter(), []
    for start in range(0, len(stream), size):
        picture = splitter.add(stream[start : start + size])
        if picture is not None:
            found.append(picture)
    assert found[-1] == pictures[-1]
    assert set(found) <= set(pictures)


def test_what_is_no_picture_is_not_kept() -> None:
    splitter = FrameSplitter()
    for _ in range(200):
        assert splitter.add(b"\xff\xd8\xff" + bytes(100_000)) is None
    assert splitter.add(jpeg(3)) is not None


def test_a_camera_s_newest_frame_is_answered_and_shown(tmp_path: Path) -> None:
    Image.open(SAMPLE).convert("L").save(tmp_path / "seven.jpg", quality=95)
    script = tmp_path / "camera.py"
    script.write_text(
        "import sys, time\n"
        f"frame = open({str(tmp_path / 'seven.jpg')!r}, 'rb').read()\n"
        "while True:\n    sys.stdout.buffer.write(frame)\n    sys.stdout.flush()\n    time.sleep(0.05)\n",
        encoding="utf-8",
    )
    with serving("--frames", f"{sys.executable} {script}", "--number", 5) as running:
        assert running.ask("GET", "/about").json["frames"] is True
        end = time.monotonic() + 10
        while (answer := running.ask("GET", "/frame").json)["answer"] is None and time.monotonic() < end:
            time.sleep(0.05)
        assert (answer["answer"]["digit"], answer["answer"]["sum"], answer["trouble"]) == (7, 12, None)
        assert running.ask("GET", "/frame.jpg").body == (tmp_path / "seven.jpg").read_bytes()
        while (found := running.ask("GET", "/frame").json["sequence"]) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        assert found > 1


def test_a_camera_that_is_not_there_is_told() -> None:
    with serving("--frames", "no-such-camera --help") as running:
        time.sleep(0.3)
        assert "no-such-camera: No such file" in running.ask("GET", "/frame").json["trouble"]
        assert running.ask("GET", "/frame.jpg").status == 404


@pytest.mark.skipif(os.name != "posix", reason="reads /proc")
def test_many_wrong_requests_leave_the_server_as_it_was(server: Running) -> None:
    random = np.random.default_rng(0)
    head = b"POST /read?number=4 HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n%s"
    whole = head % (len(PICTURE), PICTURE)
    for _ in range(100):
        server.ask("POST", "/read?number=4", PICTURE)
    before = server.memory()
    for _ in range(300):
        request = bytearray(whole[: int(random.integers(1, 400))] if random.random() < 0.3 else whole)
        for place in random.integers(0, min(len(request), 160), int(random.integers(1, 6))):
            request[place] = int(random.integers(256))
        found = server.raw(bytes(request), seconds=20)
        assert not found or found.startswith(b"HTTP/1.1 ")
    assert server.ask("POST", "/read?number=4", PICTURE).json == expected_line(4)
    assert server.memory() < before + 30_000_000
