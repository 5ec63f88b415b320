"""Posts over HTTP to exactly the address that was checked: resolved once, judged, connected to by number.

No redirect is followed, no proxy or cookie is used and no connection is kept: two hospitals may share one
address, and a connection whose certificate named one of them must not carry the other's messages.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, Self

import httpx

from yiyuebao_api.gateways.webhooks import AddressRefused, Answer, Fault, Letter, Unreached
from yiyuebao_api.gateways.webhooks.addresses import Target, may_call, target_of
from yiyuebao_api.gateways.webhooks.signing import signed
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import assert_no_transaction

TOTAL_S: Final = 15.0
READ_BYTES: Final = 64 * 1024
EXCERPT_CHARACTERS: Final = 500

_CONNECT_S: Final = 5.0
_BODY_S: Final = 2.0  # the status has said everything that matters
_ADDRESSES_TRIED: Final = 3
_LONGEST_WAIT: Final = timedelta(days=1)


class HttpWebhookPoster:
    """The real one. `allow_loopback` is for development; `ca_bundle` adds authorities of one's own."""

    def __init__(self, *, allow_loopback: bool, ca_bundle: Path | None = None, total_s: float = TOTAL_S) -> None:
        self._allow_loopback = allow_loopback
        self._total_s = total_s
        trust = httpx.create_ssl_context(trust_env=False)
        if ca_bundle is not None:
            trust.load_verify_locations(ca_bundle)
        self._transport = httpx.AsyncHTTPTransport(
            verify=trust, trust_env=False, limits=httpx.Limits(max_connections=None, max_keepalive_connections=0)
        )
        # Name servers that do not answer block a thread each; these are nobody else's threads.
        self._resolvers = ThreadPoolExecutor(16, thread_name_prefix="webhook-names")
        self._under_way: Counter[str] = Counter()
        self._freed = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.aclose()
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    def accepts(self, url: str) -> bool:
        return target_of(url, allow_loopback=self._allow_loopback) is not None

    @asynccontextmanager
    async def lane(self, key: str, at_most: int, *, patience_s: float) -> AsyncIterator[bool]:
        assert_no_transaction()
        try:
            async with asyncio.timeout(patience_s):
                while self._under_way[key] >= at_most:
                    await self._freed.wait()
        except TimeoutError:
            yield False
            return
        self._under_way[key] += 1
        try:
            yield True
        finally:
            self._under_way[key] -= 1
            if not self._under_way[key]:
                del self._under_way[key]
            self._freed.set()
            self._freed = asyncio.Event()  # whoever waited looks again, whoever comes now waits for the next

    async def post(self, letter: Letter) -> Answer:
        assert_no_transaction()
        target = target_of(letter.url, allow_loopback=self._allow_loopback)
        if target is None:
            raise AddressRefused
        try:
            async with asyncio.timeout(self._total_s):
                return await self._post(letter, target)
        except (TimeoutError, httpx.TimeoutException):
            raise Unreached(Fault.TIMEOUT) from None
        except httpx.NetworkError as error:
            raise Unreached(Fault.TLS if _is_tls(error) else Fault.CONNECTION) from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise Unreached(Fault.PROTOCOL) from None

    async def _post(self, letter: Letter, target: Target) -> Answer:
        addresses = await self._resolve(target)
        if not may_call(target, addresses):
            raise AddressRefused
        tried = addresses[:_ADDRESSES_TRIED]
        for address in tried[:-1]:
            try:
                return await self._send(letter, target, address)
            except (httpx.ConnectError, httpx.ConnectTimeout):  # nothing was sent yet
                continue
        return await self._send(letter, target, tried[-1])

    async def _resolve(self, target: Target) -> list[str]:
        def ask() -> list[str]:
            found = socket.getaddrinfo(
                target.host, target.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_ADDRCONFIG
            )
            return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))

        try:
            return await asyncio.get_running_loop().run_in_executor(self._resolvers, ask)
        except (socket.gaierror, UnicodeError):
            raise Unreached(Fault.NAME) from None

    async def _send(self, letter: Letter, target: Target, address: str) -> Answer:
        timeouts = {"connect": _CONNECT_S, "read": self._total_s, "write": self._total_s, "pool": self._total_s}
        request = httpx.Request(
            "POST",
            target.url.copy_with(host=address, port=target.port),
            content=letter.body,
            headers={
                "Host": target.url.netloc.decode("ascii"),
                "Content-Type": "application/json",
                "User-Agent": "yiyuebao-webhooks/1",
                "Accept-Encoding": "identity",
                "Connection": "close",
                **signed(letter.id, letter.body, letter.secrets, at=clock.system_now()),
            },
            extensions={"sni_hostname": target.host, "timeout": timeouts},
        )
        response = await self._transport.handle_async_request(request)
        try:
            excerpt = await _beginning(response)
            return Answer(response.status_code, _retry_after(response), excerpt)
        finally:
            await response.aclose()


async def _beginning(response: httpx.Response) -> str:
    """At most 64 KiB are read, undecoded (no bombs), and no longer than two seconds; a broken body is no failure."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            async for piece in response.aiter_raw():
                body += piece
                if len(body) >= READ_BYTES:
                    break
    except (TimeoutError, httpx.HTTPError):
        pass
    text = bytes(body[: EXCERPT_CHARACTERS * 4]).decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in text)[:EXCERPT_CHARACTERS].strip()


def _retry_after(response: httpx.Response) -> timedelta | None:
    """Seconds or an HTTP date, at most a day."""
    said = response.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdecimal():
        return min(timedelta(seconds=int(said[:9])), _LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(said)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - _whole(clock.system_now())
    return min(max(wait, timedelta()), _LONGEST_WAIT)


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _is_tls(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
