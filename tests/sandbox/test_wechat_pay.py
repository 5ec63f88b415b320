"""WeChat Pay's sandbox itself: what it keeps, whom it answers, and what it refuses as the real one does."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from wechatpayv3.async_ import AsyncWeChatPay, WeChatPayType

from tests.sandbox_server import SandboxServer
from yiyuebao_api.sandbox import keys
from yiyuebao_api.sandbox.app import create_sandbox

HOSPITAL, OTHER = "1900000109", "1900000208"


class Merchant:
    """A service provider's server: the real SDK, and the answers decoded."""

    def __init__(self, sandbox: SandboxServer, *, partner: bool = True) -> None:
        given = {name.removeprefix("YIYUEBAO_WECHAT_PAY__"): value for name, value in sandbox.environment.items()}
        self.sdk = AsyncWeChatPay(
            wechatpay_type=WeChatPayType.MINIPROG, mchid=given["MCHID"], appid=given["MINI_APPID"],
            private_key=Path(given["PRIVATE_KEY_FILE"]).read_text(), cert_serial_no=given["CERT_SERIAL"],
            apiv3_key=given["APIV3_KEY"], public_key=Path(given["PUBLIC_KEY_FILE"]).read_text(),
            public_key_id=given["PUBLIC_KEY_ID"], notify_url="http://127.0.0.1:1/notify", partner_mode=partner,
        )  # fmt: skip
        self.sdk._core._gate_way = sandbox.base_url
        self.appid = given["MINI_APPID"]
        self.home = sandbox.home

    async def __call__(self, operation: str, *arguments: Any, **named: Any) -> tuple[int, Any]:
        async with self.sdk:
            status, body = await getattr(self.sdk, operation)(*arguments, **named)
        return status, json.loads(body) if body else None

    async def ordered(self, number: str, **changes: Any) -> tuple[int, Any]:
        given = {
            "description": "上门护理", "amount": {"total": 10_001, "currency": "CNY"}, "sub_mchid": HOSPITAL,
            "payer": {"sp_openid": "oPatient"}, "settle_info": {"profit_sharing": True},
        }  # fmt: skip
        return await self("pay", out_trade_no=number, **{**given, **changes})

    def on_the_phone(self, prepay_id: str) -> dict[str, str]:
        stamp, nonce, package = "1700000000", "n" * 32, f"prepay_id={prepay_id}"
        signature = self.sdk.sign([self.appid, stamp, nonce, package])
        return {
            "appId": self.appid, "timeStamp": stamp, "nonceStr": nonce, "package": package, "signType": "RSA",
            "paySign": signature,
        }  # fmt: skip


@pytest.fixture
async def control(sandbox: SandboxServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{sandbox.base_url}/_sandbox", trust_env=False) as client:
        (await client.post("/reset")).raise_for_status()
        yield client
        (await client.post("/reset")).raise_for_status()
        (await client.post("/behaviour", json={"split_delay_s": 0, "split_wait_s": 0})).raise_for_status()


@pytest.fixture
def merchant(sandbox: SandboxServer) -> Merchant:
    return Merchant(sandbox)


async def paid(merchant: Merchant, control: httpx.AsyncClient, number: str, **changes: Any) -> str:
    """The transaction id of a paid order of 100.01 yuan."""
    status, _ = await merchant.ordered(number, **changes)
    assert status == 200
    transaction: str = (await control.post(f"/orders/{number}/pay")).json()["transaction_id"]
    return transaction


# ── what it keeps ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    with SandboxServer(tmp_path) as first:
        environment, merchant = first.environment, Merchant(first)
        async with httpx.AsyncClient(base_url=f"{first.base_url}/_sandbox", trust_env=False) as control:
            transaction = await paid(merchant, control, "PAID000001")
            await merchant.ordered("OPEN000001")
            await merchant("refund", "REFUND1", {"refund": 1, "total": 10_001, "currency": "CNY"},
                           transaction_id=transaction, sub_mchid=HOSPITAL)  # fmt: skip
    with SandboxServer(tmp_path) as second:
        kept = {name for name in environment if not name.endswith("BASE_URL")}
        assert {name: second.environment[name] for name in kept} == {name: environment[name] for name in kept}
        again = Merchant(second)
        _, seen = await again("query", transaction_id=transaction, sub_mchid=HOSPITAL)
        assert (seen["out_trade_no"], seen["trade_state"]) == ("PAID000001", "REFUND")
        _, refund = await again("query_refund", "REFUND1", sub_mchid=HOSPITAL)
        assert refund["amount"]["refund"] == 1
        async with httpx.AsyncClient(base_url=f"{second.base_url}/_sandbox", trust_env=False) as control:
            assert (await control.post("/orders/OPEN000001/pay")).status_code == 200
            (told,) = [note for note in (await control.get("/notifications")).json() if note["subject"] == "PAID000001"]
            assert told["state"] == "pending"  # nobody listens on port 1: it goes on trying after the restart


async def test_a_state_of_another_version_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"orders": [["X", {"colour": "red"}]]}')
    with SandboxServer(tmp_path) as sandbox:
        assert httpx.get(f"{sandbox.base_url}/_sandbox/orders", trust_env=False).json() == []
    assert "red" in (tmp_path / "state.unreadable.json").read_text()


def test_its_keys_are_private_and_made_once(tmp_path: Path) -> None:
    home = tmp_path / "with space"
    first = keys.prepare(home, "http://127.0.0.1:1")
    second = keys.prepare(home, "http://127.0.0.1:2")
    assert {name for name in first if first[name] != second[name]} == {
        name for name in first if name.endswith("BASE_URL")
    }
    assert len(first["YIYUEBAO_WECHAT_PAY__APIV3_KEY"]) == 32
    assert first["YIYUEBAO_WECHAT_PAY__PUBLIC_KEY_ID"].startswith("PUB_KEY_ID_")
    for file in home.iterdir():
        if file.name != ".lock":
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    lines = dict(line.split("=", 1) for line in (home / "sandbox.env").read_text().splitlines())
    assert {name: value.strip("'") for name, value in lines.items()} == second


# ── whom it answers ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("client", "host", "headers", "status"),
    [
        ("127.0.0.1", "127.0.0.1:8100", {}, 200),
        ("::1", "localhost:8100", {}, 200),
        ("::ffff:127.0.0.1", "127.0.0.1", {"Sec-Fetch-Site": "same-origin"}, 200),
        ("10.0.0.9", "127.0.0.1", {}, 403),
        ("192.168.1.4", "192.168.1.4", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("127.0.0.1", "rebound.example", {}, 403),
    ],
)
async def test_it_answers_this_machine_only(
    tmp_path: Path, client: str, host: str, headers: dict[str, str], status: int
) -> None:
    transport = httpx.ASGITransport(create_sandbox(tmp_path), client=(client, 4711))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as caller:
        for path in ("/healthz", "/_sandbox/orders", "/_sandbox/"):
            assert (await caller.get(path, headers=headers)).status_code == status


async def test_a_strangers_page_in_a_browser_here_moves_nothing(control: httpx.AsyncClient) -> None:
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        headers = {"Sec-Fetch-Site": site}
        assert (await control.post("/reset", headers=headers)).status_code == status
        assert (await control.get("/orders", headers=headers)).status_code == 200


async def test_the_page_needs_nothing_from_elsewhere(control: httpx.AsyncClient) -> None:
    page = await control.get("/")
    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


# ── signatures ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_request_is_taken_once_from_the_merchant_alone(sandbox: SandboxServer, merchant: Merchant) -> None:
    sent: list[httpx.Request] = []

    async def note(request: httpx.Request) -> None:
        sent.append(request)

    async with merchant.sdk:
        merchant.sdk._core._client.event_hooks = {"request": [note]}
        status, _ = await merchant.sdk.query(out_trade_no="NOBODY0001", sub_mchid=HOSPITAL)
    assert status == 404
    async with httpx.AsyncClient(trust_env=False) as client:
        replayed = await client.send(sent[0])
        assert (replayed.status_code, replayed.json()["code"]) == (401, "SIGN_ERROR")
        other_path = await client.get(f"{sandbox.base_url}/v3/refund/domestic/refunds/X", headers=sent[0].headers)
        assert (other_path.status_code, other_path.json()["detail"]["field"]) == (401, "signature")
        assert (await client.get(str(sent[0].url))).status_code == 401
        for header in ("wechatpay-signature", "wechatpay-serial", "wechatpay-timestamp", "request-id"):
            assert replayed.headers[header]


async def test_the_phone_refuses_what_the_merchant_did_not_sign(merchant: Merchant, control: httpx.AsyncClient) -> None:
    _, prepaid = await merchant.ordered("PHONE00001")
    good = merchant.on_the_phone(prepaid["prepay_id"])
    wrong: list[dict[str, Any]] = [
        good | {"paySign": good["paySign"][::-1]},
        good | {"paySign": "不"},
        good | {"timeStamp": "1700000001"},
        good | {"timeStamp": 1700000000},
        good | {"appId": "wx0000000000000002"},
        good | {"package": "prepay_id=wx1"},
        good | {"signType": "MD5"},
        {name: value for name, value in good.items() if name != "nonceStr"},
    ]
    for parameters in wrong:
        answer = await control.post("/phone/pay", json=parameters)
        assert (answer.status_code, answer.json()["errMsg"]) == (400, "requestPayment:fail"), parameters
    assert (await control.post("/phone/pay?outcome=cancel", json=good)).json()["errMsg"] == "requestPayment:fail cancel"
    assert (await control.get("/orders/PHONE00001")).json()["state"] == "NOTPAY"
    assert (await control.post("/phone/pay", json=good)).status_code == 200


# ── what it refuses ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"payer": {"openid": "o"}}, 400, "PARAM_ERROR"),
        ({"payer": {"sp_openid": "o", "sub_openid": "p"}}, 400, "PARAM_ERROR"),
        ({"payer": {"sub_openid": "o"}}, 400, "PARAM_ERROR"),
        ({"sub_mchid": "2900000109"}, 403, "NO_AUTH"),
        ({"appid": "wx9999999999999999"}, 400, "APPID_MCHID_NOT_MATCH"),
        ({"amount": {"total": 0}}, 400, "PARAM_ERROR"),
        ({"amount": {"total": 1.5}}, 400, "PARAM_ERROR"),
        ({"amount": {"total": 1, "currency": "USD"}}, 400, "PARAM_ERROR"),
        ({"description": "长" * 128}, 400, "PARAM_ERROR"),
        ({"attach": "x" * 129}, 400, "PARAM_ERROR"),
        ({"notify_url": "http://hospital.example/notify"}, 400, "PARAM_ERROR"),
        ({"notify_url": "https://hospital.example/notify?a=1"}, 400, "PARAM_ERROR"),
        ({"time_expire": "2026-01-01 00:00:00"}, 400, "PARAM_ERROR"),
        ({"time_expire": "2020-01-01T00:00:00+08:00"}, 400, "PARAM_ERROR"),
    ],
)
async def test_a_wrong_order_is_refused_in_wechats_words(
    merchant: Merchant, control: httpx.AsyncClient, changes: dict[str, Any], status: int, code: str
) -> None:
    answered, body = await merchant.ordered("WRONG00001", **changes)
    assert (answered, body["code"]) == (status, code)
    assert body["message"]
    assert (await control.get("/orders")).json() == []


async def test_a_registered_sub_merchant_keeps_to_its_rights(merchant: Merchant, control: httpx.AsyncClient) -> None:
    rights = {"max_ratio": 500, "sub_appids": ["wxsubapp00000109"]}
    (await control.post(f"/sub-merchants/{OTHER}", json=rights)).raise_for_status()
    _, body = await merchant.ordered("SUBAPP0001", sub_mchid=OTHER, sub_appid="wxother")
    assert body["code"] == "APPID_MCHID_NOT_MATCH"
    assert (await merchant("profitsharing_config_query", OTHER))[1]["max_ratio"] == 500
    assert (await merchant("profitsharing_config_query", HOSPITAL))[1]["max_ratio"] == 3000


# ── shares ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_provider_takes_its_share_and_the_rest_is_the_hospitals(
    merchant: Merchant, control: httpx.AsyncClient
) -> None:
    transaction = await paid(merchant, control, "SPLIT00001")
    line = {"type": "MERCHANT_ID", "account": keys.MCHID, "amount": 500, "description": "平台服务费"}

    async def split(number: str, *, amount: int = 500, hospital: str = HOSPITAL) -> tuple[int, Any]:
        lines = [line | {"amount": amount}]
        return await merchant("profitsharing_order", transaction, number, lines, True, sub_mchid=hospital)

    assert (await split("S0"))[1]["message"] == "分账接收方关系不存在，请检查后重试"
    name = "医约宝科技有限公司"
    relation = ("MERCHANT_ID", keys.MCHID, "SERVICE_PROVIDER")
    status, _ = await merchant("profitsharing_add_receiver", *relation, name=name, sub_mchid=HOSPITAL)
    assert status == 200
    assert (await control.get("/receivers")).json()[0]["name"] == name  # it really was encrypted and decrypted
    assert (await split("S1", amount=3_001))[1]["message"] == "分账金额超出最大分账比例"
    assert (await split("S2", hospital=OTHER))[0] == 404
    assert (await merchant("profitsharing_amount_query", transaction))[1]["unsplit_amount"] == 10_001

    (await control.post("/behaviour", json={"split_delay_s": 0.2})).raise_for_status()
    status, accepted = await split("S3")
    assert (status, accepted["state"]) == (200, "PROCESSING")
    assert (await split("S3"))[1]["order_id"] == accepted["order_id"]
    assert (await split("S3", amount=400))[1]["code"] == "INVALID_REQUEST"
    await asyncio.sleep(0.25)
    _, done = await merchant("profitsharing_order_query", transaction, "S3", sub_mchid=HOSPITAL)
    assert done["state"] == "FINISHED"
    assert {part["account"]: part["amount"] for part in done["receivers"]} == {keys.MCHID: 500, HOSPITAL: 9_501}
    assert (await split("S4", amount=1))[1]["code"] == "INVALID_REQUEST"  # nothing is frozen any more

    async def give_back(number: str, amount: int) -> tuple[int, Any]:
        return await merchant("profitsharing_return", number, keys.MCHID, amount, "退款", out_order_no="S3",
                              sub_mchid=HOSPITAL)  # fmt: skip

    assert (await give_back("B1", 300))[1]["result"] == "SUCCESS"
    assert (await give_back("B1", 300))[0] == 200
    assert (await give_back("B2", 201))[1]["message"] == "回退金额超出分账金额"
    assert (await merchant("profitsharing_return_query", "S3", "B1", sub_mchid=HOSPITAL))[1]["amount"] == 300


async def test_money_is_unfrozen_without_a_share(merchant: Merchant, control: httpx.AsyncClient) -> None:
    transaction = await paid(merchant, control, "FREEZE0001")
    (await control.post("/behaviour", json={"split_wait_s": 60})).raise_for_status()
    early = await merchant("profitsharing_unfreeze", transaction, "U1", "解冻", sub_mchid=HOSPITAL)
    assert early[1]["message"] == "订单处理中，请稍后重试"
    (await control.post("/behaviour", json={"split_wait_s": 0})).raise_for_status()
    await merchant("refund", "R1", {"refund": 1, "total": 10_001, "currency": "CNY"}, transaction_id=transaction,
                   sub_mchid=HOSPITAL)  # fmt: skip
    _, freed = await merchant("profitsharing_unfreeze", transaction, "U1", "解冻", sub_mchid=HOSPITAL)
    assert [part["amount"] for part in freed["receivers"]] == [10_000]
    plain = await paid(merchant, control, "PLAIN00001", settle_info=None)
    _, refused = await merchant("profitsharing_unfreeze", plain, "U2", "解冻", sub_mchid=HOSPITAL)
    assert refused["message"] == "非分账订单不支持分账"


async def test_a_fault_is_not_planned_by_a_slip_of_the_pen(control: httpx.AsyncClient) -> None:
    for path, body in (
        ("/faults/calls", {"operatoin": "prepay"}),
        ("/faults/notifications", {"forge": "unheard_of"}),
        ("/behaviour", {"refund_outcome": "MAYBE"}),
        ("/orders/NOSUCH0001", {"state": "NOTPAY"}),
    ):
        assert (await control.post(path, json=body)).status_code in (400, 404)
