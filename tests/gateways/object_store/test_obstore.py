"""What every store promises: a folder, and a bucket over the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from scripts.servers import free_port
from tests.conftest import listening
from tests.gateways.object_store.bucket import make_bucket
from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.object_store.obstore import ObstoreStore
from yiyuebao_api.kernel import clock
from yiyuebao_api.settings import Files, StoreKind

LIMIT = 100_000


def bucket_settings(port: int, **changes: object) -> Files:
    given: dict[str, object] = {
        "store": StoreKind.S3, "bucket": "files", "endpoint": f"http://127.0.0.1:{port}", "virtual_hosted": False,
        "access_key_id": "key", "access_key_secret": SecretStr("secret"), "timeout_s": 3.0,
    }  # fmt: skip
    return Files.model_validate(given | changes)


@pytest.fixture(params=["folder", "bucket"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObstoreStore]:
    if request.param == "folder":
        yield ObstoreStore(Files(folder=tmp_path / "new" / "files"))
        return
    port = free_port()
    async with listening(make_bucket(LIMIT), port):
        yield ObstoreStore(bucket_settings(port))


async def names(store: ObstoreStore, prefix: str) -> list[str]:
    return sorted([each.name async for some in store.listed(prefix) for each in some])


async def test_there_and_back(store: ObstoreStore) -> None:
    content = bytes(range(256)) * 100
    await store.put("files/2026-11-25/a/main", content)
    assert await store.get("files/2026-11-25/a/main") == content
    await store.put("files/2026-11-26/b/main", b"")
    assert await names(store, "files") == ["files/2026-11-25/a/main", "files/2026-11-26/b/main"]
    assert await names(store, "other") == []
    listed = [each async for some in store.listed("files") for each in some]
    assert {each.size_bytes for each in listed} == {25_600, 0}
    assert all(abs(each.modified_at - clock.system_now()) < timedelta(minutes=1) for each in listed)
    await store.delete(["files/2026-11-25/a/main", "files/2026-11-25/a/main", "files/none"])
    assert await names(store, "files") == ["files/2026-11-26/b/main"]
    assert await store.forget_halves(older_than=clock.system_now()) == 0


async def test_a_name_is_written_once(tmp_path: Path) -> None:
    store = ObstoreStore(Files(folder=tmp_path))
    await store.put("files/a", b"first")
    with pytest.raises(ProviderRefused) as refused:
        await store.put("files/a", b"second")
    assert refused.value.code == "taken"
    assert await store.get("files/a") == b"first"


async def test_what_is_not_there(store: ObstoreStore) -> None:
    with pytest.raises(ProviderRefused) as refused:
        await store.get("files/a")
    assert refused.value.code == "missing"


async def test_nobody_answers() -> None:
    store = ObstoreStore(bucket_settings(free_port()))
    for call in (store.put("a", b""), store.get("a"), store.delete(["a"])):
        with pytest.raises(ProviderUnavailable):
            await call


async def test_a_full_bucket_and_a_wrong_key() -> None:
    port = free_port()
    async with listening(make_bucket(LIMIT), port):
        store = ObstoreStore(bucket_settings(port))
        with pytest.raises(ProviderRefused) as full:
            await store.put("files/a", b"x" * (LIMIT + 1))
        with pytest.raises(ProviderRefused) as wrong:
            await ObstoreStore(bucket_settings(port, access_key_id="another")).put("files/a", b"x")
    assert (full.value.code, wrong.value.code) == ("full", "misconfigured")
