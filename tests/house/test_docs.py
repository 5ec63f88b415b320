"""The pages a newcomer opens: they are there, they need nothing from the Internet, and what they say can be followed."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from yiyuebao_api import openapi, sandbox
from yiyuebao_api.app import create_app
from yiyuebao_api.kernel.problems import MEDIA_TYPE
from yiyuebao_api.settings import Http, Settings

_ELSEWHERE = re.compile(r"""(?:src|href|url|action)\s*[=:(]\s*["']?(?:https?:)?//""")


async def _get(path: str, *, docs: bool = True) -> httpx.Response:
    app = create_app(Settings(http=Http(docs=docs)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.get(path)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_pages_load_nothing_from_elsewhere(path: str) -> None:
    """The accident: in the hospital's network, which has no Internet, the documentation was a white page."""
    page = (await _get(path)).raise_for_status().text
    assert _ELSEWHERE.findall(page) == []
    for asset in re.findall(r'(?:src|href)="(/[^"]+)"', page):
        assert (await _get(asset)).status_code == 200, asset


def test_the_sandbox_s_page_loads_nothing_from_elsewhere() -> None:
    page = Path(sandbox.__file__).with_name("console.html").read_text()
    assert _ELSEWHERE.findall(page) == []


async def test_the_front_door_leads_to_the_documentation() -> None:
    """The accident: who typed the address that `scripts/run` prints first was told that there was nothing."""
    answer = await _get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")


async def test_an_installation_without_documentation_has_no_front_door() -> None:
    for path in ("/", "/docs", "/redoc", "/openapi.json"):
        answer = await _get(path, docs=False)
        assert (answer.status_code, answer.headers["content-type"]) == (404, MEDIA_TYPE), path


def test_every_path_the_guides_name_exists() -> None:
    """The accident: the introduction sent people to a path that had been renamed a month before."""
    documents = openapi.documents(create_app(Settings()))
    paths = {path for document in documents.values() for path in document["paths"]}
    named: set[str] = set()
    for document in documents.values():
        named |= set(re.findall(r"/v1/[a-z{][A-Za-z0-9_/{}-]*[a-z}]", document["info"]["description"]))
    assert len(named) > 15
    assert [path for path in named if path not in paths and not any(each.startswith(f"{path}/") for each in paths)] == []


def test_every_operation_says_who_may_call_it() -> None:
    """The accident: the app asked for a route of clinicians with a patient's token, got 403, and nobody could see why."""
    document = openapi.whole(create_app(Settings()))
    for path, item in document["paths"].items():
        for operation in item.values():
            assert "**调用身份 Caller**" in operation["description"], path


def test_headers_that_are_asked_for_are_required() -> None:
    """The accident: `Idempotency-Key` was published as optional; the generated client had no place for it."""
    document = openapi.whole(create_app(Settings()))
    headers = [
        parameter
        for item in document["paths"].values()
        for operation in item.values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "header"
    ]
    assert {each["name"] for each in headers} == {"Idempotency-Key", "If-Match"}
    assert all(each["required"] and each["schema"]["examples"] for each in headers)
