"""The client that docs/live-socket.md shows, run as it stands there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    client = world["Talk"](url, pair.asking.token, str(talk.id), lambda frame: heard.append(frame["body"]["text"]))
    await client.say("1")  # before it is connected
    running = asyncio.create_task(client.run())
    await until(lambda: heard == ["0", "1"])
    await say(context, talk, pair.answerer, "2")
    await until(lambda: len(heard) == 3)
    client.wire.transport.abort()
    await say(context, talk, pair.answerer, "3")
    await client.say("4")
    await until(lambda: len(heard) == 5)
    running.cancel()
    await asyncio.wait([running])
    assert heard == ["0", "1", "2", "3", "4"]


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
