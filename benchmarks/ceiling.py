"""The ceilings: a bare ASGI application on a bare driver, under the same server options as the service.

`GET /row/{32 hex digits}` reads one booking by its key, `GET /rows` twenty offers by their keys; both write their JSON at
once. Nothing is validated, nobody is asked who they are. `python -m benchmarks.ceiling --port N`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
from collections.abc import Sequence
from typing import Any

import asyncmy
import uvicorn
from asyncmy.cursors import Cursor
from sqlalchemy import make_url

from yiyuebao_api.settings import Settings

_ROW_FIELDS = ("order_no", "state", "service_name", "total_fen", "place")
_ROWS_FIELDS = ("name", "category_code", "place", "price_fen", "duration_min")
_ROW = f"SELECT {', '.join(_ROW_FIELDS)} FROM booking WHERE id = %s"
_ROWS = f"SELECT {', '.join(_ROWS_FIELDS)} FROM nearby_offer WHERE service_id IN ({', '.join(['%s'] * 20)})"


class Ceiling:
    """An ASGI application."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.database
        self._free: asyncio.Queue[Any] = asyncio.Queue()
        self._offers: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await self._connect()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        path = scope["path"]
        body = b"{}"
        if path.startswith("/row/"):
            (row,) = await self._read(_ROW, [bytes.fromhex(path[5:])])
            body = json.dumps(dict(zip(_ROW_FIELDS, row, strict=True))).encode()
        elif path == "/rows":
            rows = await self._read(_ROWS, random.sample(self._offers, 20))
            assert len(rows) == 20
            body = json.dumps([dict(zip(_ROWS_FIELDS, row, strict=True)) for row in rows]).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _connect(self) -> None:
        url = make_url(self._settings.url.get_secret_value())
        for _ in range(self._settings.pool_size):
            self._free.put_nowait(
                await asyncmy.connect(
                    host=url.host, port=url.port, user=url.username, password=url.password, db=url.database,
                    charset="utf8mb4", autocommit=True,
                )
            )  # fmt: skip
        self._offers = [row[0] for row in await self._read("SELECT service_id FROM nearby_offer WHERE listed", [])]

    async def _read(self, statement: str, parameters: Sequence[Any]) -> Sequence[Any]:
        connection = await self._free.get()
        try:
            async with connection.cursor(Cursor) as cursor:
                await cursor.execute(statement, parameters)
                rows: Sequence[Any] = await cursor.fetchall()
                return rows
        finally:
            self._free.put_nowait(connection)


def app() -> Ceiling:
    made = Ceiling(Settings())
    gc.collect()
    gc.freeze()
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvicorn.run(
        "benchmarks.ceiling:app", factory=True, port=parser.parse_args().port, loop="uvloop", http="httptools",
        server_header=False, date_header=True, access_log=False, log_config=None, proxy_headers=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
