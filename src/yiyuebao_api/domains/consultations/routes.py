"""Consultations over HTTP: everything the socket can do, and what comes before and after the talk."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from yiyuebao_api.domains.accounts.guards import Anyone, Clinician, HospitalDesk, Member, Operator, Patient
from yiyuebao_api.domains.clinicians.queries import clinician_of_account
from yiyuebao_api.domains.consents.problems import ConsentMissing
from yiyuebao_api.domains.consultations import queries, service
from yiyuebao_api.domains.consultations.guards import AsParty, OwnConsultation, Party, ServedConsultation
from yiyuebao_api.domains.consultations.live import sockets
from yiyuebao_api.domains.consultations.models import Consultation
from yiyuebao_api.domains.consultations.problems import (
    AcceptFirst,
    AlreadyRated,
    AnswerNotDue,
    ApprovalMissing,
    ClinicianNotServing,
    ConsultationExpired,
    ConsultationNotOffered,
    ConsultationOfOtherKind,
    ConsultationStateRefused,
    DiagnosisForbidden,
    ExportWindowRefused,
    FirstVisitRefused,
    FirstVisitUnconfirmed,
    FlagAlreadyDecided,
    MessageMalformed,
    OfferTooDear,
    PairBlocked,
    PilotOverlaps,
    PilotPeriodRefused,
    PriceOutOfLimits,
    RealNameNeeded,
    RecallTooLate,
    RegulatorExportExpired,
    RegulatorExportNotReady,
    RegulatorExportPending,
    RegulatorExportTooLarge,
    RoundsUsedUp,
    SignInAgain,
    SummaryAlreadyWritten,
    TooManyDevices,
    TooManyUnpaidConsultations,
    UnderSixRefused,
)
from yiyuebao_api.domains.consultations.problems import OwnConsultation as OwnConsultationRefused
from yiyuebao_api.domains.consultations.rules import (
    ConsultKind,
    ConsultState,
    FlagState,
    Measure,
    MessageKind,
    SenderRole,
)
from yiyuebao_api.domains.consultations.schemas import (
    AcceptFollowUpIn,
    ChangeClinicianIn,
    ChecksumOut,
    ConsultationApprovalIn,
    ConsultationApprovalOut,
    ConsultationFlagOut,
    ConsultationMoveOut,
    ConsultationOfferIn,
    ConsultationOfferOut,
    ConsultationOut,
    ConsultationPilotIn,
    ConsultationPilotOut,
    ConsultationRatingOut,
    ConsultationReasonIn,
    ConsultationTermsIn,
    ConsultationTermsOut,
    ConsultIn,
    DecideFlagIn,
    EndPilotIn,
    GiveExtensionIn,
    HospitalConsultationOut,
    LiveTicketOut,
    MarkOut,
    MarksIn,
    MessageFileOut,
    MessageOut,
    MessagesOut,
    OpenOfferOut,
    RateConsultationIn,
    RegulatorExportIn,
    RegulatorExportOut,
    ReportIn,
    SendMessageIn,
    SentMessageOut,
    SummaryIn,
    SummaryOut,
)
from yiyuebao_api.domains.files.problems import FileNotFound
from yiyuebao_api.domains.files.queries import find_file
from yiyuebao_api.domains.hospitals.queries import require_open_hospital
from yiyuebao_api.domains.payments.problems import MerchantMissing, PaymentRefused, PaymentWindowClosed, WeChatNotBound
from yiyuebao_api.domains.payments.schemas import PayIn, PrepaidOut
from yiyuebao_api.gateways.object_store import Store
from yiyuebao_api.gateways.payment import Gateway
from yiyuebao_api.kernel import audit, clock, tickets
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Transactions, Tx
from yiyuebao_api.kernel.idempotency import (
    Claimed,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    OnceRoute,
    RequestInProgress,
)
from yiyuebao_api.kernel.ids import (
    ConsultationFlagId,
    ConsultationId,
    ConsultationPilotId,
    HospitalId,
    MessageId,
    RegulatorExportId,
)
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, cursor_of, page
from yiyuebao_api.kernel.presence import Presence
from yiyuebao_api.kernel.problems import InvalidInput, NotFound, ProviderDown, Unauthenticated, merge, refuses
from yiyuebao_api.kernel.tokens import Mode, claims_of

live = APIRouter(prefix="/v1/consultations/live-tickets", tags=["consultations"], route_class=OnceRoute)
router = APIRouter(prefix="/v1/consultations", tags=["consultations"], route_class=OnceRoute)
desk = APIRouter(prefix="/v1/hospital/consultations", tags=["consultations"], route_class=OnceRoute)
operator = APIRouter(prefix="/v1/operator/consultations", tags=["consultations"], route_class=OnceRoute)

_ONCE = (IdempotencyKeyMissing, IdempotencyKeyReused, RequestInProgress)
_GATES = (
    ConsultationNotOffered, OwnConsultationRefused, RealNameNeeded, FirstVisitRefused, UnderSixRefused, ConsentMissing,
    FileNotFound,
)  # fmt: skip
_PAY = (
    NotFound, ConsultationExpired, ConsultationStateRefused, ConsultationNotOffered, FirstVisitRefused, ConsentMissing,
    WeChatNotBound, MerchantMissing, PaymentRefused, PaymentWindowClosed, ProviderDown, *_ONCE,
)  # fmt: skip
_ZIP: dict[int | str, dict[str, Any]] = {
    200: {"description": "One part of the export, a zip of `about.json` and `consultations.jsonl`.",
          "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}
}  # fmt: skip
_AfterSeq = Annotated[int, Query(ge=0, le=2_000_000_000, description="The last seq you have.", examples=[0])]
_Limit = Annotated[int, Query(ge=1, le=service.MAX_PAGE, description="At most so many messages.")]


# ── the live socket ──────────────────────────────────────────────────────────────────────────────────────────────────


@live.post("", summary="申请在线连接凭证")
async def create_live_ticket(caller: Member, request: Request, tx: Tx, now: Now) -> LiveTicketOut:
    """A ticket for one live socket (`openapi/live.json`): works once, within thirty seconds, as whoever asks now."""
    claims = claims_of(request)
    if claims is None or claims.expires_at is None:
        raise Unauthenticated
    ticket = await tickets.issue(tx, claims, until=claims.expires_at, now=now)
    return LiveTicketOut(ticket=ticket, expires_at=now + tickets.LIFETIME)


# ── what is offered ──────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/offers", summary="可咨询的医护人员", responses=refuses(NotFound, InvalidCursor))
async def list_consultation_offers(
    caller: Anyone, paging: Pages, tx: Tx, now: Now,
    hospital_id: Annotated[HospitalId, Query(description="Whose staff.")],
    kind: Annotated[ConsultKind | None, Query(description="Only this kind.")] = None,
    presence: Annotated[Presence | None, Query(description="Only of those who are online, busy or offline now.")] = None,
) -> Page[OpenOfferOut]:  # fmt: skip
    """What the staff of an open hospital offers now, within the hospital's terms; who is online comes first."""
    today = service.day_of(now)
    await require_open_hospital(tx, hospital_id, on=today)
    approved = await queries.is_approved(tx, hospital_id, today)
    rows = await queries.list_open_offers(
        tx, hospital_id, kind, approved, paging, there=presence, moment=clock.system_now()
    )
    shown = rows[: paging.limit]
    rated = await queries.ratings_of(tx, {row.clinician.id for row in shown})
    pilots = await queries.pilots_in_force(tx, hospital_id, today) if approved else {}
    return Page(
        items=[
            OpenOfferOut.of_clinician(
                row.offer, row.clinician, row.seen, rated.get(row.clinician.id),
                first_visit=row.offer.kind is ConsultKind.ONLINE_FOLLOW_UP and row.clinician.specialty in pilots,
            )
            for row in shown
        ],
        next_cursor=cursor_of(shown[-1].rank, shown[-1].offer.id) if len(rows) > paging.limit else None,
    )


@router.get("/offers/mine", summary="我的咨询定价", responses=refuses(NotFound))
async def list_my_consultation_offers(caller: Clinician, tx: Tx) -> list[ConsultationOfferOut]:
    """The caller's own prices at the hospital they are signed in for."""
    clinician = await clinician_of_account(tx, caller.account_id, caller.hospital_id)
    if clinician is None:
        raise NotFound
    return [ConsultationOfferOut.of(each) for each in await queries.list_offers_of(tx, clinician.id)]


@router.put(
    "/offers/{kind}/{measure}", summary="设置咨询价格",
    responses=refuses(NotFound, ClinicianNotServing, ConsultationNotOffered, PriceOutOfLimits),
)  # fmt: skip
async def set_consultation_offer(
    kind: ConsultKind, measure: Measure, caller: Clinician, body: ConsultationOfferIn, tx: Tx, now: Now
) -> ConsultationOfferOut:
    """Set one's own price within the hospital's limits; consultations that exist keep theirs."""
    offer = await service.set_offer(
        tx, caller.account_id, caller.hospital_id, kind, measure, quantity=body.quantity, price_fen=body.price_fen,
        is_open=body.is_open, now=now,
    )  # fmt: skip
    return ConsultationOfferOut.of(offer)


# ── asking and paying ────────────────────────────────────────────────────────────────────────────────────────────────


@router.post(
    "", status_code=201, summary="发起咨询", responses=refuses(NotFound, *_GATES, TooManyUnpaidConsultations, *_ONCE)
)
async def open_consultation(
    caller: Patient, once: Claimed, body: ConsultIn, request: Request, tx: Tx, now: Now
) -> ConsultationOut:
    """Ask a clinician; it is kept for fifteen minutes while you pay."""
    business = request.app.state.settings.business
    made = await service.open_consultation(tx, caller.account_id, _asked(body), business, now=now)
    return ConsultationOut.of(made, SenderRole.PATIENT, now, 0)


@router.get("", summary="我的咨询", responses=refuses(InvalidCursor))
async def list_consultations(caller: Patient, paging: Pages, tx: Tx, now: Now) -> Page[ConsultationOut]:
    """My consultations, newest first."""
    rows = await queries.list_own(tx, caller.account_id, paging)
    read = await queries.read_seqs(tx, caller.account_id, [each.id for each in rows])
    role = SenderRole.PATIENT
    return page(rows, paging, lambda row: ConsultationOut.of(row, role, now, read.get(row.id, 0)), lambda row: row.id)


@router.get("/mine", summary="我接诊的咨询", responses=refuses(InvalidCursor))
async def list_my_consultations(
    caller: Clinician, paging: Pages, tx: Tx, now: Now,
    state: Annotated[list[ConsultState] | None, Query(max_length=6, description="Only in these states.")] = None,
) -> Page[ConsultationOut]:  # fmt: skip
    """Paid consultations that the caller answers, newest first."""
    rows = await queries.list_served(tx, caller.account_id, caller.hospital_id, state or (), paging)
    read = await queries.read_seqs(tx, caller.account_id, [each.id for each in rows])
    role = SenderRole.CLINICIAN
    return page(rows, paging, lambda row: ConsultationOut.of(row, role, now, read.get(row.id, 0)), lambda row: row.id)


@router.get("/{consultation_id}", summary="咨询详情", responses=refuses(NotFound))
async def read_consultation(party: AsParty, tx: Tx, now: Now) -> ConsultationOut:
    """One consultation, for either of the two."""
    _note_look(tx, party, "consultations.read", now)
    return await _out(tx, party.consultation, party.role, now)


@router.get("/{consultation_id}/timeline", summary="咨询进度", responses=refuses(NotFound))
async def read_consultation_timeline(party: AsParty, tx: Tx) -> list[ConsultationMoveOut]:
    """What happened to it, in order."""
    return [ConsultationMoveOut.of(each) for each in await queries.timeline_of(tx, party.consultation.id)]


@router.post("/{consultation_id}/payment", status_code=201, summary="支付咨询", responses=refuses(*_PAY))
async def pay_consultation(
    caller: Patient, once: Claimed, consultation_id: ConsultationId, body: PayIn, request: Request, gateway: Gateway,
    begin: Transactions, now: Now,
) -> PrepaidOut:  # fmt: skip
    """Ask WeChat for the money; hand the answer's `parameters` to the phone."""
    payment, parameters = await service.pay_consultation(
        begin, gateway, once, consultation_id, channel=body.channel, account_id=caller.account_id,
        settings=request.app.state.settings.wechat_pay, now=now,
    )  # fmt: skip
    return PrepaidOut(
        payment_id=payment.id, channel=payment.channel, amount_fen=payment.amount_fen, expires_at=payment.expires_at,
        parameters=parameters,
    )  # fmt: skip


@router.post("/{consultation_id}/extensions", status_code=201, summary="续时或加问", responses=refuses(*_PAY))
async def buy_extension(
    caller: Patient, once: Claimed, consultation_id: ConsultationId, body: PayIn, request: Request, gateway: Gateway,
    begin: Transactions, now: Now,
) -> PrepaidOut:  # fmt: skip
    """As much again, with one tap: added when the money is there; money that comes after the end goes back."""
    settings = request.app.state.settings
    payment, parameters = await service.buy_extension(
        begin, gateway, once, consultation_id, channel=body.channel, account_id=caller.account_id,
        settings=settings.wechat_pay, business=settings.business, now=now,
    )  # fmt: skip
    return PrepaidOut(
        payment_id=payment.id, channel=payment.channel, amount_fen=payment.amount_fen, expires_at=payment.expires_at,
        parameters=parameters,
    )  # fmt: skip


@router.post(
    "/{consultation_id}/extensions/give", summary="免费延长咨询", responses=refuses(NotFound, ConsultationStateRefused)
)
async def give_extension(consultation: ServedConsultation, body: GiveExtensionIn, tx: Tx, now: Now) -> ConsultationOut:
    """The clinician gives further rounds or minutes."""
    given = await service.give_extension(tx, consultation.id, body.quantity, now=now)
    return await _out(tx, given, SenderRole.CLINICIAN, now)


# ── the patient's choices ────────────────────────────────────────────────────────────────────────────────────────────


@router.post("/{consultation_id}/leave", summary="结束或取消咨询", responses=refuses(NotFound))
async def leave_consultation(consultation: OwnConsultation, tx: Tx, now: Now) -> ConsultationOut:
    """Unanswered, all money goes back; answered, it ends. One that is over stays as it is."""
    left = await service.leave_consultation(tx, consultation.id, now=now)
    return await _out(tx, left, SenderRole.PATIENT, now)


@router.post(
    "/{consultation_id}/wait", summary="继续等待回复", responses=refuses(NotFound, AnswerNotDue, ConsultationStateRefused)
)
async def wait_for_answer(consultation: OwnConsultation, tx: Tx, now: Now) -> ConsultationOut:
    """No answer came in time: wait for another half hour."""
    waiting = await service.wait_on(tx, consultation.id, now=now)
    return await _out(tx, waiting, SenderRole.PATIENT, now)


@router.post(
    "/{consultation_id}/change", summary="更换医护人员",
    responses=refuses(
        NotFound, AnswerNotDue, ConsultationStateRefused, OfferTooDear, ConsultationNotOffered, OwnConsultationRefused,
        UnderSixRefused, FirstVisitRefused,
    ),
)  # fmt: skip
async def change_clinician(consultation: OwnConsultation, body: ChangeClinicianIn, tx: Tx, now: Now) -> ConsultationOut:
    """No answer came in time: ask another clinician of the hospital; what they cost less goes back."""
    changed = await service.change_clinician(tx, consultation.id, body.offer_id, now=now)
    return await _out(tx, changed, SenderRole.PATIENT, now)


@router.delete(
    "/{consultation_id}", status_code=204, summary="从列表移除咨询", responses=refuses(NotFound, ConsultationStateRefused)
)
async def hide_consultation(consultation: OwnConsultation, tx: Tx, now: Now) -> None:
    """Remove one that is over from my list; what was said is kept for the legal term (RULE-82)."""
    await service.hide_consultation(tx, consultation.id, now=now)


# ── the clinician's side ─────────────────────────────────────────────────────────────────────────────────────────────


@router.post(
    "/{consultation_id}/accept", summary="接诊在线复诊",
    responses=refuses(
        NotFound, ConsultationOfOtherKind, ConsultationStateRefused, FirstVisitUnconfirmed, FirstVisitRefused, SignInAgain,
        ClinicianNotServing,
    ),
)  # fmt: skip
async def accept_follow_up(
    caller: Clinician, consultation: ServedConsultation, body: AcceptFollowUpIn, tx: Tx, now: Now
) -> ConsultationOut:
    """The proof was checked and it fits a follow-up, or it fits a first visit; only then it can be answered (RULE-76, 77, 80)."""
    accepted = await service.accept_follow_up(
        tx, consultation.id, caller.session_id, first_visit=body.fits_first_visit is True, now=now
    )
    return await _out(tx, accepted, SenderRole.CLINICIAN, now)


@router.post("/{consultation_id}/decline", summary="不接诊", responses=refuses(NotFound, ConsultationStateRefused))
async def decline_consultation(
    consultation: ServedConsultation, body: ConsultationReasonIn, tx: Tx, now: Now
) -> ConsultationOut:
    """Before the first answer: all money goes back."""
    declined = await service.decline_consultation(tx, consultation.id, body.reason, now=now)
    return await _out(tx, declined, SenderRole.CLINICIAN, now)


@router.post(
    "/{consultation_id}/terminate", summary="终止并建议到院", responses=refuses(NotFound, ConsultationStateRefused)
)
async def terminate_consultation(
    consultation: ServedConsultation, body: ConsultationReasonIn, tx: Tx, now: Now
) -> ConsultationOut:
    """Online is unfit: it ends at once, all money goes back, the patient is sent to a hospital (RULE-78)."""
    ended = await service.terminate_consultation(tx, consultation.id, body.reason, now=now)
    return await _out(tx, ended, SenderRole.CLINICIAN, now)


@router.post(
    "/{consultation_id}/close", summary="提交小结并结束咨询",
    responses=refuses(NotFound, ConsultationStateRefused, SummaryAlreadyWritten, DiagnosisForbidden),
)  # fmt: skip
async def close_consultation(
    caller: Clinician, consultation: ServedConsultation, body: SummaryIn, tx: Tx, now: Now
) -> SummaryOut:
    """End it with the structured summary, or add the summary to one that has ended without it."""
    content = body.model_dump(exclude={"messages"})
    closed = await service.close_consultation(
        tx, consultation.id, content, body.messages, author=caller.account_id, now=now
    )
    return SummaryOut.of(await queries.require_summary(tx, closed.id), closed)


# ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/{consultation_id}/messages", summary="咨询消息", responses=refuses(NotFound))
async def list_messages(party: AsParty, tx: Tx, now: Now, after_seq: _AfterSeq = 0, limit: _Limit = 50) -> MessagesOut:
    """What follows a seq, in order; the same log that the socket reads."""
    rows = await service.list_messages(tx, party.consultation.id, party.account_id, after_seq, limit)
    files = await queries.files_of(tx, rows)
    items = [MessageOut.of(each, files, now) for each in rows]
    return MessagesOut(items=items, last_seq=party.consultation.last_seq)


@router.post(
    "/{consultation_id}/messages", summary="发送消息",
    responses=refuses(
        NotFound, MessageMalformed, ConsultationStateRefused, PairBlocked, RoundsUsedUp, AcceptFirst, ClinicianNotServing,
        FileNotFound,
    ),
)  # fmt: skip
async def send_message(party: AsParty, body: SendMessageIn, tx: Tx, now: Now) -> SentMessageOut:
    """Stored before this answers; the same `client_msg_id` again, here or on the socket, is the same message."""
    sent = await service.send_message(
        tx, consultation_id=party.consultation.id, sender=party.account_id, client_msg_id=body.client_msg_id,
        kind=MessageKind(body.kind), body=body.body, now=now,
    )  # fmt: skip
    return SentMessageOut.model_validate(sent)


@router.post(
    "/{consultation_id}/messages/{message_id}/recall", summary="撤回消息", responses=refuses(NotFound, RecallTooLate)
)
async def recall_message(party: AsParty, message_id: MessageId, tx: Tx, now: Now) -> MessageOut:
    """Take back one's own message within two minutes; answers its tombstone, which has a seq of its own."""
    stone = await service.recall_message(
        tx, consultation_id=party.consultation.id, sender=party.account_id, message_id=message_id, now=now
    )
    return MessageOut.of(stone, {}, now)


@router.get("/{consultation_id}/messages/{message_id}/file", summary="消息中的图片或文件", responses=refuses(NotFound))
async def read_message_file(party: AsParty, message_id: MessageId, tx: Tx, now: Now) -> MessageFileOut:
    """A fresh link to what a message carries, for either of the two."""
    return MessageFileOut.of(await service.require_message_file(tx, party.consultation.id, message_id), now)


@router.get("/{consultation_id}/proof", summary="复诊诊断证明", responses=refuses(NotFound))
async def read_proof(party: AsParty, tx: Tx, now: Now) -> MessageFileOut:
    """The proof of the earlier diagnosis, for either of the two (RULE-76)."""
    proof = party.consultation.proof_file_id
    file = await find_file(tx, proof) if proof is not None else None
    if file is None:
        raise NotFound
    _note_look(tx, party, "consultations.read_proof", now)
    return MessageFileOut.of(file, now)


@router.put(
    "/{consultation_id}/marks", summary="更新已送达和已读", responses=refuses(NotFound, MessageMalformed, TooManyDevices)
)
async def set_marks(party: AsParty, body: MarksIn, tx: Tx, now: Now) -> MarkOut:
    """How far this device has received and read; marks only grow."""
    found = await service.mark(
        tx, party.consultation.id, party.account_id, body.device_id, delivered=body.delivered_seq, read=body.read_seq,
        now=now,
    )  # fmt: skip
    return MarkOut.of(found, party.consultation)


@router.get("/{consultation_id}/marks", summary="已送达和已读", responses=refuses(NotFound))
async def list_marks(party: AsParty, tx: Tx) -> list[MarkOut]:
    """How far every device of the two is, with times."""
    return [MarkOut.of(each, party.consultation) for each in await queries.list_marks(tx, party.consultation.id)]


@router.get("/{consultation_id}/checksum", summary="消息校验和", responses=refuses(NotFound))
async def read_checksum(
    party: AsParty, tx: Tx,
    seq: Annotated[int | None, Query(ge=1, le=2_000_000_000, description="Up to this one; all without.")] = None,
) -> ChecksumOut:  # fmt: skip
    """So that a device can prove to itself that it has every message, in order (C20)."""
    until = min(seq or party.consultation.last_seq, party.consultation.last_seq)
    return ChecksumOut(seq=until, sha256=await service.checksum(tx, party.consultation.id, until))


# ── summary, rating, report, block ───────────────────────────────────────────────────────────────────────────────────


@router.get("/{consultation_id}/summary", summary="咨询小结", responses=refuses(NotFound))
async def read_summary(party: AsParty, tx: Tx) -> SummaryOut:
    """The clinician's structured summary."""
    return SummaryOut.of(await queries.require_summary(tx, party.consultation.id), party.consultation)


@router.post("/{consultation_id}/summary/file", summary="存档咨询小结", responses=refuses(NotFound))
async def file_summary(consultation: OwnConsultation, tx: Tx, now: Now) -> SummaryOut:
    """Keep the summary in the patient's file."""
    return SummaryOut.of(await service.file_summary(tx, consultation, now=now), consultation)


@router.post(
    "/{consultation_id}/rating", summary="评价咨询", responses=refuses(NotFound, ConsultationStateRefused, AlreadyRated)
)
async def rate_consultation(
    consultation: OwnConsultation, body: RateConsultationIn, tx: Tx, now: Now
) -> ConsultationRatingOut:
    """Once, after it has ended."""
    return ConsultationRatingOut.of(await service.rate(tx, consultation, body.stars, body.words, now=now))


@router.post("/{consultation_id}/reports", status_code=204, summary="举报", responses=refuses(NotFound))
async def report_consultation(party: AsParty, body: ReportIn, tx: Tx, now: Now) -> None:
    """Ask the platform to look at a message or at the whole consultation."""
    await service.report(
        tx, party.consultation, party.account_id, rule=body.about, words=body.words, message_id=body.message_id, now=now
    )


@router.post("/{consultation_id}/block", status_code=204, summary="拉黑对方", responses=refuses(NotFound))
async def block_other(party: AsParty, tx: Tx, now: Now) -> None:
    """Nothing passes between the two any more, here and in new consultations."""
    await service.block(tx, party.account_id, party.other, now=now)


@router.post("/{consultation_id}/unblock", status_code=204, summary="取消拉黑", responses=refuses(NotFound))
async def unblock_other(party: AsParty, tx: Tx) -> None:
    """Take one's own block back."""
    await service.unblock(tx, party.account_id, party.other)


# ── the hospital's desk ──────────────────────────────────────────────────────────────────────────────────────────────


@desk.get("", summary="本院咨询", responses=refuses(InvalidCursor))
async def list_hospital_consultations(
    caller: HospitalDesk, paging: Pages, tx: Tx, now: Now
) -> Page[HospitalConsultationOut]:
    """Paid consultations of this hospital, newest first; not a word of what was said."""
    rows = await queries.list_of_hospital(tx, caller.hospital_id, paging)
    return page(rows, paging, lambda row: HospitalConsultationOut.of(row, now), lambda row: row.id)


@desk.get("/terms", summary="本院咨询规定")
async def list_consultation_terms(caller: HospitalDesk, tx: Tx) -> list[ConsultationTermsOut]:
    """Which kinds are open, and between which prices."""
    return [ConsultationTermsOut.of(each) for each in await queries.list_terms(tx, caller.hospital_id)]


@desk.put("/terms/{kind}", summary="设置咨询规定", responses=refuses(NotFound, ApprovalMissing))
async def set_consultation_terms(
    kind: ConsultKind, caller: HospitalDesk, body: ConsultationTermsIn, tx: Tx, now: Now
) -> ConsultationTermsOut:
    """Open or close a kind, and set the limits of its prices; online follow-up needs an approval (RULE-75)."""
    if body.min_fen > body.max_fen:
        raise InvalidInput
    terms = await service.set_terms(
        tx, caller.hospital_id, kind, is_open=body.is_open, min_fen=body.min_fen, max_fen=body.max_fen, now=now
    )
    return ConsultationTermsOut.of(terms)


@desk.get("/pilots", summary="本院首诊试点", responses=refuses(InvalidCursor))
async def list_hospital_pilots(caller: HospitalDesk, paging: Pages, tx: Tx, now: Now) -> Page[ConsultationPilotOut]:
    """Where this hospital may take first visits online, as the operator has recorded it (RULE-77)."""
    rows, today = await queries.list_pilots(tx, caller.hospital_id, paging), service.day_of(now)
    return page(rows, paging, lambda row: ConsultationPilotOut.of(row, today), lambda row: row.id)


@desk.get("/exports", summary="本院监管导出记录", responses=refuses(InvalidCursor))
async def list_hospital_exports(caller: HospitalDesk, paging: Pages, tx: Tx, now: Now) -> Page[RegulatorExportOut]:
    """What of this hospital was exported for whom; the content goes to the authority only (RULE-83)."""
    rows = await queries.list_exports(tx, caller.hospital_id, paging)
    parts = await queries.parts_of(tx, [each.id for each in rows])
    return page(rows, paging, lambda row: RegulatorExportOut.of(row, parts[row.id], now), lambda row: row.id)


# ── the operator ─────────────────────────────────────────────────────────────────────────────────────────────────────


@operator.get("/flags", summary="咨询内容审核队列", responses=refuses(InvalidCursor))
async def list_consultation_flags(
    caller: Operator, paging: Pages, tx: Tx,
    state: Annotated[FlagState, Query(description="`open`: waits for a person.")] = FlagState.OPEN,
) -> Page[ConsultationFlagOut]:  # fmt: skip
    """What rules found and people reported (RULE-86), newest first."""
    return page(await queries.list_flags(tx, state, paging), paging, ConsultationFlagOut.of, lambda row: row.id)


@operator.post(
    "/flags/{flag_id}/decide", summary="处理审核", responses=refuses(NotFound, FlagAlreadyDecided)
)
async def decide_consultation_flag(
    flag_id: ConsultationFlagId, caller: Operator, body: DecideFlagIn, tx: Tx, now: Now
) -> ConsultationFlagOut:
    """Dismiss it, or uphold it: its message is hidden from both, and kept."""
    flag = await service.decide_flag(
        tx, flag_id, uphold=body.uphold, decision=body.decision, operator=caller.account_id, now=now
    )
    return ConsultationFlagOut.of(flag)


@operator.get("/{consultation_id}/messages", summary="审核咨询内容", responses=refuses(NotFound))
async def review_messages(
    consultation_id: ConsultationId, caller: Operator, tx: Tx, now: Now, after_seq: _AfterSeq = 0, limit: _Limit = 50
) -> MessagesOut:
    """What was said, hidden messages included; leaves no mark that the two could see, and a row in the audit."""
    consultation = await queries.require_consultation(tx, consultation_id)
    rows = await queries.list_messages(tx, consultation_id, after_seq, limit)
    files = await queries.files_of(tx, rows)
    audit.note(
        tx, actor=caller.account_id, mode=Mode.OPERATOR, action="consultations.review",
        subject_patient=consultation.patient_id, subject=consultation_id, basis="moderation", now=now,
    )  # fmt: skip
    items = [MessageOut.of(each, files, now, original=True) for each in rows]
    return MessagesOut(items=items, last_seq=consultation.last_seq)


@operator.put("/approvals/{hospital_id}", summary="登记互联网诊疗许可", responses=refuses(NotFound))
async def record_consultation_approval(
    hospital_id: HospitalId, caller: Operator, body: ConsultationApprovalIn, tx: Tx, now: Now
) -> ConsultationApprovalOut:
    """The operator has seen the hospital's approval for online diagnosis (RULE-76)."""
    approval = await service.record_approval(
        tx, hospital_id, approval_no=body.approval_no, valid_until=body.valid_until, operator=caller.account_id, now=now
    )
    return ConsultationApprovalOut.of(approval)


@operator.post(
    "/pilots", status_code=201, summary="登记首诊试点",
    responses=refuses(NotFound, ApprovalMissing, PilotPeriodRefused, PilotOverlaps, *_ONCE),
)  # fmt: skip
async def record_pilot(
    caller: Operator, once: Claimed, body: ConsultationPilotIn, tx: Tx, now: Now
) -> ConsultationPilotOut:
    """Put a hospital's specialty on the pilot: first visits online, for the days of the document (RULE-77)."""
    pilot = await service.record_pilot(
        tx, body.hospital_id, specialty=body.specialty, document_no=body.document_no, first_day=body.first_day,
        last_day=body.last_day, operator=caller.account_id, now=now,
    )  # fmt: skip
    return ConsultationPilotOut.of(pilot, service.day_of(now))


@operator.get("/pilots", summary="首诊试点", responses=refuses(InvalidCursor))
async def list_pilots(
    caller: Operator, paging: Pages, tx: Tx, now: Now,
    hospital_id: Annotated[HospitalId | None, Query(description="Only of this hospital.")] = None,
) -> Page[ConsultationPilotOut]:  # fmt: skip
    """What was recorded, newest first, ended ones too."""
    rows, today = await queries.list_pilots(tx, hospital_id, paging), service.day_of(now)
    return page(rows, paging, lambda row: ConsultationPilotOut.of(row, today), lambda row: row.id)


@operator.post("/pilots/{pilot_id}/end", summary="终止首诊试点", responses=refuses(NotFound))
async def end_pilot(
    pilot_id: ConsultationPilotId, caller: Operator, body: EndPilotIn, tx: Tx, now: Now
) -> ConsultationPilotOut:
    """No first visit is asked for, paid or accepted under it from now on; what was accepted goes on."""
    pilot = await service.end_pilot(tx, pilot_id, why=body.why, operator=caller.account_id, now=now)
    return ConsultationPilotOut.of(pilot, service.day_of(now))


@operator.post(
    "/exports", status_code=201, summary="申请监管导出",
    responses=refuses(NotFound, ExportWindowRefused, RegulatorExportTooLarge, RegulatorExportPending, *_ONCE),
)  # fmt: skip
async def ask_for_regulator_export(
    caller: Operator, once: Claimed, body: RegulatorExportIn, tx: Tx, now: Now
) -> RegulatorExportOut:
    """An authority has asked for a hospital's consultations of some days: pack them; the answer says what will be in it."""
    wish = service.Wish(**body.model_dump())
    return RegulatorExportOut.of(await service.ask_for_export(tx, wish, operator=caller.account_id, now=now), [], now)


@operator.get("/exports", summary="监管导出", responses=refuses(InvalidCursor))
async def list_regulator_exports(
    caller: Operator, paging: Pages, tx: Tx, now: Now,
    hospital_id: Annotated[HospitalId | None, Query(description="Only of this hospital.")] = None,
) -> Page[RegulatorExportOut]:  # fmt: skip
    """What was asked for, newest first."""
    rows = await queries.list_exports(tx, hospital_id, paging)
    parts = await queries.parts_of(tx, [each.id for each in rows])
    return page(rows, paging, lambda row: RegulatorExportOut.of(row, parts[row.id], now), lambda row: row.id)


@operator.get("/exports/{export_id}", summary="监管导出详情", responses=refuses(NotFound))
async def show_regulator_export(
    export_id: RegulatorExportId, caller: Operator, tx: Tx, now: Now
) -> RegulatorExportOut:
    """Whether it is there, and what is in it."""
    export = await queries.require_export(tx, export_id)
    return RegulatorExportOut.of(export, (await queries.parts_of(tx, [export_id]))[export_id], now)


@operator.get(
    "/exports/{export_id}/parts/{number}", summary="下载监管导出", response_class=Response,
    responses=merge(_ZIP, refuses(NotFound, RegulatorExportNotReady, RegulatorExportExpired, ProviderDown)),
)  # fmt: skip
async def fetch_regulator_export(
    export_id: RegulatorExportId, number: Annotated[int, Path(ge=1, le=1_000_000)], caller: Operator, begin: Transactions,
    store: Store, now: Now,
) -> Response:  # fmt: skip
    """One of its zips; every fetch leaves a row in the audit."""
    content = await service.fetch_part(begin, store, export_id, number, operator=caller.account_id, now=now)
    headers = {"Content-Disposition": f'attachment; filename="{export_id}-{number}.zip"', "Cache-Control": "no-store"}
    return Response(content, media_type="application/zip", headers=headers)


@operator.get(
    "/exports/{export_id}/consultations/{consultation_id}/file", summary="监管导出中的图片或文件",
    responses=refuses(NotFound, RegulatorExportNotReady, RegulatorExportExpired),
)  # fmt: skip
async def read_exported_file(
    export_id: RegulatorExportId, consultation_id: ConsultationId, caller: Operator, tx: Tx, now: Now,
    seq: Annotated[int | None, Query(ge=1, le=2_000_000_000, description="Which message; the proof without.")] = None,
) -> MessageFileOut:  # fmt: skip
    """A link to what an export of records names, for five minutes; every one leaves a row in the audit."""
    file = await service.require_exported_file(
        tx, export_id, consultation_id, seq, operator=caller.account_id, now=now
    )
    return MessageFileOut.of(file, now)


def _asked(body: ConsultIn) -> service.Asked:
    earlier = None
    if body.earlier is not None:
        earlier = service.Earlier(body.earlier.diagnosis, body.earlier.diagnosed_on, body.earlier.proof_file_id)
    return service.Asked(body.offer_id, body.patient_id, body.complaint, earlier, first_visit=body.first_visit)


def _note_look(tx: Tx, party: Party, action: str, now: Now) -> None:
    """The clinician is shown the patient's data: one row in the audit (RULE-152)."""
    if party.role is SenderRole.CLINICIAN:
        row = party.consultation
        audit.note(
            tx, actor=party.account_id, mode=Mode.CLINICIAN, hospital=row.hospital_id, action=action,
            subject_patient=row.patient_id, subject=row.id, basis="consultation", now=now,
        )  # fmt: skip


async def _out(tx: Tx, consultation: Consultation, role: SenderRole, now: Now) -> ConsultationOut:
    reader = consultation.accounts[0 if role is SenderRole.PATIENT else 1]
    read = await queries.read_seqs(tx, reader, [consultation.id])
    return ConsultationOut.of(consultation, role, now, read.get(consultation.id, 0))


ROUTERS: list[APIRouter] = [live, sockets, router, desk, operator]
