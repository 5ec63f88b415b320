"""The published contract of the live socket: AsyncAPI 3, made from the same frames that are validated and sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from yiyuebao_api import __version__, api, dictionary
from yiyuebao_api.domains.consultations import frames
from yiyuebao_api.kernel.live import Close

_CLOSES = {
    Close.POLICY: "the protocol was broken repeatedly; mend the client",
    1009: "a frame was larger than 64 KiB",
    1012: "this process restarts: connect again at once, elsewhere (any process serves)",
    Close.TRY_AGAIN: "too slow, or the service is busy: connect again after a second, resume from the cursors",
    Close.UNAUTHENTICATED: "no valid hello within 5 s, signed out, or the token ended: get a new ticket, sign in if refused",
    Close.SILENT: "silent for two intervals: connect again",
    Close.REPLACED: "the same device connected anew: do not connect again by yourself",
    Close.TOO_MANY: "too many devices of this account: tell the person",
}
#: Frames that say over the socket what an operation of `app.json` does over HTTP, and are refused for the same reasons.
_TWINS = {"message.send": "send_message", "message.recall": "recall_message", "mark": "set_marks"}
_ANYWHERE = ("malformed-request", "invalid-input", "too-many-requests", "service-unavailable", "internal-error")
_OF_HTTP = ("unauthenticated", "not-allowed", "body-too-large", "request-in-progress", "idempotency-key-reused")
_DESCRIPTION = """
One socket per device, for all consultations of its account. JSON objects in text frames, at most 64 KiB.

1. `POST /v1/consultations/live-tickets` gives a ticket, good for one socket within thirty seconds.
2. Connect and send `hello` with the ticket, a lasting `device_id` and the cursors: the last `seq` this device has of each
   consultation. Nothing secret goes into the URL.
3. `welcome`, then what is missing, in order, then `caught_up`, then live frames. Send `ping` every `heartbeat_s`.
4. A message is stored before its `message.ack`. No ack: send it again with the same `client_msg_id`, here or over HTTP.
5. Keep the highest `seq` without a gap as cursor. A missing seq or `resync`: send `resume`. `reset`: reload over HTTP with
   `GET /v1/consultations/{consultation_id}/messages?after_seq=`, then `resume` from its `last_seq`.
6. `expiring` comes a minute before the access token ends: refresh it, get a ticket, send `renew`.
7. An `error` with `retry_after_s`: send the same again after so many seconds. Without: the same would be refused again; give it
   up and show `detail`.

New types of frames may come: leave what you do not know. `GET` and `POST …/messages` and the
other operations of `openapi/app.json`, tag `consultations`, have the same ids, and may be mixed with the socket.

Refusals (`error.code`): of any frame {anywhere}; {refusals}. What each means is told in `openapi/app.json`, by the same code.

Close codes: {closes}.
"""


def document() -> dict[str, Any]:
    """`openapi/live.json`."""
    both = [*frames.CLIENT_FRAMES, *frames.SERVER_FRAMES]
    schemas: dict[str, Any] = {}
    for models, mode in ((frames.CLIENT_FRAMES, "validation"), (frames.SERVER_FRAMES, "serialization")):
        _, told = models_json_schema([(each, mode) for each in models], ref_template="#/components/schemas/{model}")  # type: ignore[misc]
        schemas |= told["$defs"]
    for each in both:
        schemas[each.__name__] |= {"additionalProperties": False}
    dictionary.explain(schemas, beside_references=False)
    closes = "; ".join(f"{int(code)} {words}" for code, words in _CLOSES.items())
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "医约宝在线咨询长连接", "version": __version__,
            "description": _DESCRIPTION.strip().replace("{closes}", closes).replace("{anywhere}", _listed(_ANYWHERE))
            .replace("{refusals}", _refusals()),
        },
        "defaultContentType": "application/json",
        "servers": {"this": {"host": "yiyuebao.example", "protocol": "wss", "description": "This service"}},
        "channels": {
            "live": {
                "address": "/v1/consultations/live", "title": "在线咨询",
                "messages": {_name(each): {"$ref": f"#/components/messages/{_name(each)}"} for each in both},
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
            }
        },
        "operations": {
            "takeFromClient": _operation("receive", "What a client may send.", frames.CLIENT_FRAMES),
            "sayToClient": _operation("send", "What the server says.", frames.SERVER_FRAMES),
        },
        "components": {
            "messages": {_name(each): _message(each) for each in both}, "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "ticket": {"type": "apiKey", "in": "password", "description": "The ticket in the first frame, `hello`."}
            },
        },
    }  # fmt: skip


def _listed(codes: Sequence[str]) -> str:
    return ", ".join(f"`{code}`" for code in codes)


def _refusals() -> str:
    """What each frame is refused for, from what its twin over HTTP declares."""
    declared = {each.name: each.problems for each in api.operations()}
    told = [
        f"of `{frame}` {_listed([code for code in declared[name] if code not in (*_ANYWHERE, *_OF_HTTP)])}"
        for frame, name in _TWINS.items()
    ]
    return "; ".join([*told, "of `typing` `not-found`", "of `hello` and `renew` `unauthenticated`, of `hello` `too-many-sockets`"])


def _operation(action: str, summary: str, models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    return {
        "action": action, "summary": summary, "channel": {"$ref": "#/channels/live"},
        "security": [{"$ref": "#/components/securitySchemes/ticket"}],
        "messages": [{"$ref": f"#/channels/live/messages/{_name(each)}"} for each in models],
    }  # fmt: skip


def _message(model: type[BaseModel]) -> dict[str, Any]:
    return {
        "name": frames.type_of(model), "summary": " ".join((model.__doc__ or "").split()),
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
    }  # fmt: skip


def _name(model: type[BaseModel]) -> str:
    return model.__name__[0].lower() + model.__name__[1:]
