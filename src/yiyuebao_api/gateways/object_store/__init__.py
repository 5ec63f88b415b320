"""Objects: named bytes that are written once, read whole and deleted; already encrypted when they come here.

Refusals (`ProviderRefused.code`):

    full           there is no room left; for the operator, and nothing was written
    taken          an object of this name is there already; a folder notices, a bucket does not
    missing        there is no such object
    misconfigured  key, bucket or folder is wrong; for the operator
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol, cast

from fastapi import Depends
from fastapi.requests import HTTPConnection


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object as the store lists it; the time is the store's own."""

    name: str
    size_bytes: int
    modified_at: datetime


class ObjectStore(Protocol):
    """A flat space of objects; `/` in a name is only a prefix to list by."""

    async def put(self, name: str, content: bytes) -> None:
        """Write one object, whole or not at all. Raises ProviderUnavailable, ProviderRefused (full, taken)."""
        ...

    async def get(self, name: str) -> bytes:
        """Read one object. Raises ProviderUnavailable, ProviderRefused (missing)."""
        ...

    async def delete(self, names: Sequence[str]) -> None:
        """Delete objects; one that is not there is deleted already. Raises ProviderUnavailable, ProviderRefused."""
        ...

    def listed(self, prefix: str) -> AsyncIterator[Sequence[StoredObject]]:
        """Every object whose name begins with `prefix/`, some at a time, in no order. Raises ProviderUnavailable."""
        ...

    async def forget_halves(self, *, older_than: datetime) -> int:
        """Remove what processes that were killed while writing left behind; returns how much."""
        ...


async def get_store(connection: HTTPConnection) -> ObjectStore:
    """The one of this process."""
    return cast("ObjectStore", connection.app.state.gateways.store)


Store = Annotated[ObjectStore, Depends(get_store)]
