"""Pictures and PDFs from strangers, checked and written anew: only what was understood comes out again.

Runs in the processes of `workshop` and imports nothing of ours. A picture becomes one JPEG without metadata, tail or
second frame; a PDF becomes the same pages without actions, attachments and document information.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAX_PIXELS, MAX_SIDE, MAX_PAGES = 40_000_000, 12_000, 300
#: What is served is at most this wide and high: Baidu reads no larger picture, and no phone shows one.
SERVED_SIDE, THUMBNAIL_SIDE = 4096, 400
_QUALITY = 88
_DEEPEST = 60


class Kind(StrEnum):
    """What the first bytes say; names and declared types are the sender's and say nothing."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    PDF = "pdf"


class Flaw(StrEnum):
    """Why something is not taken."""

    UNREADABLE = "unreadable"
    TOO_MANY_PIXELS = "too_many_pixels"
    ANIMATED = "animated"
    LOCKED = "locked"
    ACTIVE = "active"
    TOO_MANY_PAGES = "too_many_pages"


class Unfit(Exception):
    """Not taken; the flaw says why."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw)
        self.flaw = flaw


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What is kept and served. Pictures have width, height (pixels) and a thumbnail; documents have pages."""

    content: bytes
    thumbnail: bytes | None
    width: int | None
    height: int | None
    pages: int | None


def kind_of(start: bytes) -> Kind | None:
    """The kind by its first twelve bytes."""
    if start.startswith(b"\xff\xd8\xff"):
        return Kind.JPEG
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return Kind.PNG
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return Kind.WEBP
    return Kind.PDF if start.startswith(b"%PDF-") else None


def clean(kind: Kind, content: bytes) -> Cleaned:
    """Check and write anew. Raises Unfit, and nothing else for any input: a decoder's error is not understood."""
    try:
        return _document(content) if kind is Kind.PDF else _picture(kind, content)
    except Unfit:
        raise
    except Exception:
        raise Unfit(Flaw.UNREADABLE) from None


def _picture(kind: Kind, content: bytes) -> Cleaned:
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = None  # our own limit is lower, and asked before anything is decoded
    if kind is Kind.WEBP:
        _measured(*_webp_size(content))  # opening a WebP takes the memory of its whole canvas
    image: Image.Image
    with Image.open(io.BytesIO(content), formats=[kind.value.upper()]) as image:
        _measured(*image.size)
        if kind is not Kind.JPEG and getattr(image, "n_frames", 1) > 1:  # a phone's JPEG may hold a preview behind it
            raise Unfit(Flaw.ANIMATED)
        if kind is Kind.JPEG:
            image.draft(None, (SERVED_SIDE, SERVED_SIDE))
        image.load()
        upright = _on_white(image)
        upright.thumbnail((SERVED_SIDE, SERVED_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
        upright = ImageOps.exif_transpose(upright)
    small = upright.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), reducing_gap=2.0)
    return Cleaned(_written(upright), _written(small), upright.width, upright.height, None)


def _measured(width: int, height: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise Unfit(Flaw.TOO_MANY_PIXELS)


def _webp_size(content: bytes) -> tuple[int, int]:
    """From the header alone (RFC 9649)."""
    match content[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(content[24:27], "little"), 1 + int.from_bytes(content[27:30], "little")
        case b"VP8L":
            bits = int.from_bytes(content[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            return int.from_bytes(content[26:28], "little") & 0x3FFF, int.from_bytes(content[28:30], "little") & 0x3FFF
        case _:
            raise Unfit(Flaw.UNREADABLE)


def _on_white(image: Any) -> Any:
    """Red, green and blue; what is see-through (a signature) lies on white paper."""
    from PIL import Image

    orientation = image.getexif().get(0x0112, 1)
    if image.mode in ("RGBA", "LA", "PA", "P") or "transparency" in image.info:
        layered = image.convert("RGBA")
        flat = Image.new("RGB", image.size, "white")
        flat.paste(layered, mask=layered.getchannel("A"))
    elif image.mode.startswith("I;16"):
        flat = image.point(lambda value: value / 256).convert("L").convert("RGB")
    else:
        flat = image.convert("RGB") if image.mode != "RGB" else image
    flat.getexif()[0x0112] = orientation
    return flat


def _written(image: Any) -> bytes:
    out = io.BytesIO()
    bare = image.copy()
    bare.info.clear()
    # Not progressive: 8 % smaller, and two thirds of all the time a photo takes.
    bare.save(out, "JPEG", quality=_QUALITY, exif=b"", icc_profile=None)
    return out.getvalue()


#: Keys of a PDF's dictionaries behind which something runs, leaves or hides.
_ACTIVE_KEYS = frozenset(
    {"/JS", "/JavaScript", "/EmbeddedFiles", "/EF", "/XFA", "/RichMedia", "/RichMediaContent", "/RichMediaSettings"}
)
_ACTIVE_ACTIONS = frozenset(
    {"/JavaScript", "/Launch", "/ImportData", "/SubmitForm", "/GoToE", "/GoToR", "/Rendition", "/Movie", "/Sound"}
)


def _document(content: bytes) -> Cleaned:
    import pikepdf

    try:
        document = pikepdf.open(io.BytesIO(content))
    except pikepdf.PasswordError:
        raise Unfit(Flaw.LOCKED) from None
    with document:
        if document.is_encrypted:
            raise Unfit(Flaw.LOCKED)
        pages = len(document.pages)
        if pages > MAX_PAGES:
            raise Unfit(Flaw.TOO_MANY_PAGES)
        if pages == 0:
            raise Unfit(Flaw.UNREADABLE)
        for each in document.objects:
            _refuse_active(each, 0)
        for root, key in ((document.Root, "/Metadata"), (document.trailer, "/Info")):
            if key in root:
                del root[key]
        out = io.BytesIO()
        document.save(out)
    return Cleaned(out.getvalue(), None, None, None, pages)


def _refuse_active(held: Any, depth: int) -> None:
    """Looks through what lies inside one object; what it only refers to is looked at on its own."""
    import pikepdf

    if depth > _DEEPEST:
        raise Unfit(Flaw.UNREADABLE)
    if isinstance(held, pikepdf.Stream):
        held = held.stream_dict
    if isinstance(held, pikepdf.Dictionary):
        keys = set(held.keys())
        if keys & _ACTIVE_KEYS or str(held.get("/S", "")) in _ACTIVE_ACTIONS or str(held.get("/Type", "")) == "/EmbeddedFile":
            raise Unfit(Flaw.ACTIVE)
        inside = [held[key] for key in keys]
    elif isinstance(held, pikepdf.Array):
        inside = list(held)
    else:
        return
    for each in inside:
        if isinstance(each, (pikepdf.Dictionary, pikepdf.Array)) and not each.is_indirect:
            _refuse_active(each, depth + 1)
