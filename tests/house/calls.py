"""Plausible calls of every operation, made from the published contract: well-formed ids of nothing, example bodies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI


@dataclass(frozen=True)
class Call:
    """One operation, ready to be called."""

    method: str
    path: str
    values: Mapping[str, str]
    query: Mapping[str, str]
    optional: tuple[str, ...]
    headers: Mapping[str, str]
    body: Any

    @property
    def url(self) -> str:
        return self.path.format_map(self.values)

    @property
    def has_json_body(self) -> bool:
        return self.body is not None


def call_of(app: FastAPI, method: str, path: str) -> Call:
    """An operation as somebody would call it who knows the contract and nothing else."""
    document = app.openapi()
    operation = document["paths"][path][method.lower()]
    values, query, optional, headers = {}, {}, [], {}
    for parameter in operation.get("parameters", []):
        match parameter["in"], parameter["required"]:
            case "path", _:
                values[parameter["name"]] = _example(document, parameter["schema"])
            case "query", required if required or _has_example(parameter["schema"]):
                query[parameter["name"]] = _example(document, parameter["schema"])
            case "query", _:
                optional.append(parameter["name"])
            case "header", _:
                headers[parameter["name"].lower()] = '"1"' if parameter["name"] == "If-Match" else "a-key-of-my-own"
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    body = None if content is None else _held(document, content["schema"])["examples"][0]
    return Call(method, path, values, query, tuple(optional), headers, json.loads(json.dumps(body)))


def _held(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    held: dict[str, Any] = document["components"]["schemas"][name] if name else schema
    return held


def _has_example(schema: dict[str, Any]) -> bool:
    return any("examples" in each for each in (schema, *schema.get("anyOf", ())))


def _example(document: dict[str, Any], schema: dict[str, Any]) -> str:
    for each in (schema, *schema.get("anyOf", ()), _held(document, schema)):
        if "examples" in each:
            return str(each["examples"][0])
    schema = _held(document, schema)
    if "enum" in schema:
        return str(schema["enum"][0])
    return {"integer": "1", "number": "1", "boolean": "true"}.get(schema.get("type", ""), "x")
