"""`mnistsum-serve`: the network behind HTTP, with a page to draw on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnistsum_runtime import __version__
from mnistsum_runtime.commands.entry import loading, start_quickly
from mnistsum_runtime.commands.options import complete_model, require_extra, run_command, threads_option
from mnistsum_runtime.errors import CallError
from mnistsum_runtime.operations import OPERATIONS
from mnistsum_runtime.terminal import write_error
from mnistsum_runtime.threads import MOST_THREADS

if TYPE_CHECKING:
    from mnistsum_runtime.serve.settings import Settings

LOOPBACK = ("127.0.0.1", "::1", "localhost")
_MOST_BODY = 64_000_000


@click.command("mnistsum-serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is all of them.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any that is free.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="FILE",
    shell_complete=complete_model,
    help="A model file, or a name: sum, product, sum-int8, product-int8, int8; may be given again.",
)
@click.option(
    "--operation",
    "operations",
    type=click.Choice(list(OPERATIONS)),
    multiple=True,
    help="Serve the shipped model of it; may be given again.  [default: sum]",
)
@threads_option
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_THREADS),
    default=None,
    metavar="N",
    help="Requests that are answered side by side.  [default: all cores]",
)
@click.option("--token", type=click.Path(path_type=Path), metavar="FILE", help="Clients must show the text in FILE.")
@click.option(
    "--max-body",
    type=click.IntRange(1000, _MOST_BODY),
    default=10_000_000,
    show_default=True,
    metavar="BYTES",
    help="Of a request.",
)
@click.option("--cors", metavar="ORIGIN", help="Let pages from ORIGIN ask; * is any.")
@click.option("--frames", metavar="COMMAND", help="Answer the newest JPEG that COMMAND writes: a camera.")
@click.option("--number", type=click.IntRange(0, 9), default=0, show_default=True, help="The second number of frames.")
@click.option("--log", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--print-unit", is_flag=True, help="Print a unit file for systemd with these options, and end.")
@click.version_option(__version__)
def command(
    host: str,
    port: int,
    models: tuple[str, ...],
    operations: tuple[str, ...],
    threads: int,
    workers: int | None,
    token: Path | None,
    max_body: int,
    cors: str | None,
    frames: str | None,
    number: int,
    log: str,
    print_unit: bool,
) -> int:
    """Answer pictures and tensors over HTTP, and serve a page to draw on.

    \b
      mnistsum-serve                       # this machine alone: http://127.0.0.1:8000
      mnistsum-serve --host 0.0.0.0 --token token.txt
      mnistsum-serve --frames 'rpicam-vid --codec mjpeg -t 0 -n -o -'
      curl --data-binary @seven.png 'http://127.0.0.1:8000/read?number=4'

    /docs on the server describes every route.

    Exit code: 0 stopped by a signal, 1 the port cannot be listened on, 2 the call was wrong, 3 a model is missing or
    damaged.
    """  # noqa: D301  (click needs the backspace itself)
    require_extra("serve", "uvicorn", "httptools", "prometheus_client", "python_multipart")
    from mnistsum_runtime.serve.settings import Limits, Settings, read_token

    settings = Settings(
        host=host,
        port=port,
        workers=workers or _cores(),
        token=None if token is None else read_token(token),
        cors=_check_origin(cors),
        frames=frames,
        number=number,
        log=log,
        limits=Limits(body=max_body),
    )
    if print_unit:
        return _print_unit(settings)
    with loading():
        from mnistsum_runtime.serve.application import Application
        from mnistsum_runtime.serve.models import open_models
        from mnistsum_runtime.serve.server import listen, serve

        served = open_models(models, operations, threads)
    with listen(settings) as listening:
        application = Application(settings, served)
        _tell_who_is_let_in(settings)
        serve(application, listening)
    return 0


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_origin(origin: str | None) -> str | None:
    if origin is None or origin == "*":
        return origin
    scheme, _, rest = origin.partition("://")
    if scheme not in ("http", "https") or not rest or not origin.isascii() or not origin.isprintable() or "/" in rest:
        raise CallError(f"--cors: expected * or an origin such as http://localhost:3000, found {origin!r}")
    return origin


def _print_unit(settings: Settings) -> int:
    import sys

    from mnistsum_runtime.serve.systemd import unit

    options = [word for word in sys.argv[1:] if word != "--print-unit"]
    click.echo(unit(options, loopback=settings.host in LOOPBACK, camera=settings.frames is not None), nl=False)
    return 0


def _tell_who_is_let_in(settings: Settings) -> None:
    if settings.host in LOOPBACK:
        write_error("this machine alone is let in; --host 0.0.0.0 opens it to everybody in your network")
    elif settings.token is None:
        write_error(f"everybody who reaches {settings.host} is let in, unencrypted; --token FILE asks for a token")
    else:
        write_error(f"who reaches {settings.host} and shows the token is let in; neither is encrypted on its way")


def main() -> None:
    """Entry point of `mnistsum-serve`."""
    start_quickly()
    run_command(command)


if __name__ == "__main__":
    main()
