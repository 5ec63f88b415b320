"""Who may see a patient, while a booking lives and after it; taking it back; and who looked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from tests.scenes.bookings import accepted, hold, make_customer, make_offer
from tests.scenes.visits import Cast, make_cast
from yiyuebao_api.context import Context
from yiyuebao_api.domains.grants.models import Grant
from yiyuebao_api.domains.grants.queries import has_grant, require_grant
from yiyuebao_api.domains.grants.rules import Basis, Scope, is_open
from yiyuebao_api.domains.grants.service import close_grants, open_grant
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.audit import AuditEntry
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import BookingId, ClinicianId, ConsultationId, GrantId, HospitalId, PatientId
from yiyuebao_api.kernel.problems import NotFound
from yiyuebao_api.kernel.tokens import Mode


async def count_audit(database: Database) -> int:
    async with database.begin() as tx:
        return await tx.scalar(select(func.count()).select_from(AuditEntry)) or 0


async def deeds(database: Database) -> list[str]:
    async with database.begin() as tx:
        return list(await tx.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


async def rows(database: Database) -> list[Grant]:
    async with database.begin() as tx:
        return list(await tx.scalars(select(Grant).order_by(Grant.id)))


async def mine(cast: Cast, *, ended: bool = False) -> list[dict[str, object]]:
    listed = await cast.as_patient.get("/v1/grants", params={"ended": str(ended).lower()})
    items: list[dict[str, object]] = listed.json()["items"]
    return items


# ── opened and closed by what happens ────────────────────────────────────────────────────────────────────────────────


async def test_paying_opens_the_hospital_s_eyes_and_cancelling_closes_them(api: Api, context: Context) -> None:
    offered, customer, booking = await accepted(api, context)
    url = f"/v1/hospital/bookings/{booking['id']}"
    assert (await offered.desk.get(url)).json()["contact_phone"] == "+8613800138000"
    listed = (await customer.api.get("/v1/grants")).json()["items"]
    assert [(each["grantee_name"], each["basis"], each["subject"], each["open"]) for each in listed] == [
        (offered.hospital.name, "booking", booking["id"], True)
    ]
    await customer.api.post(f"/v1/bookings/{booking['id']}/cancel", json={"reason": "不需要了"})
    assert (await offered.desk.get(url)).json()["contact_phone"] == "138****8000"
    assert (await customer.api.get("/v1/grants")).json()["items"] == []
    assert [each["open"] for each in (await customer.api.get("/v1/grants?ended=true")).json()["items"]] == [False]


async def test_a_refused_booking_is_answered_masked(api: Api, context: Context) -> None:
    offered, _, booking = await accepted(api, context)
    answer = await offered.desk.post(f"/v1/hospital/bookings/{booking['id']}/refuse", json={"reason": "人手不足"})
    assert (answer.json()["state"], answer.json()["contact_phone"]) == ("refused", "138****8000")


async def test_an_unpaid_booking_opens_nothing(api: Api, context: Context) -> None:
    offered, customer = await make_offer(api, context), await make_customer(api, context)
    await hold(customer, offered)
    assert await rows(context.database) == []


async def test_without_a_grant_the_desk_sees_a_paid_booking_masked(api: Api, context: Context) -> None:
    offered, _, booking = await accepted(api, context)
    before = await count_audit(context.database)
    async with context.begin() as tx:
        await close_grants(tx, basis=Basis.BOOKING, subject=BookingId.parse(booking["id"]), now=clock.now())
    seen = (await offered.desk.get(f"/v1/hospital/bookings/{booking['id']}")).json()
    assert (seen["state"], seen["contact_phone"], seen["address"]["detail"]) == ("accepted", "138****8000", None)
    assert await count_audit(context.database) == before


async def test_the_clinician_s_grant_follows_the_assignment(cast: Cast) -> None:
    visit_id = await cast.assign()
    assert {each["grantee_kind"] for each in await mine(cast)} == {"clinician", "hospital"}
    other = await cast.another_nurse()
    body = {"clinician_id": str(other.id), "reason": "临时请假"}
    assert (await cast.as_desk.post(f"/v1/hospital/visits/{visit_id}/reassign", json=body)).status_code == 200
    held = {row.grantee: row for row in await rows(cast.database)}
    now = clock.now()
    assert [
        is_open(row.from_at, row.until_at, row.revoked_at, now) for row in (held[str(cast.nurse.id)], held[str(other.id)])
    ] == [False, True]
    back = {"clinician_id": str(cast.nurse.id), "reason": "改回原人员"}
    assert (await cast.as_desk.post(f"/v1/hospital/visits/{visit_id}/reassign", json=back)).status_code == 200
    assert (await cast.as_nurse.get(f"/v1/visits/{visit_id}")).json()["patient"]["name"] == "陈秀英"
    reason = {"reason": "暂无可派人员"}
    assert (await cast.as_desk.post(f"/v1/hospital/visits/{visit_id}/unassign", json=reason)).status_code == 200
    assert [each["grantee_kind"] for each in await mine(cast)] == ["hospital"]
    assert (await cast.as_nurse.get(f"/v1/visits/{visit_id}")).json()["patient"]["name"] == "陈**"


async def test_a_day_after_the_confirmation_everything_is_closed(cast: Cast) -> None:
    visit_id = await cast.assign()
    await cast.step(visit_id, "depart", "arrive", "start", "finish")
    assert (await cast.as_patient.post(f"/v1/visits/{visit_id}/confirm")).status_code == 200
    held = await rows(cast.database)
    assert len({row.until_at for row in held}) == 1
    confirmed = (await cast.row(visit_id)).confirmed_at
    assert confirmed is not None
    for row in held:
        for hours, expected in ((23, True), (24, False)):
            assert is_open(row.from_at, row.until_at, row.revoked_at, confirmed + timedelta(hours=hours)) is expected
    url = f"/v1/visits/{visit_id}"
    assert (await cast.as_nurse.get(url)).json()["patient"]["name"] == "陈秀英"
    desk = (await cast.as_desk.get(f"/v1/hospital/bookings/{cast.booking.id}")).json()
    assert desk["contact_phone"] == "138****8000", "the desk needs it no more once the visit is confirmed"
    clock.move(timedelta(hours=24))
    as_nurse = await cast.signed_in(Mode.CLINICIAN, cast.nurse.account_id)
    assert (await as_nurse.get(url)).json()["patient"]["name"] == "陈**"


# ── the interface ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_open_close_and_ask(database: Database) -> None:
    patient, nurse, subject, now = PatientId.new(), ClinicianId.new(), BookingId.new(), clock.now()

    async def may(at: timedelta = timedelta(), scope: Scope = Scope.CARE, **by: BookingId) -> bool:
        async with database.begin() as tx:
            return await has_grant(tx, patient, nurse, scope, now + at, **by)

    async def open_(**options: object) -> None:
        async with database.begin() as tx:
            await open_grant(
                tx, patient_id=patient, grantee=nurse, basis=Basis.CONSULTATION, subject=subject, now=now, **options,  # type: ignore[arg-type]
            )  # fmt: skip

    assert not await may()
    await open_(from_=now + timedelta(hours=1), until=now + timedelta(hours=2))
    assert [await may(timedelta(minutes=m)) for m in (59, 60, 119, 120)] == [False, True, True, False]
    await open_()
    assert await may()
    assert len(await rows(database)) == 1
    assert await may(subject=subject)
    assert not await may(subject=BookingId.new())
    assert not await may(scope=Scope.RECORDS)
    async with database.begin() as tx:
        assert not await has_grant(tx, PatientId.new(), nurse, Scope.CARE, now)
        assert not await has_grant(tx, patient, HospitalId.new(), Scope.CARE, now)
        await close_grants(tx, basis=Basis.BOOKING, subject=subject, now=now)
    assert await may(), "another basis is another's business"
    async with database.begin() as tx:
        await close_grants(tx, basis=Basis.CONSULTATION, subject=subject, now=now, after=timedelta(hours=24))
        await close_grants(tx, basis=Basis.CONSULTATION, subject=subject, now=now, after=timedelta(hours=48))
    assert [await may(timedelta(hours=h)) for h in (23, 24)] == [True, False]
    async with database.begin() as tx:
        with pytest.raises(NotFound):
            await require_grant(tx, patient, nurse, Scope.CARE, now + timedelta(hours=24))


# ── the patient takes it back ────────────────────────────────────────────────────────────────────────────────────────


async def test_what_a_booking_needs_is_not_revoked(cast: Cast) -> None:
    visit_id = await cast.assign()
    for each in await mine(cast):
        body = refused(await cast.as_patient.post(f"/v1/grants/{each['id']}/revoke"), 409, "grant-needed-by-booking")
        assert body["subject"] == str(cast.booking.id)
    assert all(row.revoked_at is None for row in await rows(cast.database))
    assert (await cast.as_nurse.get(f"/v1/visits/{visit_id}")).json()["patient"]["name"] == "陈秀英"


async def test_what_a_consultation_needs_is_not_revoked(cast: Cast) -> None:
    subject = ConsultationId.new()
    async with cast.database.begin() as tx:
        for scope in (Scope.CARE, Scope.RECORDS):
            await open_grant(
                tx, patient_id=cast.booking.patient_id, grantee=cast.nurse.id, basis=Basis.CONSULTATION, scope=scope,
                subject=subject, now=clock.now(),
            )  # fmt: skip
    held = {each["scope"]: each["id"] for each in await mine(cast) if each["basis"] == "consultation"}
    url = "/v1/grants/{}/revoke"
    refused(await cast.as_patient.post(url.format(held["care"])), 409, "grant-needed-by-consultation")
    assert (await cast.as_patient.post(url.format(held["records"]))).status_code == 200


async def test_revoking_counts_from_the_next_request_on(cast: Cast) -> None:
    visit_id = await cast.assign()
    await cast.step(visit_id, "depart", "arrive", "start", "finish")
    await cast.as_patient.post(f"/v1/visits/{visit_id}/confirm")
    assert (await cast.as_nurse.get(f"/v1/visits/{visit_id}")).json()["patient"]["name"] == "陈秀英"
    for each in await mine(cast):
        answer = await cast.as_patient.post(f"/v1/grants/{each['id']}/revoke")
        assert (answer.status_code, answer.json()["open"]) == (200, False)
        assert (await cast.as_patient.post(f"/v1/grants/{each['id']}/revoke")).json() == answer.json()
    assert (await cast.as_nurse.get(f"/v1/visits/{visit_id}")).json()["patient"]["name"] == "陈**"
    desk = (await cast.as_desk.get(f"/v1/hospital/bookings/{cast.booking.id}")).json()
    assert desk["contact_phone"] == "138****8000"
    assert (await deeds(cast.database)).count("grants.revoke") == 2


async def test_another_s_grant_does_not_exist(cast: Cast, api: Api) -> None:
    await cast.assign()
    held = (await mine(cast))[0]["id"]
    refused(await cast.as_stranger.post(f"/v1/grants/{held}/revoke"), 404, "not-found")
    refused(await cast.as_patient.post(f"/v1/grants/{GrantId.new()}/revoke"), 404, "not-found")
    refused(await cast.as_nurse.post(f"/v1/grants/{held}/revoke"), 403, "not-allowed")
    refused(await api.post(f"/v1/grants/{held}/revoke"), 401, "unauthenticated")
    assert (await cast.as_stranger.get("/v1/grants")).json()["items"] == []
    asked = {"patient_id": str(cast.booking.patient_id)}
    assert (await cast.as_stranger.get("/v1/grants", params=asked)).json()["items"] == []
    refused(await cast.as_patient.get("/v1/grants?cursor=bm9uc2Vuc2U"), 422, "invalid-cursor")
    refused(await cast.as_desk.get("/v1/grants"), 403, "not-allowed")
    assert all(row.revoked_at is None for row in await rows(cast.database))


# ── who looked ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_each_look_leaves_one_row_and_the_patient_sees_it(cast: Cast) -> None:
    visit_id = await cast.assign()
    assert await count_audit(cast.database) == 0
    await cast.as_nurse.get(f"/v1/visits/{visit_id}")
    await cast.as_nurse.get("/v1/visits/mine")
    await cast.as_desk.get(f"/v1/hospital/bookings/{cast.booking.id}")
    await cast.step(visit_id, "depart", "arrive", "check-in", "start", "finish")
    await cast.as_desk.get(f"/v1/hospital/visits/{visit_id}")
    expected = [
        "visits.read", "visits.list", "bookings.read", "visits.depart", "visits.arrive", "visits.check_in",
        "visits.start", "visits.finish", "visits.read_record",
    ]  # fmt: skip
    assert await deeds(cast.database) == expected
    asked = {"patient_id": str(cast.booking.patient_id)}
    log = (await cast.as_patient.get("/v1/grants/access-log", params=asked)).json()["items"]
    assert [each["action"] for each in log] == expected[::-1]
    assert [(each["role"], each["name"], each["deed"]) for each in log[-2:]] == [
        ("clinician", "王**", "查看任务列表"), ("clinician", "王**", "查看服务任务"),
    ]  # fmt: skip
    assert all(each["hospital_name"] for each in log)
    page = (await cast.as_patient.get("/v1/grants/access-log", params={**asked, "limit": 4})).json()
    rest = (await cast.as_patient.get("/v1/grants/access-log", params={**asked, "cursor": page["next_cursor"]})).json()
    assert page["items"] + rest["items"] == log


async def test_what_is_not_shown_leaves_no_row(cast: Cast, context: Context, api: Api) -> None:
    visit_id = await cast.assign()
    elsewhere = await make_cast(context, api)
    url = f"/v1/visits/{visit_id}"
    for who, path in (
        (cast.as_patient, url), (cast.as_patient, f"/v1/bookings/{cast.booking.id}"), (cast.as_patient, "/v1/bookings"),
        (cast.as_stranger, url), (elsewhere.as_nurse, url),
        (elsewhere.as_desk, f"/v1/hospital/bookings/{cast.booking.id}"),
        (cast.as_desk, "/v1/hospital/bookings"), (cast.as_desk, "/v1/hospital/visits"),
        (cast.as_desk, f"/v1/hospital/visits/{visit_id}"),
    ):  # fmt: skip
        await who.get(path)
    assert await deeds(cast.database) == []


async def test_a_page_notes_each_patient_who_is_shown_and_no_other(cast: Cast) -> None:
    for hours in (0, 3, 6):
        moved = cast.booking.starts_at + timedelta(hours=hours)
        await cast.assign(cast.booking if not hours else await cast.another_booking(starts_at=moved))
    listed = (await cast.as_nurse.get("/v1/visits/mine", params={"limit": 2})).json()["items"]
    assert [each["patient"]["name"] for each in listed] == ["陈秀英"] * 2
    assert await deeds(cast.database) == ["visits.list"] * 2


async def test_the_access_log_is_the_owner_s_alone(cast: Cast, api: Api) -> None:
    asked = {"patient_id": str(cast.booking.patient_id)}
    refused(await cast.as_stranger.get("/v1/grants/access-log", params=asked), 404, "not-found")
    refused(await cast.as_desk.get("/v1/grants/access-log", params=asked), 403, "not-allowed")
    refused(await api.get("/v1/grants/access-log", params=asked), 401, "unauthenticated")
    refused(await cast.as_patient.get("/v1/grants/access-log"), 422, "invalid-input")
    refused(await cast.as_patient.get("/v1/grants/access-log?cursor=x", params={**asked, "cursor": "bm9u"}), 422, "invalid-cursor")
    nobody = {"patient_id": str(PatientId.new())}
    refused(await cast.as_patient.get("/v1/grants/access-log", params=nobody), 404, "not-found")
    operator = api.signed_in((await sign_in(cast.database, api.app.state.tokens, mode=Mode.OPERATOR)).access_token)
    refused(await operator.get("/v1/grants/access-log", params=asked), 403, "not-allowed")
