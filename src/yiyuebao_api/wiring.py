"""The switchboard, as data: which announcement is heard by whom, which job and timer is run by what.

Listeners run in the announcer's transaction, in the order written. Jobs are asked for with `outbox.put` under these names
and run by the worker after the commit; all of them are safe to repeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial

from yiyuebao_api.context import Context
from yiyuebao_api.domains.accounts import service as accounts
from yiyuebao_api.domains.bookings import service as bookings
from yiyuebao_api.domains.bookings.events import BookingCancelled, BookingRefused, StartMissed
from yiyuebao_api.domains.catalogue.events import OfferChanged
from yiyuebao_api.domains.clinicians import service as clinicians
from yiyuebao_api.domains.clinicians.events import (
    ClinicianWentOffline,
    PaperRunsOut,
    QualificationDecided,
    StaffChanged,
)
from yiyuebao_api.domains.consents.events import ConsentWithdrawn
from yiyuebao_api.domains.consultations import live as sockets
from yiyuebao_api.domains.consultations import service as consultations
from yiyuebao_api.domains.consultations.events import ConsultationMoved, MarksMoved, MessageRecalled, MessagesSent
from yiyuebao_api.domains.files import service as files
from yiyuebao_api.domains.hospitals.events import HospitalChanged, SiteChanged
from yiyuebao_api.domains.nearby import service as nearby
from yiyuebao_api.domains.notices import service as notices
from yiyuebao_api.domains.partners import service as partners
from yiyuebao_api.domains.payments import service as payments
from yiyuebao_api.domains.payments.events import PaymentSucceeded, RefundSucceeded
from yiyuebao_api.domains.privacy import service as privacy
from yiyuebao_api.domains.schedules import service as schedules
from yiyuebao_api.domains.schedules.events import PoolChanged
from yiyuebao_api.domains.settlements import service as settlements
from yiyuebao_api.domains.settlements.events import SharesReleased
from yiyuebao_api.domains.visits import service as visits
from yiyuebao_api.kernel import audit, clock, idempotency, inbox, outbox, presence, purging, tickets
from yiyuebao_api.kernel.events import Listener
from yiyuebao_api.kernel.ids import (
    AccrualId,
    BookingId,
    ConsultationId,
    DeliveryId,
    ExportId,
    PaymentId,
    QualificationId,
    RefundId,
    RegulatorExportId,
    RowId,
    VisitId,
)
from yiyuebao_api.kernel.outbox import Job, Timer, Work, Worker

EVENTS: Mapping[type, Sequence[Listener]] = {
    HospitalChanged: [nearby.note_hospital_changed],
    StaffChanged: [nearby.note_staff_changed],
    SiteChanged: [nearby.note_site_changed],
    OfferChanged: [nearby.note_offer_changed],
    PoolChanged: [nearby.note_pool_changed],
    PaymentSucceeded: [settlements.note_payment, bookings.note_payment_succeeded, consultations.note_payment_succeeded],
    RefundSucceeded: [settlements.note_refund, bookings.note_refund_succeeded, consultations.note_refund_succeeded],
    BookingCancelled: [visits.note_booking_ended],
    BookingRefused: [visits.note_booking_ended],
    StartMissed: [visits.note_start_missed],
    SharesReleased: [],
    ClinicianWentOffline: [visits.note_clinician_offline],
    PaperRunsOut: [notices.note_paper_runs_out],
    QualificationDecided: [notices.note_qualification_decided],
    MessagesSent: [sockets.note_messages_sent],
    MessageRecalled: [sockets.note_message_recalled],
    MarksMoved: [sockets.note_marks_moved],
    ConsultationMoved: [sockets.note_consultation_moved],
    ConsentWithdrawn: [consultations.note_consent_withdrawn],
}


async def _apply_inbox(c: Context, work: Work) -> None:
    await inbox.apply(c.begin, RowId.parse(work.payload["id"]), payments.APPLIERS, now=clock.now())


def _payment(run: Callable[..., Awaitable[None]]) -> Callable[[Context, Work], Awaitable[None]]:
    async def job(c: Context, work: Work) -> None:
        await run(c.begin, c.gateways.payment, PaymentId.parse(work.payload["id"]), now=clock.now())

    return job


async def _refund(c: Context, work: Work) -> None:
    await payments.carry_out_refund(
        c.begin, c.gateways.payment, RefundId.parse(work.payload["id"]), now=clock.now()
    )


async def _expire(c: Context, work: Work) -> None:
    await bookings.expire_booking(c.begin, BookingId.parse(work.payload["id"]), now=clock.now())


def _waiting(run: Callable[..., Awaitable[None]]) -> Callable[[Context, Work], Awaitable[None]]:
    async def job(c: Context, work: Work) -> None:
        by = datetime.fromisoformat(work.payload["by"])
        await run(c.begin, BookingId.parse(work.payload["id"]), by=by, now=clock.now())

    return job


async def _release(c: Context, work: Work) -> None:
    await settlements.release_shares(c.begin, AccrualId.parse(work.payload["id"]), now=clock.now())


async def _confirm(c: Context, work: Work) -> None:
    await visits.confirm_silent(c.begin, VisitId.parse(work.payload["id"]), now=clock.now())


async def _deliver(c: Context, work: Work) -> None:
    await partners.deliver(c.begin, c.gateways.webhooks, DeliveryId.parse(work.payload["id"]), now=clock.now())


async def _read_photos(c: Context, work: Work) -> None:
    await clinicians.read_photos(
        c.begin, c.gateways.store, c.gateways.identity, QualificationId.parse(work.payload["id"]),
        int(work.payload["version"]),
    )  # fmt: skip


async def _export(c: Context, work: Work) -> None:
    await privacy.make_export(c.begin, c.gateways.store, ExportId.parse(work.payload["id"]), now=clock.now())


async def _export_consultations(c: Context, work: Work) -> None:
    await consultations.make_export(
        c.begin, c.gateways.store, RegulatorExportId.parse(work.payload["id"]), now=clock.now()
    )


async def _watch_consultation(c: Context, work: Work) -> None:
    await consultations.watch_consultation(
        c.begin, ConsultationId.parse(work.payload["id"]), idle=bool(work.payload.get("idle")), now=clock.now()
    )


JOBS: Mapping[str, Job[Context]] = {
    inbox.APPLY: Job(_apply_inbox),
    "payments.query": Job(_payment(payments.watch_payment)),
    "payments.close": Job(_payment(payments.close_payment)),
    "payments.refund": Job(_refund),
    "bookings.expire": Job(_expire),
    "bookings.remind": Job(_waiting(bookings.remind)),
    "bookings.end_in_silence": Job(_waiting(bookings.end_in_silence)),
    "visits.confirm_silent": Job(_confirm),
    "settlements.release": Job(_release),
    "partners.deliver": Job(_deliver),
    "clinicians.read_photos": Job(_read_photos),
    "privacy.export": Job(_export),
    "consultations.watch": Job(_watch_consultation),
    "consultations.export": Job(_export_consultations),
}


#: A dead letter of these may go in the end: nobody waits for them. All others wait for a person.
_FORGETTABLE = (
    "partners.deliver", "bookings.remind", "clinicians.read_photos", "privacy.export",
)  # fmt: skip


async def _purge(c: Context) -> None:
    """All that is ever forgotten, and after how long. The tables of people, money and care are not here."""
    kept, now, system_now = c.settings.keeping, clock.now(), clock.system_now()
    parts: dict[str, purging.Part] = {
        "keys": partial(idempotency.purge, now=system_now),
        "sessions": partial(accounts.purge, now=now),
        "tickets": partial(tickets.purge, now=now),
        "presence": partial(presence.purge, now=system_now),
        "notices": partial(notices.purge, kept=timedelta(days=kept.notice_days), now=system_now),
        "deliveries": partial(partners.purge_deliveries, kept=timedelta(days=kept.delivery_days), now=system_now),
        "events": partial(partners.purge_events, kept=timedelta(days=kept.event_days), now=system_now),
        "claims": partial(schedules.purge_claims, kept=timedelta(days=kept.claim_days), now=system_now),
        "messages": partial(inbox.purge, kept=timedelta(days=kept.provider_message_days), now=system_now),
        "jobs": partial(outbox.purge, jobs=_FORGETTABLE, kept=timedelta(days=kept.dead_job_days), now=now),
    }
    await purging.purge(c.begin, parts)


async def _seal_audit(c: Context) -> None:
    await audit.seal(c.begin)


async def _check_books(c: Context) -> None:
    await settlements.check_books(c.begin)


async def _sweep_files(c: Context) -> None:
    await files.sweep(c.begin, c.gateways.store, now=clock.now(), system_now=clock.system_now())


async def _sweep_exports(c: Context) -> None:
    await privacy.sweep(c.begin, c.gateways.store, now=clock.now(), system_now=clock.system_now())


async def _sweep_consultation_exports(c: Context) -> None:
    await consultations.sweep_exports(c.begin, c.gateways.store, now=clock.now(), system_now=clock.system_now())


async def _watch_expiry(c: Context) -> None:
    await clinicians.watch_expiry(c.begin, now=clock.now())


TIMERS: Mapping[str, Timer[Context]] = {
    "audit.seal": Timer(_seal_audit, audit.SEALED_WITHIN / 2),
    "housekeeping.purge": Timer(_purge, timedelta(hours=1)),
    "files.sweep": Timer(_sweep_files, timedelta(minutes=30)),
    "privacy.sweep": Timer(_sweep_exports, timedelta(hours=1)),
    "consultations.sweep": Timer(_sweep_consultation_exports, timedelta(hours=1)),
    "clinicians.watch_expiry": Timer(_watch_expiry, timedelta(hours=1)),
    "settlements.check_books": Timer(_check_books, timedelta(hours=6)),
}


@asynccontextmanager
async def running(worker: Worker[Context]) -> AsyncIterator[None]:
    """The worker at work in this process, until the block ends; what runs is finished."""
    async with worker.context.database.bell.heard(worker.wake):
        task = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            worker.stop()
            await task
