"""The frames of the consultation socket: what a client may send, and what we say; published as `openapi/live.json`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, Field, StringConstraints, TypeAdapter

from yiyuebao_api.domains.consultations.events import ConsultationMoved, MarksMoved, MessageRecalled
from yiyuebao_api.domains.consultations.models import Message
from yiyuebao_api.domains.consultations.rules import ConsultState, MessageKind, Said, SenderRole
from yiyuebao_api.kernel.ids import ConsultationId, MessageId, RowId
from yiyuebao_api.kernel.presence import Presence
from yiyuebao_api.kernel.problems import Problem
from yiyuebao_api.kernel.schema import In, Moment, Out, Whole, wire_time

HEARTBEAT_S = 20
#: Consultations one hello or resume may name.
MAX_CURSORS = 500

Number = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,64}$"), Field(examples=["m-1764039600-1"])]
Seq = Annotated[Whole, Field(ge=0, le=2_000_000_000, examples=[17])]
Ticket = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{20,100}$"), Field(examples=["4Hq1f0cO3yJxv2m8sK7dQ0aZ"])]
Cursors = Annotated[
    dict[ConsultationId, Seq],
    Field(max_length=MAX_CURSORS, description="The last seq this device has of each consultation; 0 for none."),
]

_BODIES = (
    "By kind. `text`: `{text}`, at most 4 000 characters. `image`: `{file_id}`, a file of your own, uploaded with `POST /v1/files` for "
    "the purpose `consultation_image`. `file`: `{file_id, name}`, purpose `consultation_file`. `card`: `{type, title}` and perhaps "
    "`text`, `subject`: something of the app's own to show. All values are strings."
)
_FILE = "fil_01kj4y8x3hf7a9cq2v5b6n8m0t"
_SHOWN: list[dict[str, Any]] = [
    {"text": "您好"}, {"file_id": _FILE}, {"file_id": _FILE, "name": "检验报告.pdf"}, {"type": "booking", "title": "上门换药"},
]  # fmt: skip

# ── from the client ──────────────────────────────────────────────────────────────────────────────────────────────────


class Hello(In):
    """The first frame, within five seconds. `ticket` may be left out where the handshake carried `Authorization`."""

    type: Literal["hello"]
    ticket: Ticket | None = None
    device_id: Number
    cursors: Cursors = Field(default_factory=dict)


class Resume(In):
    """Ask again for what follows these cursors: after a `resync`, or when a seq is missing."""

    type: Literal["resume"]
    cursors: Cursors


class Renew(In):
    """Stay beyond the end of the access token, with a new ticket of the same session."""

    type: Literal["renew"]
    ticket: Ticket


class Ping(In):
    """At least every `heartbeat_s`; two silent intervals close the socket with 4408."""

    type: Literal["ping"]


class MessageSend(In):
    """Send a message. Not acknowledged? Send it again with the same `client_msg_id`, on this socket, the next, or over HTTP."""

    type: Literal["message.send"]
    client_msg_id: Number
    consultation_id: ConsultationId
    kind: Literal["text", "image", "file", "card"]
    body: dict[str, Any] = Field(description=_BODIES, examples=_SHOWN)


class MessageRecall(In):
    """Take back one's own message within two minutes."""

    type: Literal["message.recall"]
    consultation_id: ConsultationId
    message_id: MessageId


class MarkSet(In):
    """How far this device has received and read; marks only grow."""

    type: Literal["mark"]
    consultation_id: ConsultationId
    delivered: Seq = 0
    read: Seq = 0


class TypingNote(In):
    """The person is writing. Passed on at most every two seconds, never stored."""

    type: Literal["typing"]
    consultation_id: ConsultationId


class PresenceSet(In):
    """Be shown as busy, or as online again."""

    type: Literal["presence.set"]
    busy: bool


ClientFrame = Annotated[
    Resume | Renew | Ping | MessageSend | MessageRecall | MarkSet | TypingNote | PresenceSet, Field(discriminator="type")
]
HELLO: TypeAdapter[Hello] = TypeAdapter(Hello)
CLIENT: TypeAdapter[Any] = TypeAdapter(ClientFrame)

# ── from the server ──────────────────────────────────────────────────────────────────────────────────────────────────


class Limits(Out):
    """What this socket may do."""

    frame_bytes: int = Field(examples=[65536])
    text_characters: int = Field(examples=[4000])
    messages_per_s: int = Field(examples=[10])
    burst: int = Field(examples=[20])
    sockets_per_account: int = Field(examples=[5])


class WelcomeFrame(Out):
    """The socket is open. What is missing behind each cursor follows, then live frames."""

    type: Literal["welcome"]
    session_id: RowId
    heartbeat_s: int = Field(examples=[HEARTBEAT_S])
    server_time: Moment
    expires_at: Moment = Field(description="End of the access token: the socket closes with 4401 unless renewed.")
    limits: Limits


class PongFrame(Out):
    """Answers a ping."""

    type: Literal["pong"]


class RenewedFrame(Out):
    """The socket stays open until then."""

    type: Literal["renewed"]
    expires_at: Moment


class ExpiringFrame(Out):
    """A minute before the end of the access token: send `renew`."""

    type: Literal["expiring"]
    expires_at: Moment


class AckFrame(Out):
    """The message is stored. The same `client_msg_id` again gives the same words."""

    type: Literal["message.ack"]
    client_msg_id: str = Field(examples=["m-1764039600-1"])
    consultation_id: ConsultationId
    message_id: MessageId
    seq: int = Field(description="Its place in the consultation: 1, 2, 3 … without a gap.", examples=[17])
    sent_at: Moment


class MessageFrame(Out):
    """A message, to every other device of the two. A hidden one (recalled, withheld) keeps its place with an empty body."""

    type: Literal["message.new"]
    consultation_id: ConsultationId
    seq: int = Field(description="Its place in the consultation: 1, 2, 3 … without a gap.", examples=[17])
    message_id: MessageId
    client_msg_id: str = Field(examples=["m-1764039600-1"])
    sender: SenderRole
    kind: MessageKind
    body: dict[str, Any] = Field(
        description="As it was sent; `{}` where it is hidden. Of a tombstone (`recall`): `{message_id, seq}` of what to hide. Links to "
        "a picture or document: `GET /v1/consultations/{consultation_id}/messages/{message_id}/file`.",
        examples=_SHOWN,
    )
    sent_at: Moment
    hidden: bool


class RecalledFrame(Out):
    """Hide this message; its tombstone has a seq of its own."""

    type: Literal["message.recalled"]
    consultation_id: ConsultationId
    message_id: MessageId
    seq: int = Field(description="Of the message to hide.", examples=[17])
    tombstone_seq: int = Field(description="Of the tombstone, which comes as a `message.new` of kind `recall` as well.", examples=[19])
    at: Moment


class MarkFrame(Out):
    """How far a device of the patient or the clinician is."""

    type: Literal["mark"]
    consultation_id: ConsultationId
    reader: SenderRole
    device_id: str = Field(examples=["d-7f3c2a90"])
    delivered_seq: int = Field(description="It has received everything up to this seq.", examples=[17])
    read_seq: int = Field(description="Its person has seen everything up to this seq.", examples=[16])
    at: Moment


class TypingFrame(Out):
    """The other one is writing."""

    type: Literal["typing"]
    consultation_id: ConsultationId
    sender: SenderRole


class PresenceFrame(Out):
    """The other one of a consultation came, left, or is busy."""

    type: Literal["presence"]
    consultation_id: ConsultationId
    who: SenderRole
    presence: Presence
    last_seen_at: Moment | None


class MovedFrame(Out):
    """The state or the clock of a consultation changed: read it again over HTTP."""

    type: Literal["consultation.moved"]
    consultation_id: ConsultationId
    state: ConsultState
    closes_at: Moment | None
    at: Moment


class CaughtUpFrame(Out):
    """Everything up to this seq was sent; live frames follow."""

    type: Literal["caught_up"]
    consultation_id: ConsultationId
    seq: int = Field(examples=[17])


class ResetFrame(Out):
    """This cursor cannot be followed: reload the consultation over HTTP, then `resume` from its last seq."""

    type: Literal["reset"]
    consultation_id: ConsultationId


class ResyncFrame(Out):
    """This process may have missed something: send `resume` with every cursor."""

    type: Literal["resync"]


class ErrorFrame(Out):
    """A frame was refused, for the reason `code`; `client_msg_id` says which message. Repetition closes with 1008."""

    type: Literal["error"]
    code: str = Field(examples=["invalid-input"])
    title: str = Field(examples=["填写有误"])
    detail: str = Field(description="A sentence for the person.", examples=["请检查标出的内容后重试。"])
    about: str | None = Field(
        description="The type of the frame that was refused, where it could be read.", examples=["message.send"]
    )
    client_msg_id: str | None = Field(description="Which message was refused.", examples=["m-1764039600-1"])
    retry_after_s: int | None = Field(
        description="Send the same again after so many seconds. Null: the same would be refused again; give it up.", examples=[1]
    )


SERVER_FRAMES: tuple[type[BaseModel], ...] = (
    WelcomeFrame, PongFrame, RenewedFrame, ExpiringFrame, AckFrame, MessageFrame, RecalledFrame, MarkFrame, TypingFrame,
    PresenceFrame, MovedFrame, CaughtUpFrame, ResetFrame, ResyncFrame, ErrorFrame,
)  # fmt: skip
CLIENT_FRAMES: tuple[type[BaseModel], ...] = (
    Hello, Resume, Renew, Ping, MessageSend, MessageRecall, MarkSet, TypingNote, PresenceSet,
)  # fmt: skip


def type_of(model: type[BaseModel]) -> str:
    """What `type` says in frames of this shape."""
    return str(get_args(model.model_fields["type"].annotation)[0])


CLIENT_TYPES = frozenset(map(type_of, CLIENT_FRAMES))

# ── written without detours: these are said thousands of times a second ──────────────────────────────────────────────

Frame = dict[str, Any]
PONG: Frame = {"type": "pong"}
RESYNC: Frame = {"type": "resync"}


def message_frame(row: Message) -> Frame:
    """From the log."""
    return _message(
        row.consultation_id, row.seq, row.id, row.client_msg_id, row.sender, row.kind, row.body, row.sent_at, hidden=row.is_hidden
    )


def sent_frame(said: Said) -> Frame:
    """As it was just stored."""
    return _message(
        said.consultation_id, said.seq, said.message_id, said.client_msg_id, said.sender, said.kind, said.body, said.at,
        hidden=False,
    )  # fmt: skip


def _message(
    consultation_id: ConsultationId, seq: int, message_id: MessageId, client_msg_id: str, sender: SenderRole,
    kind: MessageKind, body: Mapping[str, Any], sent_at: datetime, *, hidden: bool,
) -> Frame:  # fmt: skip
    return {
        "type": "message.new", "consultation_id": str(consultation_id), "seq": seq, "message_id": str(message_id),
        "client_msg_id": client_msg_id, "sender": sender.value, "kind": kind.value, "body": {} if hidden else dict(body),
        "sent_at": wire_time(sent_at), "hidden": hidden,
    }  # fmt: skip


def ack_frame(
    consultation_id: ConsultationId, client_msg_id: str, message_id: MessageId, seq: int, sent_at: datetime
) -> Frame:
    return {
        "type": "message.ack", "client_msg_id": client_msg_id, "consultation_id": str(consultation_id),
        "message_id": str(message_id), "seq": seq, "sent_at": wire_time(sent_at),
    }  # fmt: skip


def recalled_frame(event: MessageRecalled) -> Frame:
    return {
        "type": "message.recalled", "consultation_id": str(event.consultation_id), "message_id": str(event.message_id),
        "seq": event.seq, "tombstone_seq": event.tombstone_seq, "at": wire_time(event.at),
    }  # fmt: skip


def mark_frame(event: MarksMoved) -> Frame:
    reader = SenderRole.PATIENT if event.reader == event.accounts[0] else SenderRole.CLINICIAN
    return {
        "type": "mark", "consultation_id": str(event.consultation_id), "reader": reader.value, "device_id": event.device_id,
        "delivered_seq": event.delivered_seq, "read_seq": event.read_seq, "at": wire_time(event.at),
    }  # fmt: skip


def moved_frame(event: ConsultationMoved) -> Frame:
    closes_at = None if event.closes_at is None else wire_time(event.closes_at)
    return {
        "type": "consultation.moved", "consultation_id": str(event.consultation_id), "state": event.state.value,
        "closes_at": closes_at, "at": wire_time(event.at),
    }  # fmt: skip


def typing_frame(consultation_id: ConsultationId, sender: SenderRole) -> Frame:
    return {"type": "typing", "consultation_id": str(consultation_id), "sender": sender.value}


def presence_frame(
    consultation_id: ConsultationId, who: SenderRole, presence: Presence, last_seen_at: datetime | None
) -> Frame:
    seen = None if last_seen_at is None else wire_time(last_seen_at)
    return {
        "type": "presence", "consultation_id": str(consultation_id), "who": who.value, "presence": presence.value,
        "last_seen_at": seen,
    }  # fmt: skip


def error_frame(problem: Problem, language: str, *, about: str | None, client_msg_id: str | None) -> Frame:
    """The words of the problem; what was sent is not repeated."""
    told = problem.body(language, "")
    wait = problem.headers.get("Retry-After")
    return {
        "type": "error", "code": told["code"], "title": told["title"], "detail": told["detail"], "about": about,
        "client_msg_id": client_msg_id, "retry_after_s": None if wait is None else int(wait),
    }  # fmt: skip
