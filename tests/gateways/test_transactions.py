"""No gateway speaks to the outside inside a transaction: rows would stay locked as long as a provider likes."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.servers import database_server
from yiyuebao_api.gateways.maps.amap import AmapMaps
from yiyuebao_api.gateways.object_store.obstore import ObstoreStore
from yiyuebao_api.gateways.sms.aliyun import AliyunSms
from yiyuebao_api.gateways.wechat_login.mini_program import MiniProgramLogin
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.geo import Point
from yiyuebao_api.settings import Database as DatabaseSettings
from yiyuebao_api.settings import Files, Maps, MiniProgram, Sms

CALLS: dict[str, Callable[[], Awaitable[object]]] = {
    "sms": lambda: AliyunSms(Sms()).send_code("+8613800138000", "123456", "SMS_LOGIN"),
    "login code": lambda: MiniProgramLogin(MiniProgram()).exchange("any"),
    "phone code": lambda: MiniProgramLogin(MiniProgram()).phone_number("any"),
    "geocode": lambda: AmapMaps(Maps()).geocode("海口市"),
    "put": lambda: ObstoreStore(Files()).put("a", b""),
    "get": lambda: ObstoreStore(Files()).get("a"),
    "delete": lambda: ObstoreStore(Files()).delete(["a"]),
    "halves": lambda: ObstoreStore(Files()).forget_halves(older_than=clock.system_now()),
    "reverse": lambda: AmapMaps(Maps()).reverse(Point(20.0, 110.0)),
}


@pytest.fixture(scope="module")
async def empty_database() -> AsyncIterator[Database]:
    server = database_server()
    database = Database(DatabaseSettings(), url=server.url())
    yield database
    await database.aclose()
    server.stop()


@pytest.mark.parametrize("name", CALLS)
async def test_a_provider_is_never_called_inside_a_transaction(name: str, empty_database: Database) -> None:
    with pytest.raises(AssertionError, match="inside an open transaction"):
        async with empty_database.begin():
            await CALLS[name]()
