"""Changing the key of encrypted columns while the service runs: every sealed value is sealed anew under the current key.

The columns are found in the tables' own description, so that a new one is covered the day it exists. Rows are walked by
primary key in short transactions; a value is replaced only if it still is what was read (compare and set), so that a
writer beside us is never undone; what is under the current key already is left alone, so that a run that was killed is
simply started again. Order of a rotation: add the new key to every process's ring, then make it `current` everywhere,
then run this, then take the old key away. Blind indexes have a key of their own, which this does not change.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import structlog
from sqlalchemy import (
    Column,
    ColumnElement,
    LargeBinary,
    MetaData,
    Table,
    and_,
    bindparam,
    func,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.kernel.database import Begin, is_contention
from yiyuebao_api.kernel.secrets import KeyRing, Sealed, SealedJson, Unreadable

#: Rows looked at in one statement, and rows written in one transaction.
LOOKED_AT, WRITTEN = 1_000, 50
#: A writer that has not heard of the new key yet leaves old values behind us: they are looked for again so often.
PASSES = 5
_TRIES = 20
log = structlog.get_logger()


@dataclass(slots=True)
class Count:
    """What became of the values of one column."""

    column: str
    current: int = 0
    resealed: int = 0
    raced: int = 0
    unreadable: int = 0


def sealed_columns(table: Table) -> list[Column[Any]]:
    """The encrypted columns of a table."""
    return [column for column in table.columns if isinstance(column.type, (Sealed, SealedJson))]


async def rotate(begin: Begin, ring: KeyRing, metadata: MetaData, *, at_once: int = WRITTEN) -> list[Count]:
    """Seal every value under the ring's current key; returns what became of every column.
    `at_once` rows are written in one transaction.

    `raced`: another wrote in between, and its value was looked at again. `unreadable`: its key is not on the ring.
    """
    counts = []
    for table in metadata.sorted_tables:
        if columns := sealed_columns(table):
            counts += await _Rotation(begin, ring, table, columns, at_once).run()
    return counts


class _Rotation:
    """One table's."""

    def __init__(
        self, begin: Begin, ring: KeyRing, table: Table, columns: Sequence[Column[Any]], at_once: int
    ) -> None:
        self._at_once = at_once
        self._begin, self._ring, self._table, self._columns = begin, ring, table, columns
        self._keys = list(table.primary_key.columns)
        self._counts = {column.name: Count(f"{table.name}.{column.name}") for column in columns}

    async def run(self) -> list[Count]:
        for _ in range(PASSES):
            left = 0
            for count in self._counts.values():
                count.current = count.unreadable = 0
            async for stale in self._stale():
                for start in range(0, len(stale), self._at_once):
                    left += await self._reseal(stale[start : start + self._at_once])
            if not left:
                break
        return list(self._counts.values())

    async def _stale(self) -> AsyncIterator[list[tuple[Any, ...]]]:
        """Primary keys of rows with a value under another key, some at a time."""
        prefix = self._ring.prefix
        heads = [func.left(type_coerce(column, LargeBinary), len(prefix), type_=LargeBinary) for column in self._columns]
        after: tuple[Any, ...] | None = None
        while True:
            wanted = select(*self._keys, *heads).order_by(*self._keys).limit(LOOKED_AT)
            if after is not None:
                wanted = wanted.where(_beyond(self._keys, after))
            async with self._begin() as tx:
                rows = (await tx.execute(wanted)).all()
            if not rows:
                return
            stale = []
            for row in rows:
                found = [None if head is None else bytes(head) for head in row[len(self._keys) :]]
                for column, head in zip(self._columns, found, strict=True):
                    self._counts[column.name].current += head == prefix
                if any(head not in (None, prefix) for head in found):
                    stale.append(tuple(row[: len(self._keys)]))
            yield stale
            after = tuple(rows[-1][: len(self._keys)])

    async def _reseal(self, keys: Sequence[tuple[Any, ...]]) -> int:
        """One transaction; returns how many values must be looked at again. Contention runs it again as a whole."""
        for attempt in range(_TRIES):
            try:
                async with self._begin() as tx:
                    done = [await self._row(tx, key) for key in keys]
            except Exception as error:
                if not is_contention(error) or attempt == _TRIES - 1:
                    raise
                await asyncio.sleep(0.05 * (attempt + 1))
                continue
            for each in (one for row in done for one in row):
                count = self._counts[each[0]]
                count.resealed += each[1] == "resealed"
                count.raced += each[1] == "raced"
                count.unreadable += each[1] == "unreadable"
            return sum(what != "unreadable" for row in done for _, what in row)
        raise AssertionError("the last attempt raises")

    async def _row(self, tx: AsyncSession, key: tuple[Any, ...]) -> list[tuple[str, str]]:
        this = and_(*(column == value for column, value in zip(self._keys, key, strict=True)))
        raw = [type_coerce(column, LargeBinary) for column in self._columns]
        row = (await tx.execute(select(*raw).where(this))).one_or_none()
        if row is None:  # deleted since
            return []
        done = []
        for column, value in zip(self._columns, row, strict=True):
            if value is None or bytes(value).startswith(self._ring.prefix):
                continue
            old, label = bytes(value), cast("Sealed | SealedJson", column.type).label
            try:
                new = self._ring.seal(label, self._ring.open(label, old))
            except Unreadable:
                log.error("sealed under a key that is not on the ring", column=str(column))
                done.append((column.name, "unreadable"))
                continue
            is_old = type_coerce(column, LargeBinary) == bindparam("old", old, LargeBinary)
            replaced = (
                update(self._table)
                .where(this, is_old)
                .values({column: bindparam("new", new, LargeBinary)})
                .execution_options(synchronize_session=False)
            )
            swapped = cast("int", (await tx.execute(replaced)).rowcount)  # type: ignore[attr-defined]
            done.append((column.name, "resealed" if swapped else "raced"))
        return done


def _beyond(keys: Sequence[Column[Any]], after: tuple[Any, ...]) -> ColumnElement[bool]:
    """Rows after this key, written so that the server walks the index (it does not for a tuple comparison)."""
    return or_(
        *(
            and_(*(keys[before] == after[before] for before in range(position)), keys[position] > after[position])
            for position in range(len(keys))
        )
    )
