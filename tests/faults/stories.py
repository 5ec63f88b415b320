"""One story for every job and timer of the switchboard: what makes it due, and what must hold once it was done.

A job's `scene` is played once for a worker that lives and once for those that die; a timer's is played for every step.
`holds` looks at everything the scenes left behind: each effect is there once.
"""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx
from pydantic import TypeAdapter
from sqlalchemy import delete, func, select, update

from tests.client import Api
from tests.domains.files.conftest import objects
from tests.faults.killing import CLAIMED
from tests.scenes.accounts import make_account
from tests.scenes.bookings import Customer, accepted, hold, make_customer, make_offer, pay, prepay, row_of, tap_pay
from tests.scenes.clinicians import make_clinician
from tests.scenes.consultations import (
    make_consultation,
    make_pair,
    make_pilot,
    offer,
    once_it_is,
    opened,
    paid,
    prepaid,
    say,
)
from tests.scenes.files import uploaded
from tests.scenes.forgetting import LEFT, make_old_and_new
from tests.scenes.hospitals import as_operator, make_hospital
from tests.scenes.payments import make_payment
from tests.scenes.privacy import code_for
from tests.scenes.visits import make_cast
from yiyuebao_api.context import Context
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.rules import BookingState
from yiyuebao_api.domains.clinicians import service as clinicians
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianState, ExpiryWarning, Qualification
from yiyuebao_api.domains.clinicians.rules import QualificationKind
from yiyuebao_api.domains.clinicians.schemas import QualificationIn
from yiyuebao_api.domains.consultations import service as consultations
from yiyuebao_api.domains.consultations.models import RegulatorExport, RegulatorExportPart
from yiyuebao_api.domains.consultations.rules import EXPORT_PREFIX, ConsultState, ExportScope, RegulatorExportState
from yiyuebao_api.domains.consultations.service.exports import PART_MESSAGES
from yiyuebao_api.domains.files import service as files
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.rules import UNUSED_LIFE, Purpose
from yiyuebao_api.domains.notices.models import Notice
from yiyuebao_api.domains.partners.models import PartnerEvent
from yiyuebao_api.domains.payments.models import Payment, Refund
from yiyuebao_api.domains.payments.rules import PaymentState, RefundState
from yiyuebao_api.domains.payments.service.payment import merchant_of
from yiyuebao_api.domains.privacy import service as privacy
from yiyuebao_api.domains.privacy.models import Export
from yiyuebao_api.domains.privacy.rules import EXPORT_LIFE, ExportState
from yiyuebao_api.domains.schedules.models import Claim
from yiyuebao_api.domains.settlements import service as settlements
from yiyuebao_api.domains.settlements.models import Accrual, Posting
from yiyuebao_api.domains.settlements.rules import AccrualState, PostingKind, payment_entries
from yiyuebao_api.domains.visits.models import Visit
from yiyuebao_api.domains.visits.rules import Stage
from yiyuebao_api.gateways.payment import RefundReport, Transaction
from yiyuebao_api.gateways.payment import RefundState as Told
from yiyuebao_api.kernel import audit, clock, inbox
from yiyuebao_api.kernel.database import Model
from yiyuebao_api.kernel.ids import AccountId, BookingId, ExportId, HospitalId, PatientId, RegulatorExportId, RowId
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.outbox import OutboxJob
from yiyuebao_api.kernel.tokens import Mode
from yiyuebao_api.seed.cards import draw_paper

LONG = timedelta(days=60)


@dataclass
class Story:
    """Somebody has done something, and a job is left to do."""

    api: Api
    context: Context
    control: httpx.AsyncClient
    made: list[Any] = field(default_factory=list)

    job: ClassVar[str]
    first: ClassVar[int] = CLAIMED

    async def scene(self) -> None:
        raise NotImplementedError

    async def holds(self) -> None:
        raise NotImplementedError

    @property
    def folder(self) -> Path:
        """Where the store's objects lie."""
        return self.context.settings.files.folder

    async def rows(self, model: type[Model]) -> list[Any]:
        async with self.context.begin() as tx:
            return list((await tx.scalars(select(model))).all())

    async def count(self, model: type[Model]) -> int:
        async with self.context.begin() as tx:
            return (await tx.scalar(select(func.count()).select_from(model))) or 0

    async def told(self) -> dict[str, int]:
        """Notices by kind and events for hospitals' systems by `! type`."""
        notices = Counter(each.kind for each in await self.rows(Notice))
        events = Counter(f"! {each.type.value}" for each in await self.rows(PartnerEvent))
        return dict(notices + events)

    async def silence(self) -> None:
        """WeChat's notifications are lost from now on."""
        await self.control.post("/faults/notifications", json={"drop": True, "times": 500})

    async def held(self) -> tuple[Customer, dict[str, Any]]:
        offered, customer = await make_offer(self.api, self.context), await make_customer(self.api, self.context)
        return customer, await hold(customer, offered)


# ── payments ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class NotificationTaken(Story):
    """The process died between the commit of WeChat's message and its effect."""

    job = "inbox.apply"

    async def scene(self) -> None:
        await self.silence()
        customer, booking = await self.held()
        await tap_pay(self.context, await prepay(customer, booking["id"]))
        payment = next(each for each in await self.rows(Payment) if each.subject_id == booking["id"])
        report = await self.context.gateways.payment.query(payment.out_trade_no, merchant_of(payment))
        content = TypeAdapter(Transaction).dump_python(report, mode="json")
        await inbox.receive(
            self.context.begin, "wechat.transaction", secrets.token_hex(8), content, now=clock.now()
        )
        self.made.append(booking["id"])

    async def holds(self) -> None:
        assert {(await row_of(self.context.database, each)).state for each in self.made} == {BookingState.PAID}
        assert await self.told() == {"booking.paid": 4, "! booking.paid": 2}
        assert [each.kind for each in await self.rows(Posting)] == [PostingKind.PAYMENT] * 2
        assert all(each.applied_at for each in await self.rows(inbox.InboxMessage))


class RefundTaken(Story):
    """The same for the message that a refund has arrived."""

    job = "inbox.apply"

    async def scene(self) -> None:
        await self.control.delete("/faults")
        await self.control.post("/behaviour", json={"refund_delay_s": 0})
        customer, booking = await self.held()
        paid = await pay(self.context, customer, booking["id"])
        await self.silence()
        await customer.api.post(f"/v1/bookings/{paid['id']}/cancel", json={"reason": "x"})
        payment = next(each for each in await self.rows(Payment) if each.subject_id == booking["id"])
        refund = next(each for each in await self.rows(Refund) if each.payment_id == payment.id)
        report = RefundReport(
            out_refund_no=refund.out_refund_no, out_trade_no=payment.out_trade_no, refund_id=secrets.token_hex(8),
            transaction_id=payment.transaction_id, state=Told.SUCCEEDED, amount_fen=refund.amount_fen,
            total_fen=payment.amount_fen, mchid=payment.mchid, sub_mchid=payment.sub_mchid, succeeded_at=clock.system_now(),
        )  # fmt: skip
        content = TypeAdapter(RefundReport).dump_python(report, mode="json")
        async with self.context.begin() as tx:  # what the payment's own message left behind has nothing to do any more
            await tx.execute(delete(OutboxJob).where(OutboxJob.type == self.job))
        await inbox.receive(self.context.begin, "wechat.refund", secrets.token_hex(8), content, now=clock.now())
        self.made.append(booking)

    async def holds(self) -> None:
        for booking in self.made:
            row = await row_of(self.context.database, booking["id"])
            assert (row.refunded_fen, row.refund_due_fen) == (row.total_fen, row.total_fen)
        assert {each.state for each in await self.rows(Refund)} == {RefundState.SUCCEEDED}
        assert (await self.told())["refund.succeeded"] == 2 * len(self.made)
        assert Counter(each.kind for each in await self.rows(Posting)) == {PostingKind.PAYMENT: 2, PostingKind.REFUND: 2}


class NobodyPaid(Story):
    """The order is closed at WeChat, so that nobody can pay it any more."""

    job = "payments.close"

    async def scene(self) -> None:
        customer, booking = await self.held()
        await prepay(customer, booking["id"])
        clock.move(timedelta(minutes=17))

    async def holds(self) -> None:
        assert [each.state for each in await self.rows(Payment)] == [PaymentState.CLOSED] * 2
        assert [each["state"] for each in (await self.control.get("/orders")).json()] == ["CLOSED"] * 2
        assert await self.told() == {}


class PaidInSilence(Story):
    """When it comes to be closed it turns out to be paid; its place is still free."""

    job = "payments.close"

    async def scene(self) -> None:
        await self.silence()
        customer, booking = await self.held()
        await tap_pay(self.context, await prepay(customer, booking["id"]))
        clock.move(timedelta(minutes=17))
        self.made.append(booking["id"])

    async def holds(self) -> None:
        assert {(await row_of(self.context.database, each)).state for each in self.made} == {BookingState.PAID}
        assert [each.kind for each in await self.rows(Posting)] == [PostingKind.PAYMENT] * 2
        assert await self.told() == {"booking.paid": 4, "! booking.paid": 2}


class NobodyAccepts(Story):
    """The desk is reminded once that a paid booking still waits."""

    job = "bookings.remind"
    waits: ClassVar = timedelta(hours=23, minutes=30)

    async def scene(self) -> None:
        await self.control.delete("/faults")
        await self.control.post("/behaviour", json={"refund_delay_s": 0})
        customer, booking = await self.held()
        await pay(self.context, customer, booking["id"])
        await self.silence()
        clock.move(self.waits)
        self.made.append(booking["id"])

    async def holds(self) -> None:
        assert {(await row_of(self.context.database, each)).state for each in self.made} == {BookingState.PAID}
        assert (await self.told())["booking.accept_soon"] == 2


class NobodyAccepted(NobodyAccepts):
    """The hospital's silence is a refusal: everything is promised back once, the place is free, all are told once."""

    job = "bookings.end_in_silence"
    waits: ClassVar = timedelta(hours=24, minutes=1)
    called: ClassVar = "booking.unanswered"

    async def holds(self) -> None:
        for each in self.made:
            row = await row_of(self.context.database, each)
            assert (row.state, row.refund_due_fen) == (BookingState.REFUSED, row.total_fen)
        assert sorted(each.amount_fen for each in await self.rows(Refund)) == [row.total_fen] * 2
        assert [each.released_at is None for each in await self.rows(Claim)] == [False] * 2
        told = await self.told()
        assert {kind: told[kind] for kind in ("booking.cancelled", "! booking.cancelled", self.called)} == {
            "booking.cancelled": 2, "! booking.cancelled": 2, self.called: 2,
        }  # fmt: skip


class NobodyAssigned(NobodyAccepted):
    """Accepted and forgotten: it ends before the start, as if refused."""

    called: ClassVar = "booking.unassigned"
    after_start: ClassVar = timedelta(minutes=-29)
    sends: ClassVar = False

    async def scene(self) -> None:
        await self.control.delete("/faults")
        await self.control.post("/behaviour", json={"refund_delay_s": 0})
        offered, _, booking = await accepted(self.api, self.context)
        if self.sends:
            nurse = await make_clinician(self.context.database, offered.hospital.id)
            sent = {"booking_id": booking["id"], "clinician_id": str(nurse.id)}
            assert (await offered.desk.post("/v1/hospital/visits", json=sent)).status_code == 201
        await self.silence()
        clock.move(datetime.fromisoformat(booking["starts_at"]) + self.after_start - clock.now())
        self.made.append(booking["id"])


class NobodyCame(NobodyAssigned):
    """Assigned, and nobody set out: it ends, and nobody is sent any more."""

    called: ClassVar = "booking.nobody_came"
    after_start: ClassVar = timedelta(minutes=121)
    sends: ClassVar = True

    async def holds(self) -> None:
        await super().holds()
        assert {each.stage for each in await self.rows(Visit)} == {Stage.CANCELLED}
        assert (await self.told())["visit.taken_back"] == 2


class NobodyIsThere(NobodyAssigned):
    """Half an hour late: the desk, the patient and who was sent are told once."""

    job = "bookings.remind"
    after_start: ClassVar = timedelta(minutes=31)
    sends: ClassVar = True

    async def holds(self) -> None:
        assert {(await row_of(self.context.database, each)).state for each in self.made} == {BookingState.ASSIGNED}
        assert (await self.told())["visit.late"] == 6


# ── visits, settlements, consultations ───────────────────────────────────────────────────────────────────────────────


class DayOfSilence(Story):
    """Nobody objects to a finished visit: confirmed, its shares fixed, everybody told."""

    job = "visits.confirm_silent"

    async def scene(self) -> None:
        cast = await make_cast(self.context, self.api)
        payment = await make_payment(self.context.database, cast.booking)
        async with self.context.begin() as tx:
            (await tx.get_one(Booking, cast.booking.id)).payment_id = payment.id
        visit_id = await cast.assign()
        await cast.step(visit_id, "depart", "arrive", "start", "finish")
        clock.move(timedelta(hours=25))

    async def holds(self) -> None:
        assert [each.state for each in await self.rows(Booking)] == [BookingState.CLOSED] * 2
        assert [each.state for each in await self.rows(Accrual)] == [AccrualState.PENDING] * 2
        assert (await self.told())["visit.confirmed"] == 2


class WindowOver(Story):
    """The dispute window is over: the shares are released."""

    job = "settlements.release"

    async def scene(self) -> None:
        cast = await make_cast(self.context, self.api)
        payment = await make_payment(self.context.database, cast.booking)
        async with self.context.begin() as tx:
            await settlements.accrue(
                tx, subject_id=cast.booking.id, payment_id=payment.id, hospital_id=cast.booking.hospital_id,
                default_bp=500, window=timedelta(days=7), now=clock.now(),
            )  # fmt: skip
        clock.move(timedelta(days=8))

    async def holds(self) -> None:
        assert [each.state for each in await self.rows(Accrual)] == [AccrualState.RELEASED] * 2
        assert Counter(each.kind for each in await self.rows(Posting)) == {PostingKind.ACCRUAL: 2, PostingKind.RELEASE: 2}


class NobodyAnswered(Story):
    """A paid consultation without an answer: told of the delay, a day later all of it promised back, once."""

    job = "consultations.watch"

    async def scene(self) -> None:
        await self.control.delete("/faults")
        pair = await make_pair(self.api, self.context)
        self.made.append(await paid(self.api, self.context, pair))
        clock.move(timedelta(hours=25))

    async def holds(self) -> None:
        assert sorted(each.amount_fen for each in await self.rows(Refund)) == [each["price_fen"] for each in self.made]
        assert (await self.told())["consultation.refunded"] == 2


class PilotOver(Story):
    """Who waits for a first visit is told that it cannot be, and all of it is promised back, once (RULE-77)."""

    job = "consultations.watch"

    async def scene(self) -> None:
        await self.control.delete("/faults")
        pair = await make_pair(self.api, self.context)
        offer_id = await offer(self.api, self.context, pair, kind="online_follow_up")
        pilot = await make_pilot(self.api, self.context, pair)
        made = await opened(pair, offer_id, first_visit=True)
        await tap_pay(self.context, await prepaid(pair, made["id"]))
        self.made.append(await once_it_is(pair.asking, made["id"], "waiting"))
        operator = await as_operator(self.api, self.context.database)
        path = f"/v1/operator/consultations/pilots/{pilot['id']}/end"
        assert (await operator.post(path, json={"why": "试点暂停"})).status_code == 200

    async def holds(self) -> None:
        assert sorted(each.amount_fen for each in await self.rows(Refund)) == [each["price_fen"] for each in self.made]
        assert (await self.told())["consultation.pilot_over"] == 2


# ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class PhotographsToRead(Story):
    """A machine reads what the reviewer will compare."""

    job = "clinicians.read_photos"
    printed: ClassVar = ["中华人民共和国护士执业证书", "姓名：王海燕", "护士执业证书编号：201846010023"]

    async def scene(self) -> None:
        hospital = await make_hospital(self.context.database)
        nurse = await make_clinician(self.context.database, hospital.id)
        photo = await uploaded(self.context, nurse.account_id, Purpose.LICENCE, draw_paper(self.printed))
        body = QualificationIn(
            clinician_id=nurse.id, kind=QualificationKind.NURSE_LICENCE, holder_name="王海燕", number="201846010023",
            valid_until=date(2031, 6, 30), photo_ids=[photo.id],
        )  # fmt: skip
        async with self.context.begin() as tx:
            paper = await clinicians.begin_qualification(tx, nurse.account_id, body, now=clock.now())
        async with self.context.begin() as tx:
            await clinicians.submit_qualification(tx, paper.id, now=clock.now())

    async def holds(self) -> None:
        papers = await self.rows(Qualification)
        assert [each.recognised["lines"] for each in papers] == [self.printed] * 2


class CopyAskedFor(Story):
    """The copy is there once and told once; what killed attempts wrote is swept away."""

    job = "privacy.export"

    async def scene(self) -> None:
        account = await make_account(self.context.database)
        await uploaded(self.context, account.id, Purpose.RECORD)
        code = await code_for(self.context, account.id)
        await privacy.ask_for_export(self.context.begin, account.id, code, now=clock.now())

    async def holds(self) -> None:
        ready = await self.rows(Export)
        assert [each.state for each in ready] == [ExportState.READY] * 2
        assert await self.told() == {"privacy.export_ready": 2}
        copies = self.folder / "exports"
        assert len(objects(copies)) > 2, "killed attempts leave objects"
        later = clock.system_now() + timedelta(hours=2)
        await privacy.sweep(self.context.begin, self.context.gateways.store, now=clock.now(), system_now=later)
        assert sorted(objects(copies)) == sorted(str(each.attempt) for each in ready)
        for each in ready:
            assert await privacy.read_export(
                self.context.begin, self.context.gateways.store, each.account_id, each.id, now=clock.now()
            )


class AuthorityAsked(Story):
    """Every part is there once, every patient is told of it once; what killed attempts wrote is swept away."""

    job = "consultations.export"

    async def scene(self) -> None:
        pair = await make_pair(self.api, self.context)
        talk = await make_consultation(self.context.database, pair, state=ConsultState.ACTIVE)
        await say(self.context, talk, pair.asker)
        long = await make_consultation(self.context.database, pair, last_seq=PART_MESSAGES)  # a part of its own
        today = consultations.day_of(clock.now())
        wish = consultations.Wish(pair.hospital.id, ExportScope.RECORDS, today, today, "省卫生健康委员会", "函〔2026〕1号")
        async with self.context.begin() as tx:
            await consultations.ask_for_export(tx, wish, operator=AccountId.new(), now=clock.now())
        self.made += [talk.id, long.id]

    async def holds(self) -> None:
        ready = await self.rows(RegulatorExport)
        assert [(each.state, each.consultations) for each in ready] == [(RegulatorExportState.READY, 2)] * 2
        assert sorted(each.number for each in await self.rows(RegulatorExportPart)) == [1, 1, 2, 2]
        given = [each.subject for each in await self.rows(audit.AuditEntry) if each.action == "consultations.export"]
        assert sorted(given) == sorted(map(str, self.made))
        kept = self.folder / EXPORT_PREFIX
        assert len(objects(kept)) > 4, "killed attempts leave objects"
        later = clock.system_now() + timedelta(hours=2)
        await consultations.sweep_exports(
            self.context.begin, self.context.gateways.store, now=clock.now(), system_now=later
        )
        assert sorted(objects(kept)) == sorted(str(each.attempt) for each in await self.rows(RegulatorExportPart))
        for export_id, number in [(each.id, number) for each in ready for number in (1, 2)]:
            assert await consultations.fetch_part(
                self.context.begin, self.context.gateways.store, export_id, number, operator=AccountId.new(), now=clock.now()
            )


# ── timers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class AuditToSeal(Story):
    """Every row is sealed once, in one chain."""

    job = "audit.seal"

    async def scene(self) -> None:
        async with self.context.begin() as tx:
            for _ in range(3):
                audit.note(
                    tx, actor=AccountId.new(), mode=Mode.DESK, action="bookings.read", subject_patient=PatientId.new(),
                    subject=BookingId.new(), basis="booking", now=clock.now(),
                )  # fmt: skip
        self.made.append(3)

    async def holds(self) -> None:
        report = await audit.verify(self.context.begin)
        assert (report.sound, report.unsealed, report.entries) == (True, [], sum(self.made))


class OldRows(Story):
    """What was kept long enough goes, of every kind; what was not, and what nobody may forget, stays."""

    job = "housekeeping.purge"

    async def scene(self) -> None:
        await make_old_and_new(self.context)
        self.made.append(1)

    async def holds(self) -> None:
        for model, left in LEFT.items():
            assert await self.count(model) == left * sum(self.made), model.__name__


class UnusedFiles(Story):
    """What nobody made use of goes, rows and objects; what is kept stays whole."""

    job = "files.sweep"

    async def scene(self) -> None:
        for each in [] if self.made else objects(self.folder):
            (self.folder / each).unlink()
        account = await make_account(self.context.database)
        kept = await uploaded(self.context, account.id, Purpose.RECORD)
        await uploaded(self.context, account.id, Purpose.RECORD)
        async with self.context.begin() as tx:
            await files.keep(tx, kept)
        clock.move(UNUSED_LIFE + timedelta(minutes=1))
        self.made.append(kept)

    async def holds(self) -> None:
        assert {each.id for each in await self.rows(File)} == {each.id for each in self.made}
        names = [name for each in self.made for name in each.object_names()]
        assert objects(self.folder) == sorted(names)


class OldCopies(Story):
    """Copies whose week is over cannot be opened by anybody any more."""

    job = "privacy.sweep"

    async def scene(self) -> None:
        account, now = await make_account(self.context.database), clock.now()
        async with self.context.begin() as tx:
            for expires_at in (now - timedelta(minutes=1), now + EXPORT_LIFE):
                tx.add(Export(
                    id=ExportId.new(), account_id=account.id, pending_for=None, state=ExportState.READY, attempt=RowId.new(),
                    data_key="x" * 44, size_bytes=1, asked_at=now, made_at=now, expires_at=expires_at,
                ))  # fmt: skip
        self.made.append(account)

    async def holds(self) -> None:
        found = Counter((each.state, each.data_key is None) for each in await self.rows(Export))
        assert found == {(ExportState.READY, False): len(self.made), (ExportState.EXPIRED, True): len(self.made)}


class OldExports(Story):
    """Exports whose three years are over cannot be opened by anybody any more; their rows stay."""

    job = "consultations.sweep"

    async def scene(self) -> None:
        hospital, now = await make_hospital(self.context.database), clock.now()
        async with self.context.begin() as tx:
            for expires_at in (now - timedelta(minutes=1), now + timedelta(days=1)):
                export = RegulatorExport(
                    id=RegulatorExportId.new(), hospital_id=hospital.id, scope=ExportScope.ACTS, first_day=date(2026, 11, 1),
                    last_day=date(2026, 11, 2), authority="省卫生健康委员会", document_no="函〔2026〕1号",
                    asked_by=AccountId.new(), pending_for=None, state=RegulatorExportState.READY, consultations=0,
                    asked_at=now, made_at=now, expires_at=expires_at,
                )  # fmt: skip
                tx.add(export)
                await tx.flush()
                tx.add(RegulatorExportPart(
                    export_id=export.id, number=1, last_id=None, attempt=RowId.new(), data_key="x" * 44, consultations=0,
                    size_bytes=1, sha256=bytes(32), made_at=now,
                ))  # fmt: skip
        self.made.append(hospital)

    async def holds(self) -> None:
        half, keys = len(self.made), {each.export_id: each.data_key for each in await self.rows(RegulatorExportPart)}
        found = Counter((each.state, keys[each.id] is None) for each in await self.rows(RegulatorExport))
        assert found == {(RegulatorExportState.READY, False): half, (RegulatorExportState.EXPIRED, True): half}


class PapersRunOut(Story):
    """Everybody whose licence runs out is warned once, and so is their desk."""

    job = "clinicians.watch_expiry"

    async def scene(self) -> None:
        async with self.context.begin() as tx:  # the ones before need not be looked at again
            await tx.execute(update(Clinician).values(state=ClinicianState.EXITED))
        hospital = await make_hospital(self.context.database)
        soon = clock.today(clock.now()).astimezone(clock.SHANGHAI).date() + timedelta(days=30)
        await make_clinician(self.context.database, hospital.id, licence_valid_until=soon)
        self.made.append(hospital)

    async def holds(self) -> None:
        assert await self.count(ExpiryWarning) == len(self.made)
        assert await self.told() == {"clinician.paper_runs_out": 2 * len(self.made)}


class BooksToCheck(Story):
    """Looking changes nothing."""

    job = "settlements.check_books"

    async def scene(self) -> None:
        async with self.context.begin() as tx:
            await settlements.post(
                tx, PostingKind.PAYMENT, BookingId.new(), payment_entries(Fen(100)),
                hospital_id=HospitalId.new(), subject_id="x", now=clock.now(),
            )  # fmt: skip
        self.made.append(1)

    async def holds(self) -> None:
        assert await self.count(Posting) == sum(self.made)
        assert await settlements.check_books(self.context.begin) == 0


JOB_STORIES: list[type[Story]] = [
    NotificationTaken, RefundTaken, NobodyPaid, PaidInSilence, NobodyAccepts, NobodyAccepted, NobodyAssigned,
    NobodyCame, NobodyIsThere, DayOfSilence, WindowOver, NobodyAnswered, PilotOver, PhotographsToRead, CopyAskedFor, AuthorityAsked,
]  # fmt: skip
TIMER_STORIES: list[type[Story]] = [
    AuditToSeal, OldRows, UnusedFiles, OldCopies, OldExports, PapersRunOut, BooksToCheck,
]  # fmt: skip
#: Told in `test_killed_worker`, where the world outside is looked at too.
TOLD_THERE = frozenset({"payments.refund", "payments.query", "bookings.expire", "partners.deliver"})
