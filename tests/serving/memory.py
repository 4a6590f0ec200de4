"""The memory of mnistsum-serve after 1,000 and after 100,000 pictures of 28x28 over eight connections.

Usage: python -m serving.memory [--count N] [--out FILE] (with tests/ on PYTHONPATH)
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
import time
from pathlib import Path

import click

from mnistsum_runtime import __version__
from mnistsum_runtime.atomic import write_atomically
from mnistsum_runtime.measure.device import this_device
from serving.malformed_requests import READ, post
from serving.measure import CONNECTIONS, ROOT, small_picture
from serving.started import started

FIRST, MANY = 1_000, 100_000
MOST, GROWTH = 120_000_000, 5_000_000
"""Bytes: after all requests, and more than after the first."""


async def ask(port: int, request: bytes, count: int) -> None:
    """Ask so often, over eight connections; every answer must be right."""
    each, rest = divmod(count, CONNECTIONS)
    await asyncio.gather(*(_ask_over_one(port, request, each + (n < rest)) for n in range(CONNECTIONS)))


async def _ask_over_one(port: int, request: bytes, count: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        if not head.startswith(b"HTTP/1.1 200 ") or json.loads(body)["sum"] != 11:
            raise SystemExit(f"a wrong answer: {head!r} {body!r}")
    writer.close()


@click.command("memory")
@click.option("--count", default=MANY, show_default=True, help="Requests.")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "artifacts" / "serve_memory.json")
def command(count: int, out: Path) -> None:
    """Write the figures; exit code 1 where the server has more memory than it may."""
    picture = small_picture((ROOT / "artifacts" / "samples" / "seven.png").read_bytes())
    request = post(READ, picture, token=None)
    with tempfile.TemporaryDirectory() as folder, started(Path(folder)) as server:
        asyncio.run(ask(server.port, request, FIRST))
        first, begun = server.memory(), time.perf_counter()
        asyncio.run(ask(server.port, request, count - FIRST))
        last, seconds = server.memory(), time.perf_counter() - begun
    found = {
        "version": __version__,
        "machine": this_device().board,
        "connections": CONNECTIONS,
        "requests": count,
        "after_1000_mb": first / 1e6,
        "after_all_mb": last / 1e6,
        "seconds": seconds,
    }
    write_atomically(out, f"{json.dumps(found, indent=2)}\n".encode())
    click.echo(f"after {FIRST:,} requests {first / 1e6:.1f} MB, after {count:,} {last / 1e6:.1f} MB")
    raise SystemExit(1 if last > MOST or last - first > GROWTH else 0)


if __name__ == "__main__":
    command()
