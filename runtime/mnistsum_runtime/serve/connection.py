"""uvicorn's connection, with ends that it has not: for those who say little, too much, or what is no HTTP."""

from __future__ import annotations

import asyncio
import http
import json

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mnistsum_runtime.serve.settings import Limits

_REFUSAL = (
    "HTTP/1.1 {status} {phrase}\r\nContent-Type: application/json\r\n{more}Connection: close\r\n"
    "Content-Length: {length}\r\n\r\n{body}"
)


class _TooLong(Exception):  # noqa: N818  (told to the parser alone, which stops)
    """More headers than are read, or more requests behind one another."""


def connection_class(limits: Limits) -> type[HttpToolsProtocol]:
    """The class of a server's connections."""

    class Connection(HttpToolsProtocol):
        """Closed where no request comes in time, where one has too many headers, or where there are too many."""

        _deadline: asyncio.TimerHandle | None = None
        _head = 0
        """Bytes of the request line and the headers, and of what stands behind a body in chunks."""
        _untold = 0
        """Bytes that the parser has taken without telling of them: a header that does not end."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > limits.connections:
                self._refuse(503, "busy", "too many connections: try again", "Retry-After: 1\r\n")
                return
            self._expect_request()

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            self._untold += len(data)
            super().data_received(data)
            if self._untold > limits.header:
                self._head = self._untold
                self.send_400_response("")
            if self.cycle is not None and not self.cycle.response_complete:
                self._stop_waiting()
            elif self._deadline is None:
                self._expect_request()

        def eof_received(self) -> bool:  # type: ignore[override]
            """Who says that it says no more still gets the answer that it is owed."""
            cycle = self.cycle
            owed = cycle is not None and not cycle.response_complete and not cycle.more_body
            if owed:
                cycle.keep_alive = False
            return owed

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def on_message_begin(self) -> None:
            self._head = 0
            super().on_message_begin()

        def on_url(self, url: bytes) -> None:
            self._count(len(url))
            super().on_url(url)

        def on_header(self, name: bytes, value: bytes) -> None:
            self._count(len(name) + len(value) + len(": \r\n"))
            super().on_header(name, value)

        def on_headers_complete(self) -> None:
            self._untold = 0
            if len(self.pipeline) >= limits.pipelined:
                raise _TooLong
            super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            self._untold = 0
            super().on_body(body)

        def _count(self, size: int) -> None:
            self._untold = 0
            self._head += size
            if self._head > limits.header:
                raise _TooLong

        def send_400_response(self, msg: str) -> None:  # noqa: ARG002  (of the base class)
            """End what can be read no further: behind the answers that are owed, or with a refusal."""
            cycle = self.cycle
            if cycle is not None and not cycle.response_complete and not cycle.more_body:
                cycle.keep_alive = False
            elif self.pipeline or (cycle is not None and cycle.response_started and not cycle.response_complete):
                self.transport.abort()
            elif self._head > limits.header:
                self._refuse(431, "too_long", f"more than {limits.header:,} bytes of headers, the most that is read")
            else:
                self._refuse(400, "bad_request", "this is no HTTP request")

        def _refuse(self, status: int, kind: str, message: str, more: str = "") -> None:
            body, phrase = json.dumps({"error": {"kind": kind, "message": message}}), http.HTTPStatus(status).phrase
            text = _REFUSAL.format(status=status, phrase=phrase, more=more, length=len(body), body=body)
            self.transport.write(text.encode())
            self.transport.close()

        def _expect_request(self) -> None:
            self._stop_waiting()
            self._deadline = self.loop.call_later(limits.header_seconds, self._drop)

        def _stop_waiting(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _drop(self) -> None:
            self._deadline = None
            self.transport.abort()

    return Connection
