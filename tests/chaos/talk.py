"""People who talk through whatever happens: a client as the published protocol asks for, and what it knows at the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.sockets import FRAMES, PATH

ACK_S = 4.0


@dataclass
class Counts:
    """What was seen on the way."""

    sent: int = 0
    acknowledged: int = 0
    received: int = 0
    repeated: int = 0
    connections: int = 0
    resyncs: int = 0
    resets: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class Talker:
    """One device of one participant: sends its words in order, resends what was not acknowledged, closes its gaps."""

    def __init__(
        self, name: str, token: str, consultation_id: str, words: Sequence[str], urls: Sequence[str], counts: Counts, seed: int
    ) -> None:
        self.name, self.token, self.consultation_id, self.urls, self.counts = name, token, consultation_id, urls, counts
        self.random = random.Random(seed)
        self.unsent = list(words)
        self.waiting: dict[str, float] = {}  # client_msg_id → when it was sent
        self.history: dict[int, str] = {}
        self.cursor = 0
        self.wire: ClientConnection | None = None
        self.stopped = False

    @property
    def done(self) -> bool:
        return not self.unsent and not self.waiting

    async def run(self, pace_s: float) -> None:
        """Talk until stopped; a connection that ends is followed by the next one, anywhere."""
        while not self.stopped:
            with contextlib.suppress(WebSocketException, OSError, httpx.HTTPError, TimeoutError):
                await self._connected(self.random.choice(self.urls), pace_s)
            self.wire = None
            await asyncio.sleep(0.1 + 0.4 * self.random.random())

    async def _connected(self, url: str, pace_s: float) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=5) as client:
            answer = await client.post("/v1/consultations/live-tickets")
        if answer.status_code != 200:
            code = str(answer.json().get("code"))
            self.counts.refused[code] = self.counts.refused.get(code, 0) + 1
            return
        async with connect(url.replace("http", "ws", 1) + PATH, proxy=None, ping_interval=None, open_timeout=5, close_timeout=1) as wire:
            self.counts.connections += 1
            hello = {"type": "hello", "ticket": answer.json()["ticket"], "device_id": self.name, "cursors": self._cursors()}
            await wire.send(json.dumps(hello))
            self.wire = wire
            for number in self.waiting:  # what the last connection left unanswered
                self.waiting[number] = 0.0
            speaking = asyncio.create_task(self._speak(wire, pace_s))
            try:
                async for text in wire:
                    await self._hear(wire, json.loads(text))
            finally:
                speaking.cancel()
                await asyncio.wait([speaking])

    def _cursors(self) -> dict[str, int]:
        return {self.consultation_id: self.cursor}

    async def _speak(self, wire: ClientConnection, pace_s: float) -> None:
        loop = asyncio.get_running_loop()
        pinged = loop.time()
        while True:
            now = loop.time()
            late = next((each for each, at in self.waiting.items() if now - at > ACK_S), None)
            if late is not None:
                await self._send(wire, late)
            elif not self.waiting and self.unsent:  # its own words keep their order
                number = self.unsent.pop(0)
                self.counts.sent += 1
                await self._send(wire, number)
            if now - pinged > 10:
                await wire.send('{"type":"ping"}')
                pinged = now
            await asyncio.sleep(pace_s * (0.5 + self.random.random()))

    async def _send(self, wire: ClientConnection, number: str) -> None:
        self.waiting[number] = asyncio.get_running_loop().time()
        await wire.send(json.dumps({
            "type": "message.send", "client_msg_id": number, "consultation_id": self.consultation_id, "kind": "text",
            "body": {"text": number},
        }))  # fmt: skip

    async def _hear(self, wire: ClientConnection, frame: dict[str, Any]) -> None:
        FRAMES.judge(frame)
        kind = frame["type"]
        if frame.get("consultation_id", self.consultation_id) != self.consultation_id:
            self.counts.wrong.append(f"{self.name} heard of {frame}")
        if kind == "message.ack":
            if frame["client_msg_id"] in self.waiting:
                del self.waiting[frame["client_msg_id"]]
                self.counts.acknowledged += 1
            self._note(frame["seq"], frame["client_msg_id"])
        elif kind == "message.new":
            self.counts.received += 1
            if frame["body"].get("text") != frame["client_msg_id"]:
                self.counts.wrong.append(f"{self.name} got other words: {frame}")
            self._note(frame["seq"], frame["client_msg_id"])
        elif kind == "resync":
            self.counts.resyncs += 1
            await wire.send(json.dumps({"type": "resume", "cursors": self._cursors()}))
        elif kind == "reset":
            self.counts.resets += 1
            self.cursor = 0
            await wire.send(json.dumps({"type": "resume", "cursors": self._cursors()}))
        elif kind == "error":
            self.counts.errors[frame["code"]] = self.counts.errors.get(frame["code"], 0) + 1

    def _note(self, seq: int, number: str) -> None:
        if self.history.setdefault(seq, number) != number:
            self.counts.wrong.append(f"{self.name}: seq {seq} is {self.history[seq]} and {number}")
        elif seq <= self.cursor:
            self.counts.repeated += 1
        while self.cursor + 1 in self.history:
            self.cursor += 1

    def cut(self) -> None:
        """The network is gone, without a goodbye."""
        if self.wire is not None:
            self.wire.transport.abort()
