"""Tables that are locked, so that whoever writes there stops in the middle of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from yiyuebao_api.context import Context


@asynccontextmanager
async def locked(context: Context, table: str) -> AsyncIterator[None]:
    """Whoever reads or writes there stands still until the block ends."""
    async with context.database.engine.connect() as connection:
        await connection.execute(text(f"LOCK TABLES {table} WRITE"))
        try:
            yield
        finally:
            await connection.execute(text("UNLOCK TABLES"))


async def held_up(context: Context, number: int) -> int:
    """How many stand before a locked table. MySQL's processlist chokes on statements with binary ids in them."""
    async with context.begin() as tx:
        on_mariadb = "MariaDB" in str(await tx.scalar(text("SELECT VERSION()")))
        table, column = ("information_schema.processlist", "state") if on_mariadb else (
            "performance_schema.threads", "processlist_state"
        )  # fmt: skip
        waiting = await tx.execute(text(f"SELECT 1 FROM {table} WHERE {column} LIKE 'Waiting for table%'"))
    return min(number, len(waiting.all()))
