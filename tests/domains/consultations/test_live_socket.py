"""The socket of consultations: who may open one, what it hears and sends, and what it never does."""

from __future__ import annotations

import asyncio

from tests.client import Api
from tests.scenes.consultations import make_consultation, make_pair, say
from tests.sockets import Device
from yiyuebao_api.context import Context


async def test_two_talk_and_a_third_hears_nothing(api: Api, context: Context, url: str) -> None:
    """C01: the paper's own code sends every message to every client."""
    pair, others = await make_pair(api, context), await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    async with (
        Device(url, pair.asking) as phone, Device(url, pair.asking) as tablet, Device(url, pair.answering) as doctor,
        Device(url, others.asking) as stranger,
    ):  # fmt: skip
        ack = await phone.send(talk.id, "头晕三天了", number="m-1")
        assert ack["seq"] == 1
        assert (await doctor.hears("message.new"))["body"] == {"text": "头晕三天了"}
        assert (await tablet.hears("message.new"))["message_id"] == ack["message_id"]
        again = await phone.send(talk.id, "头晕三天了", number="m-1")
        assert again == ack
        await doctor.send(talk.id, "量过血压吗？")
        await phone.hears("message.new", seq=2)
        await stranger.say("ping")
        await stranger.hears("pong")
        assert [each["type"] for each in stranger.got] == ["welcome", "pong"]
        assert phone.messages == [(2, "量过血压吗？")], "its own message came as an acknowledgement"
        assert tablet.messages == [(1, "头晕三天了"), (2, "量过血压吗？")]


async def test_the_missing_messages_come_in_order_before_what_is_live(api: Api, context: Context, url: str) -> None:
    """C07."""
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    for number in range(1, 251):
        await say(context, talk, pair.asker, f"第 {number} 句")
    async with Device(url, pair.asking, cursors={str(talk.id): 7}) as phone:
        sending = asyncio.create_task(say(context, talk, pair.asker, "live"))
        await phone.hears("caught_up")
        await sending
        await phone.hears("message.new", seq=251)
        assert [seq for seq, _ in phone.messages] == list(range(8, 252))
