"""A consultation: the hospital opens it, a doctor sets a price, the patient asks, pays, talks, and keeps the summary."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw

from yiyuebao_api.demo.people import Json, Person, new_key, require, until
from yiyuebao_api.demo.story import APP, Cast, Home, phone_of
from yiyuebao_api.domains.consents.rules import NEEDED_TO_BOOK, Purpose
from yiyuebao_api.kernel.money import yuan

_LIGHT, _RED = (214, 190, 170), (196, 92, 84)
_PRICE, _ROUNDS = 3000, 5
_SUMMARY: Json = {
    "complaint": "伤口护理后家人询问饮食与换药间隔", "findings": "图文沟通：无发热，敷料干洁",
    "advice": "隔日换药，保持干燥；控制血糖，蛋白质摄入充足", "follow_up": "如渗液增多或发热，请到医院就诊", "messages": [1, 2, 3],
}  # fmt: skip


async def consultation(cast: Cast, home: Home) -> None:
    """Asked, paid, answered in time, and ended with a summary; nobody else hears a word."""
    stage, she = cast.stage, cast.daughter
    stage.act("插曲六 在线咨询", "a consultation, one to one")
    doctor = await _doctor(cast, she)
    offered = await _offered(cast, doctor)
    talk = await _asked(cast, home, offered)
    await _talk(cast, doctor, talk["id"])
    await stage.step(doctor.name, APP, "提交小结并结束", "only with a structured summary")
    note = await doctor.post(f"/v1/consultations/{talk['id']}/close", _SUMMARY)
    stage.fact("小结", note["advice"], note["disclaimer"])
    kept = await she.post(f"/v1/consultations/{talk['id']}/summary/file")
    require(bool(kept["filed_at"]), "小结没有存档。")
    await she.post(f"/v1/consultations/{talk['id']}/rating", {"stars": 5, "words": "回复及时，讲得清楚"})
    ended = await she.get(f"/v1/consultations/{talk['id']}", quiet=True)
    require(ended["state"] == "ended", f"咨询成了 {ended['state']}。")
    stage.good("已结束、已存档、已评价；对话保存三年以上 · ended, filed, rated, kept for the legal term")


async def _doctor(cast: Cast, she: Person) -> Person:
    """The hospital's doctor, signed in on a phone of their own."""
    listed = await she.get("/v1/clinicians", quiet=True, hospital_id=cast.hospital_id, kind="doctor")
    require(bool(listed["items"]), f"{cast.hospital_name} 没有医生。")
    doctor = she.beside(listed["items"][0]["name"])
    await cast.stage.step(doctor.name, APP, "登录", "the doctor, on a phone of his own")
    phone = phone_of(doctor.name)
    if not await doctor.sign_in_by_sms(cast.outside, phone):
        await doctor.sign_in_by_wechat(cast.outside, phone)
    await doctor.change_mode("clinician", cast.hospital_id)
    return doctor


async def _offered(cast: Cast, doctor: Person) -> Json:
    stage = cast.stage
    await stage.step(cast.desk.name, APP, "开放健康咨询", "and the limits of its prices")
    terms = {"is_open": True, "min_fen": 1000, "max_fen": 10000}
    await cast.desk.put("/v1/hospital/consultations/terms/health_advice", terms)
    await stage.step(doctor.name, APP, "设置价格", "his own, within the limits")
    body = {"quantity": _ROUNDS, "price_fen": _PRICE, "is_open": True}
    offered: Json = await doctor.put("/v1/consultations/offers/health_advice/rounds", body)
    stage.fact("定价", f"{yuan(offered['price_fen'])} / {offered['quantity']} 个问答回合")
    return offered


async def _asked(cast: Cast, home: Home, offered: Json) -> Json:
    stage, she = cast.stage, cast.daughter
    await stage.step(she.name, APP, "告知与同意", "the informed consent of online care, before the first word")
    await she.agree(home.patient["id"], *NEEDED_TO_BOOK, Purpose.ONLINE_CONSULTATION, quiet=True)
    await stage.step(she.name, APP, "发起咨询", "asks, for her mother")
    wish = {
        "offer_id": offered["id"], "patient_id": home.patient["id"], "complaint": "昨天上门换药后，饮食和下次换药时间想再问问",
    }  # fmt: skip
    talk: Json = await she.post("/v1/consultations", wish, key=new_key())
    stage.note(talk["disclaimer"])
    prepaid = await she.post(f"/v1/consultations/{talk['id']}/payment", {"channel": "mini"}, key=new_key())
    await stage.step(f"{she.name}的手机", "微信支付", "确认付款", "to the hospital, never to the platform")
    await cast.outside.pay(prepaid["parameters"])

    async def look() -> Json | None:
        found: Json = await she.get(f"/v1/consultations/{talk['id']}", quiet=True)
        return found if found["state"] == "waiting" else None

    paid = await until("咨询变为 waiting ", look)
    stage.fact("咨询", f"{paid['order_no']}  {yuan(paid['price_fen'])}  {paid['id']}")
    stage.fact("承诺", paid["answer_by"], "answered by then, or wait, change or be refunded")
    return paid


async def _talk(cast: Cast, doctor: Person, talk_id: str) -> None:
    stage, she = cast.stage, cast.daughter
    path = f"/v1/consultations/{talk_id}/messages"
    await stage.step(she.name, doctor.name, "提问", "stored in its place before it is acknowledged")
    said = {"client_msg_id": new_key(), "kind": "text", "body": {"text": "老人胃口不好，可以喝蛋白粉吗？"}}
    first = await she.post(path, said)
    again = await she.post(path, said)
    require(first == again, "同一条消息被存了两次。")
    stage.fact("消息", f"seq {first['seq']}  {first['message_id']}", "sent twice, stored once")
    await stage.step(she.name, doctor.name, "发一张照片", "a picture: written anew, no place of it kept, encrypted")
    photo = await she.upload("consultation_image", _photo(), "wound.png")
    shown = {"client_msg_id": new_key(), "kind": "image", "body": {"file_id": photo["id"]}}
    picture = await she.post(path, shown)
    seen = await doctor.get(f"{path}/{picture['message_id']}/file")
    content = await doctor.fetch(seen["link"]["url"])
    stage.fact("照片", f"{photo['width']}×{photo['height']}  {len(content)} 字节", "a link of five minutes, for the two")
    await stage.step(cast.neighbour.name, APP, "想偷看", "somebody else looks for it")
    peeked = await cast.neighbour.ask("GET", path)
    require(peeked.status_code == 404, f"别人得到了 {peeked.status_code}。")
    await stage.step(doctor.name, she.name, "回复", "the clock begins with the first answer")
    answer = {"client_msg_id": new_key(), "kind": "text", "body": {"text": "可以，每天一勺，随餐；伤口隔日换药。"}}
    second = await doctor.post(path, answer)
    marks = {"device_id": "uni-app-phone", "delivered_seq": second["seq"], "read_seq": second["seq"]}
    await she.put(f"/v1/consultations/{talk_id}/marks", marks)
    log = await she.get(path, quiet=True)
    for each in log["items"]:
        stage.fact(str(each["seq"]), f"{each['sender']}  {each['body'].get('text', each['kind'])}")
    require([each["seq"] for each in log["items"]] == [1, 2, 3], "消息的次序不对。")


def _photo() -> bytes:
    """A wound as a child would draw it."""
    image = Image.new("RGB", (640, 480), _LIGHT)
    ImageDraw.Draw(image).ellipse((220, 180, 420, 300), fill=_RED)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
