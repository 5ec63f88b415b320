"""Who is who: a nurse photographs her licence, a stranger her mother's ID card, and an operator decides on both."""

from __future__ import annotations

import secrets
from datetime import date, timedelta

from yiyuebao_api.demo.people import Json, Person, new_key, require, until
from yiyuebao_api.demo.story import APP, Cast, Home, free_starts
from yiyuebao_api.domains.consents.rules import Purpose
from yiyuebao_api.domains.identities.rules import age_on, usual_years
from yiyuebao_api.kernel import clock
from yiyuebao_api.seed import DemoLogin
from yiyuebao_api.seed.cards import draw_back, draw_front, draw_paper, id_number

_SURNAMES, _GIVEN = "王李张刘陈杨黄吴周徐孙马朱胡林郭何高罗郑梁谢宋唐许韩冯邓曹彭", "雨桐婉清思琪静怡佳宁欣悦诗涵梦瑶晓雯若兰书瑶可馨"
_MOTHER = "王秀兰"
_WHERE: Json = {
    "adcode": "460106", "district": "海南省海口市龙华区", "detail": "国贸路 45 号金茂花园 3 栋 1502", "lat": 20.0268,
    "lng": 110.3172, "coord_type": "gcj02",
}  # fmt: skip


def new_phone() -> str:
    """Nobody's yet: the demo begins with strangers, every time."""
    return f"136{secrets.randbelow(10**8):08d}"


def born(first_year: int, last_year: int) -> date:
    """Somebody's birthday; the 29th of February is nobody's."""
    return date(first_year + secrets.randbelow(last_year - first_year + 1), 1 + secrets.randbelow(12), 1 + secrets.randbelow(28))


# ── the nurse ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def new_nurse(cast: Cast, operator: DemoLogin) -> None:
    """Registered by her hospital, known by her card and her certificates, verified by the operator."""
    stage, nurse, desk = cast.stage, cast.nurse, cast.desk
    nurse.leave(secrets.choice(_SURNAMES) + "".join(secrets.choice(_GIVEN) for _ in range(2)))
    cast.nurse_phone = new_phone()
    stage.act("第一幕 谁是谁", "who is who: cards, licences, and who decides")

    await stage.step(desk.name, APP, "登记护士", "the hospital registers a nurse; that alone lets her do nothing")
    file: Json = {
        "phone": cast.nurse_phone, "kind": "nurse", "name": nurse.name, "sex": "female", "title": "supervisor_nurse",
        "specialty": "伤口造口护理", "intro": "从事伤口造口护理八年。", "licence_no": _licence(), "clinical_years": 8,
        "licence_valid_until": _in_years(4),
    }  # fmt: skip
    made = await desk.post("/v1/hospital/clinicians", file, key=new_key())
    cast.nurse_id = made["id"]
    stage.fact("护士", f"{nurse.name}  {made['id']}", f"{len(made['clauses'])} conditions are not met")
    stage.fact("尚缺", "、".join(made["clauses"]))

    await stage.step(nurse.name, APP, "登录并拍摄身份证", "signs in and photographs her own ID card")
    await sign_in(cast, nurse, cast.nurse_phone)
    card = await _show_card(cast, nurse, nurse.name, "self", born(1984, 1994), cast.nurse_phone)
    await stage.step(nurse.name, APP, "拍摄执业证书", "photographs her certificates; a machine fills them in, she confirms")
    papers = [
        await _show_paper(cast, "nurse_licence", file["licence_no"], f"有效期至{_in_years(4)}"),
        await _show_paper(cast, "title", f"B{secrets.randbelow(10**8):08d}", "专业技术资格：主管护师"),
    ]

    await stage.step("运营", APP, "审核身份与证书", "the operator compares cards and certificates with their registers")
    await cast.operator.sign_in_by_password(operator.login or "", operator.password or "")
    await _approve_card(cast, card)
    for paper in papers:
        await _approve_paper(cast, paper)
    await stage.step(desk.name, APP, "登记培训与保险，提交审核", "trained and insured by the hospital (RULE-27)")
    path = f"/v1/hospital/clinicians/{made['id']}"
    until_day = _in_years(1)
    ready = {
        "training_passed_on": _today().isoformat(), "liability_until": until_day,
        "malpractice_until": until_day, "accident_until": until_day,
    }  # fmt: skip
    shown = await desk.get(path, quiet=True)
    await desk.put(f"{path}/readiness", ready, version=shown["version"])
    offered = await desk.get("/v1/hospital/catalogue/services", quiet=True, limit=100)
    codes = sorted({each["code"] for each in offered["items"]})
    shown = await desk.get(path, quiet=True)
    await desk.put(f"{path}/items", {"item_codes": codes}, version=shown["version"])
    await desk.post(f"{path}/submit")
    await stage.step("运营", APP, "资质审核通过", "verified; she may sign in as a clinician of this hospital")
    verified = await cast.operator.post(f"/v1/operator/clinicians/{made['id']}/verify")
    require((verified["state"], verified["clauses"]) == ("verified", []), f"护士仍缺：{verified['clauses']}")
    stage.good(f"{nurse.name} 可以上门了：每次派单与出发时再查一遍 · asked again at assignment and at departure")


async def _show_paper(cast: Cast, kind: str, number: str, line: str) -> Json:
    nurse, path = cast.nurse, "/v1/clinicians/qualifications"
    name = {"nurse_licence": "护士执业证书编号", "title": "证书编号"}[kind]
    photo = draw_paper([f"姓名：{nurse.name}", f"{name}：{number}", line])
    file_id = (await nurse.upload("licence", photo, f"{kind}.jpg"))["id"]
    read = await nurse.post(f"{path}/photo-reading", {"kind": kind, "file_id": file_id})
    found = {field: value for field, value in read.items() if value is not None}
    cast.stage.fact("识别", "  ".join(str(value) for value in found.values()), kind)
    require(found.get("number") == number, f"照片上的编号 {number} 识别为 {found.get('number')}。")
    made = await nurse.post(path, {"clinician_id": cast.nurse_id, "kind": kind, "photo_ids": [file_id], **found})
    sent: Json = await nurse.post(f"{path}/{made['id']}/submit")
    return sent


async def _approve_paper(cast: Cast, paper: Json) -> None:
    operator, path = cast.operator, f"/v1/operator/clinicians/qualifications/{paper['id']}"

    async def look() -> Json | None:
        shown: Json = await operator.get(path, quiet=True)
        return shown if shown["read"] is not None else None

    shown = await until("证书照片识别完成", look)
    require(shown["differences"] == [], f"识别与填写不一致：{shown['differences']}")
    await operator.fetch(shown["photos"][0]["url"])
    today = _today().isoformat()
    checked = {"practice": "registered", "e_reg_checked_on": today, "e_reg_source": "国家护士电子注册系统"}
    body = checked if paper["kind"] == "nurse_licence" else {}
    done = await operator.post(f"{path}/approve", body, version=shown["version"])
    cast.stage.fact("证书", f"{done['kind']} {done['number']} → {done['state']}")


# ── the stranger ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def stranger(cast: Cast) -> Home:
    """Somebody nobody knows signs in, may look but not book, and shows her mother's card; whose home it is."""
    stage, she = cast.stage, cast.daughter
    phone = new_phone()
    await stage.step(she.name, APP, "短信验证码登录", "a stranger: a phone number nobody has seen before")
    openid = await sign_in(cast, she, phone)
    me = await she.get("/v1/accounts/me")
    require(me["wechat_bound"], "登录后仍未绑定微信。")
    stage.fact("账户", f"{me['account_id']}  {me['phone']}")
    stage.fact("openid", openid, "from WeChat's server, never from the request")
    address = await she.post("/v1/patients/addresses", {"recipient": she.name, "phone": phone, **_WHERE}, quiet=True)
    stage.fact("地址", f"{address['district']}{address['detail']}  {address['id']}")

    await stage.step(she.name, APP, "拍摄母亲的身份证", "both sides; what is read fills in the form, and she confirms")
    await _wrong_side(cast)
    card = await _show_card(cast, she, _MOTHER, "parent", born(1946, 1956), phone)
    await _may_look_only(cast, card, address)
    await stage.step("运营", APP, "审核身份证", "no machine verifies anybody: a person looks, and the look is on record")
    await _approve_card(cast, card)
    patient = await she.get(f"/v1/patients/{card['patient_id']}")
    require(patient["real_name"] == "verified", f"就诊人仍是 {patient['real_name']}。")
    stage.good(f"{patient['name']} 已实名，可以预约了 · verified: now she may book")
    return Home(patient, address)


async def _may_look_only(cast: Cast, card: Json, address: Json) -> None:
    stage, she = cast.stage, cast.daughter
    await stage.step(she.name, APP, "审核前想先预约", "looking is free; booking is for verified patients")
    where = {"lat": address["lat"], "lng": address["lng"], "coord_type": "gcj02", "place": "home", "limit": 20}
    services = (await she.get("/v1/nearby/services", quiet=True, **where))["items"]
    require(bool(services), "附近没有上门护理：演示数据齐全吗？python -m yiyuebao_api seed")
    starts = await free_starts(she, services[0]["service_id"], "home", quiet=True)
    require(bool(starts), "两周内没有空位了：演示跑了很多遍？rm -rf .data 可重新开始。")
    wish = {
        "service_id": services[0]["service_id"], "place": "home", "starts_at": starts[0]["starts_at"],
        "patient_id": card["patient_id"], "address_id": address["id"],
    }  # fmt: skip
    await she.refused("/v1/bookings/quote", wish, "patient-not-verified")


async def sign_in(cast: Cast, who: Person, phone: str) -> str:
    """By SMS, then by WeChat, which binds the openid that will pay; returns it."""
    if not await who.sign_in_by_sms(cast.outside, phone):
        cast.stage.note("验证码发送太频繁，这一次用微信登录 · asked for too often just now, so WeChat it is")
    return await who.sign_in_by_wechat(cast.outside, phone)


async def _wrong_side(cast: Cast) -> None:
    await cast.daughter.agree("", Purpose.ID_CARD_RECOGNITION)
    file = await cast.daughter.upload("id_card", draw_back(valid_from="20180308", valid_to="长期"), "back.jpg")
    asked = {"file_id": file["id"], "side": "front"}
    await cast.daughter.refused("/v1/identities/card-reading", asked, "card-wrong-side")


async def _show_card(cast: Cast, who: Person, name: str, relation: str, birth: date, phone: str) -> Json:
    """Both sides of a card, read, confirmed and submitted."""
    issued = birth.replace(year=2020)
    years = usual_years(age_on(birth, issued))
    ends = "长期" if years is None else f"{issued.year + years}{issued:%m%d}"
    number = id_number("460106", birth, 2 * secrets.randbelow(500))
    front = draw_front(name=name, sex="女", birth=f"{birth:%Y%m%d}", number=number)
    back = draw_back(valid_from=f"{issued:%Y%m%d}", valid_to=ends)
    for notice in await who.agree("", Purpose.ID_CARD_RECOGNITION, quiet=True):
        cast.stage.fact("同意", f"{notice['title_zh']}  第 {notice['version']} 版", "before any picture goes to a reader")
    files = [await who.upload("id_card", each, f"{side}.jpg") for side, each in (("front", front), ("back", back))]
    read = await who.post("/v1/identities/card-reading", {"file_id": files[0]["id"], "side": "front"})
    cast.stage.fact("识别", f"{read['name']} {read['sex']} {read['birth_date']} {read['number'][:6]}********{read['number'][-4:]}")
    person = {
        "relation": relation, "name": read["name"], "phone": phone, "sex": {"男": "male", "女": "female"}[read["sex"]],
        "birth_date": read["birth_date"], "id_no": read["number"],
    }  # fmt: skip
    patient = await who.post("/v1/patients", person)
    await who.agree(patient["id"], Purpose.ID_CARD_RECOGNITION, quiet=True)
    body = {"patient_id": patient["id"], "front_file_id": files[0]["id"], "back_file_id": files[1]["id"]}
    sent: Json = await who.post("/v1/identities", body)
    cast.stage.fact("提交", f"{sent['id']}  存疑 {len(sent['doubts'])} 项", "both sides, two-factor register asked")
    return sent


async def _approve_card(cast: Cast, card: Json) -> None:
    operator, path = cast.operator, f"/v1/operator/identities/{card['id']}"
    await operator.post(f"/v1/operator/operations/queues/items/{card['id']}/claim")
    shown = await operator.get(path)
    await operator.fetch(shown["front"]["url"])
    done = await operator.post(f"{path}/approve")
    cast.stage.fact("身份", f"{done['id']} → {done['state']}", "her look at the pictures is in the audit")


def _licence() -> str:
    return f"2016{secrets.randbelow(10**8):08d}"


def _in_years(years: int) -> str:
    return (_today() + timedelta(days=365 * years)).isoformat()


def _today() -> date:
    return clock.now().astimezone(clock.SHANGHAI).date()
