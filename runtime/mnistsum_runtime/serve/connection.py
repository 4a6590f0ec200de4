"""uvicorn's connection, with an end for those who open one and say little: it has none of its own."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from mnistsum_runtime.serve.settings import Limits

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)
_FULL_BODY = b'{"error": {"kind": "busy", "message": "too many connections: try again"}}'


def connection_class(limits: Limits) -> type[H11Protocol]:
    """The class of a server's connections."""

    class Connection(H11Protocol):
        """Closed where no request comes in time, or where there are too many."""

        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > limits.connections:
                transport.write(_FULL % (len(_FULL_BODY), _FULL_BODY))
                transport.close()
                return
            self._expect_request()

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._stop_waiting()
            elif self._deadline is None:
                self._expect_request()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if not self.transport.is_closing() and self.conn.their_state is not h11.IDLE:
                self._expect_request()

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
