"""The session, the column types, and the one place that commits.

A route takes `Tx`: one request, one transaction, committed before the response is sent. A use case that must speak to a
provider takes `Begin` instead: record the intent, commit, call, record the outcome. Providers call
`assert_no_transaction()` first, so that none is ever awaited while rows are locked.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, ClassVar, Protocol, cast

import structlog
from asyncmy import errors as driver
from fastapi import Depends
from fastapi.dependencies.models import Dependant
from fastapi.requests import HTTPConnection
from sqlalchemy import BigInteger, Date, Enum, LargeBinary, MetaData, String, event, select
from sqlalchemy.dialects.mysql import BINARY, DATETIME
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Session, SessionTransaction
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.types import TypeDecorator

from yiyuebao_api.kernel import events
from yiyuebao_api.kernel.bell import Bell
from yiyuebao_api.kernel.ids import Id
from yiyuebao_api.kernel.live import Live
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.reading import Readers, get_reader
from yiyuebao_api.kernel.wire import Wire, as_ours, tell_listeners
from yiyuebao_api.settings import Database as DatabaseSettings

UNIQUE, DEADLOCK, LOCK_WAIT, LOST = 1062, 1213, 1205, 2013
NOWAIT_REFUSED = frozenset({1205, 3572})  # MariaDB, MySQL
#: The server says that it cannot serve now. A list, because the driver calls every number it does not know operational:
#: an unknown column or a violated CHECK is our bug, and must not be told as "busy".
UNABLE = frozenset({
    3, 1021, 1026, 1030, 1041, 1114,  # disk or memory full, storage engine failed
    1040, 1042, 1043, 1044, 1045, 1047, 1129, 1130, 1135, 1152, 1203, 1226, 4151,  # it lets nobody, or not us, in
    1053, 1077, 1080, 1156, 1158, 1159, 1160, 1161, 1184, 1317, 1927, 3169, 4031,  # shutting down, or cut us off
    1180, LOCK_WAIT, DEADLOCK, 1290, 1836, 3100, 3101,  # contention, read-only, a cluster that refused the commit
    1969, 3024,  # our own limit of a statement (MariaDB, MySQL)
})  # fmt: skip
#: A request that has waited this long for the database is told 503: a server that froze says nothing at all.
PATIENCE_S = 5.0
#: A connection that has not been used for so long is asked whether it still is one.
RESTED_S = 1.0

log = structlog.get_logger()

_open: ContextVar[bool] = ContextVar("transaction_open", default=False)


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class UtcDateTime(TypeDecorator[datetime]):
    """Aware in Python, `DATETIME(6)` in UTC in the column; a naive value is refused."""

    impl = DATETIME(fsp=6)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime has no place in the database")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return cast("datetime", value).replace(tzinfo=UTC) if value is not None else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """Without the decorator's round about."""
        return lambda value: None if value is None else value.replace(tzinfo=UTC)


class IdColumn(TypeDecorator[Id]):
    """`BINARY(16)`, equal on MariaDB and MySQL, which have no common UUID type."""

    impl = BINARY(16)
    cache_ok = True

    def __init__(self, of: type[Id]) -> None:
        super().__init__()
        self.of = of

    def process_bind_param(self, value: Id | None, dialect: Dialect) -> bytes | None:
        return None if value is None else value.bytes

    def process_result_value(self, value: Any, dialect: Dialect) -> Id | None:
        return None if value is None else self.of.of(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Id | None]:
        """Without the decorator's round about: ids are a third of all columns that are read."""
        of = self.of.of
        return lambda value: None if value is None else of(value)


#: Codes, tokens and hashes: 'a' is not 'A'. Blanks at the end do not count on either server: refuse them at the door.
def code_column(length: int) -> String:
    """A string column compared byte by byte."""
    return String(length, collation="utf8mb4_bin")


class Model(DeclarativeBase):
    """Base of every row. Defaults are set in Python: MySQL has no RETURNING to read a server's default back."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        Fen: BigInteger,
        datetime: UtcDateTime,
        date: Date,
        bytes: LargeBinary,
        StrEnum: Enum(
            StrEnum, native_enum=False, length=32, create_constraint=False, validate_strings=True,
            values_callable=lambda kind: [member.value for member in kind],
        ),
        **{kind: IdColumn(kind) for kind in Id.__subclasses__()},
    }  # fmt: skip

    def __init_subclass__(cls, **keywords: Any) -> None:
        if "__tablename__" in cls.__dict__:
            given: Any = cls.__dict__.get("__table_args__", ())
            options: dict[str, Any] = {}
            if isinstance(given, dict):
                given, options = (), given
            elif given and isinstance(given[-1], dict):
                given, options = given[:-1], given[-1]
            options = {
                "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_unicode_ci",
                "mariadb_charset": "utf8mb4", "mariadb_collate": "utf8mb4_unicode_ci",
                "comment": (cls.__doc__ or "").strip().split("\n")[0][:200], **options,
            }  # fmt: skip
            cls.__table_args__ = (*given, options)
        super().__init_subclass__(**keywords)


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def error_number(error: BaseException | None) -> int:
    """The server's own error number; 0 when the driver gave none."""
    arguments: tuple[object, ...] = getattr(getattr(error, "orig", None), "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else 0


def is_duplicate(error: BaseException, constraint: str = "") -> bool:
    """A unique key refused a second row; `constraint` asks for one key by name (MySQL prefixes the table's)."""
    words = str(getattr(error, "orig", ""))  # Duplicate entry '<what the client sent>' for key '<name>'
    return error_number(error) == UNIQUE and constraint in words.rpartition("for key")[2]


def is_contention(error: BaseException) -> bool:
    """Somebody else held the rows: the same request may succeed when it is run again as a whole."""
    return isinstance(error, DBAPIError) and error_number(error) in (DEADLOCK, LOCK_WAIT)


def is_outage(error: BaseException) -> bool:
    """The database could not be asked, as opposed to: it was asked something wrong."""
    if isinstance(error, PoolExhausted):
        return True
    if not isinstance(error, (OperationalError, InterfaceError, InternalError)):
        return False
    number = error_number(error)
    return number == 0 or 2000 <= number < 3000 or number in UNABLE  # 2xxx: the driver's own, it lost the connection


def is_away(error: BaseException) -> bool:
    """Nobody can be served now; as opposed to a row that somebody else holds, which only one of a group waits for."""
    return is_outage(error) and not is_contention(error)


# ── transactions ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Attempt:
    """One run of one request. Once it has committed anything, the request may never be run again."""

    committed: bool = False


current_attempt: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


class _Session(Session):
    """Knows the driver's connection it speaks through, so that it can be cut off."""


@event.listens_for(_Session, "after_begin")
def _note_wire(session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    session.info["wire"] = connection.connection.driver_connection
    if asyncio.get_running_loop().time() >= session.info.get("until", float("inf")):
        # The cancellation came while the driver was connecting, and its `wait_for` kept it for itself (Python < 3.12).
        raise PoolExhausted("the database did not answer in time")


def _cut(tx: AsyncSession) -> None:
    """Close the socket under whatever waits for an answer on it: SQLAlchemy lets no COMMIT or ROLLBACK be cancelled."""
    if (wire := tx.info.get("wire")) is not None:
        wire.close()


class Begin(Protocol):
    """Opens a transaction; leaving the block commits it, an exception rolls it back."""

    def __call__(self) -> AbstractAsyncContextManager[AsyncSession]: ...


class Database:
    """One engine with its sessions, a fair queue in front of the pool, and the only `commit` of the house."""

    def __init__(
        self, settings: DatabaseSettings, *, url: str | None = None, pool_size: int | None = None,
        patience_s: float = PATIENCE_S, bell: Bell | None = None, live: Live | None = None,
    ) -> None:  # fmt: skip
        self.bell = bell or Bell()
        self.live = live or Live()
        self._size = pool_size or settings.pool_size
        self._timeout, self._patience = settings.pool_timeout_s, patience_s
        words, url = _session_words(settings), url or settings.url.get_secret_value()
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=self._size, max_overflow=0, pool_timeout=settings.pool_timeout_s,
            pool_recycle=1800, isolation_level="READ COMMITTED",
            pool_reset_on_return=None,  # a transaction here ends before its connection is given back: see `begin`
            hide_parameters=True,  # an error's message must not carry a person's data into the log
            connect_args={"charset": "utf8mb4", "connect_timeout": 3},
        )  # fmt: skip
        hear = partial(tell_listeners, self.engine.sync_engine)
        self.readers = Readers(url, size=self._size, session=words, patience_s=patience_s, hear=hear)
        event.listen(self.engine.sync_engine, "do_connect", _connect)
        event.listen(self.engine.sync_engine, "connect", _prepare(words))
        event.listen(self.engine.sync_engine, "checkin", _note_use)
        event.listen(self.engine.sync_engine, "checkout", _ping_after_a_rest(self.engine))
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False, sync_session_class=_Session)
        self._turn = asyncio.Semaphore(self._size)  # first come, first served; the pool alone is unfair

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """A transaction of its own. Raises PoolExhausted when no connection is free in time."""
        async with self._turned() as info:
            session = self._sessions(info=info)
            try:
                async with session, session.begin():
                    yield session
            finally:
                session.info.pop("wire", None)  # another's from now on

    @asynccontextmanager
    async def _turned(self) -> AsyncIterator[dict[Any, Any]]:
        """A turn at the pool for one transaction, with what belongs to it; whatever waits for the commit follows."""
        if _open.get():
            raise AssertionError("a transaction inside a transaction: hand the open one on instead")
        try:
            async with asyncio.timeout(self._timeout):
                await self._turn.acquire()
        except TimeoutError:
            raise PoolExhausted("no connection became free in time") from None
        marker = _open.set(True)
        follows: list[Callable[[], Awaitable[None]]] = []
        try:
            yield {"bell": self.bell, "live": self.live, "after_commit": follows}
            if attempt := current_attempt.get():
                attempt.committed = True
        finally:
            with contextlib.suppress(ValueError):  # a generator closed by another task's context
                _open.reset(marker)
            self._turn.release()
        for follow in follows:
            try:
                await follow()
            except Exception:  # what was committed stays committed: a wake-up may be lost, the answer may not
                log.exception("after commit")

    @asynccontextmanager
    async def begin_for_request(self) -> AsyncIterator[AsyncSession]:
        """`begin` with an end: somebody waits for the answer. Raises PoolExhausted when its patience is over."""
        limit, cut = asyncio.timeout(self._patience), None
        try:
            async with limit, self.begin() as tx:
                tx.info["until"] = until = cast("float", limit.when())
                cut = asyncio.get_running_loop().call_at(until, _cut, tx)
                yield tx
        except Exception:
            if not limit.expired():
                raise
            raise PoolExhausted("the database did not answer in time") from None
        finally:
            if cut is not None:
                cut.cancel()

    @asynccontextmanager
    async def begin_wire(self) -> AsyncIterator[Wire]:
        """`begin_for_request` straight on the driver: a fifth of what opening and committing a session costs.

        On a connection of the same pool. The commit goes in one packet with what was `put`; its failure undoes all of it.
        """
        limit = asyncio.timeout(self._patience)
        try:
            async with limit, self._turned() as info:
                lent = await self._lend(cast("float", limit.when()))
                try:
                    wire = Wire(self.engine.sync_engine, lent, info)
                    yield wire
                    await wire.ask("COMMIT")
                except Exception:
                    await wire.undo("ROLLBACK")
                    raise
                except BaseException:  # cancelled: nobody waits for a server that may be silent
                    wire.give_up()
                    raise
                finally:
                    lent.close()
        except Exception:
            if not limit.expired():
                raise
            raise PoolExhausted("the database did not answer in time") from None

    async def _lend(self, until: float) -> PoolProxiedConnection:
        """A connection of the pool. Raises DBAPIError, PoolExhausted."""
        try:
            lent = await self.engine.raw_connection()
        except driver.Error as error:
            raise as_ours(error) from error
        if asyncio.get_running_loop().time() >= until:  # see `_note_wire`
            lent.invalidate()
            raise PoolExhausted("the database did not answer in time")
        return lent

    async def answers(self) -> bool:
        """Whether the server can be asked anything right now."""
        try:
            async with asyncio.timeout(self._timeout), self.engine.connect() as connection:
                await connection.execute(select(1))
        except (DBAPIError, PoolExhausted, TimeoutError, OSError):
            return False
        return True

    async def aclose(self) -> None:
        await self.readers.aclose()
        await self.engine.dispose()


def _session_words(settings: DatabaseSettings) -> Callable[[bool], str]:
    """Limits of every session: a cancelled request must not leave a statement, and its locks, running for minutes."""

    def words(mariadb: bool) -> str:
        limit = (
            f"max_statement_time={settings.statement_timeout_s}"
            if mariadb
            else f"max_execution_time={int(settings.statement_timeout_s * 1000)}"
        )
        mode = "STRICT_TRANS_TABLES,ONLY_FULL_GROUP_BY,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO"
        return f"SET SESSION time_zone='+00:00', innodb_lock_wait_timeout={settings.lock_wait_s}, sql_mode='{mode}', {limit}"

    return words


def _connect(dialect: Dialect, _entry: ConnectionPoolEntry, arguments: Sequence[Any], named: Mapping[str, Any]) -> DBAPIConnection:
    """A server that is killed while it greets us leaves the driver with half a socket, about which it says RuntimeError."""
    try:
        return dialect.connect(*arguments, **named)
    except RuntimeError as error:
        raise driver.OperationalError(LOST, "the connection was lost while it was made") from error


def _prepare(words: Callable[[bool], str]) -> Callable[[DBAPIConnection, ConnectionPoolEntry], None]:
    def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("SELECT VERSION()")
        cursor.execute(words("MariaDB" in str(cursor.fetchone())))
        cursor.close()

    return prepare


def _note_use(_connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
    entry.info["used"] = time.monotonic()


def _ping_after_a_rest(engine: AsyncEngine) -> Callable[[DBAPIConnection, ConnectionPoolEntry, PoolProxiedConnection], None]:
    """A ping before every transaction would cost a busy service a round trip each; a connection in use tells by itself.

    One that has rested may have been closed meanwhile (a restart, `wait_timeout`): it is asked, and replaced in silence.
    """

    def ping(connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:
        now = time.monotonic()
        if now - entry.info.get("used", now) < RESTED_S:
            return
        if not engine.dialect._do_ping_w_event(connection):  # noqa: SLF001 - what `pool_pre_ping` calls
            raise InvalidatePoolError

    return ping


def assert_no_transaction() -> None:
    """Called first by every gateway: a provider is never awaited under an open transaction."""
    if _open.get():
        raise AssertionError("a provider was called inside an open transaction")


#: Belongs to a transaction; defined where `live`, which this module knows, finds it too.
after_commit = events.after_commit


async def get_begin(connection: HTTPConnection) -> Begin:  # FastAPI would run a plain one in a thread
    return cast("Begin", connection.app.state.database.begin_for_request)


Transactions = Annotated[Begin, Depends(get_begin)]


class FirstStatement(Protocol):
    """What must happen before anything else in a request's transaction: the look at the caller's session, then the
    idempotency key's claim, so that a signed-out caller is not even told an old answer."""

    async def take(self, tx: AsyncSession) -> object: ...


async def _transaction(
    connection: HTTPConnection, begin: Annotated[Begin, Depends(get_begin)]
) -> AsyncIterator[AsyncSession]:
    async with begin() as tx:
        connection.state.tx = tx
        for name in ("session", "claim"):
            first: FirstStatement | None = getattr(connection.state, name, None)
            if first is not None:
                await first.take(tx)
        yield tx


#: The request's transaction. `scope="function"`: FastAPI commits it after the endpoint returned and *before* the response
#: is sent; with the default scope a failed commit would still have answered 200.
Tx = Annotated[AsyncSession, Depends(_transaction, scope="function")]


def asks_itself(dependant: Dependant) -> bool:
    """Whether the operation takes `Tx` or `Reading`, itself or through a guard."""
    return dependant.call in (_transaction, get_reader) or any(asks_itself(each) for each in dependant.dependencies)
