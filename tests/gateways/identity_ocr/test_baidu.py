"""The real baidu-aip client against the sandbox's Baidu: cards, papers, the register, and everything that goes wrong."""

from __future__ import annotations

import asyncio
import io
from datetime import date
from pathlib import Path

import pytest
from PIL import Image
from pydantic import SecretStr

from tests.gateways.sandboxes import Sandboxed, serving
from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.identity_ocr import CardImage, CardRisk, CardSide
from yiyuebao_api.gateways.identity_ocr.baidu import BaiduIdentity
from yiyuebao_api.sandbox import baidu as provider
from yiyuebao_api.seed.cards import draw_back, draw_front, draw_paper
from yiyuebao_api.settings import BaiduOcr

NUMBER = "11010519491231002X"


def front(flaw: str | None = None) -> bytes:
    return draw_front(name="王秀英", sex="女", birth="19491231", number=NUMBER, flaw=flaw)


async def test_both_sides(reader: BaiduIdentity) -> None:
    read = await reader.read_id_card(front(), CardSide.FRONT)
    assert (read.image, read.risks) == (CardImage.NORMAL, frozenset())
    assert (read.name, read.sex, read.nation, read.number) == ("王秀英", "女", "汉", NUMBER)
    assert (read.birth_date, read.address) == (date(1949, 12, 31), "海南省海口市龙华区学院路3号")
    back = await reader.read_id_card(draw_back(valid_from="20180101", valid_to="20380101"), CardSide.BACK)
    assert (back.issuer, back.valid_from, back.valid_to) == ("海口市公安局龙华分局", date(2018, 1, 1), date(2038, 1, 1))
    ever = await reader.read_id_card(draw_back(valid_from="20180101", valid_to="长期"), CardSide.BACK)
    assert (ever.valid_to, ever.long_term) == (None, True)


async def test_a_card_survives_being_written_anew(reader: BaiduIdentity) -> None:
    out = io.BytesIO()
    Image.open(io.BytesIO(front())).resize((800, 504)).save(out, "JPEG", quality=80)
    assert (await reader.read_id_card(out.getvalue(), CardSide.FRONT)).name == "王秀英"


@pytest.mark.parametrize("flaw", list(CardRisk))
async def test_risks_are_told(reader: BaiduIdentity, flaw: CardRisk) -> None:
    assert (await reader.read_id_card(front(flaw.value), CardSide.FRONT)).risks == {flaw}


async def test_pictures_that_are_no_front(reader: BaiduIdentity) -> None:
    white = io.BytesIO()
    Image.new("RGB", (600, 400), "white").save(white, "PNG")
    for image, seen in (
        (draw_back(valid_from="20180101", valid_to="20380101"), CardImage.REVERSED_SIDE),
        (draw_paper(["医师执业证书"]), CardImage.OTHER_CARD),
        (white.getvalue(), CardImage.NOT_A_CARD),
        (front("blurred"), CardImage.BLURRED),
    ):
        assert (await reader.read_id_card(image, CardSide.FRONT)).image is seen


async def test_lines_of_a_licence(reader: BaiduIdentity) -> None:
    lines = ["护士执业证书", "姓名 李敏", "护士执业证书编号 201146000123"]
    assert await reader.read_text(draw_paper(lines)) == lines


async def test_the_register(reader: BaiduIdentity, baidu: Sandboxed) -> None:
    baidu.control("POST", "register", {"number": NUMBER, "name": "王秀英"})
    assert await reader.belong_together("王秀英", NUMBER)
    assert not await reader.belong_together("李四", NUMBER)
    assert not await reader.belong_together("李四", "123")


@pytest.mark.parametrize("image", [b"", b"GIF89a", b"x" * (3 * 1024 * 1024 + 1)])
async def test_what_is_no_picture(reader: BaiduIdentity, image: bytes) -> None:
    with pytest.raises(ProviderRefused) as refused:
        await reader.read_text(image)
    assert refused.value.code == "bad-image"


@pytest.mark.parametrize(
    ("said", "meaning"),
    [(17, "over-quota"), (19, "over-quota"), (6, "misconfigured"), (216633, "not-recognised"), (999, "refused")],
)
async def test_every_refusal_has_a_meaning(reader: BaiduIdentity, baidu: Sandboxed, said: int, meaning: str) -> None:
    baidu.plan("code", code=str(said), path="/rest")
    with pytest.raises(ProviderRefused) as refused:
        await reader.read_id_card(front(), CardSide.FRONT)
    assert refused.value.code == meaning


@pytest.mark.parametrize("said", [1, 2, 4, 18, 282000])
async def test_what_passes_by_itself(reader: BaiduIdentity, baidu: Sandboxed, said: int) -> None:
    baidu.plan("code", code=str(said), path="/rest")
    with pytest.raises(ProviderUnavailable):
        await reader.read_text(front())
    await reader.read_text(front())


async def test_the_quota_ends(reader: BaiduIdentity, baidu: Sandboxed) -> None:
    baidu.control("POST", "quota", {"left": 1})
    await reader.read_text(front())
    with pytest.raises(ProviderRefused, match="over-quota"):
        await reader.read_text(front())


@pytest.mark.parametrize("path", ["/oauth", "/rest"])
@pytest.mark.parametrize(
    ("kind", "more"), [("status", {"status": 503}), ("status", {"status": 302}), ("hang", {"seconds": 3}), ("drop", {})]
)
async def test_the_wire_breaks(reader: BaiduIdentity, baidu: Sandboxed, path: str, kind: str, more: dict[str, int]) -> None:
    baidu.plan(kind, path=path, **more)
    with pytest.raises(ProviderUnavailable) as told:
        await reader.read_text(front())
    assert "sandbox-baidu-secret" not in str(told.value)
    await reader.read_text(front())  # no token was poisoned


@pytest.mark.parametrize("said", [110, 111])
async def test_a_stale_token_is_renewed_once(reader: BaiduIdentity, baidu: Sandboxed, said: int) -> None:
    baidu.plan("code", code=str(said), path="/rest/2.0/ocr", times=1)
    await reader.read_text(front())
    baidu.control("DELETE", "tokens")
    await reader.read_text(front())


async def test_a_wrong_secret(given: BaiduOcr) -> None:
    async with BaiduIdentity(given.model_copy(update={"secret_key": SecretStr("wrong")})) as reader:
        for _ in range(2):
            with pytest.raises(ProviderRefused, match="misconfigured"):
                await reader.read_text(front())


async def test_nobody_listens(given: BaiduOcr) -> None:
    async with BaiduIdentity(given.model_copy(update={"base_url": "http://127.0.0.1:9"})) as reader:
        with pytest.raises(ProviderUnavailable):
            await reader.read_text(front())


async def test_many_at_once_wait_in_a_bounded_queue(given: BaiduOcr) -> None:
    paper = draw_paper(["一"])
    async with BaiduIdentity(given.model_copy(update={"timeout_s": 20})) as patient:
        told = await asyncio.gather(*(patient.read_text(paper) for _ in range(60)), return_exceptions=True)
    assert [each for each in told if not isinstance(each, ProviderUnavailable)] == [["一"]] * 33
    assert sum(isinstance(each, ProviderUnavailable) for each in told) == 60 - 33


async def test_a_certificate_nobody_vouches_for_is_refused(certificate: Path, tmp_path: Path) -> None:
    with serving(provider, "baidu", tmp_path, certificate) as running:
        async with BaiduIdentity(BaiduOcr(base_url=running.base_url, timeout_s=5)) as strict:
            with pytest.raises(ProviderUnavailable, match="SSLError"):
                await strict.read_text(front())
        async with BaiduIdentity(BaiduOcr(base_url=running.base_url, timeout_s=5, ca_bundle=certificate)) as trusting:
            assert await trusting.read_text(draw_paper(["一"])) == ["一"]
