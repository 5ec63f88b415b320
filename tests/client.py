"""The client of the tests: the real application over ASGI, every answer checked against the published OpenAPI."""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import Any, Self

import httpx
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

_DOCUMENT = "urn:openapi"


class ContractBroken(AssertionError):
    """The service answered what it does not publish."""


class Contract:
    """The published document, as a judge of answers."""

    def __init__(self, app: FastAPI) -> None:
        self.document: dict[str, Any] = json.loads(json.dumps(app.openapi()))
        self._registry: Registry[Any] = Registry().with_resource(
            _DOCUMENT, Resource.from_contents(self.document, default_specification=DRAFT202012)
        )
        self._paths = [
            (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), item) for path, item in self.document["paths"].items()
        ]
        self._paths.sort(key=lambda pair: pair[0].pattern.count("[^/]+"))

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        for pattern, item in self._paths:
            if pattern.fullmatch(path) and method.lower() in item:
                found: dict[str, Any] = item[method.lower()]
                return found
        return None

    def judge(self, response: httpx.Response) -> None:
        """Raises ContractBroken for an undeclared status, problem code, media type or shape."""
        request = response.request
        operation = self.operation(request.method, request.url.path)
        if operation is None:
            return
        where = f"{request.method} {request.url.path} → {response.status_code} {response.text[:600]}"
        declared = operation["responses"].get(str(response.status_code))
        if declared is None:
            raise ContractBroken(f"undeclared status: {where}")
        if "content" not in declared:
            if response.content:
                raise ContractBroken(f"a body where none is declared: {where}")
            return
        media = response.headers.get("content-type", "").split(";")[0]
        if media not in declared["content"]:
            raise ContractBroken(f"undeclared media type {media}: {where}")
        if not media.endswith(("/json", "+json")):
            return
        body = response.json()
        if media == "application/problem+json":
            examples = declared["content"][media].get("examples", {})
            if body["code"] not in examples:
                raise ContractBroken(f"undeclared problem {body['code']} (declared: {sorted(examples)}): {where}")
        self._match(declared["content"][media].get("schema", {}), body, where)

    def _match(self, schema: dict[str, Any], body: Any, where: str) -> None:
        anchored = json.loads(json.dumps(schema).replace('"#/', f'"{_DOCUMENT}#/'))
        found = sorted(Draft202012Validator(anchored, registry=self._registry).iter_errors(body), key=str)
        if found:
            raise ContractBroken(f"{found[0].message} at {list(found[0].absolute_path)}: {where}")


class Api:
    """`await api.get("/v1/…")`; `api.signed_in(token)` is the same client as somebody."""

    def __init__(self, app: FastAPI, token: str | None = None) -> None:
        self.app, self.token = app, token
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=("127.0.0.1", 40000)), base_url="http://test"
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    def signed_in(self, token: str) -> Api:
        """The same service, called by the holder of this access token."""
        return Api(self.app, token)

    @cached_property
    def contract(self) -> Contract:
        held: Contract | None = getattr(self.app.state, "contract", None)
        if held is None:
            held = self.app.state.contract = Contract(self.app)
        return held

    async def request(self, method: str, url: str, *, headers: dict[str, str] | None = None, **options: Any) -> httpx.Response:
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        response = await self._http.request(method, url, headers={**sent, **(headers or {})}, **options)
        self.contract.judge(response)
        return response

    async def get(self, url: str, **options: Any) -> httpx.Response:
        return await self.request("GET", url, **options)

    async def post(self, url: str, *, key: str | None = None, **options: Any) -> httpx.Response:
        """`key` is the Idempotency-Key."""
        headers = {**options.pop("headers", {}), **({"Idempotency-Key": key} if key else {})}
        return await self.request("POST", url, headers=headers, **options)

    async def put(self, url: str, *, version: int | None = None, **options: Any) -> httpx.Response:
        """`version` is sent as If-Match."""
        headers = {**options.pop("headers", {}), **({"If-Match": f'"{version}"'} if version is not None else {})}
        return await self.request("PUT", url, headers=headers, **options)

    async def delete(self, url: str, **options: Any) -> httpx.Response:
        return await self.request("DELETE", url, **options)


def refused(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Asserts a refusal by its status and code; returns its body."""
    body: dict[str, Any] = response.json()
    assert (response.status_code, body.get("code")) == (status, code), response.text
    return body
