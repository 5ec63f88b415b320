"""Baidu AI Cloud through its own client (baidu-aip 4.16), with what is wrong in that client mended.

The client switches the verification of certificates off on every call, waits a minute, blocks, hides the provider's
address in private constants, never renews an expired token (111), and once a token is refused signs by another scheme
for ever. So: a session that verifies and follows no redirect, our deadlines, a few threads of its own, the constants
set anew on the instance, and an instance that has lost its token is thrown away. Errors of Baidu are HTTP 200.
"""

from __future__ import annotations

import asyncio
import functools
import json
import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import requests
from pydantic import BaseModel, Field, ValidationError

from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.identity_ocr import CardImage, CardRisk, CardSide, IdCardReading
from yiyuebao_api.kernel.database import assert_no_transaction
from yiyuebao_api.settings import BaiduOcr

with warnings.catch_warnings():  # it silences urllib3 for the whole process
    from aip import AipOcr
    from aip.base import AipBase

_BUILT_IN: Final = "https://aip.baidubce.com"
_ID_MATCH: Final = "/rest/2.0/face/v3/person/idmatch"
#: Base64 of it stays below Baidu's 4 MB.
MAX_IMAGE_BYTES: Final = 3 * 1024 * 1024
#: How many may wait for each thread.
_WAITING_EACH = 10

_STALE_TOKEN: Final = frozenset({110, 111})
_PASSING: Final = frozenset({1, 2, 4, 18, 282000, 222361, 222355, 222302, 222901, 222902})
_NO_MATCH: Final = frozenset({222351, 222354, 222360})
_MEANING: Final = {
    17: "over-quota",
    19: "over-quota",
    3: "misconfigured",
    6: "misconfigured",
    14: "misconfigured",
    100: "misconfigured",
    110: "misconfigured",
    111: "misconfigured",
    216110: "misconfigured",
    216200: "bad-image",
    216201: "bad-image",
    216202: "bad-image",
    216630: "not-recognised",
    216633: "not-recognised",
}
_IMAGES: Final = {
    "normal": CardImage.NORMAL,
    "reversed_side": CardImage.REVERSED_SIDE,
    "non_idcard": CardImage.NOT_A_CARD,
    "other_type_card": CardImage.OTHER_CARD,
    "blurred": CardImage.BLURRED,
    "over_exposure": CardImage.BAD_LIGHT,
    "over_dark": CardImage.BAD_LIGHT,
}
_RISKS: Final = {"copy": CardRisk.COPY, "temporary": CardRisk.TEMPORARY, "screen": CardRisk.SCREEN}
_OPTIONS: Final = {"detect_risk": "true", "detect_quality": "true", "detect_direction": "true"}


class _Words(BaseModel):
    words: str


class _Quality(BaseModel):
    is_complete: int = Field(1, alias="IsComplete")
    is_uncovered: int = Field(1, alias="IsNoCover")


class _Card(BaseModel):
    image_status: str
    words_result: dict[str, _Words]
    risk_type: str = "normal"
    edit_tool: str | None = None
    card_quality: _Quality | None = None


class _Text(BaseModel):
    words_result: list[_Words]


class _Said(BaseModel):
    error_code: int | str = 0


_Answer = TypeVar("_Answer", bound=BaseModel)


class _Session(requests.Session):
    """Verifies certificates whatever the client asks for, follows no redirect, takes no proxy from the environment."""

    def __init__(self, ca_bundle: Path | None) -> None:
        super().__init__()
        self._ca_bundle = ca_bundle
        self.trust_env = False

    def request(self, *given: Any, **named: Any) -> requests.Response:
        named |= {"verify": str(self._ca_bundle) if self._ca_bundle else True, "allow_redirects": False}
        return super().request(*given, **named)


class BaiduIdentity:
    """Reads and compares through one application of Baidu; closed when the `async with` block ends."""

    def __init__(self, settings: BaiduOcr) -> None:
        self._settings = settings
        self._base_url = settings.base_url.rstrip("/")
        self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="baidu")
        self._lock = threading.Lock()
        self._held: Any = None
        self._inside = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._discard(self._held)

    async def read_id_card(self, image: bytes, side: CardSide) -> IdCardReading:
        assert_no_transaction()
        _require_size(image)
        card = _read(_Card, await self._ask(lambda client: client.idcard(image, side.value, dict(_OPTIONS))))
        words = {name: each.words.strip() or None for name, each in card.words_result.items()}
        until = words.get("失效日期")
        return IdCardReading(
            side=side, image=_IMAGES.get(card.image_status, CardImage.UNKNOWN), risks=frozenset(_risks(card)),
            name=words.get("姓名"), sex=words.get("性别"), nation=words.get("民族"),
            birth_date=_day(words.get("出生")), address=words.get("住址"), number=words.get("公民身份号码"),
            issuer=words.get("签发机关"), valid_from=_day(words.get("签发日期")), valid_to=_day(until),
            long_term=until == "长期",
        )  # fmt: skip

    async def read_text(self, image: bytes) -> Sequence[str]:
        assert_no_transaction()
        _require_size(image)
        return [each.words for each in _read(_Text, await self._ask(lambda client: client.basicGeneral(image))).words_result]

    async def belong_together(self, name: str, id_no: str) -> bool:
        assert_no_transaction()
        body = json.dumps({"name": name, "id_card_number": id_no})
        headers = {"Content-Type": "application/json"}
        said = await self._ask(
            lambda client: client.post(self._base_url + _ID_MATCH, body, dict(headers)), final=_NO_MATCH
        )
        return _read(_Said, said).error_code == 0 and "error_code" in said

    async def _ask(self, ask: Callable[[Any], Any], final: frozenset[int] = frozenset()) -> dict[str, Any]:
        """One call in a thread of ours; `final` are error codes that are an answer."""
        if self._inside >= self._settings.threads * (1 + _WAITING_EACH):
            raise ProviderUnavailable("baidu: too many wait already")
        self._inside += 1
        try:
            call = asyncio.get_running_loop().run_in_executor(self._pool, functools.partial(self._call, ask))
            async with asyncio.timeout(self._settings.timeout_s * 2):
                said = await call
        except TimeoutError:
            raise ProviderUnavailable("baidu: no answer in time") from None
        finally:
            self._inside -= 1
        code = said.get("error_code", 0)
        if code in (0, "0") or code in final:
            return said
        if code in _PASSING or code == "SDK108":
            raise ProviderUnavailable(f"baidu: {code}")
        raise ProviderRefused(_MEANING.get(code, "refused"), f"baidu: {code}")

    def _call(self, ask: Callable[[Any], Any]) -> dict[str, Any]:
        """Blocks. A stale token is renewed once; no message carries a URL, the secret stands in one."""
        said = self._once(ask)
        return self._once(ask) if said.get("error_code") in _STALE_TOKEN else said

    def _once(self, ask: Callable[[Any], Any]) -> dict[str, Any]:
        client = self._client()
        try:
            said = ask(client)
        except requests.RequestException as error:
            raise ProviderUnavailable(f"baidu: {type(error).__name__}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            self._discard(client)
            raise ProviderUnavailable("baidu: an answer that cannot be read") from None
        token = vars(client)
        if token["_isCloudUser"]:
            self._discard(client)
            refused = token["_authObj"].get("error") in ("invalid_client", "unauthorized_client")
            if refused:
                raise ProviderRefused("misconfigured", "baidu: the key or the secret is wrong")
            raise ProviderUnavailable("baidu: no token")
        if not isinstance(said, dict):
            raise ProviderUnavailable("baidu: an answer that cannot be read")
        if said.get("error_code") in _STALE_TOKEN:
            self._discard(client)
        return said

    def _client(self) -> Any:
        with self._lock:
            if self._held is None:
                self._held = self._made()
            return self._held

    def _discard(self, client: Any) -> None:
        with self._lock:
            if client is None:
                return
            if self._held is client:
                self._held = None
            client.s.close()

    def _made(self) -> Any:
        given = self._settings
        client = AipOcr(given.app_id, given.api_key, given.secret_key.get_secret_value())
        client.s.close()
        session = _Session(given.ca_bundle)
        ours: dict[str, Any] = {"s": session, "_AipBase__client": session}
        for known in (AipBase, AipOcr):
            for name, value in vars(known).items():
                if isinstance(value, str) and value.startswith(_BUILT_IN):
                    ours[name] = self._base_url + value.removeprefix(_BUILT_IN)
        vars(client).update(ours)
        client.setConnectionTimeoutInMillis(min(given.timeout_s, 3.0) * 1000)
        client.setSocketTimeoutInMillis(given.timeout_s * 1000)
        return client


def _require_size(image: bytes) -> None:
    if not 0 < len(image) <= MAX_IMAGE_BYTES:
        raise ProviderRefused("bad-image", "baidu: no bytes, or more than three megabytes")


def _read(answer: type[_Answer], said: dict[str, Any]) -> _Answer:
    try:
        return answer.model_validate(said)
    except ValidationError:
        raise ProviderUnavailable("baidu: an answer that cannot be read") from None


def _risks(card: _Card) -> list[CardRisk]:
    found = [_RISKS[card.risk_type]] if card.risk_type in _RISKS else []
    if card.edit_tool:
        found.append(CardRisk.EDITED)
    if card.card_quality is not None and not card.card_quality.is_uncovered:
        found.append(CardRisk.COVERED)
    if card.card_quality is not None and not card.card_quality.is_complete:
        found.append(CardRisk.INCOMPLETE)
    return found


def _day(text: str | None) -> date | None:
    """A day as Baidu writes it (20380101); None for what is none."""
    try:
        return datetime.strptime(text or "", "%Y%m%d").date()  # noqa: DTZ007 a day has no zone
    except ValueError:
        return None
