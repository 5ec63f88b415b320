"""A verified clinician proposes an item to their own hospital; the desk publishes it or retires it (A08)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.client import Api, refused
from tests.scenes.accounts import sign_in
from tests.scenes.clinicians import make_clinician
from tests.scenes.hospitals import as_desk, make_hospital, make_site
from yiyuebao_api.context import Context
from yiyuebao_api.domains.catalogue.rules import OPEN_PROPOSALS
from yiyuebao_api.domains.catalogue.service import ensure_reference
from yiyuebao_api.domains.clinicians.models import Clinician
from yiyuebao_api.domains.hospitals.models import Site
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.tokens import Mode

PROPOSALS, SERVICES = "/v1/catalogue/proposals", "/v1/hospital/catalogue/services"


@pytest.fixture
async def site(context: Context) -> Site:
    async with context.begin() as tx:
        await ensure_reference(tx, now=clock.now())
    return await make_site(context.database)


async def as_nurse(api: Api, context: Context, nurse: Clinician) -> Api:
    signed = await sign_in(
        context.database, context.tokens, nurse.account_id, mode=Mode.CLINICIAN, hospital_id=nurse.hospital_id
    )
    return api.signed_in(signed.access_token)


def item(site: Site, **changes: Any) -> dict[str, Any]:
    return {"site_id": str(site.id), "category_code": "postop", "code": "N07", "name": "术后换药", "place": "home", **changes}


async def test_what_is_proposed_is_published_by_the_desk(api: Api, context: Context, site: Site) -> None:
    nurse = await make_clinician(context.database, site.hospital_id)
    person = await as_nurse(api, context, nurse)
    made = await person.post(PROPOSALS, json=item(site))
    assert (made.status_code, made.json()["state"]) == (201, "draft")
    desk = await as_desk(api, context.database, site.hospital_id)
    (row,) = (await desk.get(SERVICES)).json()["items"]
    assert (row["proposed_by"], row["state"]) == (str(nurse.id), "draft")
    told = (await desk.get("/v1/hospital/notices")).json()["items"]
    assert (told[0]["kind"], told[0]["subject_id"]) == ("catalogue.proposed", made.json()["id"])
    refused(await api.get(f"/v1/catalogue/services/{made.json()['id']}"), 404, "not-found")
    retired = await desk.post(f"{SERVICES}/{made.json()['id']}/retire", json={"reason": "本院暂不开设"})
    assert retired.status_code == 200, retired.text
    assert [(each["id"], each["state"]) for each in (await person.get(PROPOSALS)).json()["items"]] == [
        (made.json()["id"], "retired")
    ]


async def test_whoever_may_not_practise_proposes_nothing(api: Api, context: Context, site: Site) -> None:
    nurse = await make_clinician(context.database, site.hospital_id, licence_checked_at=None)
    person = await as_nurse(api, context, nurse)
    problem = refused(await person.post(PROPOSALS, json=item(site)), 409, "clinician-unqualified")
    assert problem["clauses"] == ["licence_not_approved"]
    assert (await person.get(PROPOSALS)).json()["items"] == []


async def test_only_to_ones_own_hospital(api: Api, context: Context, site: Site) -> None:
    elsewhere = await make_hospital(context.database)
    person = await as_nurse(api, context, await make_clinician(context.database, elsewhere.id))
    refused(await person.post(PROPOSALS, json=item(site)), 404, "not-found")
    mine = await as_nurse(api, context, await make_clinician(context.database, site.hospital_id))
    refused(await mine.post(PROPOSALS, json=item(site, category_code="nothing")), 422, "category-unknown")
    refused(await mine.post(PROPOSALS, json=item(site, price_fen=1)), 422, "invalid-input")
    refused(await mine.get(PROPOSALS, params={"cursor": "x"}), 422, "invalid-cursor")
    desk = await as_desk(api, context.database, site.hospital_id)
    refused(await desk.post(PROPOSALS, json=item(site)), 403, "not-allowed")
    refused(await api.post(PROPOSALS, json=item(site)), 401, "unauthenticated")
    assert (await desk.get(SERVICES)).json()["items"] == []


async def test_so_many_wait_and_no_more(api: Api, context: Context, site: Site) -> None:
    person = await as_nurse(api, context, await make_clinician(context.database, site.hospital_id))
    answers = await asyncio.gather(*(person.post(PROPOSALS, json=item(site)) for _ in range(OPEN_PROPOSALS + 3)))
    assert sorted(each.status_code for each in answers) == [201] * OPEN_PROPOSALS + [409] * 3
    assert {each.json()["code"] for each in answers if each.status_code == 409} == {"too-many-proposals"}
