"""Bodies of malformed requests: pictures, forms and tensors that are none."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

PICTURE = (Path(__file__).parents[2] / "artifacts" / "samples" / "seven.png").read_bytes()

_BEGINNINGS = [
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    b"GIF89a\xff\xff\xff\xff",
    b"BM\xff\xff\xff\x7f",
    b"II*\x00\x08\x00\x00\x00",
    b"MM\x00*",
    b"RIFF\xff\xff\xff\xffWEBPVP8 ",
    b"P5 99999 99999 255\n",
    b"P6\n1 1\n65536\n",
    b"\x00\x00\x00\x1cftypheic",
    b"\x00\x00\x01\x00\xff\xff",
    b"%PDF-1.7\n",
    b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    b"8BPS",
    b"PK\x03\x04",
]


def not_a_picture(random: Random) -> bytes:
    """Noise, text, a beginning of a format, a cut picture, a blank one, or one that claims to be huge."""
    choice = random.randrange(6)
    if choice == 0:
        return random.randbytes(random.randint(1, 5000))
    if choice == 1:
        return random.choice(_BEGINNINGS) + random.randbytes(random.randint(0, 2000))
    if choice == 2:
        return PICTURE[: random.randint(1, len(PICTURE) // 2)]
    if choice == 3:
        return b"P5 30 30 255\n" + bytes([random.randrange(256)]) * 900
    if choice == 4:
        header = bytearray(PICTURE)
        header[16 + random.randrange(8)] = 0xFF  # width or height, without its check sum
        return bytes(header)
    return b"hello " * random.randint(1, 1000)


def form(random: Random) -> tuple[bytes, bytes]:
    """A body of multipart/form-data without a picture in it, and its content type."""
    head = b'Content-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    good = b"--x\r\n" + head + PICTURE + b"\r\n--x--\r\n"
    of_x = b"multipart/form-data; boundary=x"
    wrong = [
        (good, b"multipart/form-data"),
        (good, b"multipart/form-data; boundary="),
        (good, b"multipart/form-data; boundary=" + b"y" * random.choice([1, 200, 201, 5000])),
        (good, b'multipart/form-data; boundary="'),
        (good, b"multipart/form-data; boundary*=utf-8''%ff"),
        (good, b"multipart/form-data; boundary*0=x; boundary*9999=y"),
        (good, b"multipart/mixed; " + b"a=b; " * 1000),
        (good, b"multipart/\xff; boundary=\xff\xfe"),
        (good.replace(head, b"\r\n"), of_x),
        (good.replace(b'; filename="a.png"', b""), of_x),
        (good.replace(b"form-data; ", b"\x00" * 20).replace(b"filename", b"name"), of_x),
        (good.replace(head, head[:-2]), of_x),
        (good.replace(b"--x\r\n", b"--x\r"), of_x),
        (good.replace(b"--x\r\n", b""), of_x),
        (b"--x\r\n" + head[: random.randrange(len(head))], of_x),
        (b"--x\r\n" + head + PICTURE[: random.randint(0, len(PICTURE) // 2)], of_x),
        (b"--x\r\n" + head + PICTURE[: random.randint(0, len(PICTURE) // 2)] + b"\r\n--x--\r\n", of_x),
        (b"--x\r\n" + head + b"\r\n--x--\r\n", of_x),
        (b"--x--\r\n", of_x),
        (b"--x\r\n" * random.randint(1, 3000), of_x),
        (b"--x\r\nA: b\r\n\r\n\r\n" * random.randint(1, 3000) + b"--x--", of_x),
        (b"--x\r\n" + b"A: b\r\n" * 5000 + b"\r\n\r\n--x--", of_x),
        (b"--x\r\nA: " + b"b" * 50_000 + b"\r\n\r\n\r\n--x--", of_x),
        (random.randbytes(random.randint(1, 3000)), of_x),
        (b"", of_x),
    ]
    return random.choice(wrong)


def inference(random: Random | None = None) -> bytes:
    """An inference request as JSON: right, or wrong in one place that chance chooses."""
    image: dict[str, Any] = {"name": "image", "shape": [1, 1, 28, 28], "datatype": "FP32", "data": [0.0] * 784}
    number: dict[str, Any] = {"name": "number", "shape": [1, 10], "datatype": "FP32", "data": [1.0] + [0.0] * 9}
    request: dict[str, Any] = {"inputs": [image, number]}
    if random is not None:
        whose = random.choice([image, number, request])
        _spoil(random, request) if whose is request else _spoil_tensor(random, whose)
    return json.dumps(request).encode()


def _spoil(random: Random, request: dict[str, Any]) -> None:
    inputs = request["inputs"]
    key, value = random.choice(
        [
            ("inputs", inputs[:1]),
            ("inputs", inputs + inputs[:1]),
            ("inputs", [*inputs, {"name": "more", "shape": [1], "datatype": "FP32", "data": [1]}]),
            ("inputs", {"image": inputs}),
            ("inputs", [inputs]),
            ("outputs", [{"name": "x" * random.randint(1, 500)}]),
            ("outputs", {"name": "sum"}),
            ("outputs", [{"name": "sum"}, {"name": "sum"}]),
            ("outputs", [{"name": ["sum"]}]),
            ("outputs", [{"name": "sum", "parameters": {"classification": 3}}]),
            ("outputs", [{"name": "sum", "parameters": 3}]),
            ("parameters", [1]),
            ("id", 5),
            ("id", {"a": 1}),
        ]
    )
    request[key] = value


def _spoil_tensor(random: Random, tensor: dict[str, Any]) -> None:
    count = len(tensor["data"])
    deep: Any = 0.0
    for _ in range(random.choice([40, 70, 300])):
        deep = [deep]
    key, value = random.choice(
        [
            ("name", random.choice(["Image", "", "x" * 5000, 5, None, ["image"], "\ud800"])),
            ("datatype", random.choice(["FP64", "INT64", "BYTES", "fp32", "", 5, None, ["FP32"], {"FP32": 1}])),
            ("shape", random.choice(["1", None, 784, {}, [], [0], [-1, count], [1.0, count], [True, count], [[1]]])),
            ("shape", random.choice([[count], [1, count, 1, 1, 1], [65, count], [1 << 31], [1 << 30] * 9, [10**30]])),
            ("shape", [1] * random.choice([33, 65, 5000]) + [count]),
            ("shape", random.choice([[2, count // 2], [count, 1], [1, 1, count]])),
            ("data", random.choice([None, "a", 5, {}, [], True, [None] * count, ["1"] * count, [{}] * count, [[]]])),
            ("data", random.choice([[0.0], [0.0] * (count + 1), [0.0] * (count - 1), [[0.0], [0.0, 1.0]]])),
            ("data", [True] * count),
            ("data", random.choice([[1e300] * count, [10**400] * count, [-1e39] * count, [1 << 200] * count, deep])),
            ("parameters", random.choice([5, [], "a", {"binary_data_size": -1}, {"binary_data_size": 1 << 70}])),
            ("parameters", {"binary_data_size": random.choice([1, 3136, "3136", 1.5, True, [], count * 4])}),
        ]
    )
    tensor[key] = value


def binary_inference(random: Random) -> tuple[bytes, str]:
    """An inference request with its tensors as bytes, wrong in one place; and what its header says of its length."""
    sizes = [784 * 4, 10 * 4]
    shapes: list[Any] = [[1, 1, 28, 28], [1, 10]]
    datatypes, tail = ["FP32", "FP32"], bytes(sum(sizes))
    wrong, which = random.randrange(6), random.randrange(2)
    if wrong == 0:
        sizes[which] = random.choice([0, 1, sizes[which] - 1, sizes[which] + 4, 1 << 40, -4])
    elif wrong == 1:
        shapes[which] = random.choice([[1], [1, 784, 1, 1, 1], [64, 1, 28, 28], [1 << 30, 1 << 30], [], [0], [-1, 10]])
    elif wrong == 2:
        datatypes[which] = random.choice(["FP16", "FP64", "INT32", "BYTES", "BOOL", "", "UINT8"])
    elif wrong == 3:
        tail = tail[: random.randrange(len(tail))] if random.random() < 0.5 else tail + random.randbytes(50)
    inputs = [
        {"name": name, "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": size}}
        for name, shape, datatype, size in zip(("image", "number"), shapes, datatypes, sizes, strict=True)
    ]
    head = json.dumps({"inputs": inputs}).encode()
    length = str(len(head))
    if wrong == 4:
        others = [str(len(head) - 1), str(len(head) + 1)]
        length = random.choice(["0", "-1", "", "x", "1e3", "9" * 30, "9" * 5000, *others])
    elif wrong == 5:
        head = random.randbytes(len(head))
    return head + tail, length
