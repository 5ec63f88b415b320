"""Use cases of consultations, by noun: the messages, the course."""

from yiyuebao_api.domains.consultations.service.course import watch_consultation
from yiyuebao_api.domains.consultations.service.messages import (
    MAX_PAGE,
    Participants,
    SentMessage,
    list_messages,
    mark,
    participants_of,
    recall_message,
    send_message,
)

__all__ = [
    "MAX_PAGE", "Participants", "SentMessage", "list_messages", "mark", "participants_of", "recall_message",
    "send_message", "watch_consultation",
]  # fmt: skip
