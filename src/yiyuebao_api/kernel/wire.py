"""Statements straight to the driver, on the connection of an open transaction: for the few that are run thousands of times
a second, where SQLAlchemy's own execution costs several times what the statement does.

They belong to the transaction like any other: it commits and rolls back, its errors are SQLAlchemy's, and whoever listens to
statements hears of these too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncSession

Row = tuple[Any, ...]
#: Hexadecimal needs no escaping, and a fifteenth of the driver's time for a sealed body.
_LITERALS: Mapping[type, Callable[[Any], str]] = {
    bytes: lambda value: f"x'{value.hex()}'",
    int: str,
    bool: lambda value: "1" if value else "0",
    type(None): lambda _: "NULL",
}


class Wire:
    """The connection under an open transaction. `await Wire.of(tx)`, then `ask`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dbapi = connection.dialect.loaded_dbapi
        self._driver: Any = connection.connection.driver_connection

    @classmethod
    async def of(cls, tx: AsyncSession) -> Wire:
        """Of this transaction, which begins now if nothing was asked in it yet."""
        return cls(cast("Connection", (await tx.connection()).sync_connection))

    async def ask(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        """The rows of a statement with `%s` for each of the values: bytes, str, int, bool, None or a naive datetime in UTC.

        The rows are as the driver reads them: see `moment`. Raises DBAPIError.
        """
        for hear in self._connection.dispatch.before_cursor_execute:
            hear(self._connection, None, statement, tuple(values), None, False)
        query = statement % tuple(map(self._literal, values))
        try:
            cursor = self._driver.cursor()
            await cursor.execute(query)
            rows: list[Row] = list(await cursor.fetchall()) if cursor.description else []
            await cursor.close()
        except BaseException as error:
            told = error
            if isinstance(error, Exception) and not isinstance(error, self._dbapi.Error):
                told = self._dbapi.InternalError("network operation failed")  # it was cut off
            # What any statement of SQLAlchemy's does: tell it in its words, give up a connection whose answer nobody reads.
            self._connection._handle_dbapi_exception(told, statement, None, None, None)  # noqa: SLF001
        return rows

    def _literal(self, value: Any) -> str:
        plain = _LITERALS.get(type(value))
        return plain(value) if plain is not None else str(self._driver.literal(value))


@lru_cache(maxsize=1024)
def marks(rows: int, width: int = 1) -> str:
    """Places for the values of so many rows: `%s, %s`, or `(%s, %s), (%s, %s)`."""
    row = ", ".join(["%s"] * width)
    return ", ".join([row if width == 1 else f"({row})"] * rows)


def moment(value: datetime | None) -> datetime | None:
    """A time as the driver reads it, as the house speaks of it."""
    return None if value is None else value.replace(tzinfo=UTC)


def column(value: datetime | None) -> datetime | None:
    """The way back."""
    return None if value is None else value.astimezone(UTC).replace(tzinfo=None)
