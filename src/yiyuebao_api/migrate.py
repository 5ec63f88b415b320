"""Migrations from code: up to head for `python -m yiyuebao_api migrate`, and what head is for `/readyz`."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from yiyuebao_api.settings import Settings


def config(settings: Settings | None = None) -> Config:
    """Alembic's configuration with our folder; the address never stands in a file."""
    made = Config()
    made.set_main_option("script_location", str(_folder()))
    made.set_main_option("file_template", "%%(year)d_%%(month).2d_%%(day).2d_%%(hour).2d%%(minute).2d_%%(slug)s")
    made.attributes["settings"] = settings or Settings()
    return made


def _folder() -> Path:
    """`migrations/` of the checkout, or the copy beside the installed package (the container image)."""
    here = Path(__file__).resolve().parent
    beside = [here.parents[1] / "migrations", Path.cwd() / "migrations"]
    return next((folder for folder in beside if (folder / "env.py").exists()), beside[0])


async def upgrade(settings: Settings, revision: str = "head") -> None:
    """Bring the database to `revision`; several processes may try at once, one does it."""
    await asyncio.to_thread(command.upgrade, config(settings), revision)


async def downgrade(settings: Settings, revision: str) -> None:
    """Take the database back to `revision`."""
    await asyncio.to_thread(command.downgrade, config(settings), revision)


#: TRIGGER denied, SUPER needed, and a binary log that trusts nobody.
_NOT_ALLOWED = (1142, 1227, 1419)
_ALREADY_THERE = 1359


async def guard_audit(settings: Settings) -> bool:
    """Make the triggers that refuse every change of the audit, where they are missing.

    False when this server lets nobody but an administrator make them (a MySQL with a binary log, without
    `log_bin_trust_function_creators`): then a change is seen by the seals, and not prevented.
    """
    engine = create_async_engine(settings.database.url.get_secret_value(), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            found = await connection.execute(
                text("SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()")
            )
            there = {str(name) for (name,) in found}
            for table in ("audit_entry", "audit_seal"):
                for verb in ("UPDATE", "DELETE"):
                    if (name := f"{table}_no_{verb.lower()}") not in there:
                        await connection.execute(text(
                            f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW "
                            "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit is only ever appended to'"
                        ))  # fmt: skip
    except DBAPIError as error:
        code = getattr(error.orig, "args", (0,))[0]
        if code == _ALREADY_THERE:  # another process migrates at the same moment, and goes on
            return True
        if code in _NOT_ALLOWED:
            return False
        raise
    finally:
        await engine.dispose()
    return True


@cache
def head_revision() -> str | None:
    """The newest revision this code knows."""
    return ScriptDirectory(str(_folder())).get_current_head()
