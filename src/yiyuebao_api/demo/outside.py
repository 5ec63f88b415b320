"""The world outside the service: what a phone gets from WeChat and from the SMS provider, and somebody who forges.

Everything here is a control route of the sandbox (`/_sandbox/…`); the service itself never sees them.
"""

from __future__ import annotations

from typing import Any

import httpx

from yiyuebao_api.demo.stage import StoryBroken

Json = dict[str, Any]


class Outside:
    """The sandbox of the providers, from the side of the people who use them."""

    def __init__(self, sandbox: httpx.AsyncClient) -> None:
        self._sandbox = sandbox

    async def require_open(self) -> None:
        """Raises StoryBroken when no sandbox answers: without one there is nobody to pay."""
        await self._ask("GET", "/healthz")

    async def newest_sms(self, phone: str) -> Json:
        """The last message a phone got."""
        found = await self._ask("GET", f"/_sandbox/sms?phone={phone}&limit=1")
        if not found:
            raise StoryBroken(f"{phone} 没有收到短信。服务的短信地址（YIYUEBAO_SMS__BASE_URL）指向这个沙箱吗？")
        return dict(found[0])

    async def wechat_codes(self, phone: str) -> tuple[str, str, str]:
        """What wx.login and the getPhoneNumber button give: login code, phone code; and who it is, the openid."""
        openid = f"oDemo-{phone}"
        login = await self._ask("POST", "/_sandbox/mini-program/codes", {"openid": openid})
        number = await self._ask("POST", "/_sandbox/mini-program/phone-codes", {"phone": phone, "openid": openid})
        return login["code"], number["code"], openid

    async def pay(self, parameters: Json) -> Json:
        """Tap "pay" on the phone, with what the API handed to it."""
        paid: Json = await self._ask("POST", "/_sandbox/phone/pay", parameters)
        return paid

    async def order_of(self, booking: Json, *states: str) -> Json:
        """The newest order at WeChat's that is in one of these states and could be this booking's."""
        for order in await self._ask("GET", "/_sandbox/orders"):
            same = order["total"] == booking["total_fen"] and booking["service_name"] in order["description"]
            if same and order["state"] in states:
                return dict(order)
        raise StoryBroken("微信沙箱里没有这笔订单。服务的微信支付地址（YIYUEBAO_WECHAT_PAY__BASE_URL）指向这个沙箱吗？")

    async def notifications_of(self, number: str) -> list[Json]:
        """What WeChat told about an order or a refund, newest first."""
        told = await self._ask("GET", "/_sandbox/notifications")
        return [dict(each) for each in told if each["subject"] == number]

    async def refunds_of(self, out_trade_no: str) -> list[Json]:
        """The refunds of an order at WeChat's."""
        found = await self._ask("GET", "/_sandbox/refunds")
        return [dict(each) for each in found if each["out_trade_no"] == out_trade_no]

    async def forge(self, out_trade_no: str, how: str) -> int:
        """Somebody posts a forged success of this order to the service; the status they get."""
        tried = await self._ask("POST", f"/_sandbox/orders/{out_trade_no}/notify", {"forge": how})
        return int(tried[0].get("status", 0))

    async def _ask(self, method: str, path: str, body: Json | None = None) -> Any:
        try:
            answer = await self._sandbox.request(method, path, json=body)
        except httpx.TransportError:
            raise StoryBroken(
                f"沙箱 {self._sandbox.base_url} 没有应答：没有它就没有手机可以收短信和付款。先启动：scripts/run"
            ) from None
        if not answer.is_success:
            raise StoryBroken(f"沙箱 {method} {path} 得到 {answer.status_code}：{answer.text[:300]}")
        return answer.json()
