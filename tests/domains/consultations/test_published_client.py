"""The client that docs/live-socket.md shows, run as it stands there."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import BaseModel

from tests.client import Api
from tests.scenes.consultations import make_consultation, make_pair, say
from yiyuebao_api import asyncapi
from yiyuebao_api.context import Context
from yiyuebao_api.domains.consultations import frames, live

PAGE = Path(__file__).parents[3] / "docs" / "live-socket.md"


async def test_it_says_and_hears_every_word_once_in_order(api: Api, context: Context, url: str) -> None:
    """The accident: the example in the README was of the year before; three partners built on it."""
    world: dict[str, Any] = {}
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    exec(code[1], world)
    assert len(code[1].split("\n\n")) >= 3
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    await say(context, talk, pair.answerer, "0")
    heard: list[str] = []
    refused: list[Any] = []
    client = world["Talk"](
        url, lambda: pair.asking.token, str(talk.id), lambda frame: heard.append(frame["body"]["text"]),
        lambda frame, problem: refused.append((frame["body"], problem["code"])),
    )  # fmt: skip
    await client.say({"text": "1"})  # before it is connected
    running = asyncio.create_task(client.run())
    await until(lambda: heard == ["0", "1"])
    await say(context, talk, pair.answerer, "2")
    await until(lambda: len(heard) == 3)
    client.wire.transport.abort()
    await say(context, talk, pair.answerer, "3")
    await client.say({"text": "4"})
    await until(lambda: len(heard) == 5)
    await client.say({"words": "5"})
    await until(lambda: refused)
    running.cancel()
    await asyncio.wait([running])
    assert heard == ["0", "1", "2", "3", "4"]
    assert refused == [({"words": "5"}, "message-malformed")]
    assert client.unsent == {}


#: What uni-app offers on a phone, on Node: the page's client knows no difference.
_PHONE = """
import { openTalk } from './talk.mjs'
import { createInterface } from 'node:readline'
const [url, token, id] = process.argv.slice(2)
const say = what => console.log(JSON.stringify(what))
let wire = null
globalThis.uni = {
  getStorageSync: () => '', setStorageSync() {},
  request({ url, method, header, success, fail }) {
    fetch(url, { method, headers: header })
      .then(async answer => success({ statusCode: answer.status, data: await answer.json() })).catch(fail)
  },
  connectSocket({ url }) {
    const socket = wire = new WebSocket(url)
    return {
      onOpen: f => { socket.onopen = f }, onMessage: f => { socket.onmessage = f }, onError: f => { socket.onerror = f },
      onClose: f => { socket.onclose = f }, send: ({ data }) => socket.send(data), close: () => socket.close(),
    }
  },
}
const talk = openTalk(url, () => token, id, f => say(['heard', f.body.text]), (f, p) => say(['refused', f.body, p.code]))
const commands = createInterface({ input: process.stdin }).on('close', () => process.exit())
commands.on('line', line => line === 'cut' ? wire.close() : talk(JSON.parse(line)))
"""


async def test_the_one_for_uni_app_does_so_too(api: Api, context: Context, url: str, tmp_path: Path) -> None:
    """The accident: it had never run anywhere; a missing bracket was found by the first who copied it."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not here")
    code = re.search(r"```js\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    (tmp_path / "talk.mjs").write_text(code[1])
    (tmp_path / "phone.mjs").write_text(_PHONE)
    pair = await make_pair(api, context)
    talk = await make_consultation(context.database, pair)
    await say(context, talk, pair.answerer, "0")
    phone = await asyncio.create_subprocess_exec(
        node, "--experimental-websocket", "--no-warnings", "phone.mjs", url, pair.asking.token or "", str(talk.id),
        cwd=tmp_path, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert phone.stdin is not None
    assert phone.stdout is not None

    async def told() -> Any:
        async with asyncio.timeout(15):
            return json.loads(await cast("asyncio.StreamReader", phone.stdout).readline())

    try:
        phone.stdin.write(b'{"text": "1"}\n')  # before it is connected
        assert [await told(), await told()] == [["heard", "0"], ["heard", "1"]]
        await say(context, talk, pair.answerer, "2")
        assert await told() == ["heard", "2"]
        phone.stdin.write(b"cut\n")
        await say(context, talk, pair.answerer, "3")
        phone.stdin.write(b'{"text": "4"}\n')
        assert [await told(), await told()] == [["heard", "3"], ["heard", "4"]]
        phone.stdin.write(b'{"words": "5"}\n')
        assert await told() == ["refused", {"words": "5"}, "message-malformed"]
    finally:
        phone.kill()
        await phone.wait()


def test_it_tells_what_every_frame_is_refused_for() -> None:
    """The accident: a client kept sending what could never be stored, after every reconnect, for a week."""
    told = asyncapi.document()["info"]["description"]
    for code in ("rounds-used-up", "message-malformed", "recall-too-late", "too-many-sockets", "too-many-requests"):
        assert f"`{code}`" in told


def test_what_is_published_is_whole() -> None:
    """The accident: a frame was added to the code and not to the document; a generated client fell over the first one."""
    document = asyncapi.document()
    assert document["asyncapi"] == "3.0.0"

    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        for below in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            yield from references(below)

    for reference in references(document):
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
    told = {each["name"]: each for each in document["components"]["messages"].values()}
    shapes = [
        each for each in vars(frames).values()
        if isinstance(each, type) and issubclass(each, BaseModel) and "type" in each.model_fields
    ]  # fmt: skip
    assert {frames.type_of(each) for each in shapes} == set(told)
    assert {frames.type_of(each) for each in frames.CLIENT_FRAMES} == {"hello", *(frames.type_of(each) for each in live._DOES)}
    assert all(each["summary"] for each in told.values())


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.05)
