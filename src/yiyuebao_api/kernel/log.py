"""Structured logs: one JSON object a line, the request's id on each, personal data on none."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

#: Whatever a caller passes under these names stays out of the log.
_NEVER = frozenset({
    "phone", "name", "address", "id_no", "openid", "unionid", "code", "otp", "password", "secret", "token", "access_token",
    "refresh_token", "authorization", "body", "payload", "content",
})  # fmt: skip


def _redact(_logger: Any, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in _NEVER & fields.keys():
        fields[name] = "[withheld]"
    return fields


#: Where it happened, never what the variables held: those are headers, tokens and people's data.
_TRACEBACK = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=30)
)


class _Quiet(logging.Filter):
    """The pool logs a traceback for every request that was cancelled; it is none of our errors."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.ERROR


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
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("sqlalchemy.pool").addFilter(_Quiet())
    for noisy in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
