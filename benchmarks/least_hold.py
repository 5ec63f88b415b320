"""The least that a hold can be through an endpoint: one place less of a locked counter, and one row; or nothing at all.

`POST /for-update` and `POST /nothing`, in FastAPI under the same server options as the service; its transactions are opened
straight on the driver. It has no account, patient, price, history or key, and repeats itself when it is asked again.
`python -m benchmarks.least_hold --port N`.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import RowId
from yiyuebao_api.settings import Settings


def app() -> FastAPI:
    settings = Settings()
    database = Database(settings.database, patience_s=60)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await database.aclose()

    made = FastAPI(lifespan=lifespan, openapi_url=None)

    @made.get("/healthz")
    async def healthz() -> dict[str, bool]:
        return {"up": True}

    @made.post("/nothing", status_code=201)
    async def nothing() -> dict[str, str]:
        return {"id": str(RowId.new())}

    @made.post("/for-update", status_code=201)
    async def for_update() -> dict[str, str]:
        taken = RowId.new()
        async with database.begin_wire() as wire:
            ((places,),) = await wire.ask("SELECT places FROM counter WHERE id = 1 FOR UPDATE")
            assert places > 0
            await wire.put("UPDATE counter SET places = places - 1 WHERE id = 1")
            await wire.put("INSERT INTO bare VALUES (%s)", [taken.bytes])
        return {"id": str(taken)}

    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvicorn.run(
        "benchmarks.least_hold:app", factory=True, port=parser.parse_args().port, loop="uvloop", http="httptools",
        server_header=False, access_log=False, log_config=None, proxy_headers=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
