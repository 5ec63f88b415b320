"""Rows that were kept long enough, beside rows that were not: of every kind that is ever forgotten."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TypeVar

from tests.scenes.accounts import sign_in
from yiyuebao_api.context import Context
from yiyuebao_api.domains.accounts.models import Allowance, RefreshToken, Session, SmsCode
from yiyuebao_api.domains.accounts.rules import CodePurpose
from yiyuebao_api.domains.notices.models import Audience, Notice
from yiyuebao_api.domains.partners.models import Delivery, PartnerEvent
from yiyuebao_api.domains.partners.rules import DeliveryState, EventType
from yiyuebao_api.domains.schedules.models import Claim
from yiyuebao_api.kernel import clock, idempotency, inbox, presence, tickets
from yiyuebao_api.kernel.database import Model
from yiyuebao_api.kernel.ids import (
    AccountId,
    BookingId,
    ClaimId,
    DeliveryId,
    EndpointId,
    EventId,
    HospitalId,
    Id,
    JobId,
    NoticeId,
    PoolId,
    RowId,
    SessionId,
)
from yiyuebao_api.kernel.outbox import JobState, OutboxJob
from yiyuebao_api.kernel.tokens import Claims, Mode

AnyId = TypeVar("AnyId", bound=Id)

LONG = timedelta(days=60)
YEARS = timedelta(days=1100)

#: How many rows of one `make_old_and_new` are left after a purge.
LEFT: Mapping[type[Model], int] = {
    idempotency.Once: 2, Session: 1, RefreshToken: 1, SmsCode: 1, Allowance: 1, tickets.LiveTicket: 1,
    presence.PresenceLease: 1, Notice: 1, Delivery: 2, PartnerEvent: 2, Claim: 2, inbox.InboxMessage: 2, OutboxJob: 2,
}  # fmt: skip


def made_at(kind: type[AnyId], at: datetime) -> AnyId:
    """An id as it would have been made then."""
    return kind.of((kind.first_at(at).int | secrets.randbits(62) | 0x7 << 76 | 0b10 << 62).to_bytes(16))


async def make_old_and_new(context: Context) -> None:
    """Of each kind one that goes, one that is too young and, where there is such a thing, one that nobody may forget."""
    now = clock.system_now()
    await _keys_and_sessions(context, now)
    async with context.begin() as tx:
        for age, applied in ((timedelta(), True), (YEARS, True), (YEARS, False)):
            tx.add(inbox.InboxMessage(
                id=made_at(RowId, now - age), source="wechat.transaction", external_id=secrets.token_hex(8), content={},
                received_at=now - age, applied_at=now - age if applied else None,
            ))  # fmt: skip
        for age in (timedelta(), YEARS):
            tx.add(Notice(
                id=made_at(NoticeId, now - age), audience=Audience.ACCOUNT, account_id=AccountId.new(), hospital_id=None,
                kind="booking.paid", title="x", body="x", subject_kind="booking", subject_id="x", created_at=now - age,
                read_at=None,
            ))  # fmt: skip
        for age, kind in ((timedelta(), "partners.deliver"), (YEARS, "partners.deliver"), (YEARS, "payments.refund")):
            tx.add(OutboxJob(
                id=JobId.new(), aggregatetype="x", aggregateid="x", type=kind, payload={}, state=JobState.DEAD,
                run_at=clock.now() - age, lease_until=None, worker=None, attempts=9, last_error="x", created_at=now - age,
            ))  # fmt: skip
        for age, kept, released in ((timedelta(), True, False), (timedelta(), False, True), *_ENDS):
            tx.add(_claim(now - age, kept=kept, released=released))
        events = [_event(now - age) for age in (timedelta(), YEARS, YEARS, YEARS)]
        tx.add_all(events)
        await tx.flush()
        for event, state in zip(events, (DeliveryState.SUCCEEDED, DeliveryState.SUCCEEDED, DeliveryState.PENDING), strict=False):
            tx.add(Delivery(
                id=made_at(DeliveryId, event.created_at), hospital_id=event.hospital_id, event_id=event.id,
                event_type=event.type, endpoint_id=EndpointId.new(), state=state, attempts=1, last_status=200,
                last_error=None, last_attempt_at=None, next_attempt_at=None, response_excerpt=None,
                created_at=event.created_at,
            ))  # fmt: skip


#: What became of places that were taken long ago: served, given back, lapsed.
_ENDS = ((YEARS, True, False), (YEARS, True, True), (YEARS, False, False))


def _claim(at: datetime, *, kept: bool, released: bool) -> Claim:
    start = at + timedelta(days=2)
    return Claim(
        id=made_at(ClaimId, at), pool_id=PoolId.new(), day=start.date(), starts_at=start, ends_at=start + timedelta(hours=1),
        busy_from=start, busy_until=start + timedelta(hours=2), subject=str(BookingId.new()),
        held_until=at + timedelta(minutes=15), kept_at=at if kept else None, lapsed_at=None,
        released_at=at if released else None, created_at=at,
    )  # fmt: skip


def _event(at: datetime) -> PartnerEvent:
    return PartnerEvent(
        id=made_at(EventId, at), hospital_id=HospitalId.new(), number=None, type=EventType.BOOKING_PAID,
        subject=str(BookingId.new()), data={}, created_at=at,
    )  # fmt: skip


async def _keys_and_sessions(context: Context, now: datetime) -> None:
    await sign_in(context.database, context.tokens)
    old = await sign_in(context.database, context.tokens)
    business, claims = clock.now(), Claims(AccountId.new(), SessionId.new(), Mode.PATIENT, None)
    async with context.begin() as tx:
        (await tx.get_one(Session, old.session_id)).expires_at = business - LONG
        for age in (timedelta(), timedelta(hours=47), timedelta(hours=49), timedelta(days=9)):
            tx.add(idempotency.Once(
                caller="patient:x", key=secrets.token_hex(8), asked=bytes(32), subject=RowId.new(), runs=1,
                busy_until=now, status=None, answer=None, created_at=now - age,
            ))  # fmt: skip
        for age in (timedelta(), LONG):
            at = business - age
            tx.add(SmsCode(
                id=RowId.new(), phone_index=secrets.token_bytes(32), purpose=CodePurpose.LOGIN, code_hash=bytes(32),
                address_index=bytes(32), tries=0, created_at=at, expires_at=at, used_at=None,
            ))  # fmt: skip
            tx.add(Allowance(subject=secrets.token_bytes(32), window_began=at, times=1, last_at=at))
            await tickets.issue(tx, claims, until=at + timedelta(hours=1), now=at)
            await presence.take(
                tx, AccountId.new(), secrets.token_bytes(32), socket_id=RowId.new(), process_id=RowId.new(), most=5,
                now=now - age,
            )  # fmt: skip
