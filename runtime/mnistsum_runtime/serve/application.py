"""The server's answers, route by route: an ASGI application without a framework."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from mnistsum_runtime import __version__
from mnistsum_runtime.errors import CallError, ModelError, PictureError
from mnistsum_runtime.predictor import Predictor
from mnistsum_runtime.serve import inference_protocol as protocol
from mnistsum_runtime.serve.body import Body, Memory, picture_in, read_body
from mnistsum_runtime.serve.description import docs_page, openapi
from mnistsum_runtime.serve.frames import Frames
from mnistsum_runtime.serve.log import RequestLog
from mnistsum_runtime.serve.messages import Receive, Refused, Request, Response, Scope, Send
from mnistsum_runtime.serve.metrics import Metrics
from mnistsum_runtime.serve.models import ServedModel
from mnistsum_runtime.serve.pages import read_page
from mnistsum_runtime.serve.pool import Pool
from mnistsum_runtime.serve.reading import draw, read
from mnistsum_runtime.serve.settings import Settings

Handler = Callable[[Request], Awaitable[Response]]

EVERY_ANSWER = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
"""Headers: nothing is loaded from elsewhere, and no other page shows ours in itself."""
OPEN_PATHS = frozenset(("/about", "/v2/health/live", "/v2/health/ready"))
"""That need no token, beside the page's files: they say nothing that is worth one."""


class Application:
    """What uvicorn calls for each request."""

    def __init__(self, settings: Settings, models: dict[str, ServedModel]) -> None:
        """Get everything ready but the camera's command, which `start` starts.

        Raises:
            CallError: `settings.frames` is no command, or no served model reads pictures.
        """
        self.settings = settings
        self.models = models
        self.metrics = Metrics()
        self.pool = Pool(settings.workers, settings.limits)
        self.log = RequestLog(settings.log)
        self._memory = Memory(settings.limits.bodies)
        self.ready = True
        self._page = read_page()
        self._routes: dict[str, dict[str, Handler]] = {
            "/about": {"GET": self._about},
            "/read": {"POST": self._read},
            "/metrics": {"GET": self._metrics},
            "/docs": {"GET": self._docs},
            "/openapi.json": {"GET": self._openapi},
            "/v2": {"GET": self._server},
            "/v2/health/live": {"GET": self._live},
            "/v2/health/ready": {"GET": self._is_ready},
            "/frame": {"GET": self._frame},
            "/frame.jpg": {"GET": self._frame_picture},
        }
        self.frames: Frames | None = None
        if settings.frames is not None:
            name, predictor = self._reader(None)
            self.frames = Frames(settings.frames, predictor, settings.number, self.pool, self.metrics, name)
        self._tasks: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, whatever it is."""
        if scope["type"] == "lifespan":
            await self._live_and_end(receive, send)
            return
        begun = time.perf_counter()
        response, route = await self._respond(scope, receive)
        seconds = time.perf_counter() - begun
        self.metrics.requests[route, str(response.status), response.model] += 1
        self.metrics.whole[route].add(seconds)
        self.log.write(scope, response, seconds)
        more = EVERY_ANSWER | self._cors(scope)
        if response.status in (408, 413) or response.status >= 500:
            more["connection"] = "close"  # what else the client sends is not waited for
        try:
            async with asyncio.timeout(self.settings.limits.answer_seconds):
                await response.send(send, head=scope["method"] == "HEAD", more=more)
        except TimeoutError:
            self.log.trouble("a client does not take its answer: dropped")
            raise

    async def _live_and_end(self, receive: Receive, send: Send) -> None:
        await receive()
        if self.frames is not None:
            self._tasks.append(asyncio.create_task(self.frames.run()))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.pool.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _respond(self, scope: Scope, receive: Receive) -> tuple[Response, str]:
        """The answer, and the route for the metrics: one of those that there are, so that nobody can make more."""
        route, body = "other", Body(self._memory)
        try:
            request = Request.of(scope)
            handler, route = self._find(request)
            if request.method == "POST":
                request = replace(request, body=await read_body(request, receive, self.settings.limits, body))
            return await handler(request), route
        except Exception as error:  # also a fault of ours, which is one request's and not the server's
            return Response.refusal(self._refusal_of(error, f"{scope['method']} {scope['path']}")), route
        finally:
            body.drop()

    def _refusal_of(self, error: Exception, request: str) -> Refused:
        """What a client is told of an error."""
        match error:
            case Refused():
                return error
            case PictureError():
                return Refused(422, error.kind, error.message)
            case CallError():
                return Refused(400, "bad_call", str(error))
            case ModelError():
                return Refused(500, "bad_model", str(error))
            case MemoryError():
                return Refused(503, "no_memory", "too little memory", retry_after="5")
        self.log.trouble(f"{request}: {type(error).__name__}: {error}")
        return Refused(500, "internal", "a fault in the server: its log says more")

    def _find(self, request: Request) -> tuple[Handler, str]:
        """The handler of a request, and its route."""
        method = "GET" if request.method == "HEAD" else request.method
        path = request.path
        handlers: dict[str, Handler]
        if path in self._page:
            handlers, route = {"GET": self._page_file}, "page"
        elif path in self._routes:
            handlers, route = self._routes[path], path
        elif path.startswith("/v2/models/"):
            handlers, route = self._model_routes(path)
        else:
            raise Refused(404, "not_found", f"there is nothing at {path[:80]!r}: /docs says what there is")
        if method == "OPTIONS" and self.settings.cors is not None:
            return self._preflight, route
        if route != "page" and path not in OPEN_PATHS:
            self._require_token(request)
        if method not in handlers:
            allowed = ", ".join(handlers)
            raise Refused(405, "method", f"{path[:80]!r} takes {allowed}, found {request.method[:20]!r}", allow=allowed)
        return handlers[method], route

    def _model_routes(self, path: str) -> tuple[dict[str, Handler], str]:
        """The handlers for `/v2/models/NAME[/versions/1][/ready or /infer]`."""
        parts = path.removeprefix("/v2/models/").split("/")
        model = self._model(parts.pop(0))
        if parts[:1] == ["versions"]:
            if parts[1:2] != [protocol.VERSION]:
                raise Refused(404, "not_found", f"there is version {protocol.VERSION} of {model.name} alone")
            parts = parts[2:]

        async def infer(request: Request) -> Response:
            limits, length = self.settings.limits, request.headers.get(protocol.LENGTH)
            if request.headers.get("content-encoding", "identity") != "identity":
                raise Refused(415, "encoding", "compressed requests are not read")
            work = lambda: protocol.infer(model, request.body, length, limits.batch)  # noqa: E731
            return await self.pool.run(request.client, work)

        async def metadata(_: Request) -> Response:
            return Response.json(protocol.describe(model), model=model.name)

        async def ready(_: Request) -> Response:
            return Response.json({"name": model.name, "ready": True}, model=model.name)

        routes: dict[tuple[str, ...], tuple[dict[str, Handler], str]] = {
            (): ({"GET": metadata}, "/v2/models/NAME"),
            ("ready",): ({"GET": ready}, "/v2/models/NAME/ready"),
            ("infer",): ({"POST": infer}, "/v2/models/NAME/infer"),
        }
        if tuple(parts) not in routes:
            raise Refused(404, "not_found", f"there is nothing at {path[:80]!r}: /docs says what there is")
        return routes[tuple(parts)]

    def _model(self, name: str) -> ServedModel:
        if name not in self.models:
            raise Refused(404, "no_model", f"served are {', '.join(self.models)}, found {name[:80]!r}")
        return self.models[name]

    def _reader(self, name: str | None) -> tuple[str, Predictor]:
        """The model that reads pictures: the one of this name, or the first."""
        served = [self._model(name)] if name is not None else list(self.models.values())
        for model in served:
            if model.predictor is not None:
                return model.name, model.predictor
        raise CallError(f"{', '.join(each.name for each in served)}: no network that reads pictures")

    def _require_token(self, request: Request) -> None:
        token = self.settings.token
        if token is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode("latin-1"), token):
            raise Refused(401, "token", "this server asks for a token", www_authenticate="Bearer")

    def _cors(self, scope: Scope) -> dict[str, str]:
        if self.settings.cors is None or not any(name == b"origin" for name, _ in scope["headers"]):
            return {}
        return {"access-control-allow-origin": self.settings.cors, "vary": "origin"}

    async def _preflight(self, _: Request) -> Response:
        headers = {
            "access-control-allow-methods": "GET, POST",
            "access-control-allow-headers": "authorization, content-type, inference-header-content-length",
            "access-control-max-age": "600",
        }
        return Response(b"", status=204, headers=headers)

    async def _page_file(self, request: Request) -> Response:
        return self._page[request.path].answer(request)

    async def _about(self, _: Request) -> Response:
        return Response.json(
            {
                "version": __version__,
                "token": self.settings.token is not None,
                "frames": self.frames is not None,
                "models": [model.to_dict() for model in self.models.values() if model.predictor is not None],
            }
        )

    async def _read(self, request: Request) -> Response:
        """`POST /read`: a picture in, the JSON line out, or the panel."""
        name, predictor = self._reader(request.query.get("model"))
        number = _number_in(request)
        picture = picture_in(request)
        if request.query.get("explain") == "1":
            png, found = await self.pool.run(request.client, lambda: draw(predictor, picture, number))
            self.metrics.count_answer(name, found, {})
            return Response(png, "image/png", 422 if isinstance(found, PictureError) else 200, model=name)
        reading = await self.pool.run(request.client, lambda: read(predictor, picture, number))
        self.metrics.count_answer(name, reading.found, reading.seconds)
        line = reading.to_json(predictor, number, detail=request.query.get("detail") == "1")
        return Response.json(line, 422 if isinstance(reading.found, PictureError) else 200, model=name)

    async def _frame(self, _: Request) -> Response:
        frames = self._camera()
        return Response.json({"sequence": frames.sequence, "answer": frames.line, "trouble": frames.trouble})

    async def _frame_picture(self, _: Request) -> Response:
        frames = self._camera()
        if not frames.picture:
            raise Refused(404, "no_frame", frames.trouble or "there is no picture yet", retry_after="1")
        return Response(frames.picture, "image/jpeg", headers={"cache-control": "no-store"})

    def _camera(self) -> Frames:
        if self.frames is None:
            raise Refused(404, "no_frames", "the server was started without --frames")
        return self.frames

    async def _metrics(self, _: Request) -> Response:
        text = self.metrics.to_text(self.models.values(), self.pool.waiting, self.pool.pending)
        return Response(text, "text/plain; version=0.0.4; charset=utf-8")

    async def _docs(self, _: Request) -> Response:
        return Response(docs_page(list(self.models)), "text/html; charset=utf-8")

    async def _openapi(self, _: Request) -> Response:
        return Response.json(openapi(list(self.models)))

    async def _server(self, _: Request) -> Response:
        value: dict[str, Any] = {"name": "mnistsum", "version": __version__, "extensions": ["binary_tensor_data"]}
        return Response.json(value)

    async def _live(self, _: Request) -> Response:
        return Response.json({"live": True})

    async def _is_ready(self, _: Request) -> Response:
        return Response.json({"ready": self.ready}, 200 if self.ready else 503)


def _number_in(request: Request) -> int:
    """The second number, from the query."""
    text = request.query.get("number", "")
    if not (len(text) == 1 and text in "0123456789"):
        raise Refused(400, "bad_call", f"number, in the query, must be a whole number from 0 to 9, found {text[:40]!r}")
    return int(text)
