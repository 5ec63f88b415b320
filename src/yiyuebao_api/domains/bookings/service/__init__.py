"""Use cases of bookings, by noun: the offer, the money, what is waited for, the course, the end."""

from yiyuebao_api.domains.bookings.service.acceptance import accept_booking
from yiyuebao_api.domains.bookings.service.assessing import assess_booking, require_assessed, void_assessment
from yiyuebao_api.domains.bookings.service.course import note_visit_stage, unassign
from yiyuebao_api.domains.bookings.service.ending import (
    cancel_booking,
    end_unsigned,
    expire_booking,
    facts_of,
    quote_cancellation,
    refuse_booking,
)
from yiyuebao_api.domains.bookings.service.holding import AskedHold, hold_line, hold_together, prepare_hold
from yiyuebao_api.domains.bookings.service.money import (
    note_payment_succeeded,
    note_refund_succeeded,
    pay_booking,
)
from yiyuebao_api.domains.bookings.service.offer import Wish, quote_booking, reschedule_booking
from yiyuebao_api.domains.bookings.service.proofs import list_proofs
from yiyuebao_api.domains.bookings.service.reviews import answer_review, fold_review, review_booking
from yiyuebao_api.domains.bookings.service.staff import accept_any_staff
from yiyuebao_api.domains.bookings.service.waiting import end_in_silence, remind

__all__ = [
    "AskedHold",
    "Wish",
    "accept_any_staff",
    "accept_booking",
    "answer_review",
    "assess_booking",
    "cancel_booking",
    "end_in_silence",
    "end_unsigned",
    "expire_booking",
    "facts_of",
    "fold_review",
    "hold_line",
    "hold_together",
    "list_proofs",
    "note_payment_succeeded",
    "note_refund_succeeded",
    "note_visit_stage",
    "pay_booking",
    "prepare_hold",
    "quote_booking",
    "quote_cancellation",
    "refuse_booking",
    "remind",
    "require_assessed",
    "reschedule_booking",
    "review_booking",
    "unassign",
    "void_assessment",
]  # fmt: skip
