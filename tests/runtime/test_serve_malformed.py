"""Malformed requests to mnistsum-serve: a short campaign, and each fault that the long one found."""

import asyncio
import gc
import socket
import time
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from mnistsum_runtime.serve.application import Application
from mnistsum_runtime.serve.models import open_models
from mnistsum_runtime.serve.settings import Settings
from serving.malformed import Plan, run
from serving.malformed_bodies import PICTURE
from serving.malformed_requests import INFER, READ, post
from serving.started import Started, started


@pytest.mark.slow
def test_a_short_campaign_finds_no_fault(tmp_path: Path) -> None:
    # So few requests do not warm it up: it still grows by what its first large bodies take.
    found = run(tmp_path, Plan(150, slow=10, seed=0, warm_up=50, growth=60_000_000, patient=False))
    assert found["faults"] == []
    assert sum(sum(outcomes.values()) for outcomes in found["kinds"].values()) == 150


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    with started(tmp_path_factory.mktemp("server")) as server:
        yield server
        assert server.process.poll() is None, "the server died"


@contextmanager
def connected(server: Started) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        yield connection


def said_to(connection: socket.socket) -> bytes:
    """Everything that the server says until it closes."""
    found = b""
    try:
        while data := connection.recv(65536):
            found += data
    except ConnectionResetError:
        pass
    return found


def answer(server: Started, *parts: bytes) -> bytes:
    """What is said to these bytes, each sent when the server has had time for the ones before."""
    with connected(server) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(0.05 if len(parts) > 1 else 0)
        return said_to(connection)


GET = b"GET /about HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
CHUNKED = post(READ, b"5\r\nhello\r\n", "Transfer-Encoding: chunked")
TOO_MUCH: dict[str, list[bytes]] = {
    "one header, at once": [GET + b"A: " + b"a" * 20_000 + b"\r\n\r\n"],
    "many headers, at once": [GET + b"A: b\r\n" * 4_000 + b"\r\n"],
    "the request line, at once": [b"GET /about?" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"],
    "a header without an end": [GET + b"A: ", *[b"a" * 6_000] * 4],
    "line ends before a request": [b"\r\n" * 3_000] * 4,
    "the size of a chunk": [CHUNKED + b"5;", *[b"a" * 6_000] * 4],
    "headers behind the body": [CHUNKED + b"0\r\n", *[b"A: b\r\n" * 1_000] * 4],
}


@pytest.mark.parametrize("parts", TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_more_headers_than_are_read_are_told(server: Started, parts: list[bytes]) -> None:
    assert answer(server, *parts).startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")


def test_headers_of_a_usual_length_are_read(server: Started) -> None:
    assert answer(server, GET + b"A: " + b"a" * 15_000 + b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")


FORBIDDEN: dict[str, tuple[bytes, bytes]] = {
    "another version": (b"GET / HTTP/2.0\r\nHost: a\r\nConnection: close\r\n\r\n", b"505"),
    "no host": (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", b"400"),
    "two hosts": (GET + b"Host: b\r\n\r\n", b"400"),
    "two lengths": (post(READ, PICTURE, "Content-Length: 5", f"Content-Length: {len(PICTURE)}"), b"400"),
    "a length and chunks": (post(READ, b"0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked"), b"400"),
    "no HTTP": (b"\x16\x03\x01hello\r\n\r\n", b"400"),
}


@pytest.mark.parametrize(("request_", "status"), FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_what_http_forbids_is_told_in_json(server: Started, request_: bytes, status: bytes) -> None:
    found = answer(server, request_)
    assert found.startswith(b"HTTP/1.1 " + status)
    assert b'{"error": {"kind": ' in found


def test_http_of_1996_needs_no_host(server: Started) -> None:
    assert answer(server, b"GET /about HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_good_request_is_answered_though_noise_follows_it(server: Started) -> None:
    found = answer(server, post(READ, PICTURE) + b"\x00noise\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 200 OK\r\n")
    assert found.count(b"HTTP/1.1 ") == 1


def test_requests_behind_one_another_are_answered_in_order_up_to_a_number(server: Started) -> None:
    two = [GET.replace(b"Connection: close", b"A: b") + b"\r\n", b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"] * 10
    found = answer(server, b"".join(two) + GET + b"\r\n")
    assert [each[:3] for each in found.split(b"HTTP/1.1 ")[1:]] == [b"200", b"404"] * 10 + [b"200"]
    assert answer(server, two[0] * 5_000).count(b"HTTP/1.1 ") < 100


def test_a_tensor_of_many_axes_is_the_client_s_fault(server: Started) -> None:
    shapes = ([1] * 70 + [784], [1] * 33 + [784])
    for shape in shapes:
        text = f'{{"name": "image", "shape": {shape}, "datatype": "FP32", "data": {[0.0] * 784}}}'
        number = '{"name": "number", "shape": [1, 10], "datatype": "FP32", "data": [1,0,0,0,0,0,0,0,0,0]}'
        body = f'{{"inputs": [{text}, {number}]}}'.encode()
        found = answer(server, post(INFER, body, "Connection: close"))
        assert found.startswith(b"HTTP/1.1 400")
        assert f"{len(shape)} axes".encode() in found


def test_a_broken_form_is_told_to_its_client_alone(server: Started) -> None:
    before = len(server.lines())
    found = answer(server, post(READ, b"hello", "Connection: close", "Content-Type: multipart/form-data; boundary=x"))
    assert found.startswith(b"HTTP/1.1 400")
    assert len(server.lines()) == before + 1, server.lines()[before:]


def test_who_says_that_it_says_no_more_is_answered(server: Started) -> None:
    with connected(server) as connection:
        connection.sendall(post("/nothing", b"") + post(READ, PICTURE))
        connection.shutdown(socket.SHUT_WR)
        assert [each[:3] for each in said_to(connection).split(b"HTTP/1.1 ")[1:]] == [b"404", b"200"]
    with connected(server) as connection:
        connection.sendall(post(READ, PICTURE)[:-1])
        connection.shutdown(socket.SHUT_WR)
        assert said_to(connection) == b""


LEFT: dict[str, tuple[str, bytes, int]] = {
    "a picture": ("/read", PICTURE, 200),
    "not a picture": ("/read", b"", 422),
    "a cut picture": ("/read", PICTURE[:100], 422),
    "a panel of no picture": ("/read", b"GIF89a", 422),
    "no JSON": (INFER, b"[", 400),
}


@pytest.mark.parametrize(("path", "begins", "status"), LEFT.values(), ids=LEFT.keys())
def test_nothing_is_left_of_a_body_that_was_answered(path: str, begins: bytes, status: int) -> None:
    application = Application(Settings(), open_models((), (), 1))
    query = b"number=4&explain=1" if begins.startswith(b"GIF") else b"number=4"
    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": path, "query_string": query}
    scope |= {"headers": [(b"host", b"a")], "client": ("127.0.0.1", 5)}
    answers = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": begins + bytes(1_000_000), "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        answers.append(message.get("status"))

    async def ask() -> list[str]:
        await application(scope, receive, send)  # which imports what it needs
        await asyncio.sleep(0.05)
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        await application(scope, receive, send)
        await asyncio.sleep(0.05)
        gc.collect()
        return [repr(each) for each in gc.garbage if isinstance(each, FrameType | Exception)]

    gc.disable()
    try:
        assert asyncio.run(ask()) == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert answers == [status, None] * 2


def test_a_large_body_leaves_no_memory_behind(server: Started) -> None:
    request = post(READ, bytes(9_000_000), "Connection: close")
    assert answer(server, request).startswith(b"HTTP/1.1 422")
    before = server.memory()
    for _ in range(20):
        answer(server, request)
    assert server.memory() < before + 3_000_000


def test_all_bodies_together_have_an_end(server: Started) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(server)) for _ in range(20)]
        before = server.memory()
        for client in clients:
            with suppress(ConnectionError):
                client.sendall(post(READ, bytes(9_000_000), "Content-Length: 9000001"))
        time.sleep(0.3)
        assert server.memory() < before + 120_000_000
        for client in clients[:5]:
            client.sendall(b"a")
            assert client.recv(100).startswith(b"HTTP/1.1 422")
        assert said_to(clients[-1])[:12] in (b"HTTP/1.1 503", b"")
    assert answer(server, post(READ, PICTURE, "Connection: close")).startswith(b"HTTP/1.1 200 OK")


def test_a_body_that_will_be_refused_is_not_kept(server: Started) -> None:
    before = server.memory()
    with connected(server) as connection:
        connection.sendall(post(READ, bytes(40_000_000), "Content-Length: 40000001"))
        time.sleep(0.3)
        assert server.memory() < before + 5_000_000
        connection.sendall(b"a")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
