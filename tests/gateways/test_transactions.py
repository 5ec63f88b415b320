"""No gateway speaks to the outside inside a transaction: rows would stay locked as long as a provider likes."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from pydantic import SecretStr

from tests.servers import database_server
from yiyuebao_api.gateways.maps.amap import AmapMaps
from yiyuebao_api.gateways.sms.aliyun import AliyunSms
from yiyuebao_api.gateways.wechat_login.mini_program import MiniProgramLogin
from yiyuebao_api.kernel.database import Database
from yiyuebao_api.kernel.geo import Point
from yiyuebao_api.settings import Database as DatabaseSettings

SECRET = SecretStr("any")

CALLS: dict[str, Callable[[httpx.AsyncClient], Awaitable[object]]] = {
    "sms": lambda client: AliyunSms(client, access_key_id="any", access_key_secret=SECRET, sign_name="any").send_code(
        "+8613800138000", "123456", "SMS_LOGIN"
    ),
    "login code": lambda client: MiniProgramLogin(client, appid="any", secret=SECRET).exchange("any"),
    "phone code": lambda client: MiniProgramLogin(client, appid="any", secret=SECRET).phone_number("any"),
    "geocode": lambda client: AmapMaps(client, key=SECRET, private_key=SECRET).geocode("海口市"),
    "reverse": lambda client: AmapMaps(client, key=SECRET, private_key=SECRET).reverse(Point(20.0, 110.0)),
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
    async with httpx.AsyncClient(base_url="http://127.0.0.1:9", trust_env=False) as client:
        with pytest.raises(AssertionError, match="inside an open transaction"):
            async with empty_database.begin():
                await CALLS[name](client)
