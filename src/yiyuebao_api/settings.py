"""Every setting of the service, one nested class per concern; the only reader of the environment.

Variables are `YIYUEBAO_<CONCERN>__<NAME>` (two underscores between), for example `YIYUEBAO_DATABASE__URL`.
`.env` in the working directory is read too; the environment wins. In production (`YIYUEBAO_ENVIRONMENT=production`)
`Settings.load` refuses sandbox providers, default secrets and callback URLs that are not https: see `weaknesses`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

#: What a development machine starts with. Production refuses to start while one of these is still in place.
DEVELOPMENT_SECRET = "development-only-secret-change-me-0123456789"
DEVELOPMENT_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="  # base64 of 32 known bytes


class Environment(StrEnum):
    """Where the service runs. Only `development` may speak to the sandbox or move the clock."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class PaymentMode(StrEnum):
    """Who receives the money (RULE-71): every hospital as a sub-merchant, or the one hospital that runs this installation."""

    PARTNER = "partner"
    DIRECT = "direct"


class _Concern(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Http(_Concern):
    """The listener, and what the outside may call it."""

    public_url: str = Field("http://127.0.0.1:8000", description="How phones and providers reach this service.")
    allowed_origins: tuple[str, ...] = Field((), description="Browser origins that may call the API (CORS).")
    trusted_proxies: tuple[str, ...] = Field((), description="Addresses whose X-Forwarded-For is believed.")
    docs: bool = Field(True, description="Serve /docs and /redoc.")
    metrics: bool = Field(False, description="Serve /metrics on the public listener.")
    json_limit_bytes: int = 256 * 1024
    upload_limit_bytes: int = 21 * 1024 * 1024
    notification_limit_bytes: int = 64 * 1024
    shutdown_s: int = Field(10, description="How long a request in flight may take after SIGTERM.")


class Database(_Concern):
    """MariaDB >= 10.11 or MySQL >= 8.4."""

    url: SecretStr = SecretStr("mysql+asyncmy://yiyuebao:yiyuebao@127.0.0.1:3306/yiyuebao")
    pool_size: int = Field(10, description="Connections of a process for transactions, and at most as many for reads.")
    pool_timeout_s: float = Field(5.0, description="How long a request waits for its turn before it answers 503.")
    statement_timeout_s: float = Field(10.0, description="A longer statement is ended by the server.")
    lock_wait_s: int = Field(2, description="innodb_lock_wait_timeout of our sessions.")


class Redis(_Concern):
    """The wake-up between processes. Without it one process does the same work with polling."""

    url: SecretStr | None = None


class Secrets(_Concern):
    """Keys of tokens and of encrypted columns. `keys` maps a key id to 32 bytes in base64; `current` names the writing one."""

    token_key: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    token_key_id: str = "t1"
    old_token_keys: dict[str, SecretStr] = Field(default_factory=dict)
    keys: dict[str, SecretStr] = Field(default_factory=lambda: {"k1": SecretStr(DEVELOPMENT_KEY)})
    current: str = "k1"
    index_key: SecretStr = Field(SecretStr(DEVELOPMENT_KEY), description="Keyed blind indexes; never rotated alone.")
    audit_key: SecretStr = Field(
        SecretStr(DEVELOPMENT_SECRET), description="Proofs and seals of the audit; never changed, or nothing verifies."
    )
    code_pepper: SecretStr = Field(SecretStr(DEVELOPMENT_SECRET), description="Pepper of SMS codes and check-in codes.")


class WeChatPay(_Concern):
    """WeChat Pay v3 in public-key mode. In partner mode `mchid` and `appid` are the service provider's."""

    mode: PaymentMode = PaymentMode.PARTNER
    base_url: str = "http://127.0.0.1:8100"
    ca_bundle: Path | None = None
    mchid: str = "1900000001"
    mini_appid: str = Field("wx0000000000000001", description="AppID of the mini-program whose openids pay.")
    app_appid: str = Field("wx0000000000000002", description="AppID of the Android app.")
    cert_serial: str = "0000000000000000000000000000000000000001"
    private_key: SecretStr | None = Field(None, description="PKCS#8 PEM; or give private_key_file.")
    private_key_file: Path | None = None
    apiv3_key: SecretStr = SecretStr("")
    public_key: str | None = Field(None, description="WeChat Pay's public key, PEM; or give public_key_file.")
    public_key_file: Path | None = None
    public_key_id: str = ""
    provider_name: str = Field("医约宝科技有限公司", description="Full name of the service provider, as WeChat knows it.")
    notify_base_url: str = Field("http://127.0.0.1:8000", description="Where WeChat posts notifications; https in production.")
    timeout_s: float = 6.0


class MiniProgram(_Concern):
    """The mini-program's server API: login codes and phone numbers."""

    base_url: str = "http://127.0.0.1:8100"
    appid: str = "wx0000000000000001"
    secret: SecretStr = SecretStr("sandbox-mini-program-secret")
    ca_bundle: Path | None = None
    timeout_s: float = 5.0


class Sms(_Concern):
    """Aliyun Dysms."""

    base_url: str = "http://127.0.0.1:8100"
    access_key_id: str = "sandbox-access-key"
    access_key_secret: SecretStr = SecretStr("sandbox-access-secret")
    sign_name: str = "医约宝"
    login_template: str = "SMS_LOGIN"
    ca_bundle: Path | None = None
    timeout_s: float = 5.0
    daily_budget: int = Field(20_000, description="More codes than this a day, from anybody, are refused (SMS pumping).")


class Maps(_Concern):
    """Amap web service."""

    base_url: str = "http://127.0.0.1:8100"
    key: SecretStr = SecretStr("sandbox-amap-key")
    private_key: SecretStr = SecretStr("sandbox-amap-private-key")
    ca_bundle: Path | None = None
    timeout_s: float = 3.0


class Live(_Concern):
    """The consultation socket."""

    messages_per_s: float = Field(10.0, gt=0, description="Messages a second of one socket.")
    burst: float = Field(20.0, ge=1, description="Messages it may send at once.")
    group: int = Field(64, ge=1, description="Messages that may share a transaction; 1: each has its own.")


class StoreKind(StrEnum):
    """Where objects are kept: a folder of this machine, or a bucket that speaks S3 (Aliyun OSS does)."""

    LOCAL = "local"
    S3 = "s3"


class Files(_Concern):
    """Pictures and documents; whatever the store, it holds encrypted objects only."""

    store: StoreKind = StoreKind.LOCAL
    folder: Path = Field(Path(".data/files"), description="With store=local: where the objects lie.")
    bucket: str = ""
    endpoint: str = Field("", description="With store=s3; OSS wants the bucket's own address.")
    region: str = "cn-hangzhou"
    virtual_hosted: bool = Field(True, description="The bucket is part of the host name; OSS knows no other way.")
    access_key_id: str = ""
    access_key_secret: SecretStr = SecretStr("")
    timeout_s: float = 10.0
    workers: int = Field(2, ge=1, description="Processes that re-encode pictures and documents, of each API process.")
    uploads_per_day: int = Field(200, ge=1, description="Uploads of one account in 24 hours.")


class BaiduOcr(_Concern):
    """Baidu AI Cloud: reads cards and papers, and asks the register whether a name and an ID number belong together."""

    base_url: str = "http://127.0.0.1:8100"
    app_id: str = "10000000"
    api_key: str = "sandbox-baidu-key"
    secret_key: SecretStr = SecretStr("sandbox-baidu-secret")
    ca_bundle: Path | None = None
    timeout_s: float = Field(10.0, gt=0, description="Seconds until a call is given up.")
    threads: int = Field(3, ge=1, le=16, description="Calls at a time; Baidu allows 2 (free) or 10 (paid) a second.")


class Business(_Concern):
    """Numbers the rules leave to configuration (docs/rules.md names each)."""

    hold_minutes: int = Field(15, ge=1, description="RULE-51: how long an unpaid place is held.")
    open_holds_per_account: int = Field(3, ge=1, description="Unpaid bookings one account may hold at a time.")
    accept_within_minutes: int = Field(1440, ge=10, description="RULE-64: a paid booking is accepted by then, or all goes back.")
    accept_before_start_minutes: int = Field(120, ge=0, description="At the latest so long before the visit starts.")
    accept_reminder_minutes: int = Field(60, ge=0, description="So long before that the desk is reminded; as for the next.")
    assign_before_start_minutes: int = Field(30, ge=0, description="Nobody assigned so long before the start: all goes back.")
    come_within_minutes: int = Field(120, ge=60, description="RULE-67: nobody set out so long after the start: all goes back.")
    confirm_after_hours: int = Field(24, ge=1, description="Silence after a finished visit confirms it.")
    release_after_days: int = Field(7, ge=1, description="RULE-70: dispute window before the shares are released.")
    platform_rate_bp: int = Field(500, ge=0, le=3000, description="Platform share in basis points, unless a hospital has its own.")
    consultation_answer_minutes: int = Field(30, ge=1, description="RULE-85: promise of a first answer.")
    consultation_refund_hours: int = Field(24, ge=1, description="RULE-85: no answer by then, and all money goes back.")
    consultation_idle_hours: int = Field(48, ge=1, description="Silence that ends a consultation.")
    travel_buffer_minutes: int = Field(30, ge=0, description="RULE-45: before and after a visit of one clinician.")


class Keeping(_Concern):
    """How long what is no record is kept. Records (audit, payments, ledger, visits, consultations) are never purged."""

    notice_days: int = Field(365, ge=30, description="Messages in the inboxes of people and desks.")
    delivery_days: int = Field(183, ge=183, description="The log of webhooks; RULE-152 asks for six months.")
    event_days: int = Field(365, ge=183, description="Events for hospitals' systems, and so how far back their feed goes.")
    provider_message_days: int = Field(1095, ge=1095, description="Notifications of the payment provider; RULE-72: 3 years.")
    claim_days: int = Field(1095, ge=1095, description="Places that were taken, given back or lapsed; RULE-72: 3 years.")
    dead_job_days: int = Field(183, ge=30, description="Given-up jobs of which nothing depends; those of money stay.")


class Settings(BaseSettings):
    """The whole configuration of one process."""

    model_config = SettingsConfigDict(
        env_prefix="YIYUEBAO_", env_nested_delimiter="__", env_file=".env", extra="ignore", frozen=True
    )

    environment: Environment = Environment.DEVELOPMENT
    clock_file: Path | None = Field(None, description="Development only: a file that holds seconds to add to the clock.")
    log_level: str = "INFO"
    http: Http = Field(default_factory=Http)
    database: Database = Field(default_factory=Database)
    redis: Redis = Field(default_factory=Redis)
    secrets: Secrets = Field(default_factory=Secrets)
    wechat_pay: WeChatPay = Field(default_factory=WeChatPay)
    mini_program: MiniProgram = Field(default_factory=MiniProgram)
    sms: Sms = Field(default_factory=Sms)
    maps: Maps = Field(default_factory=Maps)
    live: Live = Field(default_factory=Live)
    files: Files = Field(default_factory=Files)
    baidu_ocr: BaiduOcr = Field(default_factory=BaiduOcr)
    business: Business = Field(default_factory=Business)
    keeping: Keeping = Field(default_factory=Keeping)

    @model_validator(mode="after")
    def _refuse_a_weak_production(self) -> Self:
        if self.environment is Environment.PRODUCTION and (found := weaknesses(self)):
            raise ValueError("not fit for production: " + "; ".join(found))
        return self

    @property
    def production(self) -> bool:
        return self.environment is Environment.PRODUCTION


def weaknesses(settings: Settings) -> list[str]:
    """Why these settings may not serve real people, one sentence each; empty when they may."""
    found = [*_unreplaced(settings), *_weak_addresses(settings), *_weak_secrets(settings), *_weak_payment(settings.wechat_pay)]
    found += _weak_files(settings.files)
    if settings.clock_file is not None:
        found.append("clock_file would let the clock be moved")
    return found


def _unreplaced(settings: BaseModel, where: str = "") -> Iterator[str]:
    """Placeholders of `.env.example` that stand where a value should."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from _unreplaced(value, f"{where}{name}.")
            continue
        held = list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else [value]
        words = [each.get_secret_value() if isinstance(each, SecretStr) else str(each) for each in held]
        if any(re.search(r"<[^<>]+>", word) for word in words):
            yield f"{where}{name} still holds a placeholder"


def _weak_addresses(settings: Settings) -> Iterator[str]:
    for name, url in {
        "wechat_pay.base_url": settings.wechat_pay.base_url,
        "mini_program.base_url": settings.mini_program.base_url,
        "sms.base_url": settings.sms.base_url,
        "maps.base_url": settings.maps.base_url,
        "baidu_ocr.base_url": settings.baidu_ocr.base_url,
        "wechat_pay.notify_base_url": settings.wechat_pay.notify_base_url,
        "http.public_url": settings.http.public_url,
    }.items():
        parts = urlsplit(url)
        if parts.scheme != "https":
            yield f"{name} is not https"
        elif _is_local(parts.hostname or ""):
            yield f"{name} points at this machine"


def _weak_secrets(settings: Settings) -> Iterator[str]:
    secrets = settings.secrets
    held = {
        "secrets.token_key": secrets.token_key,
        "secrets.index_key": secrets.index_key,
        "secrets.code_pepper": secrets.code_pepper,
        "secrets.audit_key": secrets.audit_key,
        **{f"secrets.keys[{name}]": key for name, key in secrets.keys.items()},
        **{f"secrets.old_token_keys[{name}]": key for name, key in secrets.old_token_keys.items()},
    }
    for name, secret in held.items():
        if secret.get_secret_value() in (DEVELOPMENT_SECRET, DEVELOPMENT_KEY):
            yield f"{name} is the development default"
        elif len(secret.get_secret_value()) < 32:
            yield f"{name} is shorter than 32 characters"
    for name, given in {
        "mini_program.secret": settings.mini_program.secret,
        "sms.access_key_secret": settings.sms.access_key_secret,
        "maps.key": settings.maps.key,
        "maps.private_key": settings.maps.private_key,
        "baidu_ocr.secret_key": settings.baidu_ocr.secret_key,
    }.items():
        if given.get_secret_value().startswith("sandbox-"):
            yield f"{name} is the sandbox's"


def _weak_payment(pay: WeChatPay) -> Iterator[str]:
    if len(pay.apiv3_key.get_secret_value()) != 32:
        yield "wechat_pay.apiv3_key must be 32 characters"
    if not (pay.private_key or pay.private_key_file):
        yield "wechat_pay.private_key is missing"
    if not (pay.public_key or pay.public_key_file):
        yield "wechat_pay.public_key is missing"
    if not pay.public_key_id.startswith("PUB_KEY_ID_"):
        yield "wechat_pay.public_key_id is missing"


def _weak_files(files: Files) -> Iterator[str]:
    if files.store is StoreKind.S3:
        if not (files.bucket and files.access_key_id and files.access_key_secret.get_secret_value()):
            yield "files.bucket, files.access_key_id and files.access_key_secret go with files.store=s3"
        if not files.endpoint.startswith("https://"):
            yield "files.endpoint is not https"


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return not address.is_global
