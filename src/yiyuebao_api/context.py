"""What one process holds: its settings, its database and its doors to the outside world."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from yiyuebao_api.gateways.identity_ocr import IdentityReader
from yiyuebao_api.gateways.identity_ocr.baidu import BaiduIdentity
from yiyuebao_api.gateways.maps import Maps
from yiyuebao_api.gateways.maps.amap import AmapMaps
from yiyuebao_api.gateways.object_store import ObjectStore
from yiyuebao_api.gateways.object_store.obstore import ObstoreStore
from yiyuebao_api.gateways.payment import PaymentGateway
from yiyuebao_api.gateways.payment.wechat import WeChatPayGateway
from yiyuebao_api.gateways.sms import SmsSender
from yiyuebao_api.gateways.sms.aliyun import AliyunSms
from yiyuebao_api.gateways.webhooks import WebhookPoster
from yiyuebao_api.gateways.webhooks.http import HttpWebhookPoster
from yiyuebao_api.gateways.wechat_login import WeChatLogin
from yiyuebao_api.gateways.wechat_login.mini_program import MiniProgramLogin
from yiyuebao_api.kernel import clock, secrets
from yiyuebao_api.kernel.bell import Bell
from yiyuebao_api.kernel.database import Begin, Database
from yiyuebao_api.kernel.live import Live
from yiyuebao_api.kernel.tokens import Tokens
from yiyuebao_api.kernel.workshop import Workshop
from yiyuebao_api.settings import Settings


@dataclass(frozen=True, slots=True)
class Gateways:
    """One per capability."""

    payment: PaymentGateway
    sms: SmsSender
    wechat_login: WeChatLogin
    maps: Maps
    identity: IdentityReader
    webhooks: WebhookPoster
    store: ObjectStore


@dataclass(frozen=True, slots=True)
class Context:
    """Handed to the routes by `app.state` and to every job of the worker."""

    settings: Settings
    database: Database
    gateways: Gateways
    tokens: Tokens
    workshop: Workshop

    @property
    def begin(self) -> Begin:
        return self.database.begin


@asynccontextmanager
async def open_context(settings: Settings, *, database: Database | None = None) -> AsyncIterator[Context]:
    """Build everything a process needs and take it down in reverse order; a given `database` is left open."""
    clock.use_file(settings.clock_file)
    secrets.install(settings.secrets)
    async with AsyncExitStack() as stack:
        if database is None:
            bell = Bell(settings.redis.url)
            stack.push_async_callback(bell.aclose)
            live = Live(settings.redis.url)
            stack.push_async_callback(live.aclose)
            database = Database(settings.database, bell=bell, live=live)
            stack.push_async_callback(database.aclose)
        gateways = Gateways(
            payment=await stack.enter_async_context(WeChatPayGateway(settings.wechat_pay)),
            sms=await stack.enter_async_context(AliyunSms(settings.sms)),
            wechat_login=await stack.enter_async_context(MiniProgramLogin(settings.mini_program)),
            maps=await stack.enter_async_context(AmapMaps(settings.maps)),
            identity=await stack.enter_async_context(BaiduIdentity(settings.baidu_ocr)),
            webhooks=await stack.enter_async_context(
                HttpWebhookPoster(allow_loopback=not settings.production)
            ),
            store=ObstoreStore(settings.files),
        )
        workshop = Workshop(settings.files.workers)
        stack.push_async_callback(workshop.aclose)
        yield Context(settings, database, gateways, Tokens(settings.secrets), workshop)
