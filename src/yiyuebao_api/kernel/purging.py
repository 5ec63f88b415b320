"""Forgetting what has been kept long enough: some rows at a time, by index, each time in a transaction of its own.

A delete of millions of rows would pass the statement's limit, fail, and be larger the next time. Nothing here knows what may
be forgotten: the switchboard lists it, the settings say after how long. Audit, payments, ledger, bookings, visits,
consultations, consents and records are never in that list.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Protocol, cast

import structlog
from sqlalchemy import ColumnElement, delete
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.kernel.database import Begin, Model

#: Rows of one statement, and statements of one part in one run: the next run goes on where this one stopped.
AT_ONCE = 1_000
BATCHES = 500
log = structlog.get_logger()


class Part(Protocol):
    """One kind of rows. Returns how many were forgotten; fewer than `at_most` means that none is left."""

    def __call__(self, tx: AsyncSession, /, *, at_most: int) -> Awaitable[int]: ...


async def delete_some(tx: AsyncSession, model: type[Model], *old: ColumnElement[bool], at_most: int) -> int:
    """At most so many rows of those; returns how many. `old` must be found by an index."""
    some = delete(model).where(*old).with_dialect_options(mysql_limit=at_most, mariadb_limit=at_most)
    done = await tx.execute(some.execution_options(synchronize_session=False))
    return cast("int", cast("Any", done).rowcount)


async def purge(begin: Begin, parts: Mapping[str, Part], *, at_most: int = AT_ONCE) -> dict[str, int]:
    """Every part until nothing old is left, or BATCHES times; returns how many rows of each were forgotten.

    May be killed anywhere and run twice at once. A part that fails does not keep the others from being done; the first
    failure is raised in the end.
    """
    forgotten: dict[str, int] = {}
    failures: list[Exception] = []
    for name, part in parts.items():
        forgotten[name] = 0
        try:
            for _ in range(BATCHES):
                async with begin() as tx:
                    count = await part(tx, at_most=at_most)
                forgotten[name] += count
                if count < at_most:
                    break
        except Exception as error:  # another part's rows are no worse for it
            failures.append(error)
    if any(forgotten.values()):
        log.info("forgotten", **{name: count for name, count in forgotten.items() if count})
    if failures:
        raise failures[0]
    return forgotten
