"""A request that was read, an answer to be sent, and the errors between them; the rest of HTTP is uvicorn's.

Eight routes need no framework: importing one would take a quarter of the time in which the server starts.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = "application/json"
MOST_FIELDS = 32
"""Of a query."""


class Refused(Exception):  # noqa: N818  (it is an answer)
    """A request that gets no answer but this one."""

    def __init__(self, status: int, kind: str, message: str, **headers: str) -> None:
        """Keep what the client is told.

        Args:
            status: Of HTTP.
            kind: The machine-readable reason.
            message: One line for people.
            headers: To be sent with it; underscores stand for hyphens.
        """
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass(frozen=True)
class Request:
    """What a handler is given."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """By name in small letters; of a repeated one, the last."""
    client: str
    """The address that asks."""
    body: bytes = b""

    @classmethod
    def of(cls, scope: Scope) -> Request:
        """The request of an ASGI scope, without its body.

        Raises:
            Refused: The query has too many fields, or is no text; or HTTP forbids the request.
        """
        if scope["http_version"] not in ("1.0", "1.1"):
            raise Refused(505, "version", "this server speaks HTTP/1.0 and HTTP/1.1")
        hosts = [name for name, _ in scope["headers"] if name == b"host"]
        if len(hosts) > 1 or (not hosts and scope["http_version"] == "1.1"):
            raise Refused(400, "bad_request", f"a request names one Host, found {len(hosts)}")
        try:
            query = dict(parse_qsl(scope["query_string"].decode("ascii"), True, max_num_fields=MOST_FIELDS))
        except ValueError as error:
            raise Refused(400, "bad_query", f"the query cannot be read: {error}") from error
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        client = scope["client"][0] if scope.get("client") else ""
        return cls(scope["method"], scope["path"], query, headers, client)


@dataclass(frozen=True)
class Response:
    """What a handler gives back."""

    body: bytes
    media_type: str = JSON
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    model: str = ""
    """For the metrics: which served model answered, if one did."""

    @classmethod
    def json(cls, value: object, status: int = 200, *, model: str = "", **headers: str) -> Response:
        """A JSON value, as strict JSON: what is no finite number must not be in it."""
        return cls(json.dumps(value, allow_nan=False).encode(), JSON, status, headers, model)

    @classmethod
    def refusal(cls, refused: Refused) -> Response:
        """The JSON object of an error."""
        value = {"error": {"kind": refused.kind, "message": refused.message}}
        return cls(json.dumps(value).encode(), JSON, refused.status, refused.headers)

    async def send(self, send: Send, *, head: bool, more: dict[str, str]) -> None:
        """Send it.

        Args:
            send: Of ASGI.
            head: Without the body.
            more: Headers that every answer has.
        """
        headers = {"content-type": self.media_type, "content-length": str(len(self.body))} | more | self.headers
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": raw})
        await send({"type": "http.response.body", "body": b"" if head else self.body})
