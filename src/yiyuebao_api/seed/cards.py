"""Test cards: pictures of ID cards and licences of nobody, which the sandbox's OCR can read.

What is printed is for people; what is read is the square code beside it, which survives re-encoding and scaling.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import date

import qrcode
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from yiyuebao_api.domains.patients.rules import check_letter

MARK = "YIYUEBAO-TEST-CARD:"
_SIZE = (1012, 638)  # ID-1 at 300 dpi

#: Flaws a card may have, and what the provider would say of them.
FLAWS: dict[str, dict[str, object]] = {
    "copy": {"risk_type": "copy"},
    "temporary": {"risk_type": "temporary"},
    "screen": {"risk_type": "screen"},
    "edited": {"edit_tool": "Adobe Photoshop"},
    "blurred": {"image_status": "blurred"},
    "covered": {"covered": True},
    "incomplete": {"incomplete": True},
}


def id_number(area: str, born: date, serial: int) -> str:
    """A number that could be somebody's; `serial` has three digits, odd for men (RULE-01)."""
    body = f"{area}{born:%Y%m%d}{serial:03d}"
    return body + check_letter(body)


def draw_front(
    *, name: str, sex: str, birth: str, number: str, nation: str = "汉", address: str = "海南省海口市龙华区学院路3号",
    flaw: str | None = None,
) -> bytes:  # fmt: skip
    """The side with the person, as a JPEG; `birth` is YYYYMMDD, `sex` 男 or 女."""
    words = {"姓名": name, "性别": sex, "民族": nation, "出生": birth, "住址": address, "公民身份号码": number}
    return _drawn({"side": "front", "words": words}, ["TEST ID CARD", f"BORN {birth}", f"NO. {number}"], flaw)


def draw_back(*, valid_from: str, valid_to: str, issuer: str = "海口市公安局龙华分局", flaw: str | None = None) -> bytes:
    """The side with the validity; days are YYYYMMDD, or 长期 for no last day."""
    words = {"签发机关": issuer, "签发日期": valid_from, "失效日期": valid_to}
    until = valid_to if valid_to.isascii() else "LONG TERM"
    return _drawn({"side": "back", "words": words}, ["TEST ID CARD", f"VALID {valid_from} - {until}"], flaw)


def draw_paper(lines: Sequence[str]) -> bytes:
    """A licence or any other paper: lines of text."""
    return _drawn({"side": "paper", "lines": list(lines)}, ["TEST PAPER", f"{len(lines)} LINES"], None)


def _drawn(said: dict[str, object], printed: Sequence[str], flaw: str | None) -> bytes:
    if flaw is not None:
        said = said | FLAWS[flaw]
    card = Image.new("RGB", _SIZE, "#eef3f7")
    draw = ImageDraw.Draw(card)
    draw.rectangle((8, 8, _SIZE[0] - 9, _SIZE[1] - 9), outline="#7a8fa6", width=3)
    for at, line in enumerate(printed):
        draw.text((40, 60 + 70 * at), line, fill="#222222", font=ImageFont.load_default(30))
    if flaw == "blurred":
        card = card.filter(ImageFilter.GaussianBlur(6))
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=4)
    code.add_data((MARK + json.dumps(said, ensure_ascii=True)).encode())
    code.make(fit=True)
    square = code.make_image().get_image().convert("RGB").resize((560, 560), Image.Resampling.NEAREST)
    card.paste(square, (_SIZE[0] - 600, 39))
    out = io.BytesIO()
    card.save(out, "JPEG", quality=92)
    return out.getvalue()
