"""A line for each request, on standard error."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from mnistsum_runtime.terminal import write_error

if TYPE_CHECKING:
    from mnistsum_runtime.serve.messages import Response, Scope


class RequestLog:
    """Writes them as text for people, or as JSON objects for programs."""

    def __init__(self, form: str) -> None:
        """Remember the form, `text` or `json`."""
        self.as_json = form == "json"

    def write(self, scope: Scope, response: Response, seconds: float) -> None:
        """One request that was answered."""
        client = scope["client"][0] if scope.get("client") else "-"
        if self.as_json:
            line = {
                "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
                "client": client,
                "method": scope["method"],
                "path": scope["path"][:200],
                "status": response.status,
                "bytes": len(response.body),
                "model": response.model or None,
                "milliseconds": round(seconds * 1e3, 2),
            }
            write_error(json.dumps(line))
        else:
            what = f"{scope['method']} {scope['path'][:200]} {response.status} {len(response.body)}"
            write_error(f"{time.strftime('%H:%M:%S')} {client} {what} {seconds * 1e3:.1f} ms")

    def trouble(self, sentence: str) -> None:
        """What went wrong that a client is not to blame for, or not told."""
        if self.as_json:
            sentence = json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "trouble": sentence})
        write_error(sentence)
