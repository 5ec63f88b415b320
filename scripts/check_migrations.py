"""Migrations up, down to nothing and up again on an empty database, then compared with the models."""

from __future__ import annotations

import asyncio

from alembic import command
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from yiyuebao_api.migrate import config
from yiyuebao_api.settings import Settings


async def tables(url: str) -> set[str]:
    """Names of all tables in the database, Alembic's own left out."""
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        names = (await connection.execute(text("SHOW TABLES"))).scalars().all()
    await engine.dispose()
    return set(names) - {"alembic_version"}


def main() -> None:
    settings = Settings()
    url = settings.database.url.get_secret_value()
    alembic = config(settings)
    command.upgrade(alembic, "head")
    if not (made := asyncio.run(tables(url))):
        raise SystemExit("the migrations make no table")
    command.downgrade(alembic, "base")
    if left := asyncio.run(tables(url)):
        raise SystemExit(f"left behind after the way down: {', '.join(sorted(left))}")
    command.upgrade(alembic, "head")
    command.check(alembic)  # ends the program when the models say something else
    print(f"up, down and up again: {len(made)} tables, and the models say the same")


if __name__ == "__main__":
    main()
