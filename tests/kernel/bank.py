"""A small bank on the kernel alone: what a domain does with it, and every accident, without any domain of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Request, Response, UploadFile, WebSocket
from sqlalchemy import BigInteger, CheckConstraint, MetaData, UniqueConstraint, event, select, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.kernel import problems
from yiyuebao_api.kernel.database import Database, Model, Transactions, Tx, after_commit, code_column, is_duplicate
from yiyuebao_api.kernel.editing import IfMatch, tag
from yiyuebao_api.kernel.front import FrontDoor
from yiyuebao_api.kernel.idempotency import Claimed, Offered, OnceRoute
from yiyuebao_api.kernel.ids import BookingId, PatientId, RowId
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.paging import Page, Pages, newest_first, page
from yiyuebao_api.kernel.problems import NotFound, Problem, Words
from yiyuebao_api.kernel.retry import WholeRequestRetry
from yiyuebao_api.kernel.schema import In, Line, Moment, Out, PriceIn, example
from yiyuebao_api.kernel.secrets import Sealed, SealedJson
from yiyuebao_api.kernel.tokens import Tokens

LIMIT = 4096


class Small(Model):
    """Tables of the tests only: metadata of their own, so that no migration ever sees them."""

    __abstract__ = True
    metadata = MetaData(naming_convention=Model.metadata.naming_convention)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Account(Small):
    """Accounts."""

    __tablename__ = "bank_account"
    __table_args__ = (CheckConstraint("fen > -1000000", name="fen"),)

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False, comment="1…")
    fen: Mapped[Fen] = mapped_column(comment="balance")


class Entry(Small):
    """What was done; one row per effect."""

    __tablename__ = "bank_entry"
    __table_args__ = (UniqueConstraint("once"),)

    id: Mapped[BookingId] = mapped_column(primary_key=True, comment="id")
    what: Mapped[str] = mapped_column(code_column(100), comment="what")
    once: Mapped[str | None] = mapped_column(code_column(100), comment="unique when given")
    other: Mapped[PatientId | None] = mapped_column(comment="somebody")
    colour: Mapped[Colour | None] = mapped_column(comment="an enum")
    at: Mapped[datetime | None] = mapped_column(comment="a moment")
    secret: Mapped[str | None] = mapped_column(Sealed("bank.secret", 50), comment="sealed")
    document: Mapped[dict[str, Any] | None] = mapped_column(SealedJson("bank.document"), comment="sealed JSON")


class AccountEmpty(Problem):
    status, code = 409, "account-empty"
    title = Words("余额不足", "Account empty")
    detail = Words("余额只有 {left_fen} 分。", "There are only {left_fen} fen left.")


class TransferIn(In):
    model_config = In.model_config | example(source=1, target=2, fen=5)

    source: int
    target: int
    fen: PriceIn
    note: Line | None = None


class EntryOut(Out):
    id: BookingId
    what: str

    @classmethod
    def of(cls, row: Entry) -> EntryOut:
        return cls(id=row.id, what=row.what)


class NoteIn(In):
    text: Line
    at: Moment | None = None
    colour: Colour | None = None


@dataclass
class Scene:
    """What the endpoints did and saw, and what is to happen to them."""

    seen: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    strike: Callable[[AsyncSession], None] = lambda _: None
    provider: list[str] = field(default_factory=list)  # numbers a provider was asked for
    after_call: Callable[[], None] = lambda: None
    hold: asyncio.Event = field(default_factory=asyncio.Event)


def scene_of(request: Request) -> Scene:
    scene: Scene = request.app.state.scene
    return scene


Seen = Annotated[Scene, Depends(scene_of)]

router = APIRouter(prefix="/v1/bank", route_class=OnceRoute)


async def move(tx: AsyncSession, order: TransferIn) -> None:
    """Locks in the order of the request, on purpose: the house would lock in the order of keys."""
    first = await tx.get_one(Account, order.source, with_for_update=True)
    await asyncio.sleep(0.001)
    second = await tx.get_one(Account, order.target, with_for_update=True)
    first.fen = Fen(first.fen - order.fen)
    second.fen = Fen(second.fen + order.fen)


@router.post("/transfers", status_code=201)
async def transfer(body: TransferIn, request: Request, tx: Tx, scene: Seen, later: BackgroundTasks) -> EntryOut:
    scene.seen.append("run")
    scene.bodies.append(await request.body())
    await move(tx, body)
    entry = Entry(id=BookingId.new(), what="transfer")
    tx.add(entry)
    scene.strike(tx)
    later.add_task(scene.seen.append, "background")
    return EntryOut.of(entry)


@router.post("/uploads")
async def upload(tx: Tx, file: UploadFile, source: int, target: int) -> dict[str, int]:
    size = len(await file.read())
    await move(tx, TransferIn(source=source, target=target, fen=Fen(size)))
    return {"size": size}


@router.post("/entries", status_code=201)
async def create_entry(body: NoteIn, tx: Tx, scene: Seen, key: Claimed) -> EntryOut:
    """Needs a key."""
    scene.seen.append("run")
    entry = Entry(id=BookingId.new(), what=body.text)
    tx.add(entry)
    await tx.flush()
    await asyncio.sleep(0.02)
    scene.strike(tx)
    return EntryOut.of(entry)


@router.post("/entries/elsewhere", status_code=201)
async def create_entry_elsewhere(body: NoteIn, tx: Tx, key: Claimed) -> EntryOut:
    entry = Entry(id=BookingId.new(), what=body.text)
    tx.add(entry)
    return EntryOut.of(entry)


@router.post("/entries/refused", status_code=201)
async def refuse_entry(body: NoteIn, tx: Tx, scene: Seen, key: Claimed) -> EntryOut:
    scene.seen.append("run")
    tx.add(entry := Entry(id=BookingId.new(), what=body.text))
    await tx.flush()
    if len(scene.seen) == 1:
        raise AccountEmpty(left_fen=7)
    return EntryOut.of(entry)


@router.post("/entries/tagged", status_code=201)
async def tag_entry(body: NoteIn, tx: Tx, key: Claimed, response: Response) -> EntryOut:
    tag(response, 7)
    tx.add(entry := Entry(id=BookingId.new(), what=body.text))
    return EntryOut.of(entry)


@router.post("/entries/none", status_code=204)
async def no_answer(tx: Tx, scene: Seen) -> None:
    scene.seen.append("run")
    tx.add(Entry(id=BookingId.new(), what="none"))


@router.post("/entries/unique", status_code=201)
async def unique_entry(body: NoteIn, tx: Tx) -> EntryOut:
    tx.add(entry := Entry(id=BookingId.new(), what=body.text, once=body.text))
    try:
        await tx.flush()
    except IntegrityError as error:
        if is_duplicate(error, "uq_bank_entry_once"):
            raise AccountEmpty(left_fen=0) from None
        raise
    return EntryOut.of(entry)


@router.post("/payments", status_code=201)
async def pay(body: NoteIn, begin: Transactions, scene: Seen, key: Offered) -> EntryOut:
    """Record the intent, commit, call, record the outcome."""
    scene.seen.append("run")
    async with begin() as tx:
        number = RowId.new() if key is None else await key.take(tx, lease=True)
        entry = await tx.scalar(select(Entry).where(Entry.once == str(number)))
        if entry is None:
            tx.add(entry := Entry(id=BookingId.new(), what=body.text, once=str(number)))
    scene.provider.append(str(number))
    await asyncio.sleep(0.02)
    scene.after_call()
    async with begin() as tx:
        (await tx.get_one(Entry, entry.id)).what = "paid"
        scene.strike(tx)
    return EntryOut(id=entry.id, what="paid")


@router.get("/entries")
async def list_entries(tx: Tx, paging: Pages) -> Page[EntryOut]:
    rows = (await tx.scalars(newest_first(select(Entry), Entry.id, BookingId, paging))).all()
    return page(rows, paging, EntryOut.of, lambda row: row.id)


@router.get("/entries/{entry_id}")
async def get_entry(entry_id: BookingId, tx: Tx) -> EntryOut:
    if (row := await tx.get(Entry, entry_id)) is None:
        raise NotFound
    return EntryOut.of(row)


@router.put("/entries/{entry_id}")
async def put_entry(entry_id: BookingId, body: NoteIn, tx: Tx, match: IfMatch, request: Request) -> EntryOut:
    match.require(3)
    row = await tx.get_one(Entry, entry_id)
    row.what = body.text
    return EntryOut.of(row)


@router.get("/slow")
async def slow(tx: Tx, scene: Seen) -> dict[str, str]:
    await tx.execute(text("SELECT 1"))
    await scene.hold.wait()
    return {"held": "long"}


@router.get("/sleep/{seconds}")
async def sleep(seconds: float, tx: Tx) -> dict[str, str]:
    await tx.execute(text("SELECT SLEEP(:s)"), {"s": seconds})
    return {"slept": "yes"}


@router.get("/killed")
async def killed(tx: Tx) -> dict[str, str]:
    await tx.execute(text("KILL CONNECTION_ID()"))
    await tx.execute(text("SELECT 1"))
    return {"never": "seen"}


@router.post("/check")
async def check(tx: Tx) -> dict[str, str]:
    (await tx.get_one(Account, 1)).fen = Fen(-9_999_999)
    return {"never": "committed"}


@router.get("/unknown-column")
async def unknown_column(tx: Tx) -> dict[str, str]:
    await tx.execute(text("SELECT no_such_column FROM bank_account"))
    return {"never": "seen"}


@router.get("/wake")
async def wake(tx: Tx, scene: Seen) -> dict[str, str]:
    tx.add(Entry(id=BookingId.new(), what="woken"))

    async def follow() -> None:
        scene.seen.append("followed")
        raise RuntimeError("nobody is listening")

    after_commit(tx, follow)
    return {"done": "yes"}


@router.get("/broken")
async def broken() -> dict[str, str]:
    phone = "13800138000"
    raise RuntimeError(f"secret words about {phone}")


@router.post("/echo")
async def echo(body: NoteIn) -> NoteIn:
    return body


@router.put("/echo")
async def replace_echo(body: NoteIn) -> NoteIn:
    return body


@router.websocket("/live")
async def live(socket: WebSocket) -> None:
    scene: Scene = socket.app.state.scene
    scene.seen.append("socket")
    await socket.accept()
    raise deadlock()


def deadlock(number: int = 1213) -> OperationalError:
    return OperationalError("injected", {}, Exception(number, "injected"))


def striking(number: int, where: str, times: int) -> Callable[[AsyncSession], None]:
    """A server's error `number` in the endpoint, at flush or at commit, the first `times` times."""
    left = [times]

    def raise_it(*_: object) -> None:
        if left[0] > 0:
            left[0] -= 1
            raise deadlock(number)

    def strike(tx: AsyncSession) -> None:
        if where == "endpoint":
            raise_it()
        else:
            event.listen(tx.sync_session, {"flush": "before_flush", "commit": "before_commit"}[where], raise_it)

    return strike


def make_app(database: Database, tokens: Tokens, **retry: Any) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(router)
    problems.install(app)
    app.add_middleware(WholeRequestRetry, **retry)
    app.add_middleware(FrontDoor, limit=LIMIT, limits={"/v1/bank/uploads": 1 << 20})
    app.state.database, app.state.tokens, app.state.scene = database, tokens, Scene()
    return app


async def count(database: Database, what: str | None = None) -> int:
    async with database.begin() as tx:
        rows = (await tx.scalars(select(Entry))).all()
    return sum(what is None or row.what == what for row in rows)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
