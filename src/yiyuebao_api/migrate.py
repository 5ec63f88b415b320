"""Migrations from code: up to head for `python -m yiyuebao_api migrate`, and what head is for `/readyz`."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

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


@cache
def head_revision() -> str | None:
    """The newest revision this code knows."""
    return ScriptDirectory(str(_folder())).get_current_head()
