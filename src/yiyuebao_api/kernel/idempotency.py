"""Idempotency-Key: one effect and one answer per caller and key, whatever crashes in between.

The key's row is claimed as the first statement of the request's own transaction; its row lock *is* "still running" and dies
with the connection, so a killed process blocks nobody. Effect and answer are one commit. Only a request that speaks to a
provider between two transactions needs a lease; it is short, and whoever takes over carries on with the same `subject`.
Refusals are never stored: they changed nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy import BINARY, Index, bindparam, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import (
    NOWAIT_REFUSED,
    Begin,
    Model,
    after_commit,
    code_column,
    error_number,
)  # fmt: skip
from yiyuebao_api.kernel.ids import RowId
from yiyuebao_api.kernel.problems import Problem, Words
from yiyuebao_api.kernel.purging import delete_some
from yiyuebao_api.kernel.reading import Read, Reader
from yiyuebao_api.kernel.routing import DirectRoute
from yiyuebao_api.kernel.secrets import SealedJson
from yiyuebao_api.kernel.tokens import claims_of
from yiyuebao_api.kernel.wire import Wire, insert_of

#: Longer than any provider call of ours, so that a taker-over never runs beside a first run that is merely slow.
LEASE = timedelta(seconds=10)
KEPT = timedelta(hours=48)
_TOLD_AGAIN = ("etag", "location", "content-language")  # headers that belong to the answer, not to its delivery
_RACED = frozenset({1062, 1205, 1213})  # a second INSERT of the key: the first committed, still runs, was rolled back
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class IdempotencyKeyMissing(Problem):
    status, code = 400, "idempotency-key-missing"
    title = Words("缺少幂等键", "Idempotency-Key missing")
    detail = Words("请在请求头 Idempotency-Key 中带上一个本次操作专用的编号。", "Send an Idempotency-Key header of your own choice.")


class IdempotencyKeyReused(Problem):
    status, code = 422, "idempotency-key-reused"
    title = Words("幂等键已用于其他请求", "Idempotency-Key reused")
    detail = Words("该编号已用于内容不同的请求，请换一个新的编号。", "This key was used with another request; take a new one.")


class RequestInProgress(Problem):
    status, code = 409, "request-in-progress"
    title = Words("请求处理中", "Request in progress")
    detail = Words("相同的请求正在处理，请稍后再查看结果。", "The same request is still running; ask again in a moment.")


class Once(Model):
    """Idempotency keys: one row per caller and key; the answer is null until the effect has been committed."""

    __tablename__ = "idempotency_key"
    __table_args__ = (Index(None, "created_at"),)

    caller: Mapped[str] = mapped_column(code_column(48), primary_key=True, comment="mode:account")
    key: Mapped[str] = mapped_column(code_column(255), primary_key=True, comment="chosen by the client")
    asked: Mapped[bytes] = mapped_column(BINARY(32), comment="SHA-256 of method, path, query and body")
    subject: Mapped[RowId] = mapped_column(comment="id of what is made; the same in every run")
    runs: Mapped[int] = mapped_column(comment="how often the claim was taken")
    busy_until: Mapped[datetime] = mapped_column(comment="lease of a run that is between two transactions")
    status: Mapped[int | None] = mapped_column(comment="HTTP status of the stored answer")
    answer: Mapped[dict[str, Any] | None] = mapped_column(SealedJson("idempotency.answer"), comment="stored answer, sealed")
    created_at: Mapped[datetime] = mapped_column(comment="kept for 48 hours")


class AlreadyAnswered(Exception):
    """Not a refusal: the answer given before is given again."""

    def __init__(self, status: int, body: str, headers: dict[str, str]) -> None:
        self.status, self.body, self.headers = status, body, headers

    def again(self) -> Response:
        """The answer as it was."""
        media = "application/json" if self.body else None
        return Response(self.body, self.status, {**self.headers, "Idempotent-Replayed": "true"}, media)


#: A key as others have left it.
_KEPT = Read(
    select(Once.asked, Once.status, Once.answer, Once.busy_until)
    .where(Once.caller == bindparam("caller"), Once.key == bindparam("key"))
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answered:
    """A key whose effect is about to be committed, and what is answered then."""

    caller: str
    key: str
    asked: bytes
    status: int
    body: str

    @property
    def name(self) -> tuple[str, str]:
        """By which it is told from others."""
        return self.caller, self.key


async def keep(wire: Wire, answers: Sequence[Answered]) -> None:
    """Write keys and answers in the transaction of their effects, several at once.

    It ends in IntegrityError when one of them is there: somebody else was served under it meanwhile.
    """
    now = clock.system_now()
    rows = [
        Once(
            caller=each.caller, key=each.key, asked=each.asked, subject=RowId.new(), runs=1, busy_until=now, status=each.status,
            answer={"body": each.body, "headers": {}}, created_at=now,
        )
        for each in sorted(answers, key=lambda each: each.name)
    ]  # fmt: skip
    if rows:
        await wire.put(*insert_of(rows))


@dataclass(slots=True)
class Claim:
    """The right to do the thing once."""

    caller: str
    key: str
    asked: bytes
    subject: UUID | None = None
    runs: int = 0
    tx: AsyncSession | None = None
    row: Once | None = None
    reader: Reader | None = None
    leased: bool = False

    async def take(self, tx: AsyncSession, *, lease: bool = False) -> UUID:
        """First statement of the transaction; returns the subject.

        With `lease` the claim outlives the transaction (a use case that calls a provider). Raises AlreadyAnswered,
        RequestInProgress, IdempotencyKeyReused.
        """
        now = clock.system_now()
        row = await self._locked(tx)
        busy_until = now + LEASE if lease else now
        if row is None:
            row = Once(
                caller=self.caller, key=self.key, asked=self.asked, subject=RowId.new(), runs=1,
                busy_until=busy_until, created_at=now,
            )  # fmt: skip
            tx.add(row)
            try:
                await tx.flush()
            except (IntegrityError, OperationalError) as error:  # lost the race by microseconds
                if error_number(error) not in _RACED:
                    raise
                raise RequestInProgress(retry_after=1) from None
        else:
            self._judge(row, now)
            row.runs, row.busy_until = row.runs + 1, busy_until
        self.subject, self.runs = row.subject, row.runs
        if lease:
            after_commit(tx, self._hold)
        else:
            self.tx, self.row = tx, row
        return row.subject

    def _judge(self, row: Once, now: datetime) -> None:
        """Whether a key that is there already may be used (again)."""
        if row.asked != self.asked:
            raise IdempotencyKeyReused
        if row.answer is not None:
            raise AlreadyAnswered(row.status or 200, row.answer["body"], row.answer.get("headers", {}))
        if row.busy_until > now:
            raise RequestInProgress(retry_after=1 + int((row.busy_until - now).total_seconds()))

    async def look(self, reader: Reader) -> None:
        """What `take` would refuse or answer, asked without a transaction and without a lock.

        For a use case that takes `Reading`, and hands `answered` on to whoever commits its effect.
        """
        self.reader = reader
        row = await reader.one(_KEPT, caller=self.caller, key=self.key)
        if row is not None:
            self._judge(row, clock.system_now())

    async def answered_since(self) -> AlreadyAnswered | None:
        """An earlier run of this very request may have ended after the look: then it is no wonder that this one is refused."""
        try:
            if self.reader is not None:
                await self.look(self.reader)
        except AlreadyAnswered as before:
            return before
        return None

    def answered(self, status: int, body: str) -> Answered:
        """The key with its answer, which is known before the effect is: `keep` writes it beside that."""
        return Answered(self.caller, self.key, self.asked, status, body)

    async def _hold(self) -> None:
        """Only a committed lease is ours to give back: a run that was rolled back may share its number with the next."""
        self.leased = True

    async def _locked(self, tx: AsyncSession) -> Once | None:
        mine = select(Once).where(Once.caller == self.caller, Once.key == self.key).with_for_update(nowait=True)
        try:
            return (await tx.scalars(mine)).one_or_none()
        except OperationalError as error:
            if error_number(error) in NOWAIT_REFUSED:
                raise RequestInProgress(retry_after=1) from None
            raise

    async def settle(self, begin: Begin, response: Response) -> None:
        """Keep the answer: in the still open transaction of the request, else in one of its own."""
        if self.tx is not None:
            await self._keep(self.tx, response)
        else:
            async with begin() as tx:
                await self._keep(tx, response)

    async def release(self, begin: Begin) -> None:
        """A leased run was refused before it had any effect: the next one need not wait for the lease."""
        if not self.leased:
            return
        async with begin() as tx:
            row = await tx.get(Once, (self.caller, self.key), with_for_update=True)
            if row is not None and row.answer is None and row.runs == self.runs:
                row.busy_until = clock.system_now()

    async def _keep(self, tx: AsyncSession, response: Response) -> None:
        row = self.row
        if row is None:
            row = await tx.get_one(Once, (self.caller, self.key), with_for_update=True)
        if row.answer is None:  # a run that took the claim over may have answered first, with the same subject
            headers = {name: response.headers[name] for name in _TOLD_AGAIN if name in response.headers}
            row.status, row.answer = response.status_code, {"body": bytes(response.body).decode(), "headers": headers}
            row.busy_until = clock.system_now()


class OnceRoute(DirectRoute):
    """The route class of the house: a POST with an `Idempotency-Key` happens once.

    The claim waits in `request.state`; `Tx` takes it before anything else. The serialized answer is stored after the
    endpoint returned and before the transaction commits.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.methods != {"POST"}:
            return handle

        async def answered_once(request: Request) -> Response:
            claim = await _claim(request)
            if claim is None:
                return await handle(request)
            request.state.claim = claim
            try:
                response = await handle(request)
            except AlreadyAnswered as before:
                return before.again()
            except Problem:
                if (since := await claim.answered_since()) is not None:
                    return since.again()
                await claim.release(request.app.state.database.begin)
                raise
            if claim.runs and response.status_code < 300:
                await claim.settle(request.app.state.database.begin, response)
            return response

        return answered_once


async def _claim(request: Request) -> Claim | None:
    """The claim a request asks for; a form's body cannot be read twice, so keys count on JSON only."""
    key, caller = request.headers.get("idempotency-key"), claims_of(request)
    content = request.headers.get("content-type", "application/json").lower()
    if key is None or caller is None or not content.startswith("application/json"):
        return None
    if not _KEY.fullmatch(key):  # ignored in silence, it would leave a client who believes to be safe to pay twice
        where = ("header", "idempotency-key")
        raise RequestValidationError([{"type": "string_pattern_mismatch", "loc": where}])
    url = request.url
    asked = hashlib.sha256(f"{request.method} {url.path}?{url.query}\n".encode() + await request.body()).digest()
    return Claim(caller.key, key, asked)


async def _required(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$",
            description="A number of your own for this one intention: the same key gives the same answer, once.",
        ),
    ] = None,
) -> Claim:  # fmt: skip
    claim: Claim | None = getattr(request.state, "claim", None)
    if claim is None or idempotency_key is None:
        raise IdempotencyKeyMissing
    return claim


#: Written by routes that create a booking, payment, refund, contract or consultation: the key is not optional there.
Claimed = Annotated[Claim, Depends(_required)]


async def _offered(request: Request) -> Claim | None:
    return getattr(request.state, "claim", None)


#: For a use case that takes `begin` and does without a key, but honours one: it takes the claim with a lease itself.
Offered = Annotated[Claim | None, Depends(_offered)]


async def purge(tx: AsyncSession, *, now: datetime, at_most: int) -> int:
    """Forget keys older than two days."""
    return await delete_some(tx, Once, Once.created_at < now - KEPT, at_most=at_most)
