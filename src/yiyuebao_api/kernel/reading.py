"""Reads that are asked thousands of times a second: one prepared statement each, straight through the driver.

A `Read` is written as a select and compiled once; a connection prepares it once. It is not part of a transaction and cannot
write: its connections are read-only ones. The look at the caller's session, which comes before everything a signed-in
request does, is asked in the very statement, and judged before anybody sees the rest. A connection that has died meanwhile
(the server restarted) is replaced and asked again, since reading twice does no harm.

Everything else goes through `Tx`: this is for the few reads that a measurement has shown to matter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Annotated, Any, Protocol, cast

import asyncmy
from asyncmy import errors
from fastapi import Depends
from fastapi.requests import HTTPConnection
from sqlalchemy import Label, Select, literal_column, make_url, select, true
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.kernel.wire import DIALECT, Wire, as_ours

#: Prepared statements that one connection keeps.
_PREPARED = 64
_Processor = Callable[[Any], Any] | None


class Read:
    """A select of at most one row, or of several; its parameters are the `bindparam`s in it."""

    def __init__(self, wanted: Select[*tuple[Any, ...]]) -> None:
        compiled = wanted.compile(dialect=DIALECT)
        self.wanted, self.statement = wanted, str(compiled)
        self.names = tuple(str(column.key) for column in wanted.selected_columns)
        self._processors: tuple[_Processor, ...] = tuple(
            column.type.dialect_impl(DIALECT).result_processor(DIALECT, None) for column in wanted.selected_columns
        )
        self._binds = tuple(
            (name, compiled.params[name], compiled.binds[name].type.dialect_impl(DIALECT).bind_processor(DIALECT))
            for name in compiled.positiontup or ()
        )
        self._behind: dict[Read, Read] = {}

    def bind(self, parameters: Mapping[str, Any]) -> list[Any]:
        """The values of the statement's holders, as the driver takes them."""
        values = []
        for name, given, process in self._binds:
            value = parameters.get(name, given)
            values.append(value if process is None else process(value))
        return values

    def row(self, raw: Sequence[Any]) -> list[Any]:
        """What the columns' types make of a raw row."""
        return [
            value if process is None else process(value)
            for value, process in zip(raw, self._processors, strict=True)
        ]

    def shown(self, row: Iterable[Any]) -> SimpleNamespace:
        """The row with its columns as attributes."""
        found = SimpleNamespace()
        vars(found).update(zip(self.names, row, strict=False))
        return found

    def behind(self, first: Read) -> Read:
        """Both in one statement: a row comes back in any case, and `found` says of each whether it was there."""
        both = self._behind.get(first)
        if both is None:
            there: Label[int] = literal_column("1").label("found")
            one = select(literal_column("1").label("one")).subquery("one")
            asked, wanted = (each.wanted.add_columns(there).subquery(name) for each, name in ((first, "a"), (self, "b")))
            joined = one.outerjoin(asked, true()).outerjoin(wanted, true())
            both = self._behind[first] = Read(select(*asked.c, *wanted.c).select_from(joined))
        return both


class FirstQuestion(Protocol):
    """What must be known before anything else is told: who calls, and whether their session still holds."""

    read: Read

    @property
    def parameters(self) -> Mapping[str, Any]: ...

    async def hear(self, row: Sequence[Any] | None) -> None:
        """Raises the refusal."""


class FirstLook(Protocol):
    """What must be looked at before anything else is read: the idempotency key's answer, asked along with who calls."""

    async def look(self, reader: Reader) -> None:
        """Raises the refusal, or the answer that was given before."""


class Readers:
    """The read-only connections of a process, handed out in the order of asking."""

    def __init__(
        self, url: str, *, size: int, session: Callable[[bool], str], patience_s: float,
        hear: Callable[[str, Sequence[Any]], object],
    ) -> None:  # fmt: skip
        at = make_url(url)
        self._at: dict[str, Any] = {
            "host": at.host, "port": at.port or 3306, "user": at.username, "password": at.password or "",
            "db": at.database, **at.query,
        }  # fmt: skip
        self._session, self._patience = session, patience_s
        self._turn, self._free = asyncio.Semaphore(size), list[Any]()
        self._hear = hear

    async def fetch(self, statement: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The raw rows. Raises what SQLAlchemy would, PoolExhausted when no answer comes in time."""
        self._hear(statement, values)
        try:
            async with asyncio.timeout(self._patience), self._turn:
                while self._free:  # the one used last: the others' sockets may be cold
                    connection = self._free.pop()
                    try:
                        return await self._ask(connection, statement, values)
                    except (errors.OperationalError, errors.InterfaceError, OSError) as error:
                        if not _is_lost(error):
                            raise
                return await self._ask(await self._connect(), statement, values)
        except TimeoutError:
            raise PoolExhausted("the database did not answer in time") from None
        except (errors.Error, OSError) as error:
            raise as_ours(error) from error

    async def _ask(self, connection: Any, statement: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The connection is kept only when it has answered: what was cut off in between may still be on its way."""
        try:
            cursor = connection.cursor()
            await cursor.execute(statement, values)
            rows = cast("Sequence[Sequence[Any]]", await cursor.fetchall())
        except BaseException:
            connection.close()
            raise
        self._free.append(connection)
        return rows

    async def _connect(self) -> Any:
        try:
            connection = await asyncmy.connect(
                **self._at, charset="utf8mb4", connect_timeout=3, autocommit=True, stmt_cache_size=_PREPARED
            )
        except RuntimeError as error:  # half a socket: the server was killed while it greeted us
            raise errors.OperationalError(2013, "the connection was lost while it was made") from error
        try:
            async with connection.cursor() as cursor:
                await cursor.execute(self._session("MariaDB" in str(connection.get_server_info())))
                await cursor.execute("SET SESSION TRANSACTION READ ONLY")
        except BaseException:
            connection.close()
            raise
        return connection

    async def aclose(self) -> None:
        while self._free:
            await self._free.pop().ensure_closed()


def _is_lost(error: BaseException) -> bool:
    """The connection is gone, as opposed to: the server answered with an error."""
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    return isinstance(error, OSError) or number == 0 or 2000 <= number < 3000 or number in (1053, 1077, 1080, 1927, 4031)


class Reader:
    """Reads of one request. Whatever it is asked first carries the question who calls."""

    def __init__(self, readers: Readers, state: Any) -> None:
        self._readers, self._state = readers, state

    async def one(self, read: Read, **parameters: Any) -> Any | None:
        """A row with its columns as attributes; None when there is none."""
        first = self._take_first()
        if first is None:
            rows = await self._readers.fetch(read.statement, read.bind(parameters))
            return read.shown(read.row(rows[0])) if rows else None
        both = read.behind(first.read)
        (raw,) = await self._readers.fetch(both.statement, both.bind({**first.parameters, **parameters}))
        row, cut = both.row(raw), len(first.read.names)
        await first.hear(row[:cut] if row[cut] else None)
        return read.shown(row[cut + 1 :]) if row[-1] else None

    async def every(self, read: Read, **parameters: Any) -> list[Any]:
        """All rows, each with its columns as attributes."""
        await self.settle()
        return [read.shown(read.row(raw)) for raw in await self._readers.fetch(read.statement, read.bind(parameters))]

    async def rows(self, statement: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The raw rows of a statement written by hand."""
        await self.settle()
        return await self._readers.fetch(statement, values)

    async def settle(self) -> None:
        """Ask who calls if nothing was asked yet: an answer from memory is an answer too."""
        first = self._take_first()
        if first is not None:
            rows = await self._readers.fetch(first.read.statement, first.read.bind(first.parameters))
            await first.hear(first.read.row(rows[0]) if rows else None)

    def _take_first(self) -> FirstQuestion | None:
        first: FirstQuestion | None = getattr(self._state, "session", None)
        self._state.session = None
        return first


Asks = AsyncSession | Reader | Wire


async def rows_of(asks: Asks, statement: str, values: Sequence[Any]) -> Sequence[Any]:
    """The raw rows of a statement written by hand, in a transaction or outside: for what is asked either way."""
    if isinstance(asks, Reader):
        return await asks.rows(statement, values)
    if isinstance(asks, Wire):
        return await asks.ask(statement, values)
    found = await (await asks.connection()).exec_driver_sql(statement, tuple(values))
    return found.all() if found.returns_rows else []


async def every_of(asks: Asks, read: Read, **parameters: Any) -> list[Any]:
    """The rows of a `Read`, in a transaction or outside."""
    if isinstance(asks, Reader):
        return await asks.every(read, **parameters)
    return [read.shown(read.row(raw)) for raw in await rows_of(asks, read.statement, read.bind(parameters))]


async def one_of(asks: Asks, read: Read, **parameters: Any) -> Any | None:
    """The row of a `Read`, in a transaction or outside; None when there is none."""
    if isinstance(asks, Reader):
        return await asks.one(read, **parameters)
    return next(iter(await every_of(asks, read, **parameters)), None)


def padded(values: Sequence[Any]) -> list[Any]:
    """The same values, the last one again until they are a power of two: few lengths make few statements to prepare."""
    return [*values, *[values[-1]] * ((1 << (len(values) - 1).bit_length()) - len(values))] if values else []


async def get_reader(connection: HTTPConnection) -> Reader:
    reader = connection.state.reader = Reader(connection.app.state.database.readers, connection.state)
    if getattr(connection.scope["route"], "steps", None) is None:  # no plan: nobody else would ask who calls
        claim: FirstLook | None = getattr(connection.state, "claim", None)
        await (reader.settle() if claim is None else claim.look(reader))
    return reader


#: The request's reads, outside of any transaction; the caller is named before it. See `DirectRoute`, which settles it
#: before the answer goes out.
Reading = Annotated[Reader, Depends(get_reader)]
