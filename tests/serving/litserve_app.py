"""The same network behind LitServe, with its defaults: a form's file is read by the same code."""

import sys
from typing import Any

import litserve
from fastapi import Request

from mnistsum_runtime import Predictor


class Reader(litserve.LitAPI):
    """A picture in a form, the number 4."""

    def setup(self, device: str) -> None:  # noqa: ARG002  (of the base class)
        self.predictor = Predictor()

    def decode_request(self, request: Request) -> bytes:
        content: bytes = request["file"].file.read()  # type: ignore[index]
        return content

    def predict(self, content: bytes) -> dict[str, Any]:
        return dict(self.predictor.predict(content, 4).to_json("the picture"))

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


if __name__ == "__main__":
    litserve.LitServer(Reader(), accelerator="cpu").run(
        host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="error"
    )
