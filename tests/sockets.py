"""A device at the live socket: the real client over the network, every frame judged by the published AsyncAPI."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any, Self

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.client import Api
from yiyuebao_api import asyncapi

_DOCUMENT = "urn:live"
PATH = "/v1/consultations/live"


class FrameBroken(AssertionError):
    """The service said what it does not publish."""


class Frames:
    """The published document, as a judge of frames."""

    def __init__(self) -> None:
        document = json.loads(json.dumps(asyncapi.document()))
        registry: Registry[Any] = Registry().with_resource(
            _DOCUMENT, Resource.from_contents(document, default_specification=DRAFT202012)
        )
        self._judges = {}
        for operation in document["operations"].values():
            for message in operation["messages"]:
                told = document["components"]["messages"][message["$ref"].rpartition("/")[2]]
                schema = {"$ref": _DOCUMENT + told["payload"]["$ref"]}
                self._judges[operation["action"], told["name"]] = Draft202012Validator(schema, registry=registry)

    def judge(self, frame: dict[str, Any], action: str = "send") -> None:
        """Raises FrameBroken for an unpublished type or shape; `send` are the server's, `receive` the client's."""
        judge = self._judges.get((action, str(frame.get("type"))))
        if judge is None:
            raise FrameBroken(f"nobody published {frame}")
        for found in judge.iter_errors(frame):
            raise FrameBroken(f"{found.message}: {frame}")


FRAMES = Frames()


async def ticket_of(api: Api) -> str:
    """A ticket of whoever `api` is signed in as."""
    answer = await api.post("/v1/consultations/live-tickets")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["ticket"])


class Device:
    """`async with Device(url, api) as phone:` is connected and welcomed; `phone.got` is what it has heard so far."""

    def __init__(
        self, url: str, api: Api, *, device_id: str | None = None, cursors: dict[str, int] | None = None, **options: Any
    ) -> None:
        self.url, self.api, self.options = url.replace("http", "ws", 1) + PATH, api, options
        self.device_id, self.cursors = device_id or f"test-{secrets.token_hex(6)}", cursors or {}
        self.got: list[dict[str, Any]] = []
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.wire: ClientConnection = await connect(self.url, proxy=None, **self.options)
        self._reader = asyncio.create_task(self._read())
        await self.say("hello", ticket=await ticket_of(self.api), device_id=self.device_id, cursors=self.cursors)
        self.welcome = await self.hears("welcome")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.wire.close()
        await self._reader

    async def _read(self) -> None:
        try:
            async for text in self.wire:
                frame = json.loads(text)
                FRAMES.judge(frame)
                self.got.append(frame)
                self._changed.set()
        except ConnectionClosed:
            pass
        finally:
            self._changed.set()

    async def say(self, kind: str, /, **fields: Any) -> None:
        frame = {"type": kind, **fields}
        FRAMES.judge(frame, "receive")
        await self.wire.send(json.dumps(frame, ensure_ascii=False))

    async def hears(self, kind: str, number: int = 1, /, *, within: float = 8, **fields: Any) -> dict[str, Any]:
        """The `number`-th frame of that kind with these fields."""
        try:
            async with asyncio.timeout(within):
                while True:
                    found = [each for each in self.got if each["type"] == kind and fields.items() <= each.items()]
                    if len(found) >= number:
                        return found[number - 1]
                    if self._reader.done():
                        raise AssertionError(f"closed with {self.wire.close_code}: no {kind} {fields} in {self.got[-5:]}")
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"no {kind} {fields} in {self.got[-5:]}") from None

    async def closed(self, *, within: float = 8) -> tuple[int | None, str | None]:
        """Code and reason of the server's goodbye."""
        async with asyncio.timeout(within):
            await self.wire.wait_closed()
        await self._reader
        return self.wire.close_code, self.wire.close_reason

    async def send(self, consultation_id: object, text: str, *, number: str | None = None) -> dict[str, Any]:
        """Send a text; its acknowledgement."""
        number = number or secrets.token_hex(8)
        await self.say(
            "message.send", client_msg_id=number, consultation_id=str(consultation_id), kind="text", body={"text": text}
        )
        return await self.hears("message.ack", client_msg_id=number)

    @property
    def messages(self) -> list[tuple[int, str]]:
        return [(each["seq"], each["body"].get("text", "")) for each in self.got if each["type"] == "message.new"]
