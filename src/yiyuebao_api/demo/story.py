"""The main job: from a search near home to shares that may be moved, as everybody who takes part lives it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx

from yiyuebao_api.demo.hospital_system import Heard, HospitalSystem
from yiyuebao_api.demo.outside import Outside
from yiyuebao_api.demo.people import Json, Person, new_key, require, until
from yiyuebao_api.demo.stage import Stage, StoryBroken, day_and_time, padded, signed_yuan
from yiyuebao_api.demo.travel import Travel
from yiyuebao_api.domains.consents.rules import NEEDED_TO_BOOK
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.money import yuan
from yiyuebao_api.kernel.tokens import Mode
from yiyuebao_api.seed import DemoLogin, demo_logins
from yiyuebao_api.seed.cards import draw_paper

APP = "医约宝"
LINES = {"visit_fee": "上门费", "item_fee": "项目费", "material_fee": "耗材费", "travel_fee": "交通费"}
ACCOUNTS = {
    "clearing": "商户号", "unearned": "待确认", "hospital_share": "医院应得", "platform_share": "平台应得",
    "hospital_released": "医院可用", "platform_released": "平台可用",
}  # fmt: skip
POSTINGS = {"payment": "收款", "refund": "退款", "accrual": "计提分账", "reversal": "冲回", "release": "到期释放"}
#: RULE-70, and the most WeChat lets anybody share away.
PLATFORM_BP = 500
RECORD: Json = {
    "vital_signs_before": {"temperature_c": 36.5, "pulse_bpm": 78, "systolic_mmhg": 136, "diastolic_mmhg": 82},
    "procedure": "核对身份；评估双足皮肤、动脉搏动与保护性感觉；清洁，处理胼胝，涂抹保湿剂。",
    "observations": "右足第一跖骨头处胼胝一处，皮肤完整，足背动脉搏动可及。",
    "materials": [{"name": "一次性换药包", "quantity": 1, "batch_no": "20260801"}],
    "education": "教会家属每日查看足底、选择宽松的鞋袜。", "advice": "两周后复查；皮肤破损时请立即联系。",
}  # fmt: skip


ASSESSMENT: Json = {
    "condition": "2 型糖尿病 12 年，双足感觉减退，皮肤完整。", "needs": "足部筛查与胼胝处理、家属教育", "risk": "跌倒风险中等",
    "barthel": {"feeding": 10, "bathing": 5, "grooming": 5, "dressing": 10, "bowels": 10, "bladder": 10, "toilet": 10,
                "transfer": 15, "mobility": 10, "stairs": 5},
    "decision": "home_ok",
}  # fmt: skip


@dataclass(slots=True)
class Cast:
    """Everybody who takes part, and where they stand."""

    stage: Stage
    outside: Outside
    travel: Travel
    system: HospitalSystem
    desk: Person
    operator: Person
    daughter: Person
    neighbour: Person
    nurse: Person
    hospital_name: str
    hospital_id: str = ""
    nurse_id: str = ""
    nurse_phone: str = ""
    endpoint_id: str = ""

    async def heard(self, event_type: str, booking_id: str) -> Heard:
        """A webhook whose signature was right. Raises StoryBroken when none comes."""

        async def look() -> Heard | None:
            return self.system.find(event_type, booking_id)

        found = await until(f"医院系统收到 {event_type} ", look)
        self.stage.good(f"医院系统收到 {found.type}，签名正确  webhook-id {found.webhook_id}")
        return found

    async def told(self, kind: str, subject_id: str) -> None:
        """A notice in the inbox that the desk shares."""

        async def look() -> Json | None:
            page = await self.desk.get("/v1/hospital/notices", quiet=True, limit=50)
            return next((n for n in page["items"] if n["kind"] == kind and n["subject_id"] == subject_id), None)

        notice = await until(f"医院后台收到 {kind} ", look)
        self.stage.good(f"医院后台消息「{notice['title']}」{notice['body']}")

    async def deliveries_done(self) -> None:
        """Nothing is on its way to the hospital's system any more."""

        async def look() -> bool | None:
            path = "/v1/hospital/partners/deliveries"
            page = await self.desk.get(path, quiet=True, endpoint_id=self.endpoint_id, state="pending")
            return None if page["items"] else True

        await until("全部事件送达", look)


@dataclass(slots=True)
class Home:
    """Who is cared for, and where."""

    patient: Json
    address: Json


def make_cast(
    api: httpx.AsyncClient, sandbox: httpx.AsyncClient, stage: Stage, travel: Travel, system: HospitalSystem
) -> tuple[Cast, dict[str, DemoLogin]]:
    """The people of the demo data, not signed in yet, and how they will."""
    logins = {"desk": _login(Mode.DESK), "operator": _login(Mode.OPERATOR), "nurse": _login(Mode.CLINICIAN)}
    patients = [each for each in demo_logins() if each.mode is Mode.PATIENT]
    logins |= {"daughter": patients[0], "neighbour": patients[1]}
    names = {name: each.who.split("（")[0].split()[-1] for name, each in logins.items()}
    hospital = logins["desk"].who.partition("（")[2].removesuffix("）")

    def person(name: str) -> Person:
        return Person(names[name], api, stage)

    cast = Cast(
        stage=stage, outside=Outside(sandbox), travel=travel, system=system, desk=person("desk"),
        operator=person("operator"), daughter=person("daughter"), neighbour=person("neighbour"),
        nurse=person("nurse"), hospital_name=hospital,
    )  # fmt: skip
    return cast, logins


def _login(mode: Mode) -> DemoLogin:
    return next(each for each in demo_logins() if each.mode is mode)


def _digits(login: DemoLogin) -> str:
    return (login.phone or "").removeprefix("+86")


# ── prologue: the hospital's side ────────────────────────────────────────────────────────────────────────────────────


async def open_house(cast: Cast, login: DemoLogin) -> None:
    """The desk signs in and lets the hospital's own system be told of everything."""
    stage, desk = cast.stage, cast.desk
    stage.act("序幕 医院", "the hospital")
    await stage.step(desk.name, APP, "登录", "the desk signs in by password")
    await desk.sign_in_by_password(login.login or "", login.password or "")
    cast.hospital_id = desk.tokens["hospital_id"]
    stage.fact("医院", f"{cast.hospital_name}  {cast.hospital_id}")
    await stage.step(desk.name, APP, "登记回调地址", "its own system wants to be told by webhook")
    path = "/v1/hospital/partners/endpoints"
    for left in (await desk.get(path, quiet=True))["items"]:
        if left["description"] == _ENDPOINT:  # of a demo that was killed
            await desk.ask("DELETE", f"{path}/{left['id']}", quiet=True)
    made = await desk.post(path, {"url": cast.system.url, "description": _ENDPOINT, "event_types": []})
    cast.system.secret, cast.endpoint_id = made["secret"], made["id"]
    stage.fact("地址", made["url"], "a tiny receiver inside this demo")
    stage.fact("密钥", f"{made['secret'][:10]}…  {made['id']}", "shown once; HMAC-SHA256, Standard Webhooks")


_ENDPOINT = "医约宝演示用接收端"


async def close_house(cast: Cast) -> None:
    """Leave nothing behind that would be told of things nobody hears; what broke the story is told elsewhere."""
    if not cast.endpoint_id:
        return
    with suppress(StoryBroken):
        await cast.desk.ask("DELETE", f"/v1/hospital/partners/endpoints/{cast.endpoint_id}", quiet=True)


# ── act one: found ───────────────────────────────────────────────────────────────────────────────────────────────────


async def find_service(cast: Cast, home: Home) -> Json:
    """Look around near home, try without a verified patient; the service that was chosen."""
    stage, she, address = cast.stage, cast.daughter, home.address
    stage.act("第二幕 找到服务", "finding care near home")
    await stage.step(she.name, APP, "附近的上门护理", "home care near by, nearest first")
    found = await she.get(
        "/v1/nearby/services", lat=address["lat"], lng=address["lng"], coord_type="gcj02", place="home",
        category="chronic", limit=20,
    )  # fmt: skip
    for each in found["items"][:5]:
        stage.fact(
            f"{each['distance_m'] / 1000:.1f} km", f"{padded(each['name'], 26)} {padded(yuan(each['price_fen']), 12)}"
            f" {each['hospital_name']}",
        )  # fmt: skip
    ours = [each for each in found["items"] if each["hospital_id"] == cast.hospital_id]
    require(bool(ours), f"附近没有 {cast.hospital_name} 的上门护理：演示数据齐全吗？python -m yiyuebao_api seed")
    chosen = next((each for each in ours if "糖尿病" in each["name"]), ours[0])
    return await show_service(cast, chosen["service_id"])


async def show_service(cast: Cast, service_id: str) -> Json:
    """Read one service with its price."""
    stage, she = cast.stage, cast.daughter
    await stage.step(she.name, APP, "服务详情", "what it is, and what it costs")
    shown: Json = await she.get(f"/v1/catalogue/services/{service_id}")
    version = shown["version"]
    stage.fact("服务", f"{version['name']}（{version['duration_min']} 分钟）  {shown['id']}")
    stage.fact("医院", f"{shown['hospital_name']} · {shown['site_name']}")
    stage.fact("内容", version["intro"])
    stage.fact("价格", yuan(version["price_fen"]), f"version {version['number']}: published once, never changed")
    return shown


async def free_starts(person: Person, service_id: str, place: str, *, quiet: bool) -> list[Json]:
    """Free slots from tomorrow on: first those with nothing booked around them, so that somebody can be sent."""
    tomorrow = clock.today(clock.now()) + timedelta(days=1)
    query = {"from": tomorrow.isoformat(), "to": (tomorrow + timedelta(days=13)).isoformat(), "place": place}
    answer = await person.get("/v1/schedules/slots", quiet=quiet, service_id=service_id, **query)
    slots = [{**each, "at": datetime.fromisoformat(each["starts_at"])} for each in answer["items"]]
    most = max((each["left"] for each in slots), default=0)
    taken = [each["at"] for each in slots if each["left"] < most]

    def crowded(slot: Json) -> bool:
        return any(abs(slot["at"] - other) < timedelta(hours=2) for other in taken)

    free = [each for each in slots if each["left"] > 0 and each["at"].astimezone(clock.SHANGHAI).hour >= 9]
    return sorted(free, key=crowded)


def _first(rows: list[Json], what: str, **facts: object) -> Json:
    for row in rows:
        if all(row[name] == value for name, value in facts.items()):
            return row
    raise StoryBroken(f"演示数据里没有合适的{what}（{facts}）：python -m yiyuebao_api seed")


# ── act two: booked and paid ─────────────────────────────────────────────────────────────────────────────────────────


async def book(cast: Cast, home: Home, service: Json) -> Json:
    """See the slots, see the price, hold a place."""
    stage, she = cast.stage, cast.daughter
    stage.act("第三幕 预约与支付", "booking and paying")
    await stage.step(she.name, APP, "可约时段", "when somebody could come")
    starts = await free_starts(she, service["id"], "home", quiet=False)
    require(bool(starts), "两周内没有空位了：演示跑了很多遍？rm -rf .data 可重新开始。")
    for slot in starts[:4]:
        stage.fact(day_and_time(slot["starts_at"]), f"余 {slot['left']}", "places left")
    wish: Json = {
        "service_id": service["id"], "place": "home", "starts_at": "", "patient_id": home.patient["id"],
        "address_id": home.address["id"], "note": "老人听力不好，请先打电话", **await _told(she, service),
    }  # fmt: skip
    wish["starts_at"] = starts[0]["starts_at"]
    await stage.step(she.name, APP, "先回答几个问题", "an emergency is never booked: it is sent to 120")
    urgent = {**wish, "answers": {**wish["answers"], "emergency": True}}
    await she.refused("/v1/bookings/quote", urgent, "emergency-120")

    await stage.step(she.name, APP, "报价", "everything before any money; nothing is saved")
    quote, wish = await _quote(she, wish, starts)
    shown = " + ".join(f"{LINES.get(line['kind'], line['kind'])} {yuan(line['amount_fen'])}" for line in quote["lines"])
    stage.fact("费用", f"{shown} = {yuan(quote['total_fen'])}")
    stage.fact("退改", quote["policy"]["words"])

    await stage.step(she.name, APP, "告知与同意", "one notice for each purpose; nothing is ticked beforehand")
    for notice in await she.agree(home.patient["id"], *NEEDED_TO_BOOK):
        stage.fact("同意", f"{notice['title_zh']}  第 {notice['version']} 版", f"SHA-256 {notice['sha256'][:16]}…")

    await stage.step(she.name, APP, "提交预约", f"the place is held for {quote['hold_minutes']} minutes")
    key = new_key()
    booking: Json = await she.post("/v1/bookings", wish, key=key)
    again = await she.ask("POST", "/v1/bookings", wish, key=key)
    require(again.json()["id"] == booking["id"], "同一个 Idempotency-Key 得到了第二个预约。")
    stage.note(f"手机重发同一请求：还是这一个（Idempotent-Replayed: {again.headers.get('Idempotent-Replayed')}）")
    stage.fact("预约", f"{booking['order_no']}  {booking['id']}")
    stage.fact("时间", f"{day_and_time(booking['starts_at'])}  至  {day_and_time(booking['ends_at'])}")
    stage.fact("状态", f"{booking['state']}，保留至 {day_and_time(booking['hold_until'])}", "unpaid")
    return booking


async def _told(she: Person, service: Json) -> Json:
    """Answers to what this service asks, and the picture it wants to see."""
    asked = service["version"]["screening"]
    photo = await she.upload("wound_photo", draw_paper(["双足照片"]), "foot.jpg")
    return {
        "eligibility": asked["eligibility"][:1], "answers": {each["code"]: not each["failing"] for each in asked["questions"]},
        "allergies": "无", "medication": "二甲双胍", "proof_ids": [photo["id"]],
    }  # fmt: skip


async def _quote(she: Person, wish: Json, starts: list[Json]) -> tuple[Json, Json]:
    """The quote for the first of these times at which the patient has nothing else to do."""
    for slot in starts[:12]:
        wish = {**wish, "starts_at": slot["starts_at"]}
        answer = await she.ask("POST", "/v1/bookings/quote", wish)
        if answer.is_success:
            return answer.json(), {**wish, "service_version_id": answer.json()["service_version_id"]}
        problem = answer.json()
        if problem["code"] not in ("patient-already-booked", "slot-taken", "slot-not-offered"):
            raise StoryBroken(f"报价被拒绝：{problem['title']}，{problem['detail']}")
        she.show(problem)
    raise StoryBroken("试过的时段都不合适：演示跑了很多遍？rm -rf .data 可重新开始。")


async def pay(cast: Cast, who: Person, booking: Json) -> Json:
    """WeChat is asked for the money, the phone pays, the notification comes; the booking as it then is."""
    stage = cast.stage
    await stage.step(who.name, APP, "请求支付", "asks WeChat Pay for the money (real SDK, real signatures)")
    prepaid, order = await prepay(cast, who, booking)
    stage.fact("支付单", f"{prepaid['payment_id']}  {yuan(prepaid['amount_fen'])}")
    stage.fact("收款方", f"特约商户 {order['sub_mchid']}（{cast.hospital_name}）", "the hospital, never the platform")
    stage.fact("商户单号", order["out_trade_no"])

    await stage.step(f"{who.name}的手机", "微信支付", "确认付款", "the phone checks the signature and pays")
    paid = await cast.outside.pay(prepaid["parameters"])
    stage.fact("微信单号", paid["transaction_id"])

    await stage.step("微信支付", APP, "支付结果通知", "signed, encrypted, verified, applied exactly once")
    notification = await notified(cast, order["out_trade_no"])
    stage.fact("通知", f"{notification['event_type']} → {notification['attempts'][-1]['status']}  {notification['id']}")
    return await settled(who, booking["id"], "paid")


async def prepay(cast: Cast, who: Person, booking: Json) -> tuple[Json, Json]:
    """What the phone needs to pay, and the order at WeChat's."""
    prepaid: Json = await who.post(f"/v1/bookings/{booking['id']}/payment", {"channel": "mini"}, key=new_key())
    return prepaid, await cast.outside.order_of(booking, "NOTPAY")


async def notified(cast: Cast, number: str) -> Json:
    """WeChat's notification about an order or refund, delivered. Raises StoryBroken when it does not arrive."""

    async def look() -> Json | None:
        told = await cast.outside.notifications_of(number)
        return next((each for each in told if each["state"] == "delivered" and not each["forge"]), None)

    hint = "API 能从沙箱访问吗（YIYUEBAO_WECHAT_PAY__NOTIFY_BASE_URL）？"
    return await until("微信的通知送达", look, hint=hint)


async def settled(who: Person, booking_id: str, state: str) -> Json:
    """The booking, once it is in that state."""

    async def look() -> Json | None:
        booking: Json = await who.get(f"/v1/bookings/{booking_id}", quiet=True)
        return booking if booking["state"] == state else None

    return await until(f"预约变为 {state} ", look)


async def tell_hospital(cast: Cast, booking: Json) -> None:
    """The desk's inbox and the hospital's own system both know, or neither."""
    await cast.stage.step(APP, cast.hospital_name, "告知医院", "desk inbox and signed webhook, in the same commit")
    await cast.told("booking.paid", booking["id"])
    event = await cast.heard("booking.paid", booking["id"])
    cast.stage.fact("内容", f"{event.data['order_no']} {event.data['state']} {yuan(event.data['total_fen'])}",
                    "ids and amounts only, no name, phone or address")  # fmt: skip


# ── act three: the visit ─────────────────────────────────────────────────────────────────────────────────────────────


async def visit(cast: Cast, booking: Json) -> Json:
    """Accepted, assigned, carried out, confirmed; the visit as it then is."""
    stage, desk, nurse = cast.stage, cast.desk, cast.nurse
    stage.act("第四幕 上门", "the visit")
    await stage.step(desk.name, APP, "接单前先做首诊评估", "no first assessment, no visit at home (RULE-39)")
    await desk.refused(f"/v1/hospital/bookings/{booking['id']}/accept", {}, "assessment-needed")
    shown = await desk.get(f"/v1/hospital/bookings/{booking['id']}/proofs")
    stage.fact("材料", "、".join(each["purpose"] for each in shown), "the desk looks at the picture; the look is on record")
    found = await desk.post(f"/v1/hospital/bookings/{booking['id']}/assess", {"clinician_id": cast.nurse_id, **ASSESSMENT})
    stage.fact("评估", f"Barthel {found['barthel']}（{found['level']}）→ {found['decision']}", f"stands until {found['valid_until'][:10]}")
    await stage.step(desk.name, APP, "接单", "the desk accepts")
    await desk.post(f"/v1/hospital/bookings/{booking['id']}/accept")
    visit_id = await assign(cast, booking)

    await stage.step(nurse.name, APP, "登录，切换为医护身份", "the nurse signs in and switches to clinician mode")
    await sign_in_nurse(cast)
    mine = (await nurse.get("/v1/visits/mine", day=booking["starts_at"][:10]))["items"]
    task = next((each for each in mine if each["id"] == visit_id), None)
    require(task is not None and bool(task["address"]["detail"]), "护士的任务列表里没有这次上门，或看不到完整地址。")
    assert task is not None
    stage.fact("任务", f"{day_and_time(task['starts_at'])} {task['service_name']}  {task['patient']['name']}")
    stage.fact("地址", task["address"]["district"] + task["address"]["detail"], "shown until 24 h after the end")
    await _go(cast, visit_id, task)
    return await _carry_out(cast, visit_id, task)


async def assign(cast: Cast, booking: Json, *, quiet: bool = False) -> str:
    """Send a nurse who is free, the one of the story if she is; the visit's id."""
    stage, desk = cast.stage, cast.desk
    if not quiet:
        await stage.step(desk.name, APP, "派单", "who may be sent, and who is free, travel included")
    path = "/v1/hospital/visits/candidates"
    candidates = (await desk.get(path, quiet=quiet, booking_id=booking["id"]))["items"]
    for each in [] if quiet else candidates:
        why = "可派" if each["free"] else "、".join(each["blockers"])
        who = each["clinician"]
        stage.fact(who["name"], f"{who['title']} · 当日 {each['visits_that_day']} 单 · {why}")
    nurses = [each["clinician"] for each in candidates if each["free"] and each["clinician"]["kind"] == "nurse"]
    require(bool(nurses), "这个时段没有可派的护士：演示跑了很多遍？rm -rf .data 可重新开始。")
    chosen = next((each for each in nurses if each["id"] == cast.nurse_id), nurses[0])
    if chosen["id"] != cast.nurse_id:
        cast.nurse.leave(chosen["name"])
        cast.nurse_id, cast.nurse_phone = chosen["id"], phone_of(chosen["name"])
    body = {"booking_id": booking["id"], "clinician_id": chosen["id"]}
    made = await desk.post("/v1/hospital/visits", body, quiet=quiet)
    if not quiet:
        stage.fact("派给", f"{chosen['name']}（执业证尾号 {chosen['licence_last4']}）  {made['id']}")
        await cast.heard("booking.assigned", booking["id"])
    return str(made["id"])


def phone_of(name: str) -> str:
    """The phone of one of the demo data's clinicians. Raises StoryBroken."""
    for each in demo_logins():
        if each.mode is Mode.CLINICIAN and name in each.who:
            return _digits(each)
    raise StoryBroken(f"演示数据里没有 {name} 的手机号。")


async def sign_in_nurse(cast: Cast) -> None:
    """By SMS; by WeChat when codes were asked for too often; then as a clinician of the hospital."""
    nurse = cast.nurse
    if not nurse.tokens and not await nurse.sign_in_by_sms(cast.outside, cast.nurse_phone):
        await nurse.sign_in_by_wechat(cast.outside, cast.nurse_phone)
    await nurse.change_mode("clinician", cast.hospital_id)


async def _go(cast: Cast, visit_id: str, task: Json) -> None:
    stage, nurse = cast.stage, cast.nurse
    starts_at = datetime.fromisoformat(task["starts_at"])
    by = cast.travel.to(starts_at - timedelta(minutes=40))
    stage.clock(f"时钟前进 {spoken(by)}，到上门当天 · the business clock moves to the day of the visit")
    await stage.step(nurse.name, APP, "出发", "the nurse sets out; may she be sent? asked once more")
    gone = await nurse.post(f"/v1/visits/{visit_id}/depart")
    cast.travel.require_followed(gone["departed_at"])
    await stage.step(nurse.name, APP, "到达", "arrives, judged by distance")
    cast.travel.to(starts_at - timedelta(minutes=5))
    door = {"lat": task["address"]["lat"], "lng": task["address"]["lng"], "accuracy_m": 15}
    stage.note("还在两公里外就按下“到达” · pressed too early, two kilometres away:")
    await nurse.refused(f"/v1/visits/{visit_id}/arrive", {**door, "lat": door["lat"] + 0.018}, "arrival-too-far")
    there = await nurse.post(f"/v1/visits/{visit_id}/arrive", {**door, "lat": door["lat"] + 0.0002})
    stage.fact("距离", f"{there['distance_m']} 米", "from the address")


async def sign(who: Person, visit_id: str, *, quiet: bool = False) -> Json:
    """Read what is to be done, and agree to it."""
    path = f"/v1/visits/{visit_id}/agreement"
    text = await who.get(path, quiet=quiet)
    signed: Json = await who.post(path, {"sha256": text["sha256"], "read_at": text["served_at"]}, quiet=quiet)
    return signed


async def _carry_out(cast: Cast, visit_id: str, task: Json) -> Json:
    stage, nurse, she = cast.stage, cast.nurse, cast.daughter
    await stage.step(nurse.name, "患者", "开始服务", "not before somebody has agreed to it")
    cast.travel.to(datetime.fromisoformat(task["starts_at"]))
    await nurse.refused(f"/v1/visits/{visit_id}/start", {}, "agreement-missing")
    await stage.step(she.name, APP, "阅读并签署知情同意书", "content, process, risks, rights and fee of this very service")
    coming = (await she.get("/v1/visits", booking_id=task["booking_id"]))["items"]
    require([each["id"] for each in coming] == [visit_id], "患者找不到要签字的这次上门。")
    signed = await sign(she, visit_id)
    stage.fact("同意", f"{signed['title']}（{signed['signer']}）", f"SHA-256 {signed['sha256'][:16]}…")
    await nurse.post(f"/v1/visits/{visit_id}/start")
    cast.travel.to(datetime.fromisoformat(task["ends_at"]) - timedelta(minutes=5))
    await stage.step(nurse.name, APP, "完成服务并提交护理记录", "the nursing record is written")
    done = await nurse.post(f"/v1/visits/{visit_id}/finish", {"record": RECORD})
    stage.fact("记录", RECORD["observations"])
    stage.fact("建议", RECORD["advice"])
    stage.note(f"患者若不作声，{day_and_time(done['confirms_at'])} 自动确认 · silence would confirm it then")
    await stage.step(she.name, APP, "确认服务完成", "the patient's side confirms")
    confirmed: Json = await she.post(f"/v1/visits/{visit_id}/confirm")
    stage.fact("确认", f"{confirmed['confirmed_at']}（{confirmed['confirmed_by']}）")
    await cast.heard("visit.confirmed", task["booking_id"])
    return confirmed


# ── act four: the shares ─────────────────────────────────────────────────────────────────────────────────────────────


async def settle(cast: Cast, booking: Json, login: DemoLogin) -> None:
    """The net is split, a dispute window passes, the shares are released, and the books add up to zero."""
    stage = cast.stage
    stage.act("第五幕 分账", "the money is split")
    await stage.step(APP, "账本", "计提分账", "hospital + platform 5 % = what was paid and not refunded")
    accrual = await accrual_of(cast, booking["id"])
    net, platform, hospital = accrual["net_fen"], accrual["platform_fen"], accrual["hospital_fen"]
    require(net == booking["total_fen"], f"净额 {net} 不等于实付 {booking['total_fen']}。")
    require(platform == net * PLATFORM_BP // 10_000, f"平台份额 {platform} 不是 {net} 的 5%。")
    require(platform + hospital == net, "两份相加不等于净额。")
    stage.fact("净额", yuan(net), accrual["id"])
    stage.fact("平台", f"{yuan(platform)}  （{accrual['rate_bp'] / 100:g}%，向下取整到分）")
    stage.fact("医院", yuan(hospital))
    stage.good(f"{yuan(hospital)} + {yuan(platform)} = {yuan(net)}")

    by = cast.travel.to(datetime.fromisoformat(accrual["due_at"]) + timedelta(seconds=1))
    stage.clock(f"{spoken(by)}过去，争议期满 · the dispute window passes")
    await stage.step("worker", "账本", "到期释放", "the shares may be moved now")

    async def look() -> Json | None:
        found = await accrual_of(cast, booking["id"])
        return found if found["state"] == "released" else None

    released = await until("分账释放", look)
    stage.fact("释放于", released["released_at"])
    await _show_books(cast, booking, login)
    await cast.deliveries_done()


async def accrual_of(cast: Cast, booking_id: str) -> Json:
    """The shares of a confirmed booking."""
    page = await cast.desk.get("/v1/hospital/settlements/accruals", quiet=True, limit=50)
    return _first(page["items"], "分账", subject_id=booking_id)


async def _show_books(cast: Cast, booking: Json, login: DemoLogin) -> None:
    stage, desk = cast.stage, cast.desk
    await stage.step(desk.name, APP, "查账", "every posting of this booking, double entry")
    total = 0
    for posting in await desk.get(f"/v1/hospital/settlements/postings/{booking['id']}"):
        entries = {entry["account"]: entry["amount_fen"] for entry in posting["entries"]}
        require(sum(entries.values()) == 0, f"凭证 {posting['id']} 不平。")
        total += sum(entries.values())
        shown = "  ".join(padded(f"{ACCOUNTS[name]} {signed_yuan(fen)}", 20) for name, fen in entries.items())
        stage.fact(POSTINGS[posting["kind"]], f"{shown}  合计 {signed_yuan(sum(entries.values()))}")
    require(total == 0, "这笔预约的凭证合计不为零。")
    ledger = await desk.get("/v1/hospital/settlements/ledger")
    await cast.operator.sign_in_by_password(login.login or "", login.password or "")
    whole = await cast.operator.get("/v1/operator/settlements/ledger")
    for name, books in (("本院账本", ledger), ("全平台", whole)):
        require(books["sum_fen"] == 0 == sum(books["balances"].values()), f"{name}不平：{books}")
        balances = "  ".join(f"{ACCOUNTS[each]} {signed_yuan(fen)}" for each, fen in books["balances"].items())
        stage.fact(name, balances)
    stage.good("借贷相抵，合计 ¥0.00 · the ledger adds up to zero")


def spoken(duration: timedelta) -> str:
    """`6 天 23 小时`."""
    minutes = round(duration.total_seconds() / 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [f"{count} {unit}" for count, unit in ((days, "天"), (hours, "小时"), (rest, "分钟")) if count]
    return " ".join(parts[:2]) or "片刻"
