"""Settings: production does not start on anything that is only fit for a desk."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from yiyuebao_api.kernel.secrets import KeyRing
from yiyuebao_api.settings import DEVELOPMENT_KEY, DEVELOPMENT_SECRET, Settings, weaknesses

KEY = base64.b64encode(b"k" * 32).decode()
LONG = "a-long-and-really-secret-value-0123456789"


def production(**changed: Any) -> dict[str, Any]:
    """What a real installation gives; `concern__name=value` changes one of it."""
    given: dict[str, Any] = {
        "environment": "production",
        "http": {"public_url": "https://api.example.cn"},
        "secrets": {"token_key": LONG, "keys": {"k1": KEY}, "index_key": KEY, "code_pepper": LONG, "audit_key": LONG},
        "wechat_pay": {
            "base_url": "https://api.mch.weixin.qq.com", "notify_base_url": "https://api.example.cn", "apiv3_key": "x" * 32,
            "private_key": "PEM", "public_key": "PEM", "public_key_id": "PUB_KEY_ID_0116",
        },
        "mini_program": {"base_url": "https://api.weixin.qq.com", "secret": "real"},
        "sms": {"base_url": "https://dysmsapi.aliyuncs.com", "access_key_secret": "real"},
        "maps": {"base_url": "https://restapi.amap.com", "key": "real", "private_key": "real"},
        "baidu_ocr": {"base_url": "https://aip.baidubce.com", "secret_key": "real"},
    }  # fmt: skip
    for name, value in changed.items():
        concern, _, field = name.partition("__")
        if field:
            given[concern][field] = value
        else:
            given[concern] = value
    return given


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [each for each in os.environ if each.startswith("YIYUEBAO_")]:
        monkeypatch.delenv(name)


def test_a_real_installation_starts() -> None:
    """Refusing what is right is as bad: people then switch the check off."""
    settings = Settings(**production())
    assert settings.production
    assert weaknesses(settings) == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"wechat_pay__base_url": "http://127.0.0.1:8100"}, "wechat_pay.base_url is not https"),
        ({"wechat_pay__base_url": "https://localhost:8100"}, "wechat_pay.base_url points at this machine"),
        ({"wechat_pay__base_url": "https://pay.localhost"}, "wechat_pay.base_url points at this machine"),
        ({"wechat_pay__base_url": "https://[::1]/"}, "wechat_pay.base_url points at this machine"),
        ({"wechat_pay__base_url": "https://10.0.0.7"}, "wechat_pay.base_url points at this machine"),
        ({"mini_program__base_url": "http://api.weixin.qq.com"}, "mini_program.base_url is not https"),
        ({"sms__base_url": "http://dysmsapi.aliyuncs.com"}, "sms.base_url is not https"),
        ({"baidu_ocr__base_url": "http://aip.baidubce.com"}, "baidu_ocr.base_url is not https"),
        ({"baidu_ocr__secret_key": "sandbox-baidu-secret"}, "baidu_ocr.secret_key is the sandbox's"),
        ({"maps__base_url": "http://restapi.amap.com"}, "maps.base_url is not https"),
        ({"wechat_pay__notify_base_url": "http://api.example.cn"}, "wechat_pay.notify_base_url is not https"),
        ({"http__public_url": "http://api.example.cn"}, "http.public_url is not https"),
        ({"secrets__token_key": DEVELOPMENT_SECRET}, "secrets.token_key is the development default"),
        ({"secrets__token_key": "short"}, "secrets.token_key is shorter than 32 characters"),
        ({"secrets__old_token_keys": {"t0": DEVELOPMENT_SECRET}}, "secrets.old_token_keys[t0] is the development default"),
        ({"secrets__index_key": DEVELOPMENT_KEY}, "secrets.index_key is the development default"),
        ({"secrets__audit_key": DEVELOPMENT_SECRET}, "secrets.audit_key is the development default"),
        ({"secrets__code_pepper": DEVELOPMENT_SECRET}, "secrets.code_pepper is the development default"),
        ({"secrets__keys": {"k1": DEVELOPMENT_KEY}}, "secrets.keys[k1] is the development default"),
        ({"secrets__keys": {"k1": KEY, "k0": DEVELOPMENT_KEY}}, "secrets.keys[k0] is the development default"),
        ({"mini_program__secret": "sandbox-mini-program-secret"}, "mini_program.secret is the sandbox's"),
        ({"sms__access_key_secret": "sandbox-access-secret"}, "sms.access_key_secret is the sandbox's"),
        ({"maps__key": "sandbox-amap-key"}, "maps.key is the sandbox's"),
        ({"maps__private_key": "sandbox-amap-private-key"}, "maps.private_key is the sandbox's"),
        ({"wechat_pay__apiv3_key": "x" * 31}, "wechat_pay.apiv3_key must be 32 characters"),
        ({"wechat_pay__private_key": None}, "wechat_pay.private_key is missing"),
        ({"wechat_pay__public_key": None}, "wechat_pay.public_key is missing"),
        ({"wechat_pay__public_key_id": ""}, "wechat_pay.public_key_id is missing"),
        ({"clock_file": "/tmp/clock"}, "clock_file would let the clock be moved"),
    ],
)
def test_each_weakness_keeps_production_from_starting(changed: dict[str, Any], told: str) -> None:
    """Patients' data under a key that stands in the repository, money sent to a sandbox: found before the first request."""
    given = production(**changed)
    with pytest.raises(ValidationError, match="not fit for production") as caught:
        Settings(**given)
    assert told in str(caught.value)
    assert weaknesses(Settings(**{**given, "environment": "development"})) == [told], "and nothing else is blamed"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"mini_program__secret": "<AppSecret>"}, "mini_program.secret still holds a placeholder"),
        ({"secrets__token_key": "<openssl rand -base64 48> and more"}, "secrets.token_key still holds a placeholder"),
        ({"secrets__keys": {"k1": KEY, "old": "<openssl rand>"}}, "secrets.keys still holds a placeholder"),
        ({"http__allowed_origins": ["https://<your.app>"]}, "http.allowed_origins still holds a placeholder"),
    ],
)  # fmt: skip
def test_a_placeholder_left_in_place_is_told(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Settings.model_validate(production(**changed))


def test_the_refusal_says_no_secret() -> None:
    """It is printed at the start, into a log that many read."""
    with pytest.raises(ValidationError) as caught:
        Settings(**production(secrets__token_key="too-short-but-secret", http__public_url="http://api.example.cn"))
    for text in (str(caught.value), repr(caught.value)):
        assert "too-short-but-secret" not in text
        assert LONG not in text
        assert KEY not in text


def test_no_secret_is_shown_by_accident() -> None:
    """Settings are logged, printed and shown in tracebacks."""
    settings = Settings(**production())
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert LONG not in text
        assert KEY not in text


def test_development_starts_with_nothing() -> None:
    """Two commands, and it runs."""
    settings = Settings()
    assert not settings.production
    assert KeyRing(settings.secrets)
    assert len(weaknesses(settings)) > 10


def test_the_environment_is_read_and_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator's override that is ignored is found on the day it is needed."""
    Path(".env").write_text("YIYUEBAO_DATABASE__POOL_SIZE=7\nYIYUEBAO_HTTP__JSON_LIMIT_BYTES=99\n")
    monkeypatch.setenv("YIYUEBAO_HTTP__JSON_LIMIT_BYTES", "100")
    settings = Settings()
    assert (settings.database.pool_size, settings.http.json_limit_bytes) == (7, 100)


@pytest.mark.parametrize("name", ["YIYUEBAO_DATABASE__POOLSIZE", "YIYUEBAO_BUSINESS__HOLD_MINUTE"])
def test_a_misspelled_variable_is_told(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Ignored, it leaves somebody believing that it is set."""
    monkeypatch.setenv(name, "5")
    with pytest.raises(ValidationError):
        Settings()


@pytest.mark.parametrize(
    "given",
    [
        {"business": {"hold_minutes": 0}}, {"business": {"platform_rate_bp": 3001}}, {"business": {"platform_rate_bp": -1}},
        {"environment": "test"}, {"database": {"pool_size": "many"}},
    ],
)  # fmt: skip
def test_impossible_numbers_do_not_start(given: dict[str, Any]) -> None:
    """A platform share of 40 % is refused by WeChat after the first visit, not before."""
    with pytest.raises(ValidationError):
        Settings(**given)
