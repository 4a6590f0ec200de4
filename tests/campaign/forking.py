"""Run a function of the product in a process of its own, thousands of times: a server has it imported, and forks.

Run as a module it is the server, which reads jobs from standard input: a pickle each, from this very program.
"""

from __future__ import annotations

import os
import pickle
import resource
import select
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

MEMORY = 4_000_000_000
"""Bytes of address space, so that a failing try does not take the machine with it."""
SECONDS = 30.0
UNEXPECTED = 70
"""Exit code of a job that an exception ended, which must never be."""
_TOLD = 64_000_000

_PRELOADS = {
    "runtime": ("campaign.in_process",),
    "torch": ("campaign.in_process", "campaign.in_torch"),
}


@dataclass(frozen=True)
class Job:
    """A function without parameters, called as a program is."""

    function: str
    """`module:name`."""
    argv: tuple[str, ...] = ()
    """Of the command line; the program's name comes first."""
    folder: str = "."
    stdin: bytes = b""
    seconds: float = SECONDS
    memory: int = MEMORY
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class End:
    """How a process ended."""

    code: int
    """Below 0: the signal that it died of."""
    out: bytes
    err: bytes
    seconds: float
    peak: int
    """Bytes of resident memory at its largest."""
    late: bool = False
    """It did not end in time, and was killed."""

    def shown(self) -> str:
        """For the line of a failure."""
        said = (self.out[-600:] + b"\n" + self.err[-1500:]).decode(errors="replace").strip()
        ended = "no end in time" if self.late else f"exit code {self.code}"
        return f"{ended} after {self.seconds:.1f} s, {self.peak / 1e6:.0f} MB: {said}"


class Server:
    """A process that has the product imported. One job at a time; for one thread."""

    def __init__(self, preload: str = "runtime") -> None:
        """Start it.

        Args:
            preload: `runtime`, or `torch` for the trainer and the exporter too.
        """
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "campaign.forking", preload],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )

    def run(self, job: Job) -> End:
        """Do one job in a process of its own."""
        to_server, from_server = self._process.stdin, self._process.stdout
        assert to_server is not None
        assert from_server is not None
        pickle.dump(job, to_server)
        to_server.flush()
        end = pickle.load(from_server)
        assert isinstance(end, End)
        return end

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def serve(preload: str) -> None:
    """Do jobs until nobody asks any more."""
    for module in _PRELOADS[preload]:
        import_module(module)
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    while True:
        try:
            job = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(_fork(job, (requests, answers)), answers)
        answers.flush()


def _fork(job: Job, ours: tuple[BinaryIO | Any, ...]) -> End:
    streams = [os.memfd_create(name) for name in ("stdin", "stdout", "stderr")]
    os.write(streams[0], job.stdin)
    os.lseek(streams[0], 0, os.SEEK_SET)
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        for stream in ours:
            os.close(stream.fileno())
        _become(job, streams)
    late = not _ended(child, job.seconds)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)  # what it has started too
    if late:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    out, err = (os.pread(stream, _TOLD, 0) for stream in streams[1:])
    for stream in streams:
        os.close(stream)
    return End(os.waitstatus_to_exitcode(status), out, err, seconds, usage.ru_maxrss * 1024, late)


def _ended(child: int, seconds: float) -> bool:
    """Whether a process ends within so many seconds; its end is still to be asked for."""
    handle = os.pidfd_open(child)
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def _become(job: Job, streams: list[int]) -> None:
    """Be the process of the job; does not come back."""
    code = UNEXPECTED
    try:
        os.setsid()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        warnings.simplefilter("default")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (job.memory, job.memory))
        os.chdir(job.folder)
        os.environ.update(job.environment)
        module, _, name = job.function.partition(":")
        sys.argv = [name, *job.argv]
        code = _exit_code(getattr(import_module(module), name)())
    except SystemExit as end:
        code = _exit_code(end.code)
    except BaseException:
        traceback.print_exc()
    finally:
        for written in (sys.stdout, sys.stderr):
            with suppress(Exception):
                written.flush()
        os._exit(code)


def _exit_code(code: object) -> int:
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
        return 1
    return code if isinstance(code, int) else 0


def run_program(
    command: Sequence[str | Path],
    folder: Path,
    *,
    stdin: bytes | None = b"",
    seconds: float = SECONDS,
    environment: Mapping[str, str] | None = None,
    send: tuple[int, float] | None = None,
) -> End:
    """Run a program as a user does.

    Args:
        command: The program and its arguments.
        folder: Where it runs.
        stdin: What it can read; None: a pipe in which nothing comes.
        seconds: It is ended after these.
        environment: All of it; by default this one.
        send: A signal that it gets, and after how many seconds.
    """
    start = time.perf_counter()
    reading, writing = os.pipe()
    with subprocess.Popen(
        command,
        stdin=reading if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=environment,
        start_new_session=True,
    ) as process:
        if send is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(send[1])
            if process.poll() is None:
                process.send_signal(send[0])
        late = False
        try:
            out, err = process.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired:
            late = True
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        if late:
            out, err = process.communicate()
    os.close(reading)
    os.close(writing)
    return End(process.returncode, out, err, time.perf_counter() - start, 0, late)


if __name__ == "__main__":
    from campaign import forking  # pickles name this module by its name, not as the program that runs

    forking.serve(sys.argv[1])
