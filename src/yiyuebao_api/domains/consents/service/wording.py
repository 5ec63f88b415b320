"""The first version of every notice, in list form (RULE-145): who, what for, what, how, to whom, how long, your rights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yiyuebao_api.domains.consents.rules import CONCERNS, Audience, Concerns, NoticeText, Purpose


@dataclass(frozen=True, slots=True)
class _Told:
    title_zh: str
    title_en: str
    for_zh: str
    for_en: str
    kinds: tuple[str, ...]
    kinds_en: str
    to_zh: str
    to_en: str
    kept_zh: str
    kept_en: str
    without_zh: str
    without_en: str


_TOLD = {
    Purpose.TERMS_AND_PRIVACY: _Told(
        "用户协议与隐私政策", "Terms of use and privacy policy",
        "为您开设账户、提供预约与支付、保障账户安全。", "to keep your account, bookings and payments, and to keep them safe.",
        ("手机号", "姓名", "服务地址", "订单与支付记录"), "phone number, name, addresses, orders and payments",
        "不向他人提供；支付由微信支付处理。", "nobody; payments are carried out by WeChat Pay.",
        "账户存续期间；交易记录自交易完成起 3 年。", "while the account exists; transactions for 3 years.",
        "不能提交新的预约。", "no new booking can be made.",
    ),
    Purpose.SENSITIVE_HEALTH_DATA: _Told(
        "健康信息处理单独同意书", "Separate consent: health data",
        "评估是否适合上门服务、实施护理并形成护理记录。", "to judge whether care at home is suitable, to give it and to record it.",
        ("健康状况", "病史与用药", "护理记录", "生命体征"), "state of health, history and medication, care records, vital signs",
        "仅限为您服务的医护人员。", "only those who care for you.",
        "护理记录按病历保存：门（急）诊不少于 15 年。", "care records as medical records: at least 15 years.",
        "不能预约需要健康信息的服务。", "services that need health data cannot be booked.",
    ),
    Purpose.ID_CARD_RECOGNITION: _Told(
        "身份证识别单独同意书", "Separate consent: ID card recognition",
        "核验真实身份，防止冒名就诊。", "to verify who you are, so that nobody is treated under another's name.",
        ("身份证正反面照片", "姓名", "性别", "民族", "出生日期", "住址", "身份证号码", "有效期"),
        "pictures of both sides, name, sex, nation, birth date, address, number, validity",
        "百度智能云（文字识别服务）接收照片，用后不保留。", "Baidu AI Cloud reads the text from the pictures and keeps nothing.",
        "照片在审核完成后加密保存，账户注销后删除。", "pictures are kept encrypted and deleted when the account is closed.",
        "不能在线实名，可到院由人工核验。", "no verification online; the hospital can verify you in person.",
    ),
    Purpose.LOCATION: _Told(
        "位置信息单独同意书", "Separate consent: location",
        "在您使用手机定位时查找附近的医院与服务。", "to find hospitals and services near where your phone is.",
        ("手机位置",), "where the phone is",
        "高德地图（地址解析）。", "Amap, to turn addresses into places.",
        "查询后即不保留。", "not kept after the search.",
        "请手动选择地址。", "choose the address by hand.",
    ),
    Purpose.SHARE_WITH_HOSPITAL: _Told(
        "向医院提供个人信息单独同意书", "Separate consent: sharing with the hospital",
        "由您选择的医院接单、派出医护人员并上门。", "so that the hospital you choose can take the booking on and send somebody.",
        ("姓名", "手机号", "服务地址", "健康状况", "预约与备注"), "name, phone, address, state of health, the booking and its note",
        "您所预约的医院；医院名称、联系方式见服务页与预约详情。", "the hospital you book at; name and phone are shown with the service.",
        "医院按病历管理规定保存。", "the hospital keeps it by the rules for medical records.",
        "不能向医院提交预约；已提交的预约请先取消。", "no booking can be sent to a hospital; cancel those already made.",
    ),
    Purpose.ONLINE_CONSULTATION: _Told(
        "在线问诊知情同意书", "Consent: online consultation",
        "由执业医师在线解答病情、提出建议。", "so that a licensed doctor can answer you online.",
        ("病情描述", "图片与文件", "问诊记录"), "what you describe, pictures and files, the consultation's record",
        "您所选择的医师及其执业机构。", "the doctor you choose and the hospital they practise at.",
        "问诊记录不少于 3 年。", "the record is kept for at least 3 years.",
        "不能使用在线问诊；急重症请立即拨打 120。", "no consultation online; in an emergency call 120 at once.",
    ),
    Purpose.MARKETING: _Told(
        "营销信息接收同意书", "Consent: marketing messages",
        "向您推送活动与优惠，默认关闭。", "to tell you of offers; off unless you turn it on.",
        ("手机号", "微信标识"), "phone number, WeChat identity",
        "不向他人提供。", "nobody.",
        "至您撤回同意。", "until you take it back.",
        "不影响任何服务。", "nothing changes.",
    ),
}  # fmt: skip
_WHO_ZH = "处理者：医约宝平台运营方，联系方式见应用内“关于我们”，个人信息保护负责人：privacy@yiyuebao.example。"
_WHO_EN = "Who: the operator of 医约宝 (see \"About us\" in the app); privacy officer: privacy@yiyuebao.example."
_RIGHTS_ZH = (
    "您的权利：可随时查阅、复制、更正、删除、导出个人信息，可随时在“我的-隐私”中一键撤回同意或注销账户；撤回不影响此前的处理，"
    "也不影响其他功能；法律要求保存的记录仅封存不再使用。15 个工作日内答复。"
)
_RIGHTS_EN = (
    "Your rights: read, copy, correct, delete or export your data, take this consent back with one tap or close the "
    "account under Me › Privacy. Taking it back changes nothing that was done before and no other feature; what the law "
    "wants kept is only stored. We answer within 15 working days."
)
_CHILD_ZH = (
    "本告知书适用于未满 14 周岁的儿童，须由父母或其他监护人阅读并同意；"
    "儿童的全部个人信息均按敏感个人信息严格保护，仅限必要人员接触。"
)
_CHILD_EN = (
    "This notice is for children under 14: a parent or guardian must read it and agree. All data of a child is treated "
    "as sensitive, and only those who need it may see it."
)


def _first(purpose: Purpose, audience: Audience) -> NoticeText:
    told = _TOLD[purpose]
    zh = [
        _WHO_ZH, f"目的：{told.for_zh}", f"信息种类：{'、'.join(told.kinds)}。", "方式：加密存储，按需最小范围使用，访问留痕。",
        f"提供给：{told.to_zh}", f"保存期限：{told.kept_zh}", f"不同意或撤回的影响：{told.without_zh}", _RIGHTS_ZH,
    ]  # fmt: skip
    en = [
        _WHO_EN, f"What for: {told.for_en}", f"Which data: {told.kinds_en}.",
        "How: stored encrypted, used as little as possible, every access recorded.", f"To whom: {told.to_en}",
        f"How long: {told.kept_en}", f"Without consent: {told.without_en}", _RIGHTS_EN,
    ]  # fmt: skip
    title_zh, title_en = told.title_zh, told.title_en
    if audience is Audience.CHILD:
        title_zh, title_en = f"{title_zh}（儿童）", f"{title_en} (children)"
        zh, en = [_CHILD_ZH, *zh], [_CHILD_EN, *en]
    text_zh, text_en = ("\n".join(f"{n}. {line}" for n, line in enumerate(lines, 1)) for lines in (zh, en))
    return NoticeText(purpose, audience, title_zh, title_en, text_zh, text_en, told.kinds)


#: One for everybody; and where a purpose can concern a child, one for its guardian (RULE-12).
FIRST_NOTICES: Sequence[NoticeText] = [
    _first(purpose, audience)
    for purpose in Purpose
    for audience in Audience
    if audience is Audience.GENERAL or CONCERNS[purpose] is not Concerns.ACCOUNT
]
