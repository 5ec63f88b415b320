"""A dump of the database is of no use to a thief: no name, number, phone, address or word of anybody stands in it plainly.

The accident this keeps away: a free-text column added in a hurry, and a backup that went astray a year later.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

from sqlalchemy import text

from tests.client import Api
from tests.scenes.accounts import sign_in
from tests.scenes.bookings import Customer, bind_wechat, make_offer, pay
from tests.scenes.clinicians import make_clinician
from tests.scenes.consents import agree
from tests.scenes.consultations import make_consultation, make_pair, say
from tests.scenes.files import send, uploaded
from tests.scenes.patients import make_address, make_patient
from tests.scenes.privacy import ASKED, code_for, do_jobs
from yiyuebao_api.context import Context
from yiyuebao_api.domains.accounts.service import ensure_account
from yiyuebao_api.domains.clinicians.rules import ClinicianState
from yiyuebao_api.domains.consents.service import ensure_notices
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import PatientId
from yiyuebao_api.seed.cards import draw_back, draw_front, draw_paper, id_number

NAME, PHONE, DOOR, NOTE, WORD = "司徒水晶", "13977770123", "水晶弄 9 号 77 室", "门口有水晶灯", "水晶般的头痛"
NURSE, LICENCE = "诸葛琥珀", "201846019977"
BORN = date(1949, 12, 30)
NUMBER = id_number("460106", BORN, 244)
SECRETS = (NAME, PHONE, DOOR, NOTE, WORD, NURSE, LICENCE, NUMBER)


def forms(secret: str) -> Iterator[bytes]:
    """As it would stand in a column: UTF-8, escaped in JSON, or in UTF-16."""
    yield secret.encode()
    yield json.dumps(secret)[1:-1].encode()
    yield secret.encode("utf-16-le")


async def _live(api: Api, context: Context) -> str:
    """Everything that takes a person's words: an account, a card, a booking, a talk, a file, a certificate, a copy.

    Returns what may be read by everybody: the order number.
    """
    database = context.database
    async with context.begin() as tx:
        account = await ensure_account(tx, f"+86{PHONE}", now=clock.now())
    mine = api.signed_in((await sign_in(database, context.tokens, account.id)).access_token)
    new: dict[str, Any] = {
        "relation": "parent", "name": NAME, "phone": PHONE, "sex": "female", "birth_date": BORN.isoformat(), "id_no": NUMBER,
    }  # fmt: skip
    shown = await mine.post("/v1/patients", json=new)
    assert shown.status_code == 201, shown.text
    async with context.begin() as tx:
        await ensure_notices(tx, now=clock.now())
        await agree(tx, account.id, PatientId.parse(shown.json()["id"]))
    front = draw_front(name=NAME, sex="女", birth=f"{BORN:%Y%m%d}", number=NUMBER)
    sides = [
        await uploaded(context, account.id, Purpose.ID_CARD, each)
        for each in (front, draw_back(valid_from="20180101", valid_to="长期"))
    ]
    card = {"patient_id": shown.json()["id"], "front_file_id": str(sides[0].id), "back_file_id": str(sides[1].id)}
    assert (await mine.post("/v1/identities", json=card)).status_code == 201

    offered = await make_offer(api, context)
    patient = await make_patient(database, account.id, name=NAME, phone=f"+86{PHONE}")
    address = await make_address(database, account.id, detail=DOOR, phone=f"+86{PHONE}")
    customer = Customer(account.id, mine, patient, address, await bind_wechat(context, account.id))
    wish = {**customer.wish(offered), "note": NOTE}
    held = await mine.post("/v1/bookings", key="dump", json=wish)
    assert held.status_code == 201, held.text
    booking = await pay(context, customer, held.json()["id"])
    base = f"/v1/hospital/bookings/{booking['id']}"
    assert (await offered.desk.post(f"{base}/accept")).status_code == 200
    assert (await offered.desk.get(base)).status_code == 200

    nurse = await make_clinician(database, offered.hospital.id, name=NURSE, licence_no=LICENCE, state=ClinicianState.SUBMITTED)
    herself = api.signed_in((await sign_in(database, context.tokens, nurse.account_id)).access_token)
    photo = (await send(herself, draw_paper([f"姓名：{NURSE}", f"护士执业证书编号：{LICENCE}"]), "licence")).json()["id"]
    paper = {
        "clinician_id": str(nurse.id), "kind": "nurse_licence", "holder_name": NURSE, "number": LICENCE,
        "valid_until": "2031-06-30", "photo_ids": [photo],
    }  # fmt: skip
    made = await herself.post("/v1/clinicians/qualifications", json=paper)
    assert (await herself.post(f"/v1/clinicians/qualifications/{made.json()['id']}/submit")).status_code == 200
    await do_jobs(context, "clinicians.read_photos")

    pair = await make_pair(api, context)
    talk = await make_consultation(database, pair, people={"patient": NAME, "clinician": NURSE}, complaint=WORD)
    await say(context, talk, pair.asker, WORD)
    assert (await mine.post(ASKED, json={"code": await code_for(context, account.id)})).status_code == 201
    await do_jobs(context, "privacy.export")
    return str(booking["order_no"])


async def test_a_dump_shows_nobody(api: Api, context: Context) -> None:
    public = await _live(api, context)
    found, open_ones = [], 0
    async with context.database.engine.connect() as connection:
        tables = [
            row[0] for row in await connection.execute(
                text("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
            )
        ]  # fmt: skip
        for table in tables:
            rows = await connection.exec_driver_sql(f"SELECT * FROM `{table}`")
            names = list(rows.keys())
            for row in rows:
                for name, value in zip(names, row, strict=True):
                    plain = value if isinstance(value, bytes) else str(value).encode()
                    open_ones += public.encode() in plain
                    found += [f"{table}.{name}: {secret}" for secret in SECRETS if any(each in plain for each in forms(secret))]
    assert found == []
    assert len(tables) > 80
    assert open_ones >= 1, "what is public is found, so this test can find what is not"
