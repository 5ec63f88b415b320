"""The composition root: `create_app(settings)` puts the house together; `service(context)` is the same with given parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from yiyuebao_api import __version__, api, health, openapi, wiring
from yiyuebao_api.context import Context, open_context
from yiyuebao_api.domains.bookings.service import hold_line
from yiyuebao_api.domains.consultations.live import LiveDesk
from yiyuebao_api.domains.nearby.index import NearbyIndex
from yiyuebao_api.kernel import events, log, problems
from yiyuebao_api.kernel.front import FrontDoor
from yiyuebao_api.kernel.outbox import Worker
from yiyuebao_api.kernel.retry import WholeRequestRetry
from yiyuebao_api.kernel.routing import Branches
from yiyuebao_api.kernel.turnstile import Turnstile
from yiyuebao_api.settings import Settings


def create_app(settings: Settings | None = None, *, context: Context | None = None, with_worker: bool = False) -> FastAPI:
    """The whole service. Give `context` to share its parts (tests); `with_worker` runs the jobs in this process too."""
    settings = settings or (context.settings if context else Settings())
    log.configure(settings.log_level)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            held = context if context is not None else await stack.enter_async_context(open_context(settings))
            events.connect(wiring.EVENTS)
            app.state.context, app.state.settings, app.state.database = held, held.settings, held.database
            app.state.gateways, app.state.tokens = held.gateways, held.tokens
            await stack.enter_async_context(held.database.live.running())
            app.state.turnstile, app.state.holds = Turnstile(), hold_line(held.database.begin_wire)
            app.state.live_desk = LiveDesk(held.database, held.settings.live)
            await stack.enter_async_context(app.state.live_desk.open())
            app.state.nearby = await stack.enter_async_context(NearbyIndex(held.database))
            if with_worker:
                worker = Worker(held.begin, held, wiring.JOBS, wiring.TIMERS)
                await stack.enter_async_context(wiring.running(worker))
            yield

    app = FastAPI(
        title="医约宝 API", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None,
        generate_unique_id_function=lambda route: route.name, separate_input_output_schemas=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # looked for anew at every request
    )  # fmt: skip
    problems.install(app)
    app.router.routes += [*health.router.routes, Branches(api.routers())]  # in this order; probes come every second
    if settings.http.docs:
        _serve_docs(app)
    app.openapi = lambda: openapi.whole(app)  # type: ignore[method-assign]
    app.add_middleware(WholeRequestRetry)
    if settings.http.allowed_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(settings.http.allowed_origins), allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "Accept-Language"],
            expose_headers=["X-Request-Id", "ETag", "Retry-After", "Idempotent-Replayed"],
        )  # fmt: skip
    limits = {"/v1/payments/notifications": settings.http.notification_limit_bytes, "/v1/files": settings.http.upload_limit_bytes}
    app.add_middleware(FrontDoor, limit=settings.http.json_limit_bytes, limits=limits)
    return app


def _serve_docs(app: FastAPI) -> None:
    """`/docs` and `/redoc` with assets of our own, so that they work without the Internet; `/` leads to the first."""
    assets = Path(fastapi_offline.__file__).parent / "static"
    app.mount("/docs/assets", StaticFiles(directory=assets), name="docs-assets")

    async def document(request: Request) -> Response:
        return JSONResponse(app.openapi())

    async def swagger(request: Request) -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json", title="医约宝 API", swagger_js_url="/docs/assets/swagger-ui-bundle.js",
            swagger_css_url="/docs/assets/swagger-ui.css", swagger_favicon_url="/docs/assets/favicon.png",
            swagger_ui_parameters={"persistAuthorization": True, "docExpansion": "none", "filter": True},
        )  # fmt: skip

    async def redoc(request: Request) -> HTMLResponse:
        return get_redoc_html(
            openapi_url="/openapi.json", title="医约宝 API", redoc_js_url="/docs/assets/redoc.standalone.js",
            redoc_favicon_url="/docs/assets/favicon.png", with_google_fonts=False,
        )  # fmt: skip

    async def front(request: Request) -> Response:
        return RedirectResponse("/docs")

    pages: dict[str, Callable[[Request], Awaitable[Any]]] = {
        "/": front, "/openapi.json": document, "/docs": swagger, "/redoc": redoc,
    }  # fmt: skip
    for path, page in pages.items():
        app.add_route(path, page, include_in_schema=False)
