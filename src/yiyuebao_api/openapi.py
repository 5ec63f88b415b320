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

from yiyuebao_api import __version__, api, asyncapi, dictionary
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

- Amounts are whole fen, times RFC 3339 with `+08:00`, ids prefixed strings, distances metres.
- Refusals are RFC 9457 `application/problem+json`; switch on `code`, show `detail`. `Accept-Language: en` gives English words.
- Every POST with a JSON body accepts an `Idempotency-Key`: the same key and body again give the same answer, once, whatever
  crashed in between. Where it is listed as a parameter it is required.
- Lists: `?limit=&cursor=`, `next_cursor` is null on the last page.
- What can be edited carries an `ETag`; PUT needs it as `If-Match`: 428 without it, 412 when somebody else was faster.
- Unknown fields of a body are refused (422). What is not yours is not there (404).
- Every answer carries `X-Request-Id`; 429 and 503 carry `Retry-After`, in seconds: the same request may be sent again then.
- Values of enumerations may be added; show one that you do not know as it is.
"""
_GUIDES = {
    "app.json": """
## 从登录到确认 · a client from nothing

1. **登录 Sign in.** `POST /v1/accounts/sms-codes`, then `POST /v1/accounts/sessions`; in the mini-program
   `POST /v1/accounts/sessions/wechat`. The access token goes into `Authorization: Bearer …` and lives `expires_in` seconds;
   after a 401 `POST /v1/accounts/tokens/refresh` once (a refresh token works once), and ask to sign in if that is refused.
   A token carries one mode: an account begins as `patient`; staff change to `clinician` with `POST /v1/accounts/mode`.
2. **就诊人与地址 People and places.** `POST /v1/patients`, `POST /v1/patients/addresses`. Real name (`real_name` must be
   `verified` before anything is booked): photographs to `POST /v1/files`, `POST /v1/identities/card-reading` fills in the form,
   `POST /v1/identities` submits it, a person decides.
3. **找服务 Find.** `GET /v1/nearby/services` (or `/v1/nearby/hospitals`), `GET /v1/catalogue/services/{service_id}`,
   `GET /v1/schedules/slots`.
4. **报价 Quote.** `POST /v1/bookings/quote` with the very body of the booking: content, price lines, policy. Nothing is saved.
5. **同意 Consent.** A feature that needs one answers 403 `consent-missing` with `purpose` and `notice_id`: show
   `GET /v1/consents/notices/{notice_id}`, then `POST /v1/consents`, then send the same request again.
6. **预约并支付 Book and pay.** `POST /v1/bookings` (the quote's body and its `service_version_id`) holds the place until
   `hold_until`; `POST /v1/bookings/{booking_id}/payment` answers `parameters` for `wx.requestPayment` or the app's SDK. What the
   phone says afterwards is not the truth: read the booking until it is `paid`; it is a matter of seconds.
7. **上门 The visit.** `held → paid → accepted → assigned → under_way → done → closed`, or `expired`, `cancelled`, `refused`;
   `visit_stage` tells how far the visit is. Before it starts, `GET` and `POST /v1/visits/{visit_id}/agreement`; afterwards
   `POST /v1/visits/{visit_id}/confirm` and `POST /v1/bookings/{booking_id}/review`. A booking's visit is found with
   `GET /v1/visits?booking_id=…` as soon as somebody was assigned.
8. **在线咨询 Consult.** `GET /v1/consultations/offers`, `POST /v1/consultations`, its `…/payment`; then talk over the live socket
   (`openapi/live.json`, ticket from `POST /v1/consultations/live-tickets`) or over `…/messages`: the same messages, the same ids.
""",
    "hospital.json": """
## 医院端 · a hospital's back end

Sign in with `POST /v1/accounts/sessions/password` (`app.json`); the token names the hospital, so no request does. Staff before they
can be sent: `POST /v1/hospital/clinicians`, then `PUT …/readiness` (trained, insured), `PUT …/items` (which items they may do) and
`POST …/submit`; the operator verifies. A new booking is a notice and a webhook: `GET /v1/hospital/bookings`, `…/accept` or
`…/refuse`, then `GET /v1/hospital/visits/candidates` and `POST /v1/hospital/visits`. Each next step is due by the booking's
`act_by`: accept, assign, set out; what is not done by then ends by itself and is refunded in full. Paths under `/v1/operator/` are
the platform's.
""",
    "partner.json": """
## 验签 · verifying

Standard Webhooks: HMAC-SHA256 over `id.timestamp.body` with the endpoint's secret (`whsec_…`, base64 after the prefix). Refuse a
timestamp more than five minutes off, remember `webhook-id`, answer 2xx within 15 s and work afterwards. What was not answered with
2xx is sent again, with the same id, later and later, for three days. Names, phones and addresses are never in an event.
""",
}
_CALLERS = {
    "anyone": "任何人，无需登录 · anyone",
    "member": "任何已登录者 · anybody signed in, in any mode",
    "patient": "患者 · mode `patient`",
    "clinician": "医护 · mode `clinician`",
    "desk": "医院后台 · mode `desk`",
    "operator": "平台运营 · mode `operator`",
    "auditor": "审计 · mode `auditor`",
}
_SUCCESSES = {
    "200": "成功 · Done",
    "201": "已创建 · Created",
    "202": "已受理 · Taken, and done soon",
    "204": "成功，无内容 · Done, with nothing to tell",
}
_PERIOD_ENDS = {"date-time": "2026-11-30T00:00:00+08:00", "date": "2026-12-01"}
_HEADERS = {
    "idempotency-key": ("Idempotency-Key", "book-7f3c2a90"),
    "if-match": ("If-Match", '"3"'),
}


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
    return {"title": title, "summary": summary, "description": _DESCRIPTION.strip() + "\n\n" + _GUIDES[name].strip()}


def _generated() -> dict[str, Any]:
    return get_openapi(
        title=_TITLES["app.json"][0], version=__version__, summary=_TITLES["app.json"][1], description=_info("app.json")["description"],
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
    callers = {each.name: each.callers for each in api.operations()}
    for operation in _operations(document):
        operation.setdefault("security", [])
        words = "；".join(_CALLERS[each] for each in callers[operation["operationId"]])
        operation["description"] = f"{operation['description']}\n\n**调用身份 Caller**：{words}"
        for parameter in operation.get("parameters", []):
            _name_header(parameter)
        for status, response in operation["responses"].items():
            if status in _SUCCESSES:
                response["description"] = _SUCCESSES[status]
            _share(response.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {}), examples)
    for scheme in document["components"]["securitySchemes"].values():
        scheme["description"] = "`access_token` of `POST /v1/accounts/sessions…`; it lives fifteen minutes and carries one mode."
    document["webhooks"] = _webhooks(schemas)
    dictionary.explain(schemas)
    for operation in _operations(document):
        for parameter in operation.get("parameters", []):
            dictionary.explain({"": {"properties": {parameter["name"]: parameter["schema"]}}})
            if parameter["name"] == "to":  # a period whose end is its begin is refused
                parameter["schema"]["examples"] = [_PERIOD_ENDS[parameter["schema"]["format"]]]
    return document


def _name_header(parameter: dict[str, Any]) -> None:
    """A header we ask for is required, whatever FastAPI read from the signature: its absence has a refusal of its own."""
    if parameter["in"] == "header":
        name, shown = _HEADERS[parameter["name"]]
        shape = {key: value for key, value in parameter["schema"]["anyOf"][0].items() if key != "title"}
        parameter.update(name=name, required=True, schema={**shape, "examples": [shown]})


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
