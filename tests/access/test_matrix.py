"""The access matrix: every operation × every kind of caller, on one real scene that was paid, assigned and told.

Nothing is listed by hand: what is expected follows from the caller that the route declares and from who holds the things
that its path names. A route is covered the moment it exists; a thing of a kind that the scene lacks is nobody's.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.client import Api
from tests.house.calls import Call, call_of
from tests.scenes.accounts import make_account, sign_in
from tests.scenes.bookings import Customer, Offered, bind_wechat, hold, make_offer, pay
from tests.scenes.clinicians import make_clinician
from tests.scenes.consultations import Pair, paid, spoken
from tests.scenes.files import uploaded
from tests.scenes.partners import make_endpoint
from tests.scenes.patients import make_address, make_patient
from yiyuebao_api import api as contents
from yiyuebao_api.api import Operation
from yiyuebao_api.context import Context
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.kernel.tokens import Mode

NOBODY, OWNER, STRANGER, NURSE, OTHER_NURSE = "nobody", "owner", "other patient", "assigned nurse", "other nurse"
DESK, OTHER_DESK, OPERATOR, AUDITOR = "own desk", "other hospital's desk", "operator", "auditor"
MODES: Mapping[str, str] = {
    NOBODY: "", OWNER: "patient", STRANGER: "patient", NURSE: "clinician", OTHER_NURSE: "clinician", DESK: "desk",
    OTHER_DESK: "desk", OPERATOR: "operator", AUDITOR: "auditor",
}  # fmt: skip
#: What only the patient's side, and who serves it, may ever read; nobody else's answer holds a word of it.
CANARIES = ("欧阳金丝雀", "13911112222", "金丝雀巷 7 号")
#: Whoever serves the patient; the desk and the nurse of this hospital.
SERVING = frozenset({OWNER, NURSE, DESK})
_ID = re.compile(r"^([a-z]{3})_[0-9a-hjkmnp-tv-z]{26}$")


@dataclass
class World:
    """Everybody, signed in, and what there is, with who holds it."""

    people: dict[str, Api]
    context: Context
    things: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict)

    def has(self, thing: object, *holders: str) -> None:
        """By the prefix of its id, in front of which stands `desk ` for what a desk calls by another id."""
        self.things[str(thing).partition("_")[0]] = (str(thing), frozenset(holders))

    def with_ids(self, value: Any) -> Any:
        """Ids of the contract's examples, replaced by those of the scene."""
        match value:
            case dict():
                return {name: self.with_ids(each) for name, each in value.items()}
            case list():
                return [self.with_ids(each) for each in value]
            case str() if (found := _ID.match(value)) and found[1] in self.things:
                return self.things[found[1]][0]
        return value

    async def signed_in(self, who: Customer | Clinician | Offered | None, mode: Mode, at: Offered | None = None) -> Api:
        account_id = getattr(who, "account_id", None)
        tenant = at.hospital.id if at is not None else None
        signed = await sign_in(self.context.database, self.context.tokens, account_id, mode=mode, hospital_id=tenant)
        return self.people[NOBODY].signed_in(signed.access_token)


async def make_canary(api: Api, context: Context) -> Customer:
    """A patient whose every word would be recognised anywhere."""
    account = await make_account(context.database)
    signed = await sign_in(context.database, context.tokens, account.id)
    patient = await make_patient(context.database, account.id, name=CANARIES[0], phone=f"+86{CANARIES[1]}")
    address = await make_address(context.database, account.id, detail=CANARIES[2], phone=f"+86{CANARIES[1]}")
    return Customer(
        account.id, api.signed_in(signed.access_token), patient, address, await bind_wechat(context, account.id)
    )


async def make_world(api: Api, context: Context) -> World:
    """A paid, accepted, assigned booking; its hospital with another nurse; another hospital; another patient."""
    offered, elsewhere = await make_offer(api, context), await make_offer(api, context)
    owner, stranger = await make_canary(api, context), await make_account(context.database)
    await make_patient(context.database, stranger.id)
    nurse, colleague = [await make_clinician(context.database, offered.hospital.id) for _ in range(2)]
    booking = await pay(context, owner, (await hold(owner, offered))["id"])
    base = "/v1/hospital"
    assert (await offered.desk.post(f"{base}/bookings/{booking['id']}/accept")).status_code == 200
    sent = await offered.desk.post(
        f"{base}/visits", json={"booking_id": booking["id"], "clinician_id": str(nurse.id)}
    )
    assert sent.status_code == 201, sent.text
    world = World({NOBODY: api, OWNER: owner.api, DESK: offered.desk, OTHER_DESK: elsewhere.desk}, context)
    strange = await sign_in(context.database, context.tokens, stranger.id)
    world.people |= {
        STRANGER: api.signed_in(strange.access_token),
        NURSE: await world.signed_in(nurse, Mode.CLINICIAN, offered),
        OTHER_NURSE: await world.signed_in(colleague, Mode.CLINICIAN, offered),
        OPERATOR: await world.signed_in(None, Mode.OPERATOR), AUDITOR: await world.signed_in(None, Mode.AUDITOR),
    }  # fmt: skip
    everybody = tuple(MODES)
    of_patient = frozenset({OWNER})
    world.has(owner.patient.id, *of_patient)
    world.has(owner.address.id, *of_patient)
    world.has(booking["id"], OWNER, DESK)
    world.has(booking["payment_id"], OWNER)
    world.has(sent.json()["id"], OWNER, NURSE, DESK)
    world.has((await owner.api.get("/v1/grants")).json()["items"][0]["id"], OWNER)
    world.has((await owner.api.get("/v1/notices")).json()["items"][0]["id"], OWNER)
    world.has((await owner.api.get("/v1/consents/ledger")).json()["items"][0]["id"], OWNER)
    world.has((await sign_in(context.database, context.tokens, owner.account_id)).session_id, OWNER)
    await add_talk_and_papers(world, context, offered, owner, nurse)
    world.has(nurse.id, DESK)
    world.has(offered.hospital.id, *everybody)
    world.has(offered.site.id, DESK)
    world.has(offered.service.id, DESK)
    world.has(offered.pool.id, DESK)
    world.has((await make_endpoint(context.database, offered.hospital.id, "https://his.example/hook")).id, DESK)
    return world


async def add_talk_and_papers(
    world: World, context: Context, offered: Offered, owner: Customer, nurse: Clinician
) -> None:
    """A paid consultation of the patient with the nurse, their cards and certificates, and files of both."""
    pair = Pair(
        offered.hospital, nurse, owner.patient, owner.account_id, nurse.account_id, owner.api, world.people[NURSE], owner.openid
    )
    talk = await paid(world.people[NOBODY], context, pair)
    await spoken(owner.api, talk["id"], "金丝雀头痛")
    world.has(talk["id"], OWNER, NURSE)
    front, back = [await uploaded(context, owner.account_id, Purpose.ID_CARD) for _ in range(2)]
    world.has(front.id, OWNER)
    card = {"patient_id": str(owner.patient.id), "front_file_id": str(front.id), "back_file_id": str(back.id)}
    assert (await owner.api.post("/v1/identities", json=card)).status_code == 409, "verified already"
    herself = await world.signed_in(nurse, Mode.PATIENT)
    paper = {
        "clinician_id": str(nurse.id), "kind": "title", "holder_name": nurse.name, "number": "B20461234",
        "title": "supervisor_nurse",
    }  # fmt: skip
    made = await herself.post("/v1/clinicians/qualifications", json=paper)
    assert made.status_code == 201, made.text
    world.has(made.json()["id"], NURSE)


def call(world: World, operation: Operation) -> Call:
    """The operation as somebody would call it who knows every id of the scene, once."""
    plain = call_of(world.people[NOBODY].app, operation.method, operation.path)
    headers = dict(plain.headers)
    if "idempotency-key" in headers or operation.method == "POST":
        headers["idempotency-key"] = secrets.token_hex(8)
    return Call(
        plain.method, plain.path, world.with_ids(dict(plain.values)), world.with_ids(dict(plain.query)), plain.optional,
        headers, world.with_ids(plain.body),
    )  # fmt: skip


async def ask(world: World, who: str, operation: Operation) -> httpx.Response:
    made = call(world, operation)
    return await world.people[who].request(
        made.method, made.url, params=made.query, headers=dict(made.headers), json=made.body
    )


ADMITTED = "admitted"


def expected(world: World, who: str, operation: Operation) -> str | tuple[int, str]:
    """Derived: the declared caller says who comes in, the things in the path say who finds something."""
    if "anyone" in operation.callers:
        return ADMITTED
    if who == NOBODY:
        return 401, "unauthenticated"
    if not {MODES[who], "member"} & set(operation.callers):
        return 403, "not-allowed"
    if MODES[who] in ("operator", "auditor") and "member" not in operation.callers:
        return ADMITTED
    values = call(world, operation).values.values()
    named = [each for value in values if (each := held(world, value, operation)) is not None]
    return ADMITTED if all(who in holders for holders in named) else (404, "not-found")


def held(world: World, value: str, operation: Operation) -> frozenset[str] | None:
    """Who holds what a path names: nobody, for a kind of thing that the scene lacks; None for what is no id."""
    found = _ID.match(value)
    if found is None:
        return None
    thing, holders = world.things.get(found[1], ("", frozenset[str]()))
    if thing != value:
        return frozenset()
    if found[1] == "ntc" and operation.path.startswith("/v1/hospital/"):
        return frozenset()  # it is the owner's
    at_the_desk = operation.path.startswith("/v1/hospital/")
    return holders if at_the_desk or "anyone" in operation.callers else holders - {DESK}


def fits(answer: httpx.Response, wanted: str | tuple[int, str]) -> bool:
    if wanted == ADMITTED:
        code = answer.json().get("code") if answer.status_code in (401, 403) else None
        return answer.status_code < 500 and code not in ("unauthenticated", "not-allowed")
    media = answer.headers.get("content-type", "")
    return media.startswith("application/problem+json") and (answer.status_code, answer.json()["code"]) == wanted


async def books(context: Context) -> dict[str, Any]:
    """A checksum of every table, but for what any request writes: sessions, limits, keys, and the audit itself."""
    quiet = {
        "session", "refresh_token", "allowance", "idempotency_key", "audit_entry", "audit_pending", "audit_seal", "outbox",
        "sms_code", "inbox",
    }  # fmt: skip
    async with context.database.engine.connect() as connection:
        names = [row[0] for row in await connection.execute(text("SHOW TABLES"))]
        sums = {}
        for name in sorted(set(names) - quiet):
            sums[name] = (await connection.execute(text(f"CHECKSUM TABLE `{name}`"))).one()[1]
    return sums


@pytest.mark.timeout(600)
async def test_every_operation_by_every_principal(api: Api, context: Context, control: httpx.AsyncClient) -> None:
    """The accident: the list was guarded, the detail was guarded, and the export asked only for a signed-in desk."""
    world, operations = await make_world(api, context), contents.operations()
    closed = [each for each in operations if "anyone" not in each.callers]
    wrong: list[str] = []
    counted: Counter[str] = Counter()
    before = await books(context)
    for operation in closed:
        for who in MODES:
            wanted = expected(world, who, operation)
            if wanted == ADMITTED:
                continue
            answer = await ask(world, who, operation)
            counted["refused"] += 1
            if not fits(answer, wanted):
                wrong.append(f"{who}: {operation.method} {operation.path} → {answer.status_code} {answer.text[:120]}, not {wanted}")
            wrong += leaks(who, operation, answer)
    assert wrong == [], "\n".join(wrong)
    after = await books(context)
    assert {name for name in before if before[name] != after[name]} == set(), "a refusal changed something"

    found: set[str] = set()
    for operation in sorted(operations, key=harm):
        if operation.name in ENDS_SESSIONS:
            continue
        for who in MODES:
            if expected(world, who, operation) != ADMITTED:
                continue
            answer = await ask(world, who, operation)
            counted["admitted"] += 1
            if "anyone" not in operation.callers and not fits(answer, ADMITTED):
                wrong.append(f"{who}: {operation.method} {operation.path} → {answer.status_code} {answer.text[:120]}")
            if answer.status_code < 300:
                found.add(operation.name)
            if operation.method == "GET" and answer.status_code == 404 and is_their_own(world, who, operation):
                wrong.append(f"{who} does not find their own: {operation.path}")
            wrong += leaks(who, operation, answer)
    assert wrong == [], "\n".join(wrong)
    counted["operations"], counted["answered 2xx"] = len(operations), len(found)
    size = f"{len(operations)} operations × {len(MODES)} principals = {len(operations) * len(MODES)} cells"
    print(f"\naccess matrix: {size}; {dict(counted)}")
    assert counted["refused"] > 1000
    assert len(found) > len(operations) // 3, "an admission that never succeeds proves nothing"


def harm(operation: Operation) -> tuple[bool, int, int]:
    """Reading first; then those whom a desk or an operator may end, before these; deleting last."""
    rank = max({"desk": 1, "operator": 2, "auditor": 2}.get(kind, 0) for kind in operation.callers)
    return operation.method != "GET", rank, {"GET": 0, "PUT": 1, "POST": 2, "DELETE": 3}[operation.method]


#: They would sign everybody out; `test_access` asks them.
ENDS_SESSIONS = {"delete_sessions", "change_mode"}
#: The scene's booking has no review yet, its consultation no proof and no summary; a file is fetched by its link alone.
NOT_YET = {"read_review", "read_booking_review", "show_review", "read_proof", "read_summary", "get_file_content"}


def is_their_own(world: World, who: str, operation: Operation) -> bool:
    """Whether everything that path and query name exists, and they hold it."""
    made = call(world, operation)
    named = [held(world, value, operation) for value in (*made.values.values(), *made.query.values())]
    return operation.name not in NOT_YET and all(holders is None or who in holders for holders in named)


def leaks(who: str, operation: Operation, answer: httpx.Response) -> list[str]:
    """A canary in front of somebody who serves nobody of that name."""
    if who in SERVING:
        return []
    return [f"{who} reads {word} at {operation.path}" for word in CANARIES if word in answer.text]


def test_the_matrix_derives_from_what_is_declared() -> None:
    """The accident: the expectations were copied from the code's answers, and agreed with every mistake in it."""
    kinds = {kind for operation in contents.operations() for kind in operation.callers}
    assert kinds <= {"anyone", "member", *MODES.values()}
