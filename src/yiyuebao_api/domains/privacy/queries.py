"""Named selects of privacy."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, inspect, not_, select
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts.models import Role
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.domains.bookings.rules import BookingState
from yiyuebao_api.domains.consultations.models import Consultation
from yiyuebao_api.domains.consultations.rules import ConsultState
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.rules import FileState
from yiyuebao_api.domains.patients.models import Patient
from yiyuebao_api.domains.payments.models import Payment, Refund
from yiyuebao_api.domains.payments.rules import RefundState
from yiyuebao_api.domains.privacy.holdings import Holding, Person
from yiyuebao_api.domains.privacy.models import Export
from yiyuebao_api.domains.privacy.rules import ExportState, OpenThing
from yiyuebao_api.kernel.ids import AccountId, ExportId, Id, RowId
from yiyuebao_api.kernel.paging import Paging, newest_first
from yiyuebao_api.kernel.problems import NotFound

_RUNNING = (BookingState.PAID, BookingState.ACCEPTED, BookingState.ASSIGNED, BookingState.UNDER_WAY, BookingState.DONE)
_TALKING = (ConsultState.WAITING, ConsultState.ACTIVE)
_ON_ITS_WAY = (RefundState.REQUESTED, RefundState.PROCESSING, RefundState.ABNORMAL)


async def person_of(tx: AsyncSession, account_id: AccountId) -> Person:
    """The account and everybody it ever cared for."""
    found = await tx.scalars(select(Patient.id).where(Patient.account_id == account_id).order_by(Patient.id))
    return Person(account_id, found.all())


async def rows_of(tx: AsyncSession, holding: Holding, person: Person) -> list[dict[str, Any]]:
    """What one table holds of a person, column by column."""
    names = [each.key for each in inspect(holding.model).column_attrs if each.key not in holding.hidden]
    columns = [getattr(holding.model, name) for name in names]
    keys = inspect(holding.model).primary_key
    rows = await tx.execute(select(*columns).where(holding.whose(person)).order_by(*keys))
    return [dict(zip(names, row, strict=True)) for row in rows]


async def files_of(tx: AsyncSession, person: Person) -> Sequence[File]:
    """What they uploaded and can still be read."""
    mine = select(File).where(File.owner_id == person.account_id, File.state == FileState.READY)
    return (await tx.scalars(mine.order_by(File.id))).all()


async def list_open(tx: AsyncSession, account_id: AccountId, *, now: datetime) -> list[tuple[OpenThing, Id]]:
    """What still runs; unpaid places whose time is over do not."""
    held = and_(Booking.state == BookingState.HELD, Booking.hold_until > now)
    unpaid = and_(Consultation.state == ConsultState.AWAITING_PAYMENT, Consultation.pay_until > now)
    bookings = select(Booking.id).where(Booking.account_id == account_id, Booking.state.in_(_RUNNING) | held)
    talks = select(Consultation.id).where(
        Consultation.account_id == account_id, Consultation.state.in_(_TALKING) | unpaid
    )
    refunds = (
        select(Refund.id).join(Payment, Payment.id == Refund.payment_id)
        .where(Payment.account_id == account_id, Refund.state.in_(_ON_ITS_WAY))
    )  # fmt: skip
    found: list[tuple[OpenThing, Id]] = []
    for kind, wanted in ((OpenThing.BOOKING, bookings), (OpenThing.CONSULTATION, talks), (OpenThing.REFUND, refunds)):
        found += [(kind, each) for each in await tx.scalars(wanted)]
    return found


async def is_staff(tx: AsyncSession, account_id: AccountId) -> bool:
    """Whether somebody still works here."""
    role = select(Role.id).where(Role.account_id == account_id, Role.active.is_(True))
    return (await tx.scalars(role.limit(1))).one_or_none() is not None


async def require_own_export(tx: AsyncSession, account_id: AccountId, export_id: ExportId) -> Export:
    """Raises NotFound, for another's too."""
    found = await tx.get(Export, export_id)
    if found is None or found.account_id != account_id:
        raise NotFound
    return found


async def list_exports(tx: AsyncSession, account_id: AccountId, paging: Paging) -> Sequence[Export]:
    """Newest first, one more than asked."""
    mine = select(Export).where(Export.account_id == account_id)
    return (await tx.scalars(newest_first(mine, Export.id, ExportId, paging))).all()


async def lock_export(tx: AsyncSession, export_id: ExportId) -> Export | None:
    """The row, locked."""
    locked = select(Export).where(Export.id == export_id).with_for_update().execution_options(populate_existing=True)
    return (await tx.scalars(locked)).one_or_none()


async def list_expired(tx: AsyncSession, *, now: datetime, limit: int) -> Sequence[ExportId]:
    """Copies that nobody may fetch any more."""
    over = select(Export.id).where(Export.state == ExportState.READY, Export.expires_at <= now)
    return (await tx.scalars(over.limit(limit))).all()


async def known_attempts(tx: AsyncSession, attempts: Collection[RowId]) -> set[RowId]:
    """Which of these made a copy that is still there."""
    ready = select(Export.attempt).where(Export.attempt.in_(attempts), not_(Export.state == ExportState.EXPIRED))
    return {each for each in await tx.scalars(ready) if each is not None}
