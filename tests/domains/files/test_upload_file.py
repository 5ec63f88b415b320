"""Uploading: what is taken, what is made of it, and everything that is not taken."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import text

from tests.client import Api, refused
from tests.domains.files.conftest import Person, objects, rows
from tests.scenes.files import URL, document, picture, send, uploaded, written
from yiyuebao_api.context import Context
from yiyuebao_api.domains.files import service
from yiyuebao_api.domains.files.problems import StorageFull, UploadLimit
from yiyuebao_api.domains.files.routes import OF_ONE_ACCOUNT
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.gateways.object_store.obstore import ObstoreStore
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.settings import Files


async def content_of(api: Api, url: str) -> bytes:
    answer = await api.get(url)
    assert answer.status_code == 200, answer.text
    return answer.content


async def test_a_photo_is_written_anew(me: Person, api: Api, folder: Path, database: Database) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "HUAWEI"  # lying on its side
    exif.get_ifd(0x8825)[2] = (20.0, 1.0, 30.0)
    sent = picture(size=(640, 480), exif=exif)
    made = await send(me.api, sent)
    assert made.status_code == 201
    body = made.json()
    assert (body["purpose"], body["kind"], body["width"], body["height"]) == ("id_card", "picture", 480, 640)
    assert (body["pages"], body["kept"]) == (None, False)
    served = await content_of(api, body["link"]["url"])
    assert (hashlib.sha256(served).hexdigest(), len(served)) == (body["sha256"], body["size_bytes"])
    shown = Image.open(io.BytesIO(served))
    assert (shown.format, shown.size, dict(shown.getexif())) == ("JPEG", (480, 640), {})
    assert b"HUAWEI" not in served
    small = Image.open(io.BytesIO(await content_of(api, body["thumbnail"]["url"])))
    assert max(small.size) == 400
    assert [each.rpartition("/")[2] for each in objects(folder)] == ["main", "thumbnail"]
    assert [row.original_sha256 for row in await rows(database)] == [hashlib.sha256(sent).digest()]
    told = (await me.api.get(f"{URL}/{body['id']}")).json()
    assert {**told, "link": None, "thumbnail": None} == {**body, "link": None, "thumbnail": None}


async def test_nothing_readable_lies_in_the_store_or_the_table(me: Person, folder: Path, database: Database) -> None:
    body = (await send(me.api, picture(), "record")).json()
    names = objects(folder)
    assert [each.rpartition("/")[2] for each in names] == ["main", "original", "thumbnail"]
    for each in names:
        assert body["id"] in each
        lying = (folder / each).read_bytes()
        assert b"JFIF" not in lying
        assert lying[:1] == b"\x01"
    async with database.begin() as tx:
        key = bytes((await tx.execute(text("SELECT data_key FROM file"))).scalar_one())
    assert key[1:3] == b"k1"  # which master key it is sealed under


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "1"),
     ("WEBP", "RGB"), ("WEBP", "RGBA")],
)  # fmt: skip
async def test_what_is_taken(me: Person, api: Api, kind: str, mode: str) -> None:
    sent = written(Image.new(mode, (64, 48)), kind)
    body = (await send(me.api, sent, "signature", name="x.gif", declared="text/html")).json()
    shown = Image.open(io.BytesIO(await content_of(api, body["link"]["url"])))
    assert (shown.format, shown.mode, shown.size) == ("JPEG", "RGB", (64, 48))
    if mode == "RGBA":
        assert shown.getpixel((3, 3)) == (255, 255, 255)  # a signature lies on white paper


async def test_a_large_photo_is_made_smaller(me: Person) -> None:
    body = (await send(me.api, picture(size=(6000, 3000)))).json()
    assert (body["width"], body["height"]) == (4096, 2048)


async def test_a_tail_does_not_survive(me: Person, api: Api) -> None:
    tail = b"<script>alert(1)</script>PK\x03\x04"
    for sent in (picture() + tail, picture("PNG") + tail, picture("WEBP") + tail):
        body = (await send(me.api, sent)).json()
        assert b"<script>" not in await content_of(api, body["link"]["url"])


def png_of_nothing(width: int, height: int) -> bytes:
    """A few kilobytes that want gigabytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    squeezed = zlib.compressobj(9)
    lines = b"".join(squeezed.compress(b"\0" * (width // 8 + 1)) for _ in range(height)) + squeezed.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def webp_of_nothing(width: int, height: int) -> bytes:
    canvas = struct.pack("<I", 0) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunk = b"VP8X" + struct.pack("<I", len(canvas)) + canvas
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def moving(kind: str) -> bytes:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "green")]
    return written(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


BAD: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 422, "file-empty"),
    "a GIF": (b"GIF89a" + b"0" * 50, 422, "file-type-not-supported"),
    "an SVG": (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", 422, "file-type-not-supported"),
    "a page": (b"<!doctype html><script>alert(1)</script>", 422, "file-type-not-supported"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n", 422, "file-type-not-supported"),
    "half a photo": (picture(size=(900, 900))[:3000], 422, "picture-unreadable"),
    "half a PNG": (picture("PNG", (900, 900))[:300], 422, "picture-unreadable"),
    "a head alone": (b"\xff\xd8\xff\xe0", 422, "picture-unreadable"),
    "a PNG that says JPEG": (b"\xff\xd8\xff" + picture("PNG"), 422, "picture-unreadable"),
    "900 megapixels": (png_of_nothing(30_000, 30_000), 422, "picture-too-large"),
    "too long a side": (png_of_nothing(12_001, 10), 422, "picture-too-large"),
    "a WebP of 268 megapixels": (webp_of_nothing(16_383, 16_383), 422, "picture-too-large"),
    "a moving WebP": (moving("WEBP"), 422, "picture-animated"),
    "a moving PNG": (moving("PNG"), 422, "picture-animated"),
    "a document where a photo belongs": (document(), 422, "picture-needed"),
    "20 MB and one byte": (b"\xff\xd8\xff".ljust((20 << 20) + 1), 413, "file-too-large"),
    "22 MB": (b"\xff\xd8\xff".ljust(22 << 20), 413, "body-too-large"),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_is_not_taken(me: Person, folder: Path, database: Database, name: str) -> None:
    sent, status, code = BAD[name]
    refused(await send(me.api, sent), status, code)
    assert objects(folder) == []
    assert await rows(database) == []


async def test_shapes_that_are_refused(me: Person, database: Database) -> None:
    refused(await send(me.api, picture(), "selfie"), 422, "invalid-input")
    refused(await me.api.post(URL, files={"file": ("a", picture())}), 422, "invalid-input")
    refused(await me.api.post(URL, data={"purpose": "id_card"}), 422, "invalid-input")
    refused(await me.api.post(URL, json={"purpose": "id_card"}), 422, "invalid-input")
    unknown = {"purpose": "id_card", "owner_id": "acc_1"}
    refused(await me.api.post(URL, data=unknown, files={"file": ("a", picture())}), 422, "invalid-input")
    assert await rows(database) == []


async def test_wrong_callers(api: Api, database: Database) -> None:
    refused(await send(api, picture()), 401, "unauthenticated")
    assert await rows(database) == []


async def test_a_stranger_is_refused_before_the_form_is_read(api: Api) -> None:
    form = {"content-type": "multipart/form-data; boundary=x"}
    refused(await api.post(URL, content=b"no form at all", headers=form), 401, "unauthenticated")


async def test_so_many_at_once(me: Person, stranger: Person, database: Database) -> None:
    sent = [picture(size=(1000, 1000))] * 14
    others, answers = stranger.api, await asyncio.gather(*(send(me.api, each) for each in sent))
    assert sorted(each.status_code for each in answers) == [201] * OF_ONE_ACCOUNT + [503] * 5
    assert {each.headers["retry-after"] for each in answers if each.status_code == 503} == {"2"}
    assert len(await rows(database)) == OF_ONE_ACCOUNT
    assert (await send(me.api, picture())).status_code == (await send(others, picture())).status_code == 201


async def test_so_many_a_day(me: Person, context: Context, database: Database) -> None:
    kept = await uploaded(context, me.account_id, Purpose.ID_CARD)
    with pytest.raises(UploadLimit):
        await service.upload_file(
            context.begin, context.gateways.store, context.workshop, picture(), owner=me.account_id,
            purpose=Purpose.ID_CARD, per_day=1, now=clock.now(),
        )  # fmt: skip
    assert [row.id for row in await rows(database)] == [kept.id]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    where = tmp_path / "disk"
    where.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", where], check=False)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a disk")
    yield where
    subprocess.run(["umount", where], check=True)


async def test_a_full_disk_keeps_nothing(me: Person, context: Context, database: Database, small_disk: Path) -> None:
    store = ObstoreStore(Files(folder=small_disk))
    noise = written(Image.effect_noise((500, 500), 90).convert("RGB"), "JPEG")
    with pytest.raises(StorageFull):
        await service.upload_file(
            context.begin, store, context.workshop, noise, owner=me.account_id, purpose=Purpose.RECORD, per_day=9,
            now=clock.now(),
        )  # fmt: skip
    assert await rows(database) == []
    assert objects(small_disk) == []
    small = await service.upload_file(
        context.begin, store, context.workshop, picture(), owner=me.account_id, purpose=Purpose.RECORD, per_day=9,
        now=clock.now(),
    )  # fmt: skip
    assert await service.read_file(context.begin, store, small.id)
