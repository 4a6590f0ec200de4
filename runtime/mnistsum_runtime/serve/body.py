"""A request's body, and the picture in it."""

from __future__ import annotations

import asyncio
from typing import Any

from mnistsum_runtime.serve.messages import Receive, Refused, Request
from mnistsum_runtime.serve.settings import Limits


class Memory:
    """What the bodies of all requests have together."""

    def __init__(self, most: int) -> None:
        """Begin with none."""
        self.most = most
        self.taken = 0


class Body:
    """A body while it is read and answered."""

    def __init__(self, memory: Memory) -> None:
        """Begin with nothing in it."""
        self.content = bytearray()
        self._memory = memory
        self._taken = 0

    def add(self, data: bytes) -> None:
        """Keep more of it.

        Raises:
            Refused: 503, all bodies together are too large.
        """
        if self._memory.taken + len(data) > self._memory.most:
            raise Refused(503, "busy", "too much is being sent at once: try again", retry_after="1")
        self._memory.taken += len(data)
        self._taken += len(data)
        self.content += data

    def drop(self) -> None:
        """Give its memory back."""
        self._memory.taken -= self._taken
        self._taken = 0
        self.content = bytearray()


async def read_body(request: Request, receive: Receive, limits: Limits, body: Body) -> bytes:
    """Read a body, so much of it and so long.

    Raises:
        Refused: 413 where it is too large, 408 where it does not come, 503 where too many come at once.
    """
    told = request.headers.get("content-length", "")
    length = int(told[:20]) if told.isdecimal() else 0
    if length > limits.passed_by:
        raise _too_large(limits)
    size = 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(400, "cut_off", "the request ended before its body did")
                size += len(message.get("body", b""))
                if size > limits.passed_by:
                    raise _too_large(limits)
                if max(size, length) > limits.body:
                    body.drop()  # what will be refused is read, and not kept
                else:
                    body.add(message.get("body", b""))
                if not message.get("more_body", False):
                    break
    except TimeoutError as error:
        raise Refused(408, "too_slow", f"no whole body within {limits.body_seconds:g} s") from error
    if size > limits.body:
        raise _too_large(limits)
    return bytes(body.content)


def _too_large(limits: Limits) -> Refused:
    return Refused(413, "too_large", f"more than {limits.body:,} bytes, the most that is read")


def picture_in(request: Request) -> bytes:
    """The picture: the body itself, or the first file of a form.

    Raises:
        Refused: 400, the form cannot be read or has no file; or there is nothing.
    """
    content_type = request.headers.get("content-type", "")
    picture = _file_in_form(request.body, content_type) if content_type.startswith("multipart/") else request.body
    if not picture:
        raise Refused(400, "empty", "expected a picture as the body, or as a file in a form")
    return picture


def _file_in_form(body: bytes, content_type: str) -> bytes | None:
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser, parse_options_header

    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 200:
        raise Refused(400, "bad_form", "the form has no boundary")
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks())
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise Refused(400, "bad_form", f"the form cannot be read: {error}") from error
    return form.file


class _Form:
    """Keeps the first part that has a file name."""

    def __init__(self) -> None:
        self.file: bytes | None = None
        self._field, self._value = bytearray(), bytearray()
        self._is_file = False
        self._data = bytearray()

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._field.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header,
            "on_part_data": self._add,
            "on_part_end": self._end,
        }

    def _begin(self) -> None:
        self._is_file = False
        self._data = bytearray()

    def _header(self) -> None:
        if self._field.lower() == b"content-disposition" and b"filename" in self._value:
            self._is_file = True
        self._field, self._value = bytearray(), bytearray()

    def _add(self, data: bytes, start: int, end: int) -> None:
        if self._is_file and self.file is None:
            self._data += data[start:end]

    def _end(self) -> None:
        if self._is_file and self.file is None:
            self.file = bytes(self._data)
