"""/v1/identities and /v1/operator/identities: showing a card, and deciding on it."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts.guards import Operator, Patient
from yiyuebao_api.domains.consents.problems import ConsentMissing
from yiyuebao_api.domains.files.problems import FileNotFound
from yiyuebao_api.domains.files.queries import find_file
from yiyuebao_api.domains.files.schemas import FileLinkOut
from yiyuebao_api.domains.files.service import signed_link
from yiyuebao_api.domains.identities import queries, service
from yiyuebao_api.domains.identities.guards import OwnIdentity
from yiyuebao_api.domains.identities.models import Identity
from yiyuebao_api.domains.identities.problems import (
    CardBlurred,
    CardExpired,
    CardNotReadable,
    CardNotRecognised,
    CardWrongSide,
    IdentityAlreadyVerified,
    IdentityDecided,
    IdentityPending,
    IdNumberMissing,
    PatientChanged,
    SameFileTwice,
)
from yiyuebao_api.domains.identities.schemas import (
    CardIn,
    CardReadingOut,
    IdentityFileOut,
    IdentityIn,
    IdentityOut,
    RejectionIn,
)
from yiyuebao_api.gateways.identity_ocr import IdentityGateway
from yiyuebao_api.gateways.object_store import Store
from yiyuebao_api.kernel.clock import Now
from yiyuebao_api.kernel.database import Transactions, Tx
from yiyuebao_api.kernel.idempotency import OnceRoute
from yiyuebao_api.kernel.ids import FileId, IdentityId
from yiyuebao_api.kernel.paging import InvalidCursor, Page, Pages, page
from yiyuebao_api.kernel.problems import NotFound, ProviderDown, refuses

router = APIRouter(prefix="/v1/identities", tags=["identities"], route_class=OnceRoute)
operator = APIRouter(prefix="/v1/operator/identities", tags=["identities"], route_class=OnceRoute)


@router.post(
    "", status_code=201, summary="提交实名认证",
    responses=refuses(
        NotFound, ConsentMissing, FileNotFound, SameFileTwice, IdNumberMissing, IdentityAlreadyVerified, IdentityPending
    ),
)  # fmt: skip
async def submit_identity(
    caller: Patient, body: IdentityIn, begin: Transactions, store: Store, reader: IdentityGateway, now: Now
) -> IdentityOut:
    """Show both sides of a patient's ID card; a person decides, whatever a machine reads."""
    return IdentityOut.of(await service.submit_identity(begin, store, reader, caller.account_id, body, now=now))


@router.post(
    "/card-reading", summary="识别身份证照片",
    responses=refuses(
        ConsentMissing, FileNotFound, CardWrongSide, CardNotRecognised, CardBlurred, CardExpired, CardNotReadable, ProviderDown
    ),
)  # fmt: skip
async def read_id_card(
    caller: Patient, body: CardIn, begin: Transactions, store: Store, reader: IdentityGateway, now: Now
) -> CardReadingOut:
    """Fill in a form from a photograph of one side, for the person to confirm; nothing is kept."""
    reading = await service.read_card(begin, store, reader, caller.account_id, body.file_id, body.side, now=now)
    return CardReadingOut.of(reading)


@router.get("/{identity_id}", summary="实名认证详情", responses=refuses(NotFound))
async def show_identity(identity: OwnIdentity, tx: Tx, now: Now) -> IdentityFileOut:
    """The caller's own submission, with links to its pictures."""
    return await _file(tx, identity, now)


@operator.get("", summary="待审核的实名认证", responses=refuses(InvalidCursor))
async def list_identities(caller: Operator, paging: Pages, tx: Tx) -> Page[IdentityOut]:
    """What waits for a decision, oldest first."""
    return page(await queries.list_undecided(tx, paging), paging, IdentityOut.of, lambda row: row.id)


@operator.get("/{identity_id}", summary="查看实名认证材料", responses=refuses(NotFound))
async def show_submitted_identity(identity_id: IdentityId, caller: Operator, tx: Tx, now: Now) -> IdentityFileOut:
    """A submission with its pictures; the look is in the audit."""
    identity = await queries.require_identity(tx, identity_id)
    service.note_look(tx, identity, caller.account_id, now=now)
    return await _file(tx, identity, now)


@operator.post(
    "/{identity_id}/approve", summary="通过实名认证", responses=refuses(NotFound, IdentityDecided, PatientChanged)
)
async def approve_identity(identity_id: IdentityId, caller: Operator, tx: Tx, now: Now) -> IdentityOut:
    """The patient is who the card says; from now on name and number are fixed."""
    return IdentityOut.of(await service.approve_identity(tx, identity_id, caller.account_id, now=now))


@operator.post("/{identity_id}/reject", summary="驳回实名认证", responses=refuses(NotFound, IdentityDecided))
async def reject_identity(
    identity_id: IdentityId, caller: Operator, body: RejectionIn, tx: Tx, now: Now
) -> IdentityOut:
    """Say why; the owner reads it and may submit again."""
    return IdentityOut.of(await service.reject_identity(tx, identity_id, caller.account_id, body.reason, now=now))


async def _file(tx: AsyncSession, identity: Identity, now: datetime) -> IdentityFileOut:
    async def link(file_id: FileId) -> FileLinkOut:
        file = await find_file(tx, file_id)
        if file is None:
            raise NotFound
        made = signed_link(file, now=now)
        return FileLinkOut(url=made.url, expires_at=made.expires_at)

    return IdentityFileOut.file(identity, await link(identity.front_file_id), await link(identity.back_file_id))


ROUTERS = [router, operator]
