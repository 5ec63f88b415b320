"""A folder of this machine, or a bucket that speaks S3, through obstore.

On a disk an object appears under its name in one rename; a process that dies before leaves `name#1`, which no listing
shows and `forget_halves` removes. Aliyun OSS speaks S3 with the bucket in the host name and without multipart here: an
object of ours is at most 20 MB, and one request is whole or nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, S3Store

from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.object_store import StoredObject
from yiyuebao_api.kernel.database import assert_no_transaction
from yiyuebao_api.settings import Files, StoreKind

_HALF = re.compile(r"#\d+$")
_FULL = ("No space left on device", "Disk quota exceeded", "StorageFull", "QuotaExceeded")
_LISTED_AT_ONCE = 500


class ObstoreStore:
    """One folder or one bucket."""

    def __init__(self, settings: Files) -> None:
        self._timeout = settings.timeout_s
        self._folder: Path | None = None
        # Not every bucket knows If-None-Match on a PUT; a name holds a random id and is never written twice anyway.
        self._mode: Literal["create", "overwrite"] = "create" if settings.store is StoreKind.LOCAL else "overwrite"
        self._store: LocalStore | S3Store
        if settings.store is StoreKind.LOCAL:
            settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder = settings.folder.resolve()
            self._store = LocalStore(self._folder, automatic_cleanup=True)
        else:
            limit = timedelta(seconds=settings.timeout_s)
            self._store = S3Store(
                settings.bucket,
                config={
                    "endpoint": settings.endpoint, "region": settings.region, "access_key_id": settings.access_key_id,
                    "secret_access_key": settings.access_key_secret.get_secret_value(),
                    "virtual_hosted_style_request": settings.virtual_hosted, "disable_bulk_delete": True,
                },
                client_options={
                    "timeout": limit, "connect_timeout": min(limit, timedelta(seconds=3)),
                    "allow_http": settings.endpoint.startswith("http://"),  # production refuses such an endpoint
                },
                retry_config={"max_retries": 2, "retry_timeout": limit},
            )  # fmt: skip

    async def put(self, name: str, content: bytes) -> None:
        assert_no_transaction()
        with _told():
            async with asyncio.timeout(self._timeout):
                await obstore.put_async(self._store, name, content, use_multipart=False, mode=self._mode)

    async def get(self, name: str) -> bytes:
        assert_no_transaction()
        with _told():
            async with asyncio.timeout(self._timeout):
                found = await obstore.get_async(self._store, name)
                return bytes(await found.bytes_async())

    async def delete(self, names: Sequence[str]) -> None:
        assert_no_transaction()
        for name in names:
            with _told(), contextlib.suppress(FileNotFoundError):
                async with asyncio.timeout(self._timeout):
                    await obstore.delete_async(self._store, name)

    async def listed(self, prefix: str) -> AsyncIterator[Sequence[StoredObject]]:
        assert_no_transaction()
        with _told():
            async for some in obstore.list(self._store, prefix=prefix, chunk_size=_LISTED_AT_ONCE):
                yield [StoredObject(each["path"], each["size"], each["last_modified"]) for each in some]

    async def forget_halves(self, *, older_than: datetime) -> int:
        assert_no_transaction()
        if self._folder is None:
            return 0  # an interrupted request leaves nothing in a bucket
        return await asyncio.to_thread(_forget_halves, self._folder, older_than.timestamp())


def _forget_halves(folder: Path, older_than: float) -> int:
    forgotten = 0
    for where, _, files in os.walk(folder, topdown=False):
        here = Path(where)
        for each in (here / name for name in files if _HALF.search(name)):
            with contextlib.suppress(FileNotFoundError):
                if each.stat().st_mtime < older_than:
                    each.unlink()
                    forgotten += 1
        with contextlib.suppress(OSError):  # not empty, or just filled again: obstore makes its folders anew
            if here != folder and here.stat().st_mtime < older_than:
                here.rmdir()
    return forgotten


class _told(contextlib.AbstractContextManager[None]):  # noqa: N801 - reads as a sentence
    """obstore's errors in the words of this floor; their texts hold paths and hosts, and stay here."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        match error:
            case AlreadyExistsError():
                raise ProviderRefused("taken") from None
            case FileNotFoundError():
                raise ProviderRefused("missing") from None
            case PermissionDeniedError() | UnauthenticatedError() | PermissionError():
                raise ProviderRefused("misconfigured", type(error).__name__) from None
            case BaseError() | OSError() if any(word in str(error) for word in _FULL):
                raise ProviderRefused("full") from None
            case TimeoutError():
                raise ProviderUnavailable("store: no answer in time") from None
            case BaseError() | OSError():
                raise ProviderUnavailable(f"store: {type(error).__name__}") from None
