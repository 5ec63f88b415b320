"""Scenes of files: pictures and documents drawn here, and uploaded as an app does it."""

from __future__ import annotations

import io
from typing import Any

import httpx
import pikepdf
from PIL import Image, ImageDraw

from tests.client import Api
from yiyuebao_api.domains.files import service
from yiyuebao_api.domains.files.models import File
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import AccountId

URL = "/v1/files"


def picture(kind: str = "JPEG", size: tuple[int, int] = (320, 240), mode: str = "RGB", **options: Any) -> bytes:
    """A picture with something on it; `options` are those of Pillow's `save`."""
    image = Image.new(mode, size, 0 if mode in ("RGBA", "LA") else "lightblue")
    ImageDraw.Draw(image).ellipse((size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2), fill="red")
    return written(image, kind, **options)


def written(image: Image.Image, kind: str, **options: Any) -> bytes:
    """An image of Pillow's as bytes."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def document(pages: int = 1, **options: Any) -> bytes:
    """A PDF of empty pages; `options` are those of pikepdf's `save`."""
    made = pikepdf.new()
    for _ in range(pages):
        made.add_blank_page(page_size=(200, 200))
    out = io.BytesIO()
    made.save(out, **options)
    return out.getvalue()


async def send(
    api: Api, content: bytes, purpose: str = "id_card", *, name: str = "photo.jpg", declared: str = "image/jpeg"
) -> httpx.Response:
    """One upload as uni.uploadFile does it."""
    return await api.post(URL, data={"purpose": purpose}, files={"file": (name, content, declared)})


async def uploaded(context: Any, owner: AccountId, purpose: Purpose, content: bytes | None = None) -> File:
    """A ready file of somebody's, without HTTP."""
    return await service.upload_file(
        context.begin, context.gateways.store, context.workshop, content or picture(), owner=owner, purpose=purpose,
        per_day=1000, now=clock.now(),
    )  # fmt: skip
