"""How a gateway without an SDK speaks HTTP: a client of its own, one deadline, a bounded answer."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Self

import httpx

from yiyuebao_api.gateways import ProviderUnavailable

MAX_ANSWER_BYTES = 1024 * 1024


class HttpGateway:
    """A gateway with a connection pool of its own, closed when the `async with` block ends."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()


def open_client(base_url: str, *, timeout_s: float, ca_bundle: Path | None = None) -> httpx.AsyncClient:
    """A client for one provider; whoever opens it closes it.

    It trusts the public authorities (certifi) or `ca_bundle` alone, takes no proxy and no .netrc from the
    environment, and follows no redirect: a provider that sends us elsewhere is not answering. `timeout_s` bounds
    each whole call.
    """
    return httpx.AsyncClient(
        base_url=base_url,
        timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 3.0)),
        verify=ssl.create_default_context(cafile=str(ca_bundle)) if ca_bundle else True,
        limits=httpx.Limits(max_connections=50, max_keepalive_connections=10, keepalive_expiry=30),
        trust_env=False,
        follow_redirects=False,
    )


async def ask(provider: str, client: httpx.AsyncClient, request: httpx.Request) -> tuple[int, bytes]:
    """Status and body of one call, never repeated: whether a second try does harm is the caller's to know.

    Raises ProviderUnavailable when no answer came in time, the connection broke, the answer was no 2xx or 4xx,
    or it was longer than a megabyte. No message carries the URL: some providers take secrets in the query.
    """
    try:
        async with asyncio.timeout(client.timeout.read):
            answer = await client.send(request, stream=True)
            try:
                body = await _read(provider, answer)
            finally:
                await answer.aclose()
    except (TimeoutError, httpx.TimeoutException):
        raise ProviderUnavailable(f"{provider}: no answer in time") from None
    except httpx.HTTPError as error:
        raise ProviderUnavailable(f"{provider}: {type(error).__name__}") from None
    if not (200 <= answer.status_code < 300 or 400 <= answer.status_code < 500) or answer.status_code == 429:
        raise ProviderUnavailable(f"{provider}: HTTP {answer.status_code}")
    return answer.status_code, body


async def _read(provider: str, answer: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise ProviderUnavailable(f"{provider}: an answer of more than {MAX_ANSWER_BYTES} bytes")
    return bytes(body)
