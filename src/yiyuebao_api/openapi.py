"""The published contract: one document per audience, cut from the same routes.

`app.json` for the app and the mini-program, `hospital.json` for the hospitals' back end and the operator's, `partner.json`
for third-party systems: the webhooks they receive. A change of any of them is seen by CI (`openapi --check`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from yiyuebao_api import __version__, api, asyncapi
from yiyuebao_api.domains.partners.schemas import WEBHOOKS
from yiyuebao_api.kernel.problems import MEDIA_TYPE, ProblemOut

FOLDER = Path("openapi")
AUDIENCES: Mapping[str, tuple[str, ...]] = {
    "app.json": ("/v1/",),
    "hospital.json": ("/v1/hospital/", "/v1/operator/"),
    "partner.json": ("/v1/partner/",),
}
_TITLES = {
    "app.json": ("医约宝 API", "The app and the WeChat mini-program: find, book, pay, be visited."),
    "hospital.json": ("医约宝医院端 API", "The hospitals' back end and the operator: publish, accept, assign, settle."),
    "partner.json": ("医约宝开放平台", "What the platform tells a hospital's own systems: signed webhooks."),
}
TAGS = {
    "accounts": "账号：验证码、微信、密码登录，会话与身份切换 · signing in, sessions, modes",
    "patients": "就诊人与地址 · the people one account cares for, and their addresses",
    "consents": "告知与同意 · what was told and what was agreed to",
    "privacy": "个人信息副本与注销 · a copy of one's data, and closing the account",
    "files": "图片与文件 · pictures and documents",
    "identities": "实名认证 · who somebody is, shown by an ID card and decided by a person",
    "grants": "授权与查看记录 · who may see whose data, and who did",
    "nearby": "附近的医院与服务 · hospitals and services near by",
    "hospitals": "医院与院区 · hospitals and their sites",
    "clinicians": "医护人员 · nurses and doctors",
    "catalogue": "服务目录 · what is offered",
    "schedules": "号源与排班 · when there is a place",
    "bookings": "预约 · the promise of a visit",
    "payments": "支付 · the money",
    "consultations": "在线咨询 · paid, one to one, live",
    "visits": "上门服务 · the visit",
    "settlements": "结算 · the shares and the books",
    "notices": "通知 · who was told",
    "partners": "医院系统对接 · webhooks and events",
    "operations": "平台运营 · jobs and dead letters",
}
_DESCRIPTION = """
金额为整数分（`…_fen`），时间为 RFC 3339（`+08:00`），编号为带前缀的字符串。

- Amounts are whole fen, times RFC 3339 with `+08:00`, ids prefixed strings.
- Refusals are RFC 9457 `application/problem+json`; switch on `code`. `Accept-Language: en` gives English words.
- Every POST with a JSON body accepts an `Idempotency-Key`; where it is listed as a parameter it is required.
- Lists: `?limit=&cursor=`, `next_cursor` is null on the last page.
- Every answer carries `X-Request-Id`.
"""


def whole(app: FastAPI) -> dict[str, Any]:
    """Every route in one document; what `/openapi.json`, `/docs` and the tests' client read."""
    if app.openapi_schema is None:
        app.openapi_schema = _finished(_generated())
    return app.openapi_schema


def documents(app: FastAPI) -> dict[str, dict[str, Any]]:
    """The three published documents by file name."""
    everything = whole(app)
    cut: dict[str, dict[str, Any]] = {}
    for name, prefixes in AUDIENCES.items():
        others = [prefix for other, some in AUDIENCES.items() for prefix in some if other not in (name, "app.json")]
        paths = {
            path: item
            for path, item in everything["paths"].items()
            if path.startswith(prefixes) and (name != "app.json" or not path.startswith(tuple(others)))
        }
        document = {**everything, "paths": paths}
        document.pop("webhooks", None)
        if name == "partner.json":
            document["webhooks"] = everything["webhooks"]
        cut[name] = _pruned({**document, "info": {**everything["info"], **_info(name)}})
    return cut


def write(app: FastAPI, folder: Path = FOLDER) -> list[Path]:
    """Write the documents; returns the files."""
    folder.mkdir(exist_ok=True)
    files = []
    for name, document in _everything(app).items():
        (folder / name).write_text(_text(document))
        files.append(folder / name)
    return files


def drift(app: FastAPI, folder: Path = FOLDER) -> list[str]:
    """Names of the committed documents that differ from what the code says."""
    return [
        name
        for name, document in _everything(app).items()
        if not (folder / name).exists() or (folder / name).read_text() != _text(document)
    ]


def _everything(app: FastAPI) -> dict[str, dict[str, Any]]:
    return {**documents(app), "live.json": asyncapi.document()}


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=False) + "\n"


def _info(name: str) -> dict[str, str]:
    title, summary = _TITLES[name]
    return {"title": title, "summary": summary}


def _generated() -> dict[str, Any]:
    return get_openapi(
        title=_TITLES["app.json"][0], version=__version__, summary=_TITLES["app.json"][1], description=_DESCRIPTION.strip(),
        routes=[route for router in api.routers() for route in router.routes],
        contact={"name": "医约宝 API", "url": "https://yiyuebao.example/support"},
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/", "description": "This service"}],
        tags=[{"name": name, "description": words} for name, words in TAGS.items()],
        separate_input_output_schemas=False,
    )  # fmt: skip


def _finished(document: dict[str, Any]) -> dict[str, Any]:
    schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
    problem = ProblemOut.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    examples: dict[str, Any] = document["components"].setdefault("examples", {})
    for operation in _operations(document):
        operation.setdefault("security", [])
        for response in operation["responses"].values():
            _share(response.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {}), examples)
    document["webhooks"] = _webhooks(schemas)
    return document


def _share(told: dict[str, Any], examples: dict[str, Any]) -> None:
    """One example per problem, referred to wherever the problem is declared."""
    for code, example in list(told.items()):
        examples.setdefault(code, example)
        told[code] = {"$ref": f"#/components/examples/{code}"}


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        yield from item.values()


def _webhooks(schemas: dict[str, Any]) -> dict[str, Any]:
    """What we send: Standard Webhooks headers, `{type, timestamp, data}`."""
    models = {model for _, model, _ in WEBHOOKS}
    _, defined = models_json_schema(
        [(model, "serialization") for model in sorted(models, key=lambda each: each.__name__)],
        ref_template="#/components/schemas/{model}",
    )
    schemas.update(defined.get("$defs", {}))
    described = {}
    for kind, model, summary in WEBHOOKS:
        envelope = {
            "type": "object", "required": ["type", "timestamp", "data"],
            "properties": {
                "type": {"type": "string", "const": kind},
                "timestamp": {"type": "string", "format": "date-time"},
                "data": {"$ref": f"#/components/schemas/{model.__name__}"},
            },
        }  # fmt: skip
        name = "on_" + kind.replace(".", "_")
        described[kind] = {
            "post": {
                "operationId": name, "tags": ["partners"], "summary": summary,
                "description": "Verify `webhook-signature` over `id.timestamp.body` (standardwebhooks.com); answer 2xx within 15 s.",
                "security": [], "parameters": _WEBHOOK_HEADERS,
                "requestBody": {"required": True, "content": {"application/json": {"schema": envelope}}},
                "responses": {
                    "2XX": {"description": "Taken."},
                    "410": {"description": "Never send here again: the endpoint is disabled."},
                },
            }
        }  # fmt: skip
    return described


def _header(name: str, description: str, example: str) -> dict[str, Any]:
    return {
        "name": name, "in": "header", "required": True, "description": description,
        "schema": {"type": "string", "examples": [example]},
    }  # fmt: skip


_WEBHOOK_HEADERS = [
    _header("webhook-id", "The event's id, the same over all attempts.", "evt_01kj4y8x3hf7a9cq2v5b6n8m0t"),
    _header("webhook-timestamp", "Seconds since 1970 of this attempt.", "1795395600"),
    _header("webhook-signature", "`v1,` and base64; several, separated by spaces, while secrets rotate.", "v1,K5oZfzN95Z9U…"),
]


def _pruned(document: dict[str, Any]) -> dict[str, Any]:
    """Only the schemas and tags that are used."""
    held = document["components"]
    used: set[tuple[str, str]] = set()
    waiting = [document["paths"], document.get("webhooks", {})]
    while waiting:
        for kind, name in _references(waiting.pop()):
            if (kind, name) not in used:
                used.add((kind, name))
                waiting.append(held[kind][name])
    tags = {
        tag
        for items in (document["paths"], document.get("webhooks", {}))
        for item in items.values()
        for operation in item.values()
        for tag in operation.get("tags", ())
    }
    schemes = {name for operation in _operations(document) for each in operation["security"] for name in each}
    components = {
        kind: kept
        for kind, held_of_kind in held.items()
        if (kept := {n: one for n, one in held_of_kind.items() if (kind, n) in used or n in schemes})
    }
    return {
        **document,
        "components": components,
        "tags": [tag for tag in document.get("tags", []) if tag["name"] in tags],
    }


def _references(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str):
            _, _, kind, name = reference.split("/")
            yield kind, name
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
