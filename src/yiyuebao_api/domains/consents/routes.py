"""/v1/consents: what is told, what was answered, what stands; /v1/operator/consents: what is told next."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from yiyuebao_api.domains.accounts.guards import Anyone, Caller, Member, Operator
from yiyuebao_api.domains.consents import queries, service
from yiyuebao_api.domains.consents.guards import OwnConsent
from yiyuebao_api.domains.consents.problems import (
    GuardianNeeded,
    NothingToWithdraw,
    NoticeNotFound,
    NoticeNotRead,
    NoticeSuperseded,
    PatientNeeded,
    PatientNotAsked,
    WrongNotice,
)
from yiyuebao_api.domains.consents.rules import Answer, Method, Purpose
from yiyuebao_api.domains.consents.schemas import (
    AnswerIn,
    ConsentNoticeIn,
    ConsentNoticeOut,
    ConsentOut,
    ProofOut,
    StandingOut,
    WithdrawIn,
)
from yiyuebao_api.domains.consents.service import Signature
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Tx
from yiyuebao_api.kernel.idempotency import OnceRoute
from yiyuebao_api.kernel.ids import ConsentNoticeId
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, page
from yiyuebao_api.kernel.problems import NotFound, refuses

router = APIRouter(prefix="/v1/consents", tags=["consents"], route_class=OnceRoute)
operator = APIRouter(prefix="/v1/operator/consents", tags=["consents"], route_class=OnceRoute)

_ANSWERED = (
    NotFound, NoticeNotFound, NoticeSuperseded, NoticeNotRead, WrongNotice, GuardianNeeded, PatientNeeded, PatientNotAsked,
)  # fmt: skip
_Wanted = Annotated[Purpose | None, Query(description="Only this purpose.")]


@router.get("/notices", summary="当前告知书")
async def list_current_notices(caller: Anyone, tx: Tx, now: Now, purpose: _Wanted = None) -> list[ConsentNoticeOut]:
    """The newest notice for each purpose; for guardians of children under 14 there is one of its own."""
    return [ConsentNoticeOut.of(each, now) for each in await queries.list_current_notices(tx, purpose)]


@router.get("/notices/{notice_id}", summary="告知书", responses=refuses(NotFound))
async def get_notice(caller: Anyone, notice_id: ConsentNoticeId, tx: Tx, now: Now) -> ConsentNoticeOut:
    """One version of a notice, as it was published."""
    return ConsentNoticeOut.of(await queries.require_notice(tx, notice_id), now)


@router.get("", summary="我的授权")
async def list_consents(caller: Member, tx: Tx, now: Now) -> list[StandingOut]:
    """Every purpose with what stands, for the account and for each of its patients; nothing is on by default."""
    standing = await service.list_standing(tx, caller.account_id, now=now)
    return [StandingOut.of(each.purpose, each.patient_id, each.standing, each.notice) for each in standing]


@router.get("/ledger", summary="授权记录", responses=refuses(InvalidCursor))
async def list_ledger(caller: Member, paging: Pages, tx: Tx) -> Page[ConsentOut]:
    """Every answer ever given by the account, newest first."""
    rows = await queries.list_answers(tx, caller.account_id, paging)
    return page(rows, paging, ConsentOut.of, lambda row: row.id)


@router.post("", status_code=201, summary="同意", responses=refuses(*_ANSWERED))
async def give_consent(caller: Member, body: AnswerIn, tx: Tx, now: Now) -> ConsentOut:
    """Agree to one notice, for one purpose. It counts from the next request on."""
    return await _answered(caller, body, tx, now, Answer.GIVEN)


@router.post("/refuse", status_code=201, summary="不同意", responses=refuses(*_ANSWERED))
async def refuse_consent(caller: Member, body: AnswerIn, tx: Tx, now: Now) -> ConsentOut:
    """Say no; the app does not ask again on its own for seven days."""
    return await _answered(caller, body, tx, now, Answer.REFUSED)


@router.post(
    "/withdraw", summary="撤回同意", responses=refuses(NotFound, NothingToWithdraw, PatientNeeded, PatientNotAsked)
)
async def withdraw_consent(caller: Member, body: WithdrawIn, tx: Tx, now: Now) -> ConsentOut:
    """Take a consent back, without conditions; the next request of that feature is refused, all others go on."""
    by = _signature(caller, body.method)
    return ConsentOut.of(await service.withdraw_consent(tx, by, body.purpose, body.patient_id, now=now))


@router.get("/{consent_id}/proof", summary="授权凭证", responses=refuses(NotFound))
async def get_proof(consent: OwnConsent, tx: Tx, now: Now) -> ProofOut:
    """One answer with the text it was given to: who, in which relation, when, how, from which device."""
    return ProofOut.of(consent, await queries.require_notice(tx, consent.notice_id), now)


# ── the operator ─────────────────────────────────────────────────────────────────────────────────────────────────────


@operator.post("/notices", status_code=201, summary="发布告知书", responses=refuses(NoticeSuperseded))
async def publish_notice(caller: Operator, body: ConsentNoticeIn, tx: Tx, now: Now) -> ConsentNoticeOut:
    """Publish the next version; with `renews` everybody must agree again before the feature works."""
    notice = await service.publish_notice(tx, body.text, renews=body.renews, by=caller.account_id, now=now)
    return ConsentNoticeOut.of(notice, now)


@operator.get("/notices", summary="告知书版本", responses=refuses(InvalidCursor))
async def list_notice_versions(
    caller: Operator, paging: Pages, tx: Tx, now: Now, purpose: _Wanted = None
) -> Page[ConsentNoticeOut]:
    """Every version ever published, newest first."""
    rows = await queries.list_notices(tx, purpose, paging)
    return page(rows, paging, lambda row: ConsentNoticeOut.of(row, now), lambda row: row.id)


async def _answered(caller: Caller, body: AnswerIn, tx: Tx, now: Now, answer: Answer) -> ConsentOut:
    by = _signature(caller, body.method, as_guardian=body.as_guardian)
    return ConsentOut.of(
        await service.answer_notice(tx, by, body.notice_id, body.patient_id, answer, read_at=body.read_at, now=now)
    )


def _signature(caller: Caller, method: Method, *, as_guardian: bool = False) -> Signature:
    return Signature(caller.account_id, caller.session_id, method, as_guardian)


ROUTERS = [router, operator]
