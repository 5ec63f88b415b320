"""Alembic's environment: one for MariaDB and MySQL; a named lock lets one process migrate while the others wait."""

from __future__ import annotations

import asyncio
from typing import Any

import sqlalchemy as sa
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine

from yiyuebao_api import tables
from yiyuebao_api.kernel.database import IdColumn, UtcDateTime
from yiyuebao_api.kernel.secrets import Sealed, SealedJson
from yiyuebao_api.settings import Settings


def render_item(kind: str, thing: Any, autogen: Any) -> str | bool:
    """Our column types are written as what they are in the database: a revision must not change when our code does."""
    if kind != "type" or not isinstance(thing, UtcDateTime | IdColumn | Sealed | SealedJson):
        return False
    autogen.imports.add("from sqlalchemy.dialects import mysql")
    if isinstance(thing, UtcDateTime):
        return "mysql.DATETIME(fsp=6)"
    if isinstance(thing, IdColumn):
        return "mysql.BINARY(16)"
    if isinstance(thing, Sealed):
        return f"mysql.VARBINARY({thing.length * 4 + 64})"
    return "sa.LargeBinary(65535)"


def run(connection: sa.Connection) -> None:
    """Inside one connection."""
    context.configure(
        connection=connection, target_metadata=tables.metadata, compare_type=True, render_item=render_item,
        transaction_per_migration=True,
    )  # fmt: skip
    connection.execute(sa.text("SELECT GET_LOCK('yiyuebao-migrations', 120)"))
    try:
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.execute(sa.text("SELECT RELEASE_LOCK('yiyuebao-migrations')"))


async def online() -> None:
    """Connect to the database of the settings."""
    settings: Settings = context.config.attributes.get("settings") or Settings()
    engine = create_async_engine(settings.database.url.get_secret_value(), poolclass=sa.pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


if context.is_offline_mode():
    context.configure(dialect_name="mysql", target_metadata=tables.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(online())
