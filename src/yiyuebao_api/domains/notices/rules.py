"""What every kind of notice says in English. The Chinese one names times and numbers; this one says what to open for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class English(NamedTuple):
    """Title (fit for a lock screen, RULE-158) and sentence."""

    title: str
    body: str


_OTHER = English("News for you", "Something has changed; open it for the details.")

ENGLISH: Mapping[str, English] = {
    "booking.accept_soon": English("A booking waits", "Please accept or refuse it soon, or it ends and all of it goes back."),
    "booking.accepted": English("Booking accepted", "The hospital has accepted the booking and will send somebody."),
    "booking.any_staff": English("A wish was dropped", "The patient no longer asks for a woman or a man; send whoever may go."),
    "booking.assigned": English("Somebody is assigned", "It is settled who comes; open the booking to see who."),
    "booking.cancelled": English("Booking cancelled", "The booking is cancelled; what was paid goes back as its terms say."),
    "booking.expired": English("Booking lapsed", "It was not paid in time, and the place is free again."),
    "booking.paid": English("Booked and paid", "The booking is paid and waits for the hospital."),
    "booking.refused": English("Not accepted", "The hospital cannot take the booking; everything paid goes back."),
    "booking.rescheduled": English("Time changed", "The patient moved the booking to another time."),
    "booking.reviewed": English("New review", "A patient has written about a visit."),
    "booking.unanswered": English("No answer in time", "The hospital did not accept in time; everything paid goes back."),
    "booking.unsigned": English("The visit has ended", "The consent was not signed; what was paid goes back as the terms say."),
    "catalogue.proposed": English("An item is proposed", "One of your staff proposes an item: publish it or retire it."),
    "clinician.paper_ended": English("A paper has ended", "A licence or an insurance has ended; nobody is sent without it."),
    "clinician.paper_runs_out": English("A paper runs out", "A licence or an insurance ends soon; please renew it in time."),
    "consultation.answered": English("You have an answer", "The clinician has answered; open the consultation."),
    "consultation.cancelled": English("Consultation cancelled", "The patient has cancelled the consultation."),
    "consultation.declined": English("Not taken", "The clinician cannot take the consultation; everything paid goes back."),
    "consultation.ended": English("Consultation ended", "The consultation is over; please rate it."),
    "consultation.ending": English("It ends soon", "The consultation ends soon; extend it if you need more."),
    "consultation.extended": English("Extended", "The clinician has extended the consultation free of charge."),
    "consultation.go_to_hospital": English(
        "Please see a doctor", "Online is not fit for this: please go to a hospital, in an emergency call 120. All goes back."
    ),
    "consultation.paid": English("Consultation paid", "The consultation is paid and waits for its answer."),
    "consultation.refunded": English("Consultation refunded", "The consultation is over and what was paid goes back."),
    "consultation.summary": English("Summary written", "The clinician has written the summary; read it and file it."),
    "consultation.taken_away": English("Passed on", "No answer came in time, and the patient chose another clinician."),
    "consultation.unanswered": English("Still no answer", "The promised time has passed: wait on, choose another, or be refunded."),
    "consultation.unfit": English("Consultation stopped", "A clinician found a consultation unfit for online; all goes back."),
    "payment.returned": English("Money comes back", "A payment could not be used; all of it goes back to your WeChat."),
    "privacy.export_ready": English("Your copy is ready", "The copy of your data can be fetched for seven days."),
    "qualification.approved": English("Certificate approved", "A certificate you submitted has been approved."),
    "qualification.rejected": English("Certificate sent back", "A certificate was sent back; read why and submit it again."),
    "refund.succeeded": English("Refund arrived", "The refund has arrived where the payment came from."),
    "visit.assigned": English("A visit for you", "You are sent to a visit; open it for time and place."),
    "visit.clinician_offline": English("Send somebody else", "Who was assigned may not go any more; please reassign the visit."),
    "visit.reassigned": English("Somebody else comes", "Another clinician comes to your visit."),
    "visit.taken_back": English("Visit taken back", "You need not go: the visit was taken back."),
}


def english(kind: str) -> English:
    """For a kind of an older or newer version too."""
    return ENGLISH.get(kind, _OTHER)
