"""Categories and services, in one line each."""

from __future__ import annotations

from typing import Any

from tests.scenes.hospitals import LONG_AGO, make_site
from yiyuebao_api.domains.catalogue.models import Place, RiskGrade, Service, ServiceState, ServiceVersion
from yiyuebao_api.domains.catalogue.rules import Content
from yiyuebao_api.domains.catalogue.service import ensure_reference
from yiyuebao_api.domains.hospitals.models import Site
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.ids import ServiceId, ServiceVersionId
from yiyuebao_api.kernel.money import Fen

#: What a complete draft says; 245 yuan at home, 135 in hospital.
COMPLETE: dict[str, Any] = {
    "name": "PICC/输液港维护", "place": Place.BOTH, "intro": "持证护士维护 PICC 导管。", "tips": "请备好导管维护手册。",
    "cautions": "发热时请先到院就诊。", "picture_url": None, "duration_min": 45, "buffer_before_min": 0,
    "buffer_after_min": 15, "lead_minutes": 240, "risk_grade": RiskGrade.MEDIUM, "clinical": True,
    "skills": ["PICC 维护资质"], "prerequisites": "距上次维护不超过 7 天。", "contraindications": "导管断裂。",
    "consumables": "PICC 维护包。", "medical_waste": True, "requires_order": True, "visit_fee_fen": Fen(8000),
    "item_fee_fen": Fen(9000), "material_fee_fen": Fen(4500), "travel_fee_fen": Fen(3000), "season_from": None,
    "season_until": None,
}  # fmt: skip


async def make_categories(database: Database) -> None:
    """The categories and the national policy every installation has; again and again without harm."""
    async with database.begin() as tx:
        await ensure_reference(tx, now=LONG_AGO)


async def make_service(
    database: Database, *, site: Site | None = None, code: str = "N05", category_code: str = "postop",
    state: ServiceState = ServiceState.PUBLISHED, **content: Any,
) -> tuple[Service, ServiceVersion]:  # fmt: skip
    """A published service with its first version, at a site of a new open hospital unless one is given.

    `content` changes what the version says, for example `place=Place.HOME, item_fee_fen=Fen(1)`. Nothing is announced.
    """
    await make_categories(database)
    where = site or await make_site(database)
    told = {**COMPLETE, **content}
    facts = Content(**{**told, "skills": tuple(told["skills"])})
    service_id = ServiceId.new()
    version = ServiceVersion(
        id=ServiceVersionId.new(), service_id=service_id, number=1, price_fen=facts.price_fen, published_at=LONG_AGO,
        published_by=None, **told,
    )  # fmt: skip
    service = Service(
        id=service_id, hospital_id=where.hospital_id, site_id=where.id, category_code=category_code, code=code,
        state=state, current=version.id, draft=None, version=1, name=facts.name, place=facts.place,
        price_fen=facts.price_fen, season_from=facts.season_from, season_until=facts.season_until, created_at=LONG_AGO,
    )  # fmt: skip
    async with database.begin() as tx:
        tx.add(service)
        await tx.flush()
        tx.add(version)
    return service, version
