"""Structured logs: one JSON object a line, the request's id on each, personal data on none."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from yiyuebao_api.kernel import clock

#: Whatever a caller passes under these names stays out of the log.
_NEVER = frozenset({
    "phone", "name", "address", "id_no", "openid", "unionid", "code", "otp", "password", "secret", "token", "access_token",
    "refresh_token", "authorization", "body", "payload", "content",
})  # fmt: skip


def _redact(_logger: Any, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in _NEVER & fields.keys():
        fields[name] = "[withheld]"
    return fields


#: What slips through in other people's words (a library's line, an exception's message): mobile numbers, identity cards,
#: and the value a unique key refused.
_PERSONAL = re.compile(
    r"(?<!\d)(?:\+?86)?1[3-9]\d{9}(?!\d)"
    r"|(?<!\d)[1-9]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?!\d)"
    r"|(?<=Duplicate entry ').*?(?=' for key)"
)


def _render(logger: Any, method: str, fields: MutableMapping[str, Any]) -> str:
    line = structlog.processors.JSONRenderer(ensure_ascii=False)(logger, method, fields)
    return _PERSONAL.sub("[withheld]", str(line))


#: Where it happened, never what the variables held: those are headers, tokens and people's data.
_TRACEBACK = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=30)
)


def _of_ours(record: logging.LogRecord) -> bool:
    """The pool logs a traceback for every request that was cancelled; none of our errors, unlike a connection that leaks."""
    pool = record.name.startswith("sqlalchemy.pool")
    return not pool or record.levelno > logging.ERROR or "garbage collector" in str(record.msg)


def answered(*, request_id: str, method: str, route: str, status: int, ms: float) -> None:
    """The line of a request, past every processor: it holds nothing that could be personal, and there is one for each."""
    if not _root.isEnabledFor(logging.INFO):
        return
    line = {
        "method": method, "route": route, "status": status, "ms": ms, "event": "request", "request_id": request_id,
        "level": "info", "timestamp": clock.system_now().isoformat().replace("+00:00", "Z"),
    }  # fmt: skip
    sys.stderr.write(json.dumps(line) + "\n")


_root = logging.getLogger()


def configure(level: str = "INFO") -> None:
    """Set up structlog and the standard library's loggers of this process."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _TRACEBACK,
                _render,
            ],
        )
    )
    handler.addFilter(_of_ours)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
