"""What `migrate` does beside the migrations: the audit's triggers are there, or it is said that they are not."""

from __future__ import annotations

import asyncio

from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tests.servers import MariaDb
from yiyuebao_api import migrate
from yiyuebao_api.settings import Database, Settings


async def _tell(url: str, statement: str) -> list[str]:
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            found = await connection.execute(text(statement))
            return [str(row[0]) for row in found] if found.returns_rows else []
    finally:
        await engine.dispose()


async def test_missing_triggers_of_the_audit_are_made_at_the_next_migration() -> None:
    """The accident: MySQL with its binary log refused them once, the migration went on, and nobody heard of it again."""
    with await asyncio.to_thread(MariaDb, database="yiyuebao") as server:
        url = server.url("yiyuebao")
        settings = Settings(database=Database(url=SecretStr(url)))
        await migrate.upgrade(settings)
        made = await _tell(url, "SELECT trigger_name FROM information_schema.triggers ORDER BY 1")
        assert made == ["audit_entry_no_delete", "audit_entry_no_update", "audit_seal_no_delete", "audit_seal_no_update"]
        for name in made[1:]:
            await _tell(url, f"DROP TRIGGER {name}")
        assert await migrate.guard_audit(settings)
        assert await _tell(url, "SELECT trigger_name FROM information_schema.triggers ORDER BY 1") == made
        assert await migrate.guard_audit(settings), "again changes nothing"
