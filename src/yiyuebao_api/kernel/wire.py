"""Statements straight to the driver, for the few that are run thousands of times a second, where SQLAlchemy's own execution
costs several times what the statement does.

A `Wire` is a transaction: that of a session (`Wire.of`), or one without any (`Database.begin_wire`). Its statements belong
to the transaction like any other: it commits and rolls back, its errors are SQLAlchemy's, and whoever listens to statements
hears of these too. Several go in one packet where nobody needs the answer of one to ask the next, and the server ends a packet
at the first that fails.

Values are written into the statement, and none of them is ever read as SQL: words and bytes go as hexadecimal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, cast

from asyncmy import errors
from sqlalchemy.dialects.mysql.asyncmy import dialect as mysql
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.pool import PoolProxiedConnection

Row = tuple[Any, ...]
#: A statement with `%s` for each value: bytes, str, int, bool, None, a date or a naive datetime in UTC.
Asked = tuple[str, Sequence[Any]]
DIALECT: Any = mysql()
_LITERALS: Mapping[type, Callable[[Any], str]] = {
    str: lambda value: f"_utf8mb4 x'{value.encode().hex()}'",
    int: str,
    bool: lambda value: "1" if value else "0",
    type(None): lambda _: "NULL",
    datetime: lambda value: f"'{value}'",
    date: lambda value: f"'{value}'",
}


class Wire:
    """An open transaction, spoken to directly. Its rows are as the driver reads them: see `moment`."""

    def __init__(
        self, engine: Engine, lent: PoolProxiedConnection, info: dict[Any, Any], *, connection: Connection | None = None,
    ) -> None:  # fmt: skip
        """With a `connection` the transaction is SQLAlchemy's, which ends it without asking us: nothing may wait."""
        self.info = info
        self._engine, self._lent, self._connection = engine, lent, connection
        self._driver: Any = lent.driver_connection
        self._waiting: list[str] = []

    @classmethod
    async def of(cls, tx: AsyncSession) -> Wire:
        """Of this transaction, which begins now if nothing was asked in it yet."""
        connection = cast("Connection", (await tx.connection()).sync_connection)
        return cls(connection.engine, connection.connection, tx.info, connection=connection)

    async def ask(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        """The rows of a statement. Raises DBAPIError."""
        return (await self.ask_all((statement, values)))[-1]

    async def ask_all(self, *asked: Asked) -> list[list[Row]]:
        """The rows of each, asked at once and answered in this order. Raises DBAPIError."""
        texts = [*self._waiting, *(self._text(*each) for each in asked)]
        self._waiting.clear()
        return (await self._send(";".join(texts)))[-len(asked) :]

    async def put(self, statement: str, values: Sequence[Any] = ()) -> None:
        """A write whose answer nobody needs. It goes with whatever is asked next, at the latest with the commit, and so does
        its error."""
        if self._connection is not None:
            await self.ask(statement, values)
        else:
            self._waiting.append(self._text(statement, values))

    async def undo(self, words: str) -> None:
        """End the transaction by these words; what waits is not sent any more. Never fails: the server undoes it anyway."""
        self._waiting.clear()
        try:
            if self._lent.is_valid:
                await self._send(words)
        except DBAPIError:
            self.give_up()

    def give_up(self) -> None:
        """The connection is not used any more."""
        if self._lent.is_valid:
            self._lent.invalidate()

    def _text(self, statement: str, values: Sequence[Any]) -> str:
        tell_listeners(self._engine, statement, values, self._connection)
        return statement % tuple([
            f"x'{value.hex()}'" if type(value) is bytes else _LITERALS[type(value)](value) for value in values
        ])  # fmt: skip

    async def _send(self, packet: str) -> list[list[Row]]:
        try:
            cursor = self._driver.cursor()
            await cursor.execute(packet)
            answers: list[list[Row]] = [list(await cursor.fetchall())]
            while await cursor.nextset():
                answers.append(list(await cursor.fetchall()))
        except Exception as error:
            told = as_ours(error)
            if self._engine.dialect.is_disconnect(cast("Any", told.orig), None, None):  # the others of its age are suspected too
                self._engine.pool._invalidate(self._lent, error)  # noqa: SLF001 - what a session does
            raise told from error
        except BaseException:  # its answer is still on the way
            self.give_up()
            raise
        return answers


_INSERT = "INSERT INTO `{0}` ({1}) VALUES "


@lru_cache
def _columns(model: Any) -> tuple[str, tuple[tuple[str, Callable[[Any], Any] | None], ...]]:
    """The beginning of an INSERT, and how each of the model's attributes becomes a value."""
    table = model.__table__
    processors = tuple(
        (column.key, column.type.dialect_impl(DIALECT).bind_processor(DIALECT)) for column in table.columns
    )
    return _INSERT.format(table.name, ", ".join(f"`{key}`" for key, _ in processors)), processors


def insert_of(rows: Sequence[Any]) -> Asked:
    """An INSERT of rows of one model, in which every attribute is set. They belong to no session, before or after."""
    model: Any = type(rows[0])
    words, processors = _columns(model)
    values = [
        given if process is None or given is None else process(given)
        for given, process in ((vars(row)[key], process) for row in rows for key, process in processors)
    ]
    return words + marks(len(rows), len(processors)), values


def tell_listeners(engine: Engine, statement: str, values: Sequence[Any], connection: Connection | None = None) -> None:
    """Whoever listens to the engine's statements hears of this one."""
    for hear in engine.dispatch.before_cursor_execute:
        hear(connection, None, statement, tuple(values), None, False)


def as_ours(error: Exception) -> DBAPIError:
    """The driver's error as SQLAlchemy tells it, so that the house has one way to judge them."""
    driver = error if isinstance(error, errors.Error) else errors.OperationalError(2006, "the connection is gone")
    told = DBAPIError.instance(None, None, driver, errors.Error, hide_parameters=True, dialect=DIALECT)
    return cast("DBAPIError", told)


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
