"""The index of one process: a snapshot that follows the change numbers, and says how old it may be.

The bell wakes it when something was committed; it looks by itself as well, so that a lost ring costs a quarter of a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Self

import structlog

from yiyuebao_api.domains.nearby import queries
from yiyuebao_api.domains.nearby.snapshot import OfferRow, SiteRow, Snapshot
from yiyuebao_api.kernel.bell import SEARCH
from yiyuebao_api.kernel.database import Database, is_outage

POLL_S = 0.25
#: An index that has not heard from the database for so long is not asked any more.
TRUSTED_S = 10.0
#: Rows read in one select: a loop that parses more at once answers nobody meanwhile.
PORTION = 5000
log = structlog.get_logger("yiyuebao.nearby")


class NearbyIndex:
    """Started and stopped with the process. `snapshot` is None until the first one is read."""

    def __init__(self, database: Database, *, poll_s: float = POLL_S, portion: int = PORTION) -> None:
        self._database, self._poll_s, self._portion = database, poll_s, portion
        self._one_at_a_time, self._rung = asyncio.Lock(), asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._heard = float("-inf")
        self._snapshot: Snapshot | None = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def start(self) -> None:
        """Follow the changes from now on; searches use the tables until the first snapshot is there."""
        self._following = asyncio.create_task(self._follow(), name="nearby-index")

    async def aclose(self) -> None:
        """Stop following."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
            self._following = None

    @property
    def stale_for(self) -> float:
        """Seconds since the database last said what has changed; infinite before it ever did."""
        return time.monotonic() - self._heard

    @property
    def snapshot(self) -> Snapshot | None:
        """What can be searched now; None while there is nothing to trust."""
        return self._snapshot if self.stale_for < TRUSTED_S else None

    async def refresh(self) -> bool:
        """Read what has changed since the last time; True when anything had. Raises what the database raises."""
        async with self._one_at_a_time:
            asked = time.monotonic()
            before = self._snapshot
            async with self._database.begin() as tx:
                number, epoch = await queries.last_number(tx)
            if before is None or before.epoch != epoch or before.number > number:
                self._snapshot = await self._read_all(number, epoch)
            elif before.number < number:
                self._snapshot = await self._read_changes(before, number)
            self._heard = asked
            return self._snapshot is not before

    async def _follow(self) -> None:
        async with self._database.bell.heard(self._rung.set, SEARCH):
            while True:
                self._rung.clear()
                began, late = time.monotonic(), False
                try:
                    await self.refresh()
                    late = self.stale_for > self._poll_s  # reading a million rows took long: see what came meanwhile
                except Exception as error:  # an index that stops following would answer from the past for ever
                    log.warning("nearby index not refreshed", outage=is_outage(error), exc_info=not is_outage(error))
                if not late:
                    await self._rest(time.monotonic() - began)

    async def _rest(self, worked_s: float) -> None:
        """Until somebody rings or it is time to look; as long as it worked, so that a storm of rings is no full load."""
        await asyncio.sleep(min(worked_s, self._poll_s))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll_s):
                await self._rung.wait()

    async def _read_changes(self, before: Snapshot, number: int) -> Snapshot:
        sites: list[SiteRow] = []
        offers: list[OfferRow] = []
        reached = before.number
        while True:
            async with self._database.begin() as tx:
                some, reached = await queries.sites_changed(tx, above=reached, most=self._portion)
            sites += some
            if len(some) < self._portion:
                break
        reached = before.number
        while True:
            async with self._database.begin() as tx:
                rows, reached = await queries.offers_changed(tx, above=reached, most=self._portion)
            offers += rows
            if len(rows) < self._portion:
                break
        # A row that changed twice came once, with its last facts; one that changes again meanwhile comes again.
        return await asyncio.to_thread(before.patched, sites, offers, number=number)

    async def _read_all(self, number: int, epoch: bytes) -> Snapshot:
        """Everything, in portions by key; what changes meanwhile has a higher number and comes next time."""
        sites: list[SiteRow] = []
        after = b""
        while True:
            async with self._database.begin() as tx:
                some = await queries.sites_by_key(tx, after=after, most=self._portion)
            sites += some
            if len(some) < self._portion:
                break
            after = some[-1].site_id
        reader = await asyncio.to_thread(Snapshot.reader, sites)
        after = b""
        while True:
            async with self._database.begin() as tx:
                rows = await queries.offers_by_key(tx, after=after, most=self._portion)
            await asyncio.to_thread(reader.add, rows)
            if len(rows) < self._portion:
                break
            after = rows[-1].service_id
        return await asyncio.to_thread(reader.finish, number=number, epoch=epoch)
