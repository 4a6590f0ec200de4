"""Kinds of requests that HTTP itself forbids."""

from __future__ import annotations

from random import Random

from serving.malformed_bodies import PICTURE, inference
from serving.malformed_requests import INFER, READ, TOKEN, Kind, Malformed, noise, post, word


def bad_length(random: Random) -> Malformed:
    """Content-Length that is no number, or stands twice."""
    size = len(PICTURE)
    wrong = ["-1", f"-{size}", "+5", "0x10", "1e3", "5 5", f"{size}, {size + 1}", "x", "", "1.5", "9" * 400, "\u00b2"]
    if random.random() < 0.3:
        lengths = [f"Content-Length: {each}" for each in (size, random.randint(0, size - 1))]
        return Malformed(post(READ, PICTURE, *lengths))
    return Malformed(post(READ, PICTURE, f"Content-Length: {random.choice(wrong)}"))


def long_length(random: Random) -> Malformed:
    """Content-Length of more than comes."""
    size = random.choice([len(PICTURE) + 1, len(PICTURE) * 2, 9_999_999, 10_000_001])
    return Malformed(post(READ, PICTURE, f"Content-Length: {size}"), whole=False)


def huge_length(random: Random) -> Malformed:
    """Content-Length of more than is ever read."""
    size = random.choice([64_000_001, 1 << 31, 1 << 32, 1 << 63, (1 << 64) + 5, 10**19])
    return Malformed(post(READ, PICTURE, f"Content-Length: {size}"))


def short_length(random: Random) -> Malformed:
    """Content-Length of less than comes: the rest is no request."""
    return Malformed(post(READ, PICTURE, f"Content-Length: {random.randint(0, len(PICTURE) // 2)}"))


def large_body(random: Random) -> Malformed:
    """More than is read, with its true length or in chunks."""
    size = random.choice([10_000_001, 11_000_000])
    if random.random() < 0.5:
        return Malformed(post(READ, bytes(size)))
    return Malformed(post(READ, b"%x\r\n%b\r\n0\r\n\r\n" % (size, bytes(size)), "Transfer-Encoding: chunked"))


def bad_chunks(random: Random) -> Malformed:
    """Chunks whose sizes are none, or whose ends are not theirs."""
    part = PICTURE[:50]
    wrong = [
        b"zz\r\n" + part,
        b"-5\r\n" + part,
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"f" * 40 + b"\r\n" + part,
        b"5\r\nhelloworld\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"5\n\rhello\r\n0\r\n\r\n",
        b"\r\n\r\n",
        b"5;" + b"a" * 40_000 + b"\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n" + b"A: b\r\n" * 20_000 + b"\r\n",
        noise(random, 60) + b"\r\n\r\n",
    ]
    codings = ["chunked"] * 5 + ["gzip, chunked", "chunked, chunked", "identity", "chunked, gzip", "x"]
    body = random.choice(wrong)
    return Malformed(post(READ, body, f"Transfer-Encoding: {random.choice(codings)}"), whole=False)


def unended_chunks(random: Random) -> Malformed:
    """A body in chunks that stops."""
    parts = [b"%x\r\n%b\r\n" % (len(part), part) for part in (noise(random, 200) for _ in range(random.randint(0, 5)))]
    last = random.choice([b"", b"5", b"5\r\n", b"ff\r\nabc", b"0\r\n", b"0\r\nA: b\r\n"])
    return Malformed(post(READ, b"".join(parts) + last, "Transfer-Encoding: chunked"), whole=False)


def cut(random: Random) -> Malformed:
    """A good request that stops anywhere."""
    request = random.choice([post(READ, PICTURE), post(INFER, inference())])
    return Malformed(request[: random.randrange(len(request))], whole=False)


def bad_header(random: Random) -> Malformed:
    """A line among the headers that is none."""
    name = word(random, 10).encode()
    wrong = [
        name,
        b": " + name,
        name + b" : a",
        name + b"\x00: a",
        b"(" + name + b"): a",
        name + b": a\x00b",
        b"\xff\xfe: a",
        name + "\u00e9: a".encode(),
        b" " + name,
        b"Host: b",
    ]
    line = random.choice(wrong)
    head = b"POST %b HTTP/1.1\r\n" % READ.encode()
    if line.startswith(b" "):
        return Malformed(head + line + b"\r\n\r\n")
    if random.random() < 0.1:
        return Malformed(post(READ, PICTURE).replace(b"Host: a\r\n", b""))
    return Malformed(post(READ, PICTURE, line))


def long_header(random: Random) -> Malformed:
    """Headers that are too long, or too many."""
    size = random.choice([17_000, 40_000, 70_000, 300_000, 2_000_000])
    lines = [f"{word(random, 5)}: {'a' * size}"] if random.random() < 0.5 else ["A: b"] * (size // 6)
    return Malformed(post(READ, PICTURE, *lines))


def long_target(random: Random) -> Malformed:
    """A request line that is too long."""
    size = random.choice([17_000, 70_000, 300_000, 2_000_000])
    path = random.choice([READ + "&a=", "/", "/v2/models/", "/read?number="]) + "a" * size
    return Malformed(post(path, PICTURE))


def unknown_method(random: Random) -> Malformed:
    names = ["BREW", "get", "Post", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "OPTIONS", word(random, 400)]
    target = random.choice([READ, INFER, "/about", "/", "/v2", "/metrics"])
    name = random.choice(names)
    if name.upper() in ("GET", "POST", "HEAD") and name.isupper():
        name = "BREW"
    if random.random() < 0.1:
        return Malformed(b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n")
    return Malformed(post(target, b"", "Connection: close").replace(b"POST", name.encode(), 1))


def no_http(random: Random) -> Malformed:
    """Bytes of another protocol, or of none."""
    said = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + noise(random, 300),
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        b"GET / FTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"HELO a\r\n",
        b"\r\n" * random.randint(1, 50),
        bytes(random.randint(1, 50_000)),
        noise(random, 3000),
        b"\r\n\r\n" + noise(random, 100) + b"\r\n\r\n",
    ]
    return Malformed(random.choice(said), whole=False)


def websocket(random: Random) -> Malformed:
    """An upgrade, which a server may pass over: then the page answers."""
    target = random.choice(["/", "/about", READ, "/ws"])
    to = random.choice(["websocket", "h2c", "TLS/1.0", "websocket, x"])
    lines = f"Host: a\r\nConnection: Upgrade\r\nUpgrade: {to}\r\nSec-WebSocket-Version: 13\r\n"
    key = f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    request = f"GET {target} HTTP/1.1\r\n{lines}{key}".encode()
    return Malformed(request + noise(random, 40), also=frozenset((200,)) if target in ("/", "/about") else frozenset())


def one_behind_the_other(random: Random) -> Malformed:
    """Many wrong requests that do not wait for an answer."""
    count = random.randint(2, 40)
    one = random.choice([post("/nothing", b""), post("/read", PICTURE), post(READ, b"hello"), post(INFER, b"{}")])
    return Malformed(one * count, answers=count)


def expecting(random: Random) -> Malformed:
    """Expect that is none, or for a body that never comes."""
    expected = random.choice(["100-continue", "200-ok", "100-continue, 100-continue", word(random, 50)])
    head = post(READ, b"", f"Content-Length: {random.choice([5, 5000, 10_000_001])}", f"Expect: {expected}")
    return Malformed(head + (b"hello" if random.random() < 0.5 else b""), whole=False)


HTTP_KINDS: dict[str, Kind] = {
    "lengths that are none": bad_length,
    "lengths of more than comes": long_length,
    "lengths of far too much": huge_length,
    "lengths of less than comes": short_length,
    "too large": large_body,
    "chunks that are none": bad_chunks,
    "chunks without an end": unended_chunks,
    "cut": cut,
    "headers that are none": bad_header,
    "headers too long": long_header,
    "request line too long": long_target,
    "methods": unknown_method,
    "no HTTP": no_http,
    "websocket": websocket,
    "one behind the other": one_behind_the_other,
    "expecting": expecting,
}
