"""The published contract of the live socket: AsyncAPI 3, made from the same frames that are validated and sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from yiyuebao_api import __version__
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
_DESCRIPTION = """
One socket per device, for all consultations of its account. JSON objects in text frames, at most 64 KiB.

1. `POST /v1/consultations/live-tickets` gives a ticket, good for one socket within thirty seconds.
2. Connect and send `hello` with the ticket, a lasting `device_id` and the cursors: the last `seq` this device has of each
   consultation. Nothing secret goes into the URL.
3. `welcome`, then what is missing, in order, then `caught_up`, then live frames. Send `ping` every `heartbeat_s`.
4. A message is stored before its `message.ack`. No ack: send it again with the same `client_msg_id`, here or over HTTP.
5. Keep the highest `seq` without a gap as cursor. A missing seq or `resync`: send `resume`. `reset`: reload over HTTP.
6. `expiring` comes a minute before the access token ends: refresh it, get a ticket, send `renew`.

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
    closes = "; ".join(f"{int(code)} {words}" for code, words in _CLOSES.items())
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "医约宝在线咨询长连接", "version": __version__,
            "description": _DESCRIPTION.strip().replace("{closes}", closes),
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
