"""The code reaches the phone, every refusal has its meaning, and nothing is ever sent twice."""

import time
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from tests.gateways.sandboxes import Sandboxed
from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.sms.aliyun import AliyunSms
from yiyuebao_api.settings import Sms

PHONE = "+8613800138000"
TEMPLATE = Sms().login_template


def inbox(dysms: Sandboxed, phone: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dysms.control("GET", f"?phone={phone}" if phone else "")
    return found


async def test_the_code_reaches_the_phone(sender: AliyunSms, dysms: Sandboxed) -> None:
    await sender.send_code(PHONE, "042917", TEMPLATE)
    (message,) = inbox(dysms)
    assert message["phone"] == "13800138000"
    assert message["code"] == "042917"
    assert message["text"] == "【医约宝】您的登录验证码为 042917，5 分钟内有效，请勿告诉他人。"
    assert message["template"] == TEMPLATE


async def test_the_inbox_is_newest_first_and_by_phone(sender: AliyunSms, dysms: Sandboxed) -> None:
    for phone, code in ((PHONE, "111111"), ("+8613900139000", "222222"), (PHONE, "333333")):
        await sender.send_code(phone, code, TEMPLATE)
    assert [message["code"] for message in inbox(dysms)] == ["333333", "222222", "111111"]
    assert [message["code"] for message in inbox(dysms, "13800138000")] == ["333333", "111111"]
    assert [message["code"] for message in inbox(dysms, "%2B8613900139000")] == ["222222"]


# ── refusals ──


@pytest.mark.parametrize(
    "phone", ["13800138000", "+85291234567", "+8612800138000", "+861380013800", "", "+86１3800138000"]
)
async def test_numbers_elsewhere_are_refused_before_anything_is_sent(
    sender: AliyunSms, dysms: Sandboxed, phone: str
) -> None:
    with pytest.raises(ProviderRefused) as refused:
        await sender.send_code(phone, "123456", TEMPLATE)
    assert refused.value.code == "invalid-phone"
    assert inbox(dysms) == []


@pytest.mark.parametrize(
    "wrong",
    [{"access_key_secret": SecretStr("not-the-secret")}, {"access_key_id": "somebody-else"}, {"sign_name": "别家"}],
    ids=str,
)
async def test_wrong_settings(given: Sms, dysms: Sandboxed, wrong: dict[str, Any]) -> None:
    async with AliyunSms(given.model_copy(update=wrong)) as sender:
        with pytest.raises(ProviderRefused) as refused:
            await sender.send_code(PHONE, "123456", TEMPLATE)
    assert refused.value.code == "misconfigured"
    assert inbox(dysms) == []


async def test_a_template_nobody_approved(sender: AliyunSms, dysms: Sandboxed) -> None:
    with pytest.raises(ProviderRefused) as refused:
        await sender.send_code(PHONE, "123456", "LOGIN")
    assert refused.value.code == "misconfigured"
    assert inbox(dysms) == []


async def test_the_limits_of_one_number(sender: AliyunSms, dysms: Sandboxed) -> None:
    dysms.control("POST", "limits", {"enforced": True})
    await sender.send_code(PHONE, "111111", TEMPLATE)
    with pytest.raises(ProviderRefused) as refused:
        await sender.send_code(PHONE, "222222", TEMPLATE)
    assert refused.value.code == "rate-limited"
    await sender.send_code("+8613900139000", "333333", TEMPLATE)
    assert [message["code"] for message in inbox(dysms)] == ["333333", "111111"]


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("isv.MOBILE_NUMBER_ILLEGAL", "invalid-phone"),
        ("isv.BUSINESS_LIMIT_CONTROL", "rate-limited"),
        ("isv.BLACK_KEY_CONTROL_LIMIT", "content-refused"),
        ("isv.SMS_TEMPLATE_ILLEGAL", "misconfigured"),
        ("isv.SMS_SIGNATURE_ILLEGAL", "misconfigured"),
        ("isv.TEMPLATE_MISSING_PARAMETERS", "misconfigured"),
        ("isv.INVALID_JSON_PARAM", "misconfigured"),
        ("isp.RAM_PERMISSION_DENY", "misconfigured"),
        ("InvalidTimeStamp.Expired", "misconfigured"),
        ("isv.SOMETHING_NEW", "refused"),
    ],
)
async def test_every_refusal_has_a_meaning(sender: AliyunSms, dysms: Sandboxed, said: str, meaning: str) -> None:
    dysms.plan("code", code=said)
    with pytest.raises(ProviderRefused) as refused:
        await sender.send_code(PHONE, "123456", TEMPLATE)
    assert refused.value.code == meaning
    assert said in refused.value.message
    assert "13800138000" not in str(refused.value)
    assert inbox(dysms) == []


@pytest.mark.parametrize(
    "said",
    [
        "isp.SYSTEM_ERROR",
        "isv.AMOUNT_NOT_ENOUGH",
        "isv.OUT_OF_SERVICE",
        "isv.DAY_LIMIT_CONTROL",
        "Throttling.User",
        "ServiceUnavailable",
    ],
)
async def test_what_passes_by_itself(sender: AliyunSms, dysms: Sandboxed, said: str) -> None:
    dysms.plan("code", code=said)
    with pytest.raises(ProviderUnavailable):
        await sender.send_code(PHONE, "123456", TEMPLATE)
    await sender.send_code(PHONE, "123456", TEMPLATE)


# ── the wire breaks ──


@pytest.mark.parametrize("status", [200, 204, 302, 403, 404, 429, 500, 502, 503])
async def test_pages_of_a_proxy_are_no_answer(sender: AliyunSms, dysms: Sandboxed, status: int) -> None:
    dysms.plan("status", status=status)
    with pytest.raises(ProviderUnavailable):
        await sender.send_code(PHONE, "123456", TEMPLATE)
    assert inbox(dysms) == []


@pytest.mark.parametrize("kind", ["hang", "drop"])
@pytest.mark.parametrize("after", [False, True])
async def test_a_lost_answer_is_never_repeated(sender: AliyunSms, dysms: Sandboxed, kind: str, after: bool) -> None:
    dysms.plan(kind, seconds=5, after=after)
    begun = time.monotonic()
    with pytest.raises(ProviderUnavailable):
        await sender.send_code(PHONE, "123456", TEMPLATE)
    assert time.monotonic() - begun < 2
    assert len(inbox(dysms)) == int(after)  # a second attempt would have met no fault and been sent


async def test_nobody_listens(given: Sms) -> None:
    async with AliyunSms(given.model_copy(update={"base_url": "http://127.0.0.1:9"})) as sender:
        with pytest.raises(ProviderUnavailable):
            await sender.send_code(PHONE, "123456", TEMPLATE)


# ── the signature is worth something ──


async def test_a_recorded_request_is_worth_nothing(sender: AliyunSms, dysms: Sandboxed) -> None:
    client, recorded = sender._client, list[httpx.Request]()

    async def record(request: httpx.Request) -> None:
        recorded.append(request)

    client.event_hooks["request"].append(record)
    await sender.send_code(PHONE, "123456", TEMPLATE)
    (request,) = recorded
    body = request.content

    async def send(content: bytes, **changed: str) -> str:
        headers = dict(request.headers) | {name.replace("_", "-"): value for name, value in changed.items()}
        headers.pop("content-length")
        answer = await client.post("/", content=content, headers=headers)
        assert answer.status_code == 400
        code: str = answer.json()["Code"]
        return code

    assert await send(body) == "SignatureNonceUsed"
    assert await send(body.replace(b"13800138000", b"13900139000")) == "SignatureDoesNotMatch"
    assert await send(body, x_acs_signature_nonce="another") == "SignatureDoesNotMatch"
    assert await send(body, x_acs_date="2020-01-01T00:00:00Z") == "InvalidTimeStamp.Expired"
    assert await send(body, authorization="ACS3-HMAC-SHA256 nothing") == "IncompleteSignature"
    assert len(inbox(dysms)) == 1


async def test_a_person_who_opens_the_sandbox_s_address_is_led_to_its_page(dysms: Sandboxed) -> None:
    """The accident: a browser at the sandbox's front door was told to look for trouble at a provider's site."""
    async with httpx.AsyncClient(base_url=dysms.base_url, trust_env=False) as browser:
        answer = await browser.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/_sandbox/")
