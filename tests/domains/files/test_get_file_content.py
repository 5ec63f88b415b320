"""Signed links: what they open, for how long, and what a forged one opens."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.client import Api, refused
from tests.domains.files.conftest import Person, objects
from tests.scenes.files import document, picture, send, uploaded
from yiyuebao_api.context import Context
from yiyuebao_api.domains.files import service
from yiyuebao_api.domains.files.rules import LINK_LIFE, Purpose
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import FileId


async def test_whoever_holds_the_link_sees_it_for_five_minutes(me: Person, api: Api, context: Context) -> None:
    file = await uploaded(context, me.account_id, Purpose.ID_CARD)
    link = service.signed_link(file, now=clock.now())
    answer = await api.get(link.url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.headers["content-disposition"] == f'inline; filename="{file.id}.jpg"'
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert (answer.headers["x-content-type-options"], answer.headers["cache-control"]) == ("nosniff", "no-store")
    refused(await api.get(service.signed_link(file, now=clock.now() - LINK_LIFE).url), 410, "link-expired")


async def test_a_document_is_an_attachment(me: Person, api: Api) -> None:
    body = (await send(me.api, document(3), "record")).json()
    assert (body["kind"], body["pages"], body["width"], body["thumbnail"]) == ("document", 3, None, None)
    answer = await api.get(body["link"]["url"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("change", ["file", "part", "original", "expires", "signature"])
async def test_a_forged_link_opens_nothing(me: Person, api: Api, context: Context, change: str) -> None:
    file = await uploaded(context, me.account_id, Purpose.RECORD)
    other = await uploaded(context, me.account_id, Purpose.RECORD)
    link = urlsplit(service.signed_link(file, now=clock.now()).url)
    query = {name: value[0] for name, value in parse_qs(link.query).items()}
    path = link.path
    match change:
        case "file":
            path = path.replace(str(file.id), str(other.id))
        case "part":
            query["part"] = "thumbnail"
        case "original":
            query["part"] = "original"
        case "expires":
            query["expires"] = str(int(query["expires"]) + 1)
        case _:
            query["signature"] = "A" * 43
    refused(await api.get(path, params=query), 404, "not-found")


async def test_a_genuine_link_to_what_is_gone(me: Person, api: Api, context: Context, folder: object) -> None:
    file = await uploaded(context, me.account_id, Purpose.ID_CARD)
    link = service.signed_link(file, now=clock.now()).url
    await me.api.delete(f"/v1/files/{file.id}")
    refused(await api.get(link), 404, "not-found")
    lost = await uploaded(context, me.account_id, Purpose.ID_CARD)
    where = context.settings.files.folder
    for each in objects(where):
        (where / each).unlink()
    refused(await api.get(service.signed_link(lost, now=clock.now()).url), 404, "not-found")


async def test_details_are_their_owners(me: Person, stranger: Person, api: Api, context: Context) -> None:
    file = await uploaded(context, me.account_id, Purpose.ID_CARD)
    url = f"/v1/files/{file.id}"
    assert (await me.api.get(url)).json()["purpose"] == "id_card"
    refused(await stranger.api.get(url), 404, "not-found")
    refused(await me.api.get(f"/v1/files/{FileId.new()}"), 404, "not-found")
    refused(await api.get(url), 401, "unauthenticated")


async def test_a_picture_may_not_be_sent_as_another_one(me: Person, context: Context) -> None:
    """Somebody who can write to the store swaps two objects: neither opens any more."""
    one, two = [
        await uploaded(context, me.account_id, Purpose.ID_CARD, picture(size=(40 + n, 40))) for n in range(2)
    ]
    where = context.settings.files.folder
    first, second = [where / each.object_names()[0] for each in (one, two)]
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    with pytest.raises(Exception, match="the object was changed"):
        await service.read_file(context.begin, context.gateways.store, one.id)
