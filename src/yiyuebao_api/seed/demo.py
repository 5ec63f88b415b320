"""The world of development: hospitals, staff, services, schedules and two patients in seven cities."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api import wiring
from yiyuebao_api.domains.accounts.models import StaffCredential
from yiyuebao_api.domains.accounts.service import create_staff, ensure_account, grant_role
from yiyuebao_api.domains.catalogue.events import OfferChanged
from yiyuebao_api.domains.catalogue.models import Place, Service, ServiceMove, ServiceState, ServiceVersion
from yiyuebao_api.domains.catalogue.rules import Content
from yiyuebao_api.domains.catalogue.service import ensure_reference
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianKind, ClinicianState, Title
from yiyuebao_api.domains.clinicians.rules import TITLE_NAMES, Practice
from yiyuebao_api.domains.consents.service import ensure_notices
from yiyuebao_api.domains.consultations.models import ConsultationOffer, ConsultationTerms
from yiyuebao_api.domains.consultations.rules import ConsultKind, Measure
from yiyuebao_api.domains.hospitals.events import HospitalChanged, SiteChanged
from yiyuebao_api.domains.hospitals.models import Hospital, HospitalMove, HospitalState, Site
from yiyuebao_api.domains.hospitals.service import add_desk_member
from yiyuebao_api.domains.patients.models import Address, Patient
from yiyuebao_api.domains.patients.rules import RealName, Relation, Sex
from yiyuebao_api.kernel import events, secrets
from yiyuebao_api.kernel.database import Database, Model
from yiyuebao_api.kernel.geo import Point
from yiyuebao_api.kernel.ids import (
    AccountId,
    AddressId,
    ClinicianId,
    ConsultationOfferId,
    HospitalId,
    PatientId,
    RowId,
    ServiceId,
    ServiceVersionId,
    SiteId,
)
from yiyuebao_api.kernel.money import Fen
from yiyuebao_api.kernel.tokens import Mode
from yiyuebao_api.seed.fixed import BEGAN, fixed_id
from yiyuebao_api.seed.hospitals import HOSPITALS, PlannedHospital
from yiyuebao_api.seed.items import ITEMS, Item
from yiyuebao_api.seed.scale import seed_scale
from yiyuebao_api.seed.schedules import seed_schedules
from yiyuebao_api.settings import Settings


class NotInProduction(Exception):
    """Invented hospitals and known passwords have no place among real people."""


@dataclass(frozen=True, slots=True)
class SeedReport:
    """How many rows were new, by table."""

    added: dict[str, int]

    @property
    def changed(self) -> bool:
        return any(self.added.values())


@dataclass(frozen=True, slots=True)
class DemoLogin:
    """How to sign in as somebody. A phone gets its code by SMS: development reads it in the sandbox's inbox."""

    who: str
    mode: Mode
    phone: str | None
    login: str | None
    password: str | None


_PATIENT_PHONES = ("+8613800000001", "+8613800000002")
_OPERATOR, _AUDITOR = ("operator", "Demo-operator-2026"), ("auditor", "Demo-auditor-2026")


def _desk(hospital: PlannedHospital) -> tuple[str, str]:
    return f"desk.{hospital.key}", f"Demo-{hospital.key}-2026"


def _staff_phone(hospital: int, person: int) -> str:
    return f"+86139{hospital + 1:04d}{person + 1:04d}"


def demo_logins() -> list[DemoLogin]:
    """Everybody worth signing in as: patients, the first hospital's staff and desk, the platform."""
    first = HOSPITALS[0]
    login, password = _desk(first)
    return [
        DemoLogin("患者 林晓燕（海口）", Mode.PATIENT, _PATIENT_PHONES[0], None, None),
        DemoLogin("患者 赵磊（北京）", Mode.PATIENT, _PATIENT_PHONES[1], None, None),
        *(
            DemoLogin(
                f"{TITLE_NAMES[each.title]} {each.name}（{first.name}）",
                Mode.CLINICIAN,
                _staff_phone(0, number),
                None,
                None,
            )
            for number, each in enumerate(_staff(0))
        ),
        DemoLogin(f"医院后台（{first.name}）", Mode.DESK, None, login, password),
        DemoLogin("平台运营", Mode.OPERATOR, None, *_OPERATOR),
        DemoLogin("审计", Mode.AUDITOR, None, *_AUDITOR),
    ]


async def seed_reference(database: Database, *, now: datetime) -> SeedReport:
    """Categories, the country's lists of items, the first notices: what every installation needs, production too."""
    async with database.begin() as tx:
        return SeedReport(
            {"reference": await ensure_reference(tx, now=now), "consent_notice": await ensure_notices(tx, now=now)}
        )


async def seed(database: Database, settings: Settings, *, services: int | None = None, now: datetime) -> SeedReport:
    """The world of development, or with `services` the large one for benchmarks: that many services at 20 000 sites.

    Raises NotInProduction.
    """
    if settings.production:
        raise NotInProduction("seed: only in development")
    secrets.install(settings.secrets)
    events.connect(wiring.EVENTS)
    reference = await seed_reference(database, now=now)
    if services is not None:
        return SeedReport({**reference.added, **await seed_scale(database, services)})
    return SeedReport({**reference.added, **await _World(database, now).build()})


# ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Person:
    name: str
    sex: Sex
    kind: ClinicianKind
    title: Title
    specialty: str
    years: int


_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高"
_GIVEN = ("海燕", "丽娟", "秀芳", "晓梅", "雪莹", "慧敏", "雅琴", "静怡", "思颖", "佳宁", "文君", "嘉怡", "若兰")
_MALE = ("建国", "志明", "文博", "浩然", "宏伟", "俊杰", "子轩", "立新", "永康", "德明", "世杰", "伟东", "启航")


def _staff(number: int) -> tuple[_Person, ...]:
    """Two nurses and a doctor of one hospital, the same in every run."""
    dice = random.Random(number)
    names = [dice.choice(_SURNAMES) + given for given in (_GIVEN[number], _GIVEN[-1 - number], _MALE[number])]
    return (
        _Person(names[0], Sex.FEMALE, ClinicianKind.NURSE, Title.SUPERVISOR_NURSE, "伤口造口与 PICC 护理", 12),
        _Person(names[1], Sex.FEMALE, ClinicianKind.NURSE, Title.SENIOR_NURSE, "慢病与母婴护理", 7),
        _Person(names[2], Sex.MALE, ClinicianKind.DOCTOR, Title.ATTENDING_DOCTOR, "全科与内分泌", 11),
    )


# ── the world ────────────────────────────────────────────────────────────────────────────────────────────────────────


class _World:
    """Adds what is missing, in transactions of one hospital each."""

    def __init__(self, database: Database, now: datetime) -> None:
        self._database, self._now = database, now
        self._added: dict[str, int] = {}

    async def build(self) -> dict[str, int]:
        await self._platform()
        for number, plan in enumerate(HOSPITALS):
            await self._hospital(number, plan)
        await self._patients()
        return self._added

    def _count(self, table: str, new: int = 1) -> None:
        self._added[table] = self._added.get(table, 0) + new

    async def _add_missing(self, tx: AsyncSession, rows: Iterable[Any]) -> list[Any]:
        """Those of some rows of one table whose keys are new; they are flushed."""
        wanted = list(rows)
        if not wanted:
            return []
        kind: Any = type(wanted[0])
        known = set(await tx.scalars(select(kind.id).where(kind.id.in_([row.id for row in wanted]))))
        new: list[Model] = [row for row in wanted if row.id not in known]
        tx.add_all(new)
        await tx.flush()
        self._count(kind.__tablename__, len(new))
        return new

    async def _staff_missing(self, tx: AsyncSession, login: str) -> bool:
        return await tx.scalar(select(StaffCredential.account_id).where(StaffCredential.login == login)) is None

    async def _platform(self) -> None:
        async with self._database.begin() as tx:
            for (login, password), mode in ((_OPERATOR, Mode.OPERATOR), (_AUDITOR, Mode.AUDITOR)):
                if await self._staff_missing(tx, login):
                    await create_staff(
                        tx, login=login, password_hash=await secrets.hash_password(password), totp_secret=None,
                        mode=mode, hospital_id=None, now=self._now,
                    )  # fmt: skip
                    self._count("account")

    async def _hospital(self, number: int, plan: PlannedHospital) -> None:
        hospital = _hospital_row(number, plan, self._now)
        sites = [_site_row(hospital.id, plan, place) for place in range(len(plan.sites))]
        offers = [offer for place, site in enumerate(sites) for offer in _offers(plan, site, place)]
        async with self._database.begin() as tx:
            new = await self._add_missing(tx, [hospital])
            for each in new:
                tx.add(_opened(each))
            new_sites = await self._add_missing(tx, sites)
            await self._desk_and_staff(tx, number, plan, hospital.id)
            new_services = await self._add_missing(tx, [service for service, _ in offers])
            fresh = {service.id for service in new_services}
            versions = [version for _, version in offers if version.service_id in fresh]
            await self._add_missing(tx, versions)
            tx.add_all(_published(service) for service in new_services)
            await tx.flush()
            if new:
                await events.announce(tx, HospitalChanged(hospital.id))
            for site in new_sites:
                await events.announce(tx, SiteChanged(site.id))
            for service in new_services:
                await events.announce(tx, OfferChanged(service.id))
            for site in sites:
                self._count("pool", await seed_schedules(tx, site))

    async def _desk_and_staff(
        self, tx: AsyncSession, number: int, plan: PlannedHospital, hospital_id: HospitalId
    ) -> None:
        login, password = _desk(plan)
        if await self._staff_missing(tx, login):
            await add_desk_member(
                tx, hospital_id, login=login, name="值班管理员", password_hash=await secrets.hash_password(password),
                totp_secret=None, now=self._now,
            )  # fmt: skip
            self._count("desk_member")
        people = _staff(number)
        rows = []
        for position, person in enumerate(people):
            account = await ensure_account(tx, _staff_phone(number, position), now=self._now)
            rows.append(_clinician_row(plan, hospital_id, account.id, position, person, self._now))
        for clinician in await self._add_missing(tx, rows):
            await grant_role(tx, clinician.account_id, Mode.CLINICIAN, hospital_id=hospital_id, now=self._now)
        await self._consultations(tx, plan, rows)

    async def _consultations(self, tx: AsyncSession, plan: PlannedHospital, staff: Sequence[Clinician]) -> None:
        """Health advice is open everywhere; an online follow-up needs an approval, which nobody has yet."""
        kind, hospital_id = ConsultKind.HEALTH_ADVICE, staff[0].hospital_id
        if await tx.get(ConsultationTerms, (hospital_id, kind)) is None:
            tx.add(ConsultationTerms(
                hospital_id=hospital_id, kind=kind, is_open=True, min_fen=Fen(1000), max_fen=Fen(10000), changed_at=BEGAN
            ))  # fmt: skip
            self._count("consultation_terms")
        await self._add_missing(tx, [
            _consultation_offer(plan, each, position, measure) for position, each in enumerate(staff) for measure in Measure
        ])  # fmt: skip

    async def _patients(self) -> None:
        async with self._database.begin() as tx:
            haikou = await ensure_account(tx, _PATIENT_PHONES[0], now=self._now)
            beijing = await ensure_account(tx, _PATIENT_PHONES[1], now=self._now)
            await self._add_missing(tx, [
                _patient(haikou.id, "林晓燕", Relation.SELF, Sex.FEMALE, date(1988, 5, 20), 0, self._now),
                _patient(haikou.id, "王秀兰", Relation.PARENT, Sex.FEMALE, date(1952, 3, 8), 0, self._now),
                _patient(haikou.id, "林小满", Relation.CHILD, Sex.MALE, date(2026, 9, 1), 0, self._now),
                _patient(beijing.id, "赵磊", Relation.SELF, Sex.MALE, date(1979, 11, 2), 1, self._now),
            ])  # fmt: skip
            await self._add_missing(tx, [
                _address(haikou.id, "林晓燕", 0, "460106", "海南省海口市龙华区", "国贸路 45 号金茂花园 3 栋 1502",
                    Point(20.0268, 110.3172), self._now),
                _address(haikou.id, "林晓燕", 0, "469005", "海南省文昌市", "文城镇文建路 12 号",
                    Point(19.6131, 110.7540), self._now),
                _address(beijing.id, "赵磊", 1, "110105", "北京市朝阳区", "团结湖中路 8 号院 2 号楼 601",
                    Point(39.9296, 116.4672), self._now),
            ])  # fmt: skip


def _hospital_row(number: int, plan: PlannedHospital, now: datetime) -> Hospital:
    names = "、".join(plan.departments)
    return Hospital(
        id=fixed_id(HospitalId, plan.key, number), name=plan.name, level=plan.level,
        intro=f"{plan.name}设有{names}，开展“互联网+护理服务”，由本院注册护士和医师上门。（演示数据，机构为虚构）",
        phone=plan.phone, opening="门诊 周一至周日 08:00-17:30；上门服务 08:00-18:00",
        departments=list(plan.departments), state=HospitalState.OPEN, uscc=plan.uscc, licence_no=plan.licence_no,
        licence_valid_until=(now + timedelta(days=4 * 365)).date(), licence_checked_at=now, home_mode=True,
        sub_mchid=f"19000{10001 + number}", sub_appid=None, version=1, created_at=BEGAN,
    )  # fmt: skip


def _opened(hospital: Hospital) -> HospitalMove:
    return HospitalMove(
        id=RowId.new(), hospital_id=hospital.id, state=HospitalState.OPEN, reason="演示数据", account_id=None, at=BEGAN
    )


def _site_row(hospital_id: HospitalId, plan: PlannedHospital, place: int) -> Site:
    planned = plan.sites[place]
    return Site(
        id=fixed_id(SiteId, f"{plan.key}:{place}", place), hospital_id=hospital_id, open_for_home=True, version=1,
        created_at=BEGAN, **{**asdict(planned), "adcodes": list(planned.adcodes)},
    )  # fmt: skip


def _clinician_row(
    plan: PlannedHospital, hospital_id: HospitalId, account_id: AccountId, position: int, person: _Person, now: datetime
) -> Clinician:
    return Clinician(
        id=fixed_id(ClinicianId, f"{plan.key}:{position}", position), account_id=account_id, hospital_id=hospital_id,
        kind=person.kind, name=person.name, sex=person.sex, title=person.title, specialty=person.specialty,
        intro=f"{plan.name}{person.specialty}，从业 {person.years} 年。",
        licence_no=f"2014{plan.sites[0].adcode}{position + 1:05d}",
        licence_valid_until=(now + timedelta(days=3 * 365)).date(), clinical_years=person.years,
        state=ClinicianState.VERIFIED, reason=None, verified_at=now, identity_checked_at=now, licence_checked_at=now,
        practice=Practice.REGISTERED, e_reg_checked_on=now.date(), e_reg_source="全国护士（医师）电子化注册系统（演示）",
        title_checked_at=now, training_passed_on=BEGAN.date(), liability_until=(now + timedelta(days=365)).date(),
        malpractice_until=(now + timedelta(days=365)).date(), accident_until=(now + timedelta(days=365)).date(),
        item_codes=sorted(plan.items), version=1, created_at=BEGAN,
    )  # fmt: skip


def _consultation_offer(plan: PlannedHospital, clinician: Clinician, position: int, measure: Measure) -> ConsultationOffer:
    doctor, by_rounds = clinician.kind is ClinicianKind.DOCTOR, measure is Measure.ROUNDS
    return ConsultationOffer(
        id=fixed_id(ConsultationOfferId, f"{plan.key}:{position}:{measure}", position), clinician_id=clinician.id,
        hospital_id=clinician.hospital_id, kind=ConsultKind.HEALTH_ADVICE, measure=measure,
        quantity=5 if by_rounds else 15, price_fen=Fen(3000 if doctor else 1900), is_open=True, changed_at=BEGAN,
    )  # fmt: skip


def _offers(plan: PlannedHospital, site: Site, place: int) -> Sequence[tuple[Service, ServiceVersion]]:
    """What one site offers: the first site everything, a second one what is done in hospital too."""
    listed = [item for item in ITEMS if item.code in plan.items]
    chosen = listed if place == 0 else [item for item in listed if item.content.place is not Place.HOME]
    return [_offer(plan, site, item, place * 100 + order) for order, item in enumerate(chosen)]


def _offer(plan: PlannedHospital, site: Site, item: Item, order: int) -> tuple[Service, ServiceVersion]:
    dice = random.Random(f"{plan.key}:{item.code}")
    percent = plan.price_level + dice.randint(-6, 6)
    content = replace(
        item.content,
        visit_fee_fen=_priced(item.content.visit_fee_fen, percent),
        item_fee_fen=_priced(item.content.item_fee_fen, percent),
        material_fee_fen=_priced(item.content.material_fee_fen, percent),
    )
    service_id = fixed_id(ServiceId, f"{site.id}:{item.code}", order)
    version = _version_row(service_id, content, order)
    service = Service(
        id=service_id, hospital_id=site.hospital_id, site_id=site.id, category_code=item.category, code=item.code,
        state=ServiceState.PUBLISHED, current=version.id, draft=None, version=2, name=content.name,
        place=content.place, price_fen=content.price_fen, season_from=None, season_until=None, created_at=BEGAN,
    )  # fmt: skip
    return service, version


def _priced(fee: Fen, percent: int) -> Fen:
    """A fee at a hospital's price level, to whole yuan."""
    return Fen((fee * percent // 100 + 50) // 100 * 100)


def _version_row(service_id: ServiceId, content: Content, order: int) -> ServiceVersion:
    told = {**asdict(content), "skills": list(content.skills)}
    return ServiceVersion(
        id=fixed_id(ServiceVersionId, f"{service_id}:1", order), service_id=service_id, number=1,
        price_fen=content.price_fen, published_at=BEGAN, published_by=None, **told,
    )  # fmt: skip


def _published(service: Service) -> ServiceMove:
    return ServiceMove(
        id=RowId.new(), service_id=service.id, state=ServiceState.PUBLISHED, version_id=service.current, reason=None,
        account_id=None, at=BEGAN,
    )  # fmt: skip


def _patient(
    account_id: AccountId, name: str, relation: Relation, sex: Sex, born: date, owner: int, now: datetime
) -> Patient:
    phone = _PATIENT_PHONES[owner]
    return Patient(
        id=fixed_id(PatientId, name), account_id=account_id, relation=relation, name=name,
        name_index=secrets.blind("patients.name", name), phone=phone,
        phone_index=secrets.blind("patients.phone", phone), sex=sex, birth_date=born, id_no=None, id_index=None,
        real_name=RealName.VERIFIED, verified_at=now, version=1, created_at=now, deleted_at=None,
    )  # fmt: skip


def _address(
    account_id: AccountId, recipient: str, owner: int, adcode: str, district: str, detail: str, point: Point,
    now: datetime,
) -> Address:  # fmt: skip
    phone = _PATIENT_PHONES[owner]
    address = Address(
        id=fixed_id(AddressId, detail), account_id=account_id, recipient=recipient, phone=phone,
        phone_index=secrets.blind("addresses.phone", phone), adcode=adcode, district=district, detail=detail,
        precise=True, version=1, created_at=now, deleted_at=None,
    )  # fmt: skip
    address.point = point
    return address
