"""Whether this process lives, whether it can serve, and its figures for Prometheus."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse, Response

from yiyuebao_api.kernel.database import PATIENCE_S
from yiyuebao_api.kernel.problems import NotFound
from yiyuebao_api.kernel.routing import DirectRoute
from yiyuebao_api.migrate import head_revision

router = APIRouter(include_in_schema=False, route_class=DirectRoute)


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Alive: the event loop answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """Ready: the database answers with its migrations at head, Redis too where one is configured."""
    checks: dict[str, Any] = {"database": False, "migrations": False}
    try:
        async with asyncio.timeout(PATIENCE_S), request.app.state.database.engine.connect() as connection:
            found = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
            checks["database"] = True
            checks["migrations"] = found == head_revision()
    except (SQLAlchemyError, OSError):  # TimeoutError is one: a server that froze says nothing at all
        pass
    if (address := request.app.state.settings.redis.url) is not None:
        checks["redis"] = await _redis_answers(address.get_secret_value())
    ready = all(checks.values())
    return JSONResponse({"status": "ready" if ready else "not ready", "checks": checks}, 200 if ready else 503)


async def _redis_answers(url: str) -> bool:
    client = Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
    try:
        return bool(await client.ping())
    except (RedisError, OSError):
        return False
    finally:
        await client.aclose()


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Figures for Prometheus, when the settings allow them on this listener."""
    if not request.app.state.settings.http.metrics:
        raise NotFound
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
