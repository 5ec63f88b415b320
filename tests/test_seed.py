"""The world of development is complete and deterministic; the large one adds up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select, text

from tests.client import Api
from yiyuebao_api import tables
from yiyuebao_api.domains.accounts.queries import find_account_by_phone, list_roles
from yiyuebao_api.domains.catalogue.models import Place, RegionalPolicy, Scenario, Service, ServiceState, ServiceVersion
from yiyuebao_api.domains.catalogue.queries import require_offer, require_permitted
from yiyuebao_api.domains.catalogue.rules import CATEGORIES, LISTED_AT_HOME, missing_to_publish
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianKind
from yiyuebao_api.domains.clinicians.rules import may_serve
from yiyuebao_api.domains.hospitals.models import Hospital, HospitalState, Site
from yiyuebao_api.domains.hospitals.rules import covers, is_uscc, warnings_about
from yiyuebao_api.domains.nearby.models import NearbyOffer, NearbySite
from yiyuebao_api.domains.nearby.queries import lock_counter
from yiyuebao_api.domains.nearby.service import rebuild
from yiyuebao_api.domains.patients.models import Address, Patient
from yiyuebao_api.domains.patients.rules import RealName
from yiyuebao_api.domains.schedules.service import list_slots
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import Id, ServiceId
from yiyuebao_api.kernel.tokens import Mode
from yiyuebao_api.seed import NotInProduction, demo_logins, seed, seed_reference
from yiyuebao_api.seed.hospitals import HOSPITALS
from yiyuebao_api.seed.items import ITEMS
from yiyuebao_api.seed.scale import SITES, scale_id
from yiyuebao_api.settings import Environment, Settings


async def _everything(database: Database) -> dict[str, Any]:
    """The number of rows and the checksum of every table that was written."""
    found = {}
    async with database.engine.connect() as connection:
        for table in tables.metadata.sorted_tables:
            count = (await connection.execute(select(func.count()).select_from(table))).scalar()
            if count:
                checksum = (await connection.execute(text(f"CHECKSUM TABLE `{table.name}`"))).one()[1]
                found[table.name] = (count, checksum)
    return found


async def _changes(database: Database) -> int:
    async with database.begin() as tx:
        return (await lock_counter(tx)).number


# ── the plan ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_items_are_those_of_the_rules() -> None:
    at_home = {item.code for item in ITEMS if item.content.place is not Place.HOSPITAL}
    assert at_home == set(LISTED_AT_HOME)
    assert {item.content.place for item in ITEMS} == set(Place)
    assert {item.category for item in ITEMS} == {code for code, *_ in CATEGORIES}
    assert {code: missing_to_publish(item.content) for item in ITEMS for code in [item.code]} == {
        item.code: [] for item in ITEMS
    }
    assert {item.content.name for item in ITEMS if item.code in LISTED_AT_HOME} == set(LISTED_AT_HOME.values())


def test_the_hospitals_are_plausible() -> None:
    assert len(HOSPITALS) >= 12
    assert len({plan.sites[0].adcode[:4] for plan in HOSPITALS}) >= 6
    assert HOSPITALS[0].sites[0].adcode.startswith("4601")
    for plan in HOSPITALS:
        assert is_uscc(plan.uscc)
        assert warnings_about(plan.uscc, plan.licence_no) == []
        assert 1 <= len(plan.sites) <= 2
        assert set(plan.items) <= {item.code for item in ITEMS}
        if plan.sites[0].adcode.startswith("46"):
            assert set(plan.items) == {item.code for item in ITEMS}
    assert len({plan.uscc for plan in HOSPITALS}) == len({plan.name for plan in HOSPITALS}) == len(HOSPITALS)


# ── the world ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_second_run_changes_nothing(database: Database, settings: Settings) -> None:
    now = clock.now()
    first = await seed(database, settings, now=now)
    assert first.changed
    assert (first.added["hospital"], first.added["site"], first.added["clinician"]) == (13, 17, 39)
    before = await _everything(database)
    second = await seed(database, settings, now=now)
    assert not second.changed
    assert await _everything(database) == before
    changes = await _changes(database)
    await rebuild(database.begin)
    assert await _changes(database) == changes > 0


async def test_an_interrupted_or_edited_world_is_completed_and_left_alone(
    database: Database, settings: Settings
) -> None:
    await seed(database, settings, now=clock.now())
    async with database.begin() as tx:
        patients = (await tx.scalars(select(Patient))).all()
        await tx.delete(patients[0])
        hospital = (await tx.scalars(select(Hospital).order_by(Hospital.id).limit(1))).one()
        hospital.intro = "改过的介绍"
    report = await seed(database, settings, now=clock.now())
    assert {table: new for table, new in report.added.items() if new} == {"patient": 1}
    async with database.begin() as tx:
        assert (await tx.get_one(Hospital, hospital.id)).intro == "改过的介绍"


async def test_everything_in_it_can_be_used(database: Database, settings: Settings) -> None:
    now = clock.now()
    today = now.astimezone(clock.SHANGHAI).date()
    await seed(database, settings, now=now)
    async with database.begin() as tx:
        hospitals = (await tx.scalars(select(Hospital))).all()
        assert {hospital.state for hospital in hospitals} == {HospitalState.OPEN}
        assert len({hospital.sub_mchid for hospital in hospitals}) == len(hospitals)
        staff = (await tx.scalars(select(Clinician))).all()
        for hospital in hospitals:
            kinds = sorted(each.kind for each in staff if each.hospital_id == hospital.id)
            assert kinds == [ClinicianKind.DOCTOR, ClinicianKind.NURSE, ClinicianKind.NURSE]
        assert all(may_serve(each, today) == [] for each in staff)
        for each in staff:
            assert [(role.mode, role.hospital_id) for role in await list_roles(tx, each.account_id)] == [
                (Mode.CLINICIAN, each.hospital_id)
            ]
        sites = {site.id: site for site in await tx.scalars(select(Site))}
        services = (await tx.scalars(select(Service))).all()
        assert {CATEGORY[each.category_code] for each in services} == set(Scenario)
        for service in services:
            _, version = await require_offer(tx, service.id, on=today)
            assert (service.price_fen, service.name) == (version.price_fen, version.name)
            if service.place is not Place.HOSPITAL:
                await require_permitted(
                    tx, item_code=service.code, adcode=sites[service.site_id].adcode, hospital_id=service.hospital_id,
                    on=today,
                )  # fmt: skip


CATEGORY = {code: scenario for code, scenario, _, _ in CATEGORIES}


async def test_every_service_has_free_places_where_it_is_done(database: Database, settings: Settings) -> None:
    now = datetime(2026, 11, 23, 1, tzinfo=UTC)
    await seed(database, settings, now=now)
    first, last = datetime(2026, 11, 24, tzinfo=UTC), datetime(2026, 11, 26, tzinfo=UTC)
    async with database.begin() as tx:
        haikou = (await tx.scalars(select(Hospital.id).where(Hospital.name == HOSPITALS[0].name))).one()
        services = (await tx.scalars(select(Service).where(Service.hospital_id == haikou))).all()
        assert len({service.code for service in services}) == 30
        for service in services:
            for place in (Place.HOME, Place.HOSPITAL):
                slots = await list_slots(tx, service.id, first=first, last=last, place=place, now=now)
                assert bool(slots) is (service.place in (place, Place.BOTH))
                assert all(slot.left > 0 for slot in slots)


async def test_the_demo_patient_lives_where_the_first_hospital_goes(database: Database, settings: Settings) -> None:
    await seed(database, settings, now=clock.now())
    async with database.begin() as tx:
        account = await find_account_by_phone(tx, "+8613800000001")
        assert account is not None
        patients = (await tx.scalars(select(Patient).where(Patient.account_id == account.id))).all()
        assert {patient.real_name for patient in patients} == {RealName.VERIFIED}
        near, far = (
            await tx.scalars(select(Address).where(Address.account_id == account.id).order_by(Address.adcode))
        ).all()
        hospital = (await tx.scalars(select(Hospital.id).where(Hospital.name == HOSPITALS[0].name))).one()
        site = (await tx.scalars(select(Site).where(Site.hospital_id == hospital).order_by(Site.id).limit(1))).one()
        assert covers(site.area, near.point, near.adcode)
        assert not covers(site.area, far.point, far.adcode)


async def test_the_demo_logins_work(api: Api, database: Database, settings: Settings) -> None:
    await seed(database, settings, now=clock.now())
    for login in demo_logins():
        if login.login is not None:
            body = {"login": login.login, "password": login.password, "device": "test"}
            answer = await api.post("/v1/accounts/sessions/password", json=body)
            assert answer.status_code == 201, answer.text
            signed = api.signed_in(answer.json()["access_token"])
            if login.mode is Mode.DESK:
                own = (await signed.get("/v1/hospital/hospitals/own")).json()
                assert (own["name"], own["missing"], own["warnings"]) == (HOSPITALS[0].name, [], [])
        else:
            assert login.phone is not None
            async with database.begin() as tx:
                assert await find_account_by_phone(tx, login.phone) is not None


async def test_never_in_production(database: Database, settings: Settings) -> None:
    production = settings.model_copy(update={"environment": Environment.PRODUCTION})
    assert production.production
    for services in (None, 10):
        with pytest.raises(NotInProduction):
            await seed(database, production, services=services, now=clock.now())
    assert await _everything(database) == {}
    assert (await seed_reference(database, now=clock.now())).changed  # what production needs too
    assert not (await seed_reference(database, now=clock.now())).changed
    assert set(await _everything(database)) == {"category", "consent_notice", "regional_policy"}
    async with database.begin() as tx:
        assert await tx.scalar(select(func.count()).select_from(RegionalPolicy)) == 40


# ── the large one ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_large_world_adds_up_and_grows(database: Database, settings: Settings) -> None:
    async def count(model: Any, *where: Any) -> int:
        async with database.begin() as tx:
            return await tx.scalar(select(func.count()).select_from(model).where(*where)) or 0

    report = await seed(database, settings, services=3_000, now=clock.now())
    assert (report.added["site"], report.added["service"]) == (SITES, 3_000)
    assert await count(Site) == await count(NearbySite) == SITES
    assert await count(Service, Service.state == ServiceState.PUBLISHED) == 2_700
    assert await count(NearbyOffer, NearbyOffer.listed.is_(True)) == 2_700
    again = await seed(database, settings, services=3_000, now=clock.now())
    assert not again.changed
    grown = await seed(database, settings, services=3_500, now=clock.now())
    assert (grown.added["site"], grown.added["service"]) == (0, 500)
    assert await count(Service) == await count(ServiceVersion) == await count(NearbyOffer) == 3_500

    async with database.begin() as tx:
        cities = select(func.count(func.distinct(func.left(Site.adcode, 4))))
        assert (await tx.scalar(cities) or 0) >= 55
        for number in (1, 2, 3, 3_499):
            service, version = await require_offer(tx, scale_id(ServiceId, number))
            offer = await tx.get_one(NearbyOffer, service.id)
            site = await tx.get_one(Site, service.site_id)
            assert site.hospital_id == service.hospital_id == offer.hospital_id
            parts = (version.visit_fee_fen, version.item_fee_fen, version.material_fee_fen, version.travel_fee_fen)
            assert sum(parts) == version.price_fen == service.price_fen == offer.price_fen
            assert offer.hospital_price_fen == version.item_fee_fen + version.material_fee_fen
            slots = [
                slot
                for place in (Place.HOME, Place.HOSPITAL)
                for slot in await list_slots(
                    tx, service.id, first=datetime(2026, 11, 23, tzinfo=UTC), last=datetime(2026, 11, 30, tzinfo=UTC),
                    place=place, now=datetime(2026, 11, 22, tzinfo=UTC),
                )
            ]  # fmt: skip
            weekdays = {slot.starts_at.astimezone(clock.SHANGHAI).weekday() for slot in slots}
            assert sum(1 << day for day in weekdays) == offer.weekdays
        assert (await tx.get_one(Service, scale_id(ServiceId, 0))).state is ServiceState.SUSPENDED
    before = await _changes(database)
    assert before == SITES + 3_500
    await rebuild(database.begin)
    assert await _changes(database) == before  # nearby itself would have written the same


def test_ids_of_the_large_world_are_ordinary_ids() -> None:
    made = [scale_id(ServiceId, number) for number in (0, 1, 999_999)]
    assert made == sorted(made)
    assert [each.version for each in made] == [7, 7, 7]
    assert all(isinstance(each, Id) and ServiceId.parse(str(each)) == each for each in made)
