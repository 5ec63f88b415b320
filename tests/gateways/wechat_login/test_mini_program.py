"""Codes become people and phone numbers once, within five minutes, and the access token is everybody's."""

import asyncio
import io
from dataclasses import asdict
from typing import Any

import pytest
import zxingcpp
from PIL import Image
from pydantic import SecretStr

from tests.gateways.sandboxes import Sandboxed
from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.wechat_login import WeChatIdentity
from yiyuebao_api.gateways.wechat_login.mini_program import MiniProgramLogin
from yiyuebao_api.sandbox.mini_program import APPID
from yiyuebao_api.settings import MiniProgram

PHONE_PATH, TOKEN_PATH = "/wxa/business/getuserphonenumber", "/cgi-bin/stable_token"


def login_code(wechat: Sandboxed, **means: Any) -> str:
    code: str = wechat.control("POST", "codes", means)["code"]
    return code


def phone_code(wechat: Sandboxed, phone: str = "13800138000", **means: Any) -> str:
    code: str = wechat.control("POST", "phone-codes", {"phone": phone} | means)["code"]
    return code


def calls(wechat: Sandboxed, path: str) -> int:
    counted: dict[str, int] = wechat.control("GET", "calls")
    return counted.get(path, 0)


# ── who it is ──


async def test_a_code_becomes_a_person(login: MiniProgramLogin, wechat: Sandboxed) -> None:
    identity = await login.exchange(login_code(wechat, openid="oAlice"))
    assert identity == WeChatIdentity(appid=APPID, openid="oAlice", unionid=None)
    assert set(asdict(identity)) == {"appid", "openid", "unionid"}  # the session_key has not come this far


async def test_a_bound_app_knows_the_unionid(login: MiniProgramLogin, wechat: Sandboxed) -> None:
    identity = await login.exchange(login_code(wechat, openid="oAlice", unionid="uAlice"))
    assert identity.unionid == "uAlice"


async def test_strangers_have_openids_of_their_own(login: MiniProgramLogin, wechat: Sandboxed) -> None:
    one, other = [await login.exchange(login_code(wechat)) for _ in range(2)]
    assert one.openid != other.openid
    assert len(one.openid) == 28


@pytest.mark.parametrize("code", ["", "unknown", "a&b=c", "登录"])
async def test_unknown_codes(login: MiniProgramLogin, code: str) -> None:
    with pytest.raises(ProviderRefused) as refused:
        await login.exchange(code)
    assert refused.value.code == "invalid-code"


async def test_a_code_works_once(login: MiniProgramLogin, wechat: Sandboxed) -> None:
    code = login_code(wechat)
    await login.exchange(code)
    with pytest.raises(ProviderRefused) as refused:
        await login.exchange(code)
    assert refused.value.code == "invalid-code"
    assert "40163" in refused.value.message


async def test_a_code_expires(login: MiniProgramLogin, wechat: Sandboxed) -> None:
    with pytest.raises(ProviderRefused) as refused:
        await login.exchange(login_code(wechat, expires_in=-1))
    assert refused.value.code == "invalid-code"


@pytest.mark.parametrize("wrong", [{"appid": "wx9999999999999999"}, {"secret": SecretStr("not-the-secret")}], ids=str)
async def test_wrong_settings(given: MiniProgram, wechat: Sandboxed, wrong: dict[str, Any]) -> None:
    async with MiniProgramLogin(given.model_copy(update=wrong)) as login:
        for attempt in (login.exchange(login_code(wechat)), login.phone_number("any")):
            with pytest.raises(ProviderRefused) as refused:
                await attempt
            assert refused.value.code == "misconfigured"
            assert "not-the-secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("40029", "invalid-code"),
        ("40226", "blocked"),
        ("45011", "rate-limited"),
        ("40013", "misconfigured"),
        ("40125", "misconfigured"),
        ("48001", "misconfigured"),
        ("99999", "refused"),
    ],
)
async def test_every_refusal_has_a_meaning(login: MiniProgramLogin, wechat: Sandboxed, said: str, meaning: str) -> None:
    wechat.plan("code", code=said, path="/sns")
    with pytest.raises(ProviderRefused) as refused:
        await login.exchange(login_code(wechat))
    assert refused.value.code == meaning


@pytest.mark.parametrize("said", ["-1", "45009"])
async def test_what_passes_by_itself(login: MiniProgramLogin, wechat: Sandboxed, said: str) -> None:
    wechat.plan("code", code=said)
    code = login_code(wechat)
    with pytest.raises(ProviderUnavailable):
        await login.exchange(code)
    await login.exchange(code)


# ── the phone number ──


async def test_a_code_becomes_a_phone_number(login: MiniProgramLogin, wechat: Sandboxed) -> None:
    assert await login.phone_number(phone_code(wechat)) == "+8613800138000"


async def test_a_number_from_abroad_keeps_its_country(login: MiniProgramLogin, wechat: Sandboxed) -> None:
    assert await login.phone_number(phone_code(wechat, "+85291234567")) == "+85291234567"


async def test_a_phone_code_works_once_and_expires(login: MiniProgramLogin, wechat: Sandboxed) -> None:
    code = phone_code(wechat)
    await login.phone_number(code)
    for spent in (code, phone_code(wechat, expires_in=-1), "unknown", login_code(wechat)):
        with pytest.raises(ProviderRefused) as refused:
            await login.phone_number(spent)
        assert refused.value.code == "invalid-code"


async def test_the_code_of_somebody_else(login: MiniProgramLogin, wechat: Sandboxed) -> None:
    code = phone_code(wechat, openid="oAlice")
    with pytest.raises(ProviderRefused) as refused:
        await login.phone_number(code, openid="oMallory")
    assert refused.value.code == "invalid-code"
    assert await login.phone_number(code, openid="oAlice") == "+8613800138000"


# ── the access token ──


async def test_many_at_once_fetch_one_token(login: MiniProgramLogin, wechat: Sandboxed) -> None:
    codes = [phone_code(wechat, f"138001380{n:02d}") for n in range(20)]
    numbers = await asyncio.gather(*(login.phone_number(code) for code in codes))
    assert numbers == [f"+86138001380{n:02d}" for n in range(20)]
    assert calls(wechat, TOKEN_PATH) == 1


async def test_many_at_once_fail_together(login: MiniProgramLogin, wechat: Sandboxed) -> None:
    wechat.plan("hang", path=TOKEN_PATH, seconds=5, after=True)
    outcomes = await asyncio.gather(*(login.phone_number("any") for _ in range(10)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {ProviderUnavailable}
    assert calls(wechat, TOKEN_PATH) == 1
    assert await login.phone_number(phone_code(wechat)) == "+8613800138000"


async def test_who_gives_up_waiting_takes_the_token_from_nobody(login: MiniProgramLogin, wechat: Sandboxed) -> None:
    wechat.plan("slow", path=TOKEN_PATH, seconds=0.2)
    first = asyncio.create_task(login.phone_number(phone_code(wechat)))
    second = asyncio.create_task(login.phone_number(phone_code(wechat, "13900139000")))
    await asyncio.sleep(0.05)
    first.cancel()
    assert await second == "+8613900139000"
    assert calls(wechat, TOKEN_PATH) == 1


@pytest.mark.parametrize("state", ["revoked", "expired"])
async def test_a_spoiled_token_is_renewed_once(login: MiniProgramLogin, wechat: Sandboxed, state: str) -> None:
    await login.phone_number(phone_code(wechat))
    wechat.control("POST", "access-token", {"state": state})
    codes = [phone_code(wechat, f"138001380{n:02d}") for n in range(10)]
    numbers = await asyncio.gather(*(login.phone_number(code) for code in codes))
    assert numbers == [f"+86138001380{n:02d}" for n in range(10)]
    assert calls(wechat, TOKEN_PATH) == 2


@pytest.mark.parametrize("said", ["40001", "40014", "42001"])
async def test_a_token_refused_for_good(login: MiniProgramLogin, wechat: Sandboxed, said: str) -> None:
    wechat.plan("code", code=said, path=PHONE_PATH, times=3)
    with pytest.raises(ProviderUnavailable):
        await login.phone_number(phone_code(wechat))
    assert calls(wechat, TOKEN_PATH) <= 2
    assert len(wechat.control("GET", "faults")) == 1  # two attempts, no third


# ── the wire breaks ──


@pytest.mark.parametrize("status", [200, 302, 403, 429, 500, 503])
async def test_pages_of_a_proxy_are_no_answer(login: MiniProgramLogin, wechat: Sandboxed, status: int) -> None:
    wechat.plan("status", status=status, times=2)
    with pytest.raises(ProviderUnavailable):
        await login.exchange(login_code(wechat))
    with pytest.raises(ProviderUnavailable):
        await login.phone_number(phone_code(wechat))


@pytest.mark.parametrize("kind", ["hang", "drop"])
@pytest.mark.parametrize("after", [False, True])
async def test_a_lost_answer_is_never_repeated(
    login: MiniProgramLogin, wechat: Sandboxed, kind: str, after: bool
) -> None:
    code = login_code(wechat)
    wechat.plan(kind, seconds=5, after=after)
    with pytest.raises(ProviderUnavailable):
        await login.exchange(code)
    assert calls(wechat, "/sns/jscode2session") == int(after)
    if after:
        with pytest.raises(ProviderRefused):
            await login.exchange(code)
    else:
        await login.exchange(code)


async def test_nobody_listens(given: MiniProgram) -> None:
    async with MiniProgramLogin(given.model_copy(update={"base_url": "http://127.0.0.1:9"})) as login:
        with pytest.raises(ProviderUnavailable) as failed:
            await login.exchange("any")
    assert given.secret.get_secret_value() not in str(failed.value)


# ── the sandbox's mini-program code ──


async def test_a_mini_program_code_carries_its_scene(given: MiniProgram, login: MiniProgramLogin) -> None:
    client = login._client
    asked = {"grant_type": "client_credential", "appid": given.appid, "secret": given.secret.get_secret_value()}
    token = (await client.post(TOKEN_PATH, json=asked)).json()["access_token"]
    path = f"/wxa/getwxacodeunlimit?access_token={token}"
    answer = await client.post(path, json={"scene": "k=0123456789abcdefghijkl", "page": "pages/record/view"})
    assert answer.headers["content-type"] == "image/jpeg"
    (read,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(answer.content)))
    assert read.text == '{"page": "pages/record/view", "scene": "k=0123456789abcdefghijkl"}'
    for wrong, code in (
        ({"scene": "x" * 33}, 40129),
        ({"scene": "中文"}, 40129),
        ({"scene": "a", "page": "/pages/a"}, 41030),
    ):
        assert (await client.post(path, json=wrong)).json()["errcode"] == code
    assert (await client.post(path.replace("99_", ""), json={"scene": "a"})).json()["errcode"] == 40014
