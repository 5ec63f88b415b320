"""Keyset pages: `?limit=&cursor=` → `{"items": […], "next_cursor": …}`, stable while rows are inserted; no totals."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query
from sqlalchemy import Select

from yiyuebao_api.kernel.ids import Id
from yiyuebao_api.kernel.problems import Problem, Words
from yiyuebao_api.kernel.schema import Out

_BIGINT = range(-(2**63), 2**63)

Item = TypeVar("Item")
Row = TypeVar("Row")


class InvalidCursor(Problem):
    status, code = 422, "invalid-cursor"
    title = Words("翻页标记无效", "Invalid cursor")
    detail = Words("翻页标记无效，请从第一页重新开始。", "This cursor is not one of ours; start from the first page.")


class Page(Out, Generic[Item]):
    """Some items, and where the next ones start; `next_cursor` is null on the last page."""

    items: list[Item]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Paging:
    """How many, and after what."""

    limit: int
    cursor: str | None

    def after(self, *kinds: type) -> list[Any] | None:
        """What the cursor holds, checked against the kinds it must hold; None on the first page."""
        if self.cursor is None:
            return None
        try:
            values = json.loads(base64.urlsafe_b64decode(self.cursor + "=" * (-len(self.cursor) % 4)))
            if not isinstance(values, list) or len(values) != len(kinds):
                raise InvalidCursor
            return [_read(kind, value) for kind, value in zip(kinds, values, strict=True)]
        except (binascii.Error, ValueError, TypeError, AttributeError, RecursionError):
            raise InvalidCursor from None


def _read(kind: type, value: Any) -> Any:
    if issubclass(kind, Id):
        return kind.parse(value)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InvalidCursor
    if isinstance(value, str):
        value.encode()  # ValueError for half a character, which no column holds
    elif not isfinite(value) if isinstance(value, float) else value not in _BIGINT:
        raise InvalidCursor
    return value


def cursor_of(*values: Any) -> str:
    """An opaque cursor that holds the sort key of the last row."""
    plain = [str(value) if isinstance(value, Id) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def newest_first(statement: Select[Any], key: Any, kind: type[Id], paging: Paging) -> Select[Any]:
    """Order by a UUIDv7 key, newest first, and one row more than asked: it tells whether there is a next page."""
    if after := paging.after(kind):
        statement = statement.where(key < after[0])
    return statement.order_by(key.desc()).limit(paging.limit + 1)


def page(rows: Sequence[Row], paging: Paging, out: Callable[[Row], Item], key: Callable[[Row], Any]) -> Page[Item]:
    """A page from one row more than asked."""
    shown = rows[: paging.limit]
    more = len(rows) > paging.limit
    last = key(shown[-1]) if more else ()
    values = last if isinstance(last, tuple) else (last,)  # rows ordered by more than their id have more in their key
    return Page(items=[out(row) for row in shown], next_cursor=cursor_of(*values) if more else None)


async def _paging(
    limit: Annotated[int, Query(ge=1, le=100, description="At most so many items.")] = 20,
    cursor: Annotated[
        str | None, Query(max_length=400, pattern=r"^[A-Za-z0-9_-]+$", description="`next_cursor` of the page before.")
    ] = None,
) -> Paging:
    return Paging(limit, cursor)


Pages = Annotated[Paging, Depends(_paging)]
