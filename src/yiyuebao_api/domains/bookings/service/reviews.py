"""What people thought of a visit: one review a booking, answered by the hospital, never deleted (RULE-63)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.bookings import queries
from yiyuebao_api.domains.bookings.models import Review
from yiyuebao_api.domains.bookings.problems import AlreadyReviewed, ReviewAlreadyAnswered, ReviewPeriodOver
from yiyuebao_api.domains.bookings.rules import REVIEWED_WITHIN, BookingState
from yiyuebao_api.domains.bookings.service.ending import require_state
from yiyuebao_api.domains.nearby import service as nearby
from yiyuebao_api.domains.notices import service as notices
from yiyuebao_api.kernel.database import is_duplicate
from yiyuebao_api.kernel.ids import AccountId, BookingId, HospitalId, ReviewId
from yiyuebao_api.kernel.problems import Words
from yiyuebao_api.kernel.schema import masked_name


async def review_booking(
    tx: AsyncSession, booking_id: BookingId, *, stars: int, words: str | None, now: datetime
) -> Review:
    """Judge a visit that was done; it counts for the service at once.

    Locks the booking. Raises BookingStateRefused before it was done, ReviewPeriodOver after fifteen days,
    AlreadyReviewed.
    """
    booking = await queries.lock_booking(tx, booking_id)
    require_state(booking, (BookingState.DONE, BookingState.CLOSED))
    if await queries.find_review(tx, booking_id) is not None:
        raise AlreadyReviewed
    done_at = await queries.done_at(tx, booking_id)
    if done_at is not None and now - done_at > REVIEWED_WITHIN:
        raise ReviewPeriodOver(days=REVIEWED_WITHIN.days)
    review = Review(
        id=ReviewId.new(), booking_id=booking.id, service_id=booking.service_id, hospital_id=booking.hospital_id,
        stars=stars, words=words, author=masked_name(booking.contact["name"]), created_at=now, reply=None,
        replied_at=None, fold_reason=None, folded_at=None, folded_by=None,
    )  # fmt: skip
    tx.add(review)
    try:
        await tx.flush()
    except IntegrityError as error:
        if is_duplicate(error, "uq_booking_review_booking_id"):
            raise AlreadyReviewed from None
        raise
    await nearby.count_review(tx, booking.service_id, stars)
    body = Words(
        f"{booking.service_name} · {stars} 星 · 订单 {booking.order_no}",
        f"{booking.service_name} · {stars} stars · order {booking.order_no}",
    )
    title = Words("收到新的评价", "New review")
    await notices.tell_hospital(tx, booking.hospital_id, "booking.reviewed", title=title, body=body, subject=review.id, now=now)
    return review


async def answer_review(
    tx: AsyncSession, hospital_id: HospitalId, review_id: ReviewId, *, words: str, now: datetime
) -> Review:
    """The hospital answers in public, once. Raises NotFound for another hospital's, ReviewAlreadyAnswered."""
    review = await queries.lock_review(tx, review_id, hospital_id)
    if review.reply is not None:
        raise ReviewAlreadyAnswered
    review.reply, review.replied_at = words, now
    return review


async def fold_review(
    tx: AsyncSession, review_id: ReviewId, *, reason: str, operator: AccountId, now: datetime
) -> Review:
    """Show it no more, for a legal reason that is kept; its stars still count. A second time changes nothing."""
    review = await queries.lock_review(tx, review_id)
    if review.folded_at is None:
        review.fold_reason, review.folded_at, review.folded_by = reason, now, operator
    return review
