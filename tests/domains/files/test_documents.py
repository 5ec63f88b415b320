"""PDFs: what is taken, what is cut off, and what is refused because it runs, leaves or hides."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, Pdf

from tests.client import Api, refused
from tests.domains.files.conftest import Person, objects, rows
from tests.scenes.files import document, send
from yiyuebao_api.kernel.database import Database


def changed(change: Callable[[Pdf], object], pages: int = 1) -> bytes:
    """A document after a change of its inside."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(document(pages))) as pdf:
        change(pdf)
        pdf.save(out)
    return out.getvalue()


def _script(pdf: Pdf) -> None:
    pdf.Root.OpenAction = Dictionary(S=Name.JavaScript, JS=pikepdf.String("app.alert(1)"))


def _script_by_name(pdf: Pdf) -> None:
    action = Dictionary(S=Name.JavaScript, JS=pdf.make_stream(b"app.alert(1)"))
    pdf.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array([pikepdf.String("a"), action])))


def _script_deep_inside(pdf: Pdf) -> None:
    action = Dictionary(S=Name.GoTo, Next=Array([Dictionary(S=Name.JavaScript)]))
    pdf.pages[0].obj.Annots = Array([Dictionary(Type=Name.Annot, Subtype=Name.Link, A=action)])


def _program(pdf: Pdf) -> None:
    pdf.Root.OpenAction = Dictionary(S=Name.Launch, F=pikepdf.String("cmd.exe"))


def _form(pdf: Pdf) -> None:
    pdf.Root.AcroForm = Dictionary(XFA=pdf.make_stream(b"<xdp/>"), Fields=Array([]))


def _attachment(pdf: Pdf) -> None:
    pdf.attachments["virus.exe"] = b"MZ"


ACTIVE = {
    "a script": _script, "a named script": _script_by_name, "a script deep inside": _script_deep_inside,
    "a program": _program, "an XFA form": _form, "an attachment": _attachment,
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVE)
async def test_what_runs_or_hides_is_refused(me: Person, folder: Path, database: Database, name: str) -> None:
    refused(await send(me.api, changed(ACTIVE[name]), "record"), 422, "document-active")
    assert (objects(folder), await rows(database)) == ([], [])


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (document(encryption=pikepdf.Encryption(owner="a", user="b")), "document-locked"),
        (document(encryption=pikepdf.Encryption(owner="a", user="")), "document-locked"),
        (document(301), "document-too-long"),
        (document(0), "document-unreadable"),
        (b"%PDF-1.7\n%%EOF", "document-unreadable"),
        (b"%PDF-1.7\n" + random.Random(1).randbytes(5000), "document-unreadable"),
    ],
    ids=["password", "restrictions", "301 pages", "no page", "empty", "noise"],
)
async def test_what_is_not_taken(me: Person, folder: Path, database: Database, content: bytes, code: str) -> None:
    refused(await send(me.api, content, "record"), 422, code)
    assert (objects(folder), await rows(database)) == ([], [])


async def test_who_wrote_it_and_what_hangs_on_it_is_cut_off(me: Person, api: Api) -> None:
    def sign(pdf: Pdf) -> None:
        with pdf.open_metadata() as meta:
            meta["dc:creator"] = ["王医生"]
        pdf.docinfo["/Author"] = "Doctor Wang"
        pdf.Root.OpenAction = Array([pdf.pages[0].obj, Name.Fit])  # a harmless one stays

    sent = changed(sign, pages=300) + b"<script>alert(1)</script>"
    body = (await send(me.api, sent, "prescription", name="x.jpg")).json()
    served = (await api.get(body["link"]["url"])).content
    assert b"<script>" not in served
    with pikepdf.open(io.BytesIO(served)) as pdf:
        assert (len(pdf.pages), "/Info" in pdf.trailer, "/Metadata" in pdf.Root) == (300, False, False)


@pytest.mark.parametrize("purpose", ["id_card", "licence", "wound_photo", "signature", "consultation_image", "portrait"])
async def test_where_a_photo_belongs_no_document_is_taken(me: Person, purpose: str) -> None:
    refused(await send(me.api, document(), purpose), 422, "picture-needed")
