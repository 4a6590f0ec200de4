"""Kinds of requests that are HTTP, but not what a route of the server takes."""

from __future__ import annotations

from random import Random

from serving.malformed_bodies import PICTURE, binary_inference, form, inference, not_a_picture
from serving.malformed_requests import INFER, READ, TOKEN, Kind, Malformed, noise, post, word


def bad_path(random: Random) -> Malformed:
    """Upwards, escaped, or of nothing."""
    steps = ["..", "%2e%2e", ".%2e", "%252e%252e", "..%2f", "..%5c", "%00", "%0d%0a", "%ff%fe", "%", "%zz", "a", "\\"]
    path = "/" + "/".join(random.choices(steps, k=random.randint(1, 12)))
    path += random.choice(["", "/etc/passwd", "/page.js", "/read", "?number=4", "#x"])
    if random.random() < 0.2:
        others = ["*", "http://a/etc/passwd", "//about/x", "/v2/models/../sum", "/v2/models/%00/infer", ":"]
        path = random.choice(others)
    if random.random() < 0.5:
        return Malformed(post(path, PICTURE))
    return Malformed(f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())


def bad_token(random: Random) -> Malformed:
    wrong = [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN.upper()}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer \u00e9\u00ff",
        f"Bearer {word(random, 5000)}",
        "Bearer " * 500,
    ]
    lines = [] if random.random() < 0.1 else [f"Authorization: {random.choice(wrong)}"]
    target, body = random.choice([(READ, PICTURE), (INFER, inference()), ("/read", b"")])
    return Malformed(post(target, body, *lines, token=None))


def bad_number(random: Random) -> Malformed:
    wrong = ["", "10", "-1", "4.0", "4e0", "+4", "%D9%A3", "%C2%B2", "four", "0x4", "4%00", "%34%34", "9" * 5000, "%ff"]
    name = random.choice(["number", "number", "number", "Number", "numbers"])
    query = f"{name}={random.choice(wrong) if name == 'number' else 4}"
    many, unknown = "&".join(["number=4"] * 40), f"number=4&model={word(random, 9)}"
    query = random.choice([query, query, "", many, query + "&model=sum", unknown])
    return Malformed(post(f"/read?{query}", PICTURE))


def bad_picture(random: Random) -> Malformed:
    more = random.choice(["", "&explain=1", "&detail=1", "&model=sum"])
    return Malformed(post(READ + more, not_a_picture(random)))


def bad_form(random: Random) -> Malformed:
    body, content_type = form(random)
    return Malformed(post(READ, body, b"Content-Type: " + content_type))


def bad_json(random: Random) -> Malformed:
    """An inference request that is no JSON, or none that this protocol knows."""
    depth = random.choice([100, 2000, 100_000])
    good = inference()
    wrong = [
        b"[" * depth,
        b'{"inputs":' * depth,
        b'{"inputs": ' + b"[" * depth + b"]" * depth + b"}",
        good[: random.randrange(len(good) - 1)],
        good + b"x",
        noise(random, 500),
        good.replace(b"0.0", random.choice([b"NaN", b"Infinity", b"-Infinity", b"1e999", b"0x1", b"00", b".5"])),
        good.replace(b"0.0", b"9" * 5000, 1),
        good.replace(b"image", b"\xff\xfe"),
        b"\xef\xbb\xbf" + good,
        good.decode().encode("utf-16"),
        random.choice([b"null", b"1", b"[]", b"{}", b'{"inputs": {}}', b'{"inputs": [1]}', b'{"inputs": null}']),
    ]
    return Malformed(post(INFER, random.choice(wrong)))


def bad_tensor(random: Random) -> Malformed:
    """Shapes, datatypes, names and values that are not the model's, in JSON."""
    return Malformed(post(INFER, inference(random)))


def bad_binary(random: Random) -> Malformed:
    """The same in the extension for tensors as bytes, with lengths that are not theirs."""
    body, length = binary_inference(random)
    return Malformed(post(INFER, body, f"Inference-Header-Content-Length: {length}"))


ROUTE_KINDS: dict[str, Kind] = {
    "paths": bad_path,
    "tokens": bad_token,
    "numbers": bad_number,
    "pictures": bad_picture,
    "forms": bad_form,
    "JSON": bad_json,
    "tensors in JSON": bad_tensor,
    "tensors as bytes": bad_binary,
}
