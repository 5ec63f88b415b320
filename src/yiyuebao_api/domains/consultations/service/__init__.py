"""Use cases of consultations, by noun: the offers, the opening, the money, the messages, the course, the end, moderation, exports."""

from yiyuebao_api.domains.consultations.service.course import watch_consultation
from yiyuebao_api.domains.consultations.service.ending import (
    accept_follow_up,
    change_clinician,
    close_consultation,
    decline_consultation,
    file_summary,
    give_extension,
    hide_consultation,
    leave_consultation,
    note_consent_withdrawn,
    terminate_consultation,
    wait_on,
)
from yiyuebao_api.domains.consultations.service.exports import (
    Wish,
    ask_for_export,
    fetch_part,
    make_export,
    require_exported_file,
    sweep_exports,
)
from yiyuebao_api.domains.consultations.service.messages import (
    MAX_PAGE,
    Participants,
    Sending,
    SentMessage,
    checksum,
    list_messages,
    mark,
    participants_of,
    recall_message,
    require_message_file,
    send_message,
    send_messages,
    send_plain_messages,
)
from yiyuebao_api.domains.consultations.service.moderation import block, decide_flag, rate, report, unblock
from yiyuebao_api.domains.consultations.service.money import (
    buy_extension,
    note_payment_succeeded,
    note_refund_succeeded,
    pay_consultation,
)
from yiyuebao_api.domains.consultations.service.offers import day_of, record_approval, set_offer, set_terms
from yiyuebao_api.domains.consultations.service.opening import Asked, Earlier, open_consultation
from yiyuebao_api.domains.consultations.service.pilots import end_pilot, record_pilot

__all__ = [
    "MAX_PAGE", "Asked", "Earlier", "Participants", "Sending", "SentMessage", "Wish", "accept_follow_up",
    "ask_for_export", "block", "buy_extension", "change_clinician", "checksum", "close_consultation", "day_of",
    "decide_flag", "decline_consultation", "end_pilot", "fetch_part", "file_summary", "give_extension",
    "hide_consultation", "leave_consultation", "list_messages", "make_export", "mark", "note_consent_withdrawn",
    "note_payment_succeeded", "note_refund_succeeded", "open_consultation", "participants_of", "pay_consultation",
    "rate", "recall_message", "record_approval", "record_pilot", "report", "require_exported_file", "require_message_file", "send_message",
    "send_messages", "send_plain_messages", "set_offer", "set_terms", "sweep_exports", "terminate_consultation", "unblock", "wait_on",
    "watch_consultation",
]  # fmt: skip
