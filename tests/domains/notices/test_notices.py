"""Being told, counting, reading; and that nobody reads what another was told."""

from __future__ import annotations

import pytest

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from yiyuebao_api.domains.notices.models import Notice
from yiyuebao_api.domains.notices.service import tell_account, tell_hospital
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import AccountId, BookingId, HospitalId, NoticeId
from yiyuebao_api.kernel.problems import Words
from yiyuebao_api.kernel.tokens import Mode


async def _tell(database: Database, reader: AccountId | HospitalId, number: int = 1) -> NoticeId:
    async with database.begin() as tx:
        words = {"title": Words(f"预约成功 {number}", f"Booked {number}"), "body": Words("您预约的上门服务已支付成功。", "It is paid.")}
        if isinstance(reader, AccountId):
            return await tell_account(tx, reader, "booking.paid", **words, subject=BookingId.new(), now=clock.now())
        return await tell_hospital(tx, reader, "booking.paid", **words, subject=BookingId.new(), now=clock.now())


@pytest.mark.parametrize("mode", [Mode.PATIENT, Mode.CLINICIAN])
async def test_a_person_reads_what_they_were_told(api: Api, database: Database, mode: Mode) -> None:
    signed = await sign_in(database, api.app.state.tokens, mode=mode)
    me = api.signed_in(signed.access_token)
    told = [await _tell(database, signed.account_id, number) for number in range(3)]
    await _tell(database, AccountId.new())
    await _tell(database, HospitalId.new())
    listed = (await me.get("/v1/notices")).json()
    assert [each["id"] for each in listed["items"]] == [str(each) for each in reversed(told)]
    assert listed["items"][0]["subject_kind"] == "booking"
    assert listed["items"][0]["subject_id"].startswith("bkg_")
    assert (await me.get("/v1/notices/unread-count")).json() == {"unread": 3}
    first = await me.post(f"/v1/notices/{told[0]}/read")
    assert first.json()["read_at"] is not None
    assert (await me.post(f"/v1/notices/{told[0]}/read")).json() == first.json()
    assert (await me.get("/v1/notices/unread-count")).json() == {"unread": 2}


async def test_pages_are_stable_while_new_notices_arrive(api: Api, database: Database) -> None:
    signed = await sign_in(database, api.app.state.tokens)
    me = api.signed_in(signed.access_token)
    told = [await _tell(database, signed.account_id, number) for number in range(5)]
    first = (await me.get("/v1/notices", params={"limit": 2})).json()
    await _tell(database, signed.account_id, 9)
    second = (await me.get("/v1/notices", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [each["id"] for each in first["items"] + second["items"]] == [str(each) for each in reversed(told)]
    assert second["next_cursor"] is None
    refused(await me.get("/v1/notices", params={"cursor": "bm9uc2Vuc2U"}), 422, "invalid-cursor")


async def test_read_all_stops_at_the_newest_that_was_shown(api: Api, database: Database) -> None:
    signed = await sign_in(database, api.app.state.tokens)
    me = api.signed_in(signed.access_token)
    shown = [await _tell(database, signed.account_id, number) for number in range(3)]
    unseen = await _tell(database, signed.account_id, 4)
    stranger = await sign_in(database, api.app.state.tokens)
    await _tell(database, stranger.account_id)
    assert (await me.post("/v1/notices/read-all", params={"up_to": str(shown[-1])})).json() == {"unread": 1}
    newest = (await me.get("/v1/notices")).json()["items"][0]
    assert (newest["id"], newest["read_at"]) == (str(unseen), None)
    assert (await me.post("/v1/notices/read-all")).json() == {"unread": 0}
    other = api.signed_in(stranger.access_token)
    assert (await other.get("/v1/notices/unread-count")).json() == {"unread": 1}


async def test_a_desk_shares_one_inbox(api: Api, database: Database) -> None:
    hospital_id = HospitalId.new()
    tokens = api.app.state.tokens
    one = api.signed_in((await sign_in(database, tokens, mode=Mode.DESK, hospital_id=hospital_id)).access_token)
    two = api.signed_in((await sign_in(database, tokens, mode=Mode.DESK, hospital_id=hospital_id)).access_token)
    told = [await _tell(database, hospital_id, number) for number in range(3)]
    await _tell(database, HospitalId.new())
    base = "/v1/hospital/notices"
    assert [each["id"] for each in (await one.get(base)).json()["items"]] == [str(each) for each in reversed(told)]
    assert (await one.post(f"{base}/{told[0]}/read")).status_code == 200
    assert (await two.get(f"{base}/unread-count")).json() == {"unread": 2}
    assert (await two.post(f"{base}/read-all", params={"up_to": str(told[1])})).json() == {"unread": 1}
    assert (await one.post(f"{base}/read-all")).json() == {"unread": 0}


async def test_another_reader_s_notice_does_not_exist(api: Api, database: Database) -> None:
    tokens = api.app.state.tokens
    hospital_id = HospitalId.new()
    signed = await sign_in(database, tokens)
    patient = api.signed_in(signed.access_token)
    desk = api.signed_in((await sign_in(database, tokens, mode=Mode.DESK, hospital_id=hospital_id)).access_token)
    other, others_desk = await _tell(database, AccountId.new()), await _tell(database, HospitalId.new())
    desks, mine = await _tell(database, hospital_id), await _tell(database, signed.account_id)
    for notice_id in (other, others_desk, desks, NoticeId.new()):
        refused(await patient.post(f"/v1/notices/{notice_id}/read"), 404, "not-found")
    for notice_id in (other, others_desk, mine, NoticeId.new()):
        refused(await desk.post(f"/v1/hospital/notices/{notice_id}/read"), 404, "not-found")
    async with database.begin() as tx:
        for notice_id in (other, others_desk, desks, mine):
            assert (await tx.get_one(Notice, notice_id)).read_at is None


async def test_wrong_callers_are_refused(api: Api, database: Database) -> None:
    patient = api.signed_in((await sign_in(database, api.app.state.tokens)).access_token)
    for path in ("/v1/hospital/notices", "/v1/hospital/notices/unread-count"):
        refused(await patient.get(path), 403, "not-allowed")
        refused(await api.get(path), 401, "unauthenticated")
    refused(await patient.post("/v1/hospital/notices/read-all"), 403, "not-allowed")
    refused(await api.get("/v1/notices"), 401, "unauthenticated")
    refused(await api.post("/v1/notices/read-all"), 401, "unauthenticated")


async def test_a_thousand_unread_notices_are_counted_as_999(api: Api, database: Database) -> None:
    signed = await sign_in(database, api.app.state.tokens)
    async with database.begin() as tx:
        for _ in range(1005):
            words = {"title": Words("预约成功", "Booked"), "body": Words("…", "…")}
            await tell_account(tx, signed.account_id, "paid", **words, subject=BookingId.new(), now=clock.now())
    assert (await api.signed_in(signed.access_token).get("/v1/notices/unread-count")).json() == {"unread": 999}


async def test_bodies_are_sealed_in_the_table(database: Database) -> None:
    await _tell(database, AccountId.new())
    async with database.engine.connect() as connection:
        row = (await connection.exec_driver_sql("SELECT body, body_en FROM notice")).mappings().one()
    assert "您预约".encode() not in row["body"]
    assert b"is paid" not in row["body_en"]


async def test_one_of_before_there_was_english_says_so(api: Api, database: Database) -> None:
    signed = await sign_in(database, api.app.state.tokens)
    told = await _tell(database, signed.account_id)
    async with database.begin() as tx:
        row = await tx.get_one(Notice, told)
        row.title_en = row.body_en = None
    (shown,) = (await api.signed_in(signed.access_token).get("/v1/notices")).json()["items"]
    assert (shown["title"], shown["title_en"]) == ("预约成功 1", "News for you")
