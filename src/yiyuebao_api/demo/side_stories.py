"""Short stories beside the main one: the last place, a forgery, late money, a change of mind, and silence."""

from __future__ import annotations

from datetime import datetime, timedelta

from yiyuebao_api.demo.people import Json, Person, new_key, require, until
from yiyuebao_api.demo.stage import StoryBroken, day_and_time
from yiyuebao_api.demo.story import (
    APP,
    Cast,
    Home,
    accrual_of,
    assign,
    free_starts,
    notified,
    pay,
    prepay,
    settled,
    sign,
    sign_in_nurse,
    spoken,
)
from yiyuebao_api.domains.consents.rules import NEEDED_TO_BOOK
from yiyuebao_api.kernel.money import yuan

_VISITING = "海南省海口市龙华区"
_TRIED = 12
BLOOD_PRESSURE: Json = {
    "vital_signs_before": {"systolic_mmhg": 142, "diastolic_mmhg": 88, "pulse_bpm": 80, "glucose_mmol_l": 6.4},
    "procedure": "测量血压、血糖，核对在服药物。", "observations": "血压略高，无不适。", "advice": "低盐饮食，一周后复测。",
}  # fmt: skip


async def last_place(cast: Cast, home: Home, phone: str) -> tuple[Json, Json, Home]:
    """A doctor comes alone: there is one place, and two want it. The held booking, the second one's wish and home."""
    stage, first, second = cast.stage, cast.daughter, cast.neighbour
    stage.act("插曲一 最后一个号源", "two want the last place")
    await stage.step(second.name, APP, "登录", "somebody else, in Haikou to see his parents, by WeChat")
    await second.sign_in_by_wechat(cast.outside, phone)
    his = await _home_in_haikou(second, home)
    await second.agree(his.patient["id"], *NEEDED_TO_BOOK, quiet=True)

    service = await _single(cast, home)
    stage.fact("服务", f"{service['name']}  {yuan(service['price_fen'])}", "one doctor, one place at a time")
    await stage.step(first.name, APP, "先预约", "the first one holds the last place")
    wish = {
        "service_id": service["service_id"], "place": "home", "starts_at": "", "patient_id": home.patient["id"],
        "address_id": home.address["id"],
    }  # fmt: skip
    other = {**wish, "patient_id": his.patient["id"], "address_id": his.address["id"]}
    held, wish = await _hold(cast, first, wish, rival=(second, other))
    stage.fact("预约", f"{held['order_no']}  {day_and_time(held['starts_at'])}  {held['id']}")
    await stage.step(second.name, APP, "想约同一时段", "the second one comes a moment later")
    other["starts_at"] = wish["starts_at"]
    await second.refused("/v1/bookings", other, "slot-taken", key=new_key())
    return held, other, his


async def forgery(cast: Cast, held: Json) -> tuple[Json, Json]:
    """Somebody claims that it was paid. What the phone may pay with, and the order at WeChat's."""
    stage, she = cast.stage, cast.daughter
    stage.act("插曲二 伪造的通知", "a forged notification")
    await stage.step(she.name, APP, "请求支付，但还没有付", "asks to pay, and has not paid yet")
    prepaid, order = await prepay(cast, she, held)
    await stage.step("骗子", APP, "伪造“支付成功”通知", "signed with somebody else's key")
    status = await cast.outside.forge(order["out_trade_no"], "wrong_signature")
    stage.call("POST", "/v1/payments/notifications/wechat", status)
    require(status == 401, f"伪造的通知得到了 {status}。")
    now = await she.get(f"/v1/bookings/{held['id']}", quiet=True)
    require(now["state"] == "held", f"伪造的通知改变了预约：{now['state']}。")
    stage.good("401，预约仍是 held：钱没有到，就是没有到 · refused, and nothing changed")
    return prepaid, order


async def late_money(cast: Cast, held: Json, wish: Json, prepaid: Json, order: Json) -> None:
    """The hold ends, the place goes to the other one, and then the first phone pays."""
    stage, first, second = cast.stage, cast.daughter, cast.neighbour
    stage.act("插曲三 迟到的付款", "a payment after the hold lapsed")
    by = cast.travel.to(datetime.fromisoformat(held["hold_until"]) + timedelta(seconds=2))
    stage.clock(f"{spoken(by)}过去，保留时间到 · the hold ends by itself, whether or not a job runs")
    await stage.step(second.name, APP, "再试一次", "the other one tries again")
    taken = await second.post("/v1/bookings", wish, key=new_key())
    stage.fact("预约", f"{taken['order_no']}  {taken['state']}", "the place was free at once")
    await stage.step(f"{first.name}的手机", "微信支付", "这时才付款", "the first phone pays now")
    await cast.outside.pay(prepaid["parameters"])
    await notified(cast, order["out_trade_no"])
    await stage.step(APP, first.name, "号源已无，原路退回", "the place is gone, so the money goes back, all of it")
    booking = await _refunded(cast, first, held["id"], held["total_fen"], order["out_trade_no"])
    require(booking["state"] == "expired", f"预约成了 {booking['state']}。")
    await second.post(f"/v1/bookings/{taken['id']}/cancel", {"reason": "演示结束，把号源还给大家"}, quiet=True)


async def change_of_mind(cast: Cast, home: Home) -> None:
    """Booked, paid, cancelled in good time: everything comes back."""
    stage, she = cast.stage, cast.daughter
    stage.act("插曲四 取消与退款", "a change of mind")
    await stage.step(she.name, APP, "预约", "one more visit")
    found = await _near(cast, home, "chronic")
    wish = {
        "service_id": found[0]["service_id"], "place": "home", "starts_at": "", "patient_id": home.patient["id"],
        "address_id": home.address["id"],
    }  # fmt: skip
    held, _ = await _hold(cast, she, wish)
    stage.fact("预约", f"{held['service_name']}  {yuan(held['total_fen'])}  {held['id']}")
    booking = await pay(cast, she, held)
    await stage.step(she.name, APP, "取消试算", "what would come back right now?")
    back = await she.get(f"/v1/bookings/{booking['id']}/cancellation")
    stage.fact("可退", yuan(back["refund_fen"]), back["because"])
    require(back["refund_fen"] == booking["total_fen"], "接单前取消应当全额退款。")
    await stage.step(she.name, APP, "取消", "cancels before the hospital has accepted")
    await she.post(f"/v1/bookings/{booking['id']}/cancel", {"reason": "临时住院，改期再约"})
    order = await cast.outside.order_of(held, "SUCCESS", "REFUND")
    await _refunded(cast, she, booking["id"], booking["total_fen"], order["out_trade_no"])
    await cast.heard("booking.cancelled", booking["id"])
    event = await cast.heard("refund.succeeded", booking["id"])
    stage.fact("医院得知", f"已退 {yuan(event.data['refunded_fen'])}")


async def silence(cast: Cast, his: Home) -> None:
    """A visit that nobody confirms: a day later it is confirmed all the same."""
    stage, he = cast.stage, cast.neighbour
    stage.act("插曲五 沉默即确认", "silence confirms")
    await stage.step(he.name, APP, "预约、付款、护士上门", "the whole way once more, in one breath")
    found = await _near(cast, his, "chronic")
    chosen = next((each for each in found if "血压" in each["name"]), found[-1])
    held, _ = await _hold(cast, he, {
        "service_id": chosen["service_id"], "place": "home", "starts_at": "", "patient_id": his.patient["id"],
        "address_id": his.address["id"],
    })  # fmt: skip
    prepaid, _ = await prepay(cast, he, held)
    await cast.outside.pay(prepaid["parameters"])
    booking = await settled(he, held["id"], "paid")
    stage.fact("预约", f"{booking['service_name']}  {yuan(booking['total_fen'])}  {booking['id']}")
    await cast.desk.post(f"/v1/hospital/bookings/{booking['id']}/accept", quiet=True)
    visit_id = await assign(cast, booking, quiet=True)
    done = await _visited(cast, booking, visit_id, his)
    stage.fact("完成于", done["finished_at"], f"{cast.nurse.name}, the nurse")

    by = cast.travel.to(datetime.fromisoformat(done["confirms_at"]) + timedelta(seconds=2))
    stage.clock(f"{spoken(by)}过去，他一个字也没有说 · a day passes, and he says nothing")

    async def look() -> Json | None:
        visit: Json = await he.get(f"/v1/visits/{visit_id}", quiet=True)
        return visit if visit["stage"] == "confirmed" else None

    confirmed = await until("自动确认", look)
    require(confirmed["confirmed_by"] == "silence", f"由 {confirmed['confirmed_by']} 确认。")
    stage.good(f"{confirmed['confirmed_at']} 自动确认（{confirmed['confirmed_by']}） · confirmed all the same")
    accrual = await accrual_of(cast, booking["id"])
    shares = f"医院 {yuan(accrual['hospital_fen'])} + 平台 {yuan(accrual['platform_fen'])}"
    stage.fact("分账", f"{shares}，{day_and_time(accrual['due_at'])} 释放", "left to real time: the worker will do it")


async def _visited(cast: Cast, booking: Json, visit_id: str, his: Home) -> Json:
    """From departure to the record, at the planned times; the visit as it then is."""
    nurse, path = cast.nurse, f"/v1/visits/{visit_id}"
    if not nurse.tokens:
        await sign_in_nurse(cast)
    starts_at = datetime.fromisoformat(booking["starts_at"])
    cast.travel.to(starts_at - timedelta(minutes=30))
    await nurse.post(f"{path}/depart", quiet=True)
    door = {"lat": his.address["lat"], "lng": his.address["lng"], "accuracy_m": 20}
    await nurse.post(f"{path}/arrive", door, quiet=True)
    cast.travel.to(starts_at)
    await sign(cast.neighbour, visit_id, quiet=True)
    await nurse.post(f"{path}/start", quiet=True)
    cast.travel.to(datetime.fromisoformat(booking["ends_at"]))
    done: Json = await nurse.post(f"{path}/finish", {"record": BLOOD_PRESSURE})
    return done


async def _refunded(cast: Cast, who: Person, booking_id: str, amount: int, out_trade_no: str) -> Json:
    """The booking once all of the amount has come back, by WeChat's own word."""

    async def look() -> Json | None:
        booking: Json = await who.get(f"/v1/bookings/{booking_id}", quiet=True)
        return booking if booking["refunded_fen"] == amount else None

    booking = await until("退款到账", look, within_s=40)
    refund = (await cast.outside.refunds_of(out_trade_no))[0]
    shown = f"{yuan(refund['refund'])}  {refund['status']}  {refund['out_refund_no']}"
    cast.stage.fact("退款", shown, refund["reason"])
    cast.stage.good(f"{yuan(booking['refunded_fen'])} 已原路退回 · back where it came from")
    return booking


async def _near(cast: Cast, home: Home, category: str) -> list[Json]:
    """What the hospital of the story offers at that home."""
    where = {"lat": home.address["lat"], "lng": home.address["lng"], "coord_type": "gcj02"}
    query = {"place": "home", "category": category, "limit": 50}
    found = (await cast.daughter.get("/v1/nearby/services", quiet=True, **where, **query))["items"]
    ours = [dict(each) for each in found if each["hospital_id"] == cast.hospital_id]
    require(bool(ours), f"附近没有 {cast.hospital_name} 的 {category} 上门服务。")
    return ours


async def _single(cast: Cast, home: Home) -> Json:
    """The doctor's visit; anything else near by would do as well, as long as one place is left."""
    found = await _near(cast, home, "general")
    return next((each for each in found if "医生" in each["name"] or "巡诊" in each["name"]), found[0])


async def _hold(
    cast: Cast, who: Person, wish: Json, *, rival: tuple[Person, Json] | None = None
) -> tuple[Json, Json]:
    """A place at a free time, and the wish for it; with a rival where places are few and the rival has time too."""
    starts = await free_starts(who, wish["service_id"], "home", quiet=True)
    if rival is not None:
        starts.sort(key=lambda each: int(each["left"]))
    for slot in starts[:_TRIED]:
        tried = {**wish, "starts_at": slot["starts_at"]}
        if rival is not None:
            other, theirs = rival
            theirs = {**theirs, "starts_at": slot["starts_at"]}
            if not (await other.ask("POST", "/v1/bookings/quote", theirs, quiet=True)).is_success:
                continue
        answer = await who.ask("POST", "/v1/bookings", tried, key=new_key(), quiet=True)
        if answer.is_success:
            cast.stage.call("POST", "/v1/bookings", answer.status_code)
            return answer.json(), tried
        if answer.json()["code"] not in ("patient-already-booked", "slot-taken", "slot-not-offered"):
            raise StoryBroken(f"预约被拒绝：{answer.json()['title']}，{answer.json()['detail']}")
    raise StoryBroken("试过的时段都不合适：演示跑了很多遍？rm -rf .data 可重新开始。")


async def _home_in_haikou(him: Person, home: Home) -> Home:
    """His own patient record, and an address in Haikou: the one from last time, or a new one."""
    patients = (await him.get("/v1/patients", quiet=True))["items"]
    addresses = (await him.get("/v1/patients/addresses", quiet=True))["items"]
    known = next((each for each in addresses if each["district"] == _VISITING), None)
    if known is None:
        known = await him.post("/v1/patients/addresses", {
            "recipient": him.name, "phone": patients[0]["phone"], "adcode": "460106", "district": _VISITING,
            "detail": "滨海大道 77 号 1 栋 902", "lat": 20.0301, "lng": 110.3105, "coord_type": "gcj02",
        })  # fmt: skip
    return Home(patients[0], known)

