"""The newest picture of a camera: a command writes JPEGs one after the other, and the last whole one is answered."""

from __future__ import annotations

import asyncio
import shlex
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from mnistsum_runtime.errors import CallError, MnistsumError
from mnistsum_runtime.serve.messages import Refused
from mnistsum_runtime.serve.reading import read

if TYPE_CHECKING:
    from mnistsum_runtime.predictor import Predictor
    from mnistsum_runtime.serve.metrics import Metrics
    from mnistsum_runtime.serve.pool import Pool

MAX_FRAME = 8_000_000
"""Bytes; of a command that writes no JPEGs no more is kept."""
RESTART_SECONDS = 2.0
"""A command that has ended, since the camera was busy or taken away, is started again after these."""
_START, _END = b"\xff\xd8\xff", b"\xff\xd9"


class FrameSplitter:
    """Finds the whole pictures in what a command writes."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._rest = bytearray()

    def add(self, data: bytes) -> bytes | None:
        """Take more bytes; the newest picture that is whole, if a new one is.

        A JPEG ends with FF D9, which its coded data do not have. A preview in its header (EXIF) has an end too: a
        picture counts as whole where the next one begins behind its end, or where nothing follows it.
        """
        self._rest += data
        newest = None
        while True:
            start = self._rest.find(_START)
            if start < 0:
                del self._rest[: max(0, len(self._rest) - len(_START))]
                return newest
            del self._rest[:start]
            end = self._end()
            if end is None:
                if len(self._rest) > MAX_FRAME:
                    self._rest.clear()
                return newest
            newest = bytes(self._rest[:end])
            del self._rest[:end]

    def _end(self) -> int | None:
        """Where the first picture ends."""
        at = self._rest.find(_END)
        while at >= 0:
            end = at + len(_END)
            if end == len(self._rest) or self._rest.startswith(_START[:2], end):
                return end
            at = self._rest.find(_END, end)
        return None


class Frames:
    """A running command, and what was read of its newest picture."""

    def __init__(
        self, command: str, predictor: Predictor, number: int, pool: Pool, metrics: Metrics, model: str
    ) -> None:
        """Remember what to run.

        Args:
            command: As on a command line; it is split into words, and no shell runs it.
            predictor: Answers.
            number: The second number of every frame.
            pool: Where it answers.
            metrics: Counts the answers.
            model: The predictor's name, for the metrics.

        Raises:
            CallError: It has no words, or quotes without an end.
        """
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise CallError(f"--frames: {error}: {command}") from error
        if not self._words:
            raise CallError(
                "--frames: expected a command that writes JPEGs, for example: rpicam-vid --codec mjpeg -o -"
            )
        self._predictor, self.number, self._pool = predictor, number, pool
        self._metrics, self._model = metrics, model
        self.sequence = 0
        """Of the newest frame; 0 before the first."""
        self.picture = b""
        self.line: dict[str, Any] | None = None
        """Of the newest frame that was answered."""
        self.trouble: str | None = None
        """Why there is no new picture."""
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Run the command for as long as the server runs."""
        answering = asyncio.create_task(self._answer())
        try:
            while True:
                await self._run_once()
                await asyncio.sleep(RESTART_SECONDS)
        finally:
            answering.cancel()

    async def _run_once(self) -> None:
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *self._words, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
            )
        except OSError as error:
            self.trouble = f"{self._words[0]}: {error.strerror or error}"
            return
        splitter = FrameSplitter()
        try:
            while process.stdout is not None and (data := await process.stdout.read(1 << 16)):
                picture = splitter.add(data)
                if picture is not None:
                    self.picture, self.trouble = picture, None
                    self.sequence += 1
                    self._news.set()
            self.trouble = f"{self._words[0]} ended with {await process.wait()}"
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _answer(self) -> None:
        """Answer the newest picture, again and again; those that came meanwhile are left out."""
        while True:
            await self._news.wait()
            self._news.clear()
            work = partial(read, self._predictor, self.picture, self.number)
            try:
                reading = await self._pool.run("frames", work)
            except (Refused, MnistsumError):
                continue
            self._metrics.count_answer(self._model, reading.found, reading.seconds)
            self.line = reading.to_json(self._predictor, self.number, detail=True)
