"""What the server answers, described for programs (OpenAPI) and for people (a page without scripts)."""

from __future__ import annotations

from html import escape
from typing import Any

from mnistsum_runtime import __version__

_NUMBER = {"type": "integer", "minimum": 0, "maximum": 9}
_TEXT = {"type": "string"}
_FLAG = {"type": "string", "enum": ["1"]}
_ERRORS = {
    "400": "The call is wrong.",
    "401": "The token is missing or wrong.",
    "408": "The body did not come in time.",
    "413": "The body is too large.",
    "422": "The picture gives no answer: the same line, with `error`.",
    "429": "Too many requests of this address are waiting.",
    "503": "Too much is waiting, or the answer took too long: `Retry-After` says when to try again.",
}
"""By status: the body is `{"error": {"kind", "message"}}`."""


def openapi(models: list[str]) -> dict[str, Any]:
    """The description, OpenAPI 3.1.

    Args:
        models: Names of the served models.
    """
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "enum": models}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "mnistsum-serve", "version": __version__},
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"token": []}],
        "paths": {
            "/read": {"post": _read(models)},
            "/about": {"get": _get("What is served, and whether a token is asked for.")},
            "/frame": {"get": _get("What was read of the camera's newest picture (with --frames).")},
            "/frame.jpg": {"get": _get("The camera's newest picture.", "image/jpeg")},
            "/metrics": {"get": _get("Counts and times, for Prometheus.", "text/plain")},
            "/v2": {"get": _get("Open Inference Protocol, version 2: the server.")},
            "/v2/health/live": {"get": _get("It lives.")},
            "/v2/health/ready": {"get": _get("It answers; 503 while it stops.")},
            "/v2/models/{name}": {"parameters": [name], "get": _get("A model: names, datatypes, shapes.")},
            "/v2/models/{name}/ready": {"parameters": [name], "get": _get("The model answers.")},
            "/v2/models/{name}/infer": {"parameters": [name], "post": _infer()},
        },
    }


def _get(summary: str, media_type: str = "application/json") -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": {"description": "It.", "content": {media_type: {}}}}}


def _read(models: list[str]) -> dict[str, Any]:
    parameters = [
        ("number", _NUMBER, "The second number."),
        ("model", {"type": "string", "enum": models}, "Which served model; by default the first."),
        ("detail", _FLAG, "1: also both outputs' probabilities, and the 28x28 field that the network saw."),
        ("explain", _FLAG, "1: a PNG of what was seen and decided instead of JSON."),
    ]
    return {
        "summary": "A picture and a number: the digit and the result, the JSON line of mnistsum-run.",
        "parameters": [
            {"name": name, "in": "query", "required": name == "number", "schema": schema, "description": text}
            for name, schema, text in parameters
        ],
        "requestBody": {
            "required": True,
            "content": {
                "image/*": {"schema": {"type": "string", "format": "binary"}},
                "multipart/form-data": {
                    "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
                },
            },
        },
        "responses": {"200": {"description": "The answer.", "content": {"application/json": {}, "image/png": {}}}}
        | {status: {"description": text} for status, text in _ERRORS.items()},
    }


def _infer() -> dict[str, Any]:
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": _TEXT,
            "shape": {"type": "array", "items": {"type": "integer"}},
            "datatype": _TEXT,
            "data": {"type": "array"},
            "parameters": {"type": "object"},
        },
    }
    schema = {"type": "object", "required": ["inputs"], "properties": {"inputs": {"type": "array", "items": tensor}}}
    return {
        "summary": "Tensors in, tensors out: JSON, or with the extension for tensors as bytes.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema}, "application/octet-stream": {}},
        },
        "responses": {"200": {"description": "The outputs.", "content": {"application/json": {}}}}
        | {status: {"description": text} for status, text in _ERRORS.items() if status != "422"},
    }


def docs_page(models: list[str]) -> bytes:
    """The same for people: a table for each route."""
    described = openapi(models)
    sections = []
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            if method == "parameters":
                continue
            parameters = [*methods.get("parameters", []), *route.get("parameters", [])]
            rows = "".join(
                f"<tr><td><code>{escape(each['name'])}</code></td><td>{escape(_values(each['schema']))}</td>"
                f"<td>{escape(each.get('description', ''))}</td></tr>"
                for each in parameters
            )
            table = f"<table><tr><th>parameter</th><th>values</th><th></th></tr>{rows}</table>" if rows else ""
            statuses = "".join(
                f"<li>{status}: {escape(each['description'])}</li>"
                for status, each in route["responses"].items()
                if status != "200"
            )
            sections.append(
                f"<section><h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(route['summary'])}</p>"
                f"{table}{f'<ul>{statuses}</ul>' if statuses else ''}</section>"
            )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>mnistsum-serve</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/page.css"></head>'
        f'<body class="docs"><main><h1>mnistsum-serve {escape(__version__)}</h1>'
        '<p>The same for programs: <a href="/openapi.json">openapi.json</a>.</p>'
        f"{''.join(sections)}</main></body></html>"
    ).encode()


def _values(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(schema["enum"])
    if "maximum" in schema:
        return f"{schema['minimum']} to {schema['maximum']}"
    return str(schema["type"])
