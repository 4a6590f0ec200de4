"""Change bytes as damage and malice do. Everything comes from the random generator that is given."""

from __future__ import annotations

import struct
import zlib
from random import Random

INTERESTING = (0, 1, 2, 3, 7, 8, 15, 16, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def mutate(content: bytes, random: Random, places: range | list[int] | None = None) -> bytes:
    """One to four changes.

    Args:
        content: Something that is whole.
        random: Decides all.
        places: Where changes may begin; by default anywhere, the beginning more often.
    """
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
        if not changed:
            break
        if places:
            at = min(random.choice(places), len(changed) - 1)
        else:
            at = random.randrange(min(len(changed), random.choice((64, 512, len(changed)))))
        _change(changed, at, random)
    return bytes(changed)


def _change(content: bytearray, at: int, random: Random) -> None:
    length = random.choice((1, 2, 4, 8, 32, 200))
    match random.randrange(9):
        case 0 | 1:
            content[at] ^= 1 << random.randrange(8)
        case 2:
            content[at] = random.randrange(256)
        case 3 | 4:
            number = struct.pack(random.choice("<>") + "I", random.choice(INTERESTING))
            size = random.choice((2, 4))
            content[at : at + size] = number[:size] if random.random() < 0.5 else number[-size:]
        case 5:
            del content[at : at + length]
        case 6:
            content[at:at] = random.choice((random.randbytes(length), bytes(length), content[at : at + length]))
        case 7:
            content[at : at + length] = random.choice((bytes(length), b"\xff" * length, random.randbytes(length)))
        case _:
            if random.random() < 0.4:
                del content[at:]
            else:
                other = random.randrange(len(content))
                content[at : at + length] = content[other : other + length]


def replace_number(content: bytes, old: int, new: int, random: Random) -> bytes:
    """Put another number where one stands near the beginning, in whatever way it is written."""
    ways = [("<H", "<H"), (">H", ">H"), ("<I", "<I"), (">I", ">I")]
    random.shuffle(ways)
    head = content[:1024]
    for way, back in ways:
        if old < 1 << 8 * struct.calcsize(way) and (at := head.find(struct.pack(way, old))) >= 0:
            fresh = struct.pack(back, new % (1 << 8 * struct.calcsize(way)))
            return content[:at] + fresh + content[at + len(fresh) :]
    text = str(old).encode()
    return content.replace(text, str(new).encode(), 1) if text in head else content


def repair_png(content: bytes) -> bytes:
    """Write the right checksum behind every chunk, so that the decoder looks at what is in it."""
    repaired, at = bytearray(content), len(PNG_SIGNATURE)
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        end = at + 8 + length
        if end + 4 > len(content):
            break
        repaired[end : end + 4] = zlib.crc32(content[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(repaired)


def make_png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG from its filtered rows, which may be no such thing."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def mutate_inside_png(content: bytes, random: Random) -> bytes:
    """Change the rows of a PNG behind its compression, and compress them again."""
    at, packed, chunks = len(PNG_SIGNATURE), b"", []
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        kind, data = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        packed += data if kind == b"IDAT" else b""
        chunks.append((kind, data))
        at += 12 + length
    rows = zlib.compress(mutate(zlib.decompress(packed), random))
    done, out = False, PNG_SIGNATURE
    for kind, inner in chunks:
        if kind == b"IDAT":
            if done:
                continue
            done = True
        data = rows if kind == b"IDAT" else inner
        out += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return out
