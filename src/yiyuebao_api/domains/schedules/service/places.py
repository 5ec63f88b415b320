"""What can be had when; taking a place, keeping it, giving it back."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.catalogue.models import Place, Service, ServiceVersion
from yiyuebao_api.domains.catalogue.queries import require_offer
from yiyuebao_api.domains.schedules import queries
from yiyuebao_api.domains.schedules.models import Claim
from yiyuebao_api.domains.schedules.problems import SlotNotOffered, SlotTaken
from yiyuebao_api.domains.schedules.rules import (
    Busy,
    Crew,
    Fit,
    Need,
    Slot,
    TakenPlaces,
    busy_of,
    day_of,
    days_between,
    is_live,
    seats_again,
    slot_at,
    slots_of,
)  # fmt: skip
from yiyuebao_api.kernel.ids import ClaimId, PoolId, ServiceId
from yiyuebao_api.kernel.purging import delete_some
from yiyuebao_api.kernel.reading import Asks
from yiyuebao_api.kernel.wire import Wire, insert_of

#: A pool's day in Shanghai.
Day = tuple[PoolId, date]
#: Most pools have a free place soon: the claims of these days are read first, the others only when none is.
_SOON = timedelta(days=3)


def need_of(service: Service, version: ServiceVersion) -> Need:
    """What a visit for this version of the item asks of a schedule."""
    fit = Fit(
        version.duration_min, version.buffer_before_min, version.buffer_after_min, version.lead_minutes,
        version.season_from, version.season_until,
    )  # fmt: skip
    return Need(service.id, fit)


# ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def list_slots(
    tx: AsyncSession, service_id: ServiceId, *, first: datetime, last: datetime, place: Place, now: datetime
) -> list[Slot]:
    """Every slot that starts in the half-open period, in order; full ones with `left` 0.

    Empty for a place at which the item draws from no pool. Raises NotFound, ServiceNotOffered.
    """
    service, version = await require_offer(tx, service_id)
    need = need_of(service, version)
    draw = await queries.draw_for(tx, service_id, place)
    if draw is None:
        return []
    crew = await require_crew(tx, draw, now=now)
    earliest, latest = max(first, now), min(last, now + timedelta(days=crew.horizon_days + 1))
    days = days_between(earliest, latest)
    if not days:
        return []
    taken = await queries.taken_of(tx, [crew.pool_id], days[0], days[-1], now=now)
    return [slot for slot in slots_of(crew, need.fit, days, taken, now) if first <= slot.starts_at < last]


async def next_free(
    tx: Asks, service_ids: Sequence[bytes], *, place: Place | None, now: datetime, horizon_days: int,
    first: datetime | None = None, last: datetime | None = None, not_at_home: Container[bytes] = (),
) -> dict[bytes, datetime]:  # fmt: skip
    """The start of the first slot with a place left, of each published item that has one within the horizon.

    `place` None takes whichever is earlier, home left out for the items in `not_at_home`; `first` and `last` narrow it
    to the slots that start in that half-open period. The number of selects does not grow with the number of items, whose
    ids are those of the column.
    """
    reach = await queries.reach_of(tx, service_ids, place, not_at_home=not_at_home)
    crews = await queries.crews_of(tx, {draw.pool_id: draw for draw, _ in reach}.values(), today=day_of(now))
    earliest = max(first, now) if first is not None else now
    latest = now + timedelta(days=horizon_days + 1)
    latest = min(last, latest) if last is not None else latest
    found: dict[bytes, datetime] = {}
    waiting = reach
    for start, end in ((earliest, min(latest, earliest + _SOON)), (earliest + _SOON, latest)):
        waiting = {asked: some for asked, some in waiting.items() if any(each not in found for each in some)}
        if not waiting or end <= start:
            break
        days = days_between(start, end)
        pools = list({draw.pool_id: draw for draw, _ in waiting})
        taken = await queries.taken_of(tx, pools, days[0], days[-1], now=now)
        for (draw, fit), some in waiting.items():
            free = (slot.starts_at for slot in slots_of(crews[draw.pool_id], fit, days, taken, now) if slot.left > 0)
            start_at = next((each for each in free if earliest <= each < latest), latest)
            for each in some:
                if start_at < found.get(each, latest):
                    found[each] = start_at
    return found




# ── taking, keeping, giving back ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Want:
    """One place that somebody wants, held until `held_until`: a visit that fits so, by a pool that is known."""

    crew: Crew
    fit: Fit
    starts_at: datetime
    claim_id: ClaimId
    held_until: datetime
    subject: str = ""

    @property
    def day(self) -> Day:
        """Under whose lock it is decided."""
        return self.crew.pool_id, day_of(self.starts_at)


async def require_crew(tx: Asks, draw: queries.Draw | None, *, now: datetime) -> Crew:
    """All there is to know of the pool that an item draws from. Raises SlotNotOffered where it draws from none."""
    if draw is None:
        raise SlotNotOffered
    return (await queries.crews_of(tx, [draw], today=day_of(now)))[draw.pool_id]


async def require_left(tx: Asks, want: Want, *, now: datetime, but: Sequence[ClaimId] = ()) -> None:
    """A look without a lock, so that what is sold out is refused cheaply. Raises SlotNotOffered, SlotTaken."""
    pool_id, day = want.day
    taken = await queries.taken_of(tx, [pool_id], day, day, now=now, but=but)
    _slot_for(want, taken, now)


def _slot_for(want: Want, taken: TakenPlaces, now: datetime) -> Slot:
    slot = slot_at(want.crew, want.fit, want.starts_at, taken, now)
    if slot is None:
        raise SlotNotOffered
    if slot.left < 1:
        raise SlotTaken
    return slot


class Seats:
    """The places of some locked days: `take` decides one wish after the other, `write` puts down what was taken."""

    def __init__(self, days: Mapping[Day, tuple[list[Busy], list[queries.Lapsed]]], now: datetime) -> None:
        self._taken = {day: taken for day, (taken, _) in days.items()}
        self._lapsed = {day: lapsed for day, (_, lapsed) in days.items()}
        self._now = now
        self._claims: list[Claim] = []

    def take(self, want: Want, *, kept_at: datetime | None = None) -> Claim:
        """Raises SlotNotOffered, SlotTaken."""
        slot = _slot_for(want, self._taken, self._now)
        busy_from = slot.starts_at - timedelta(minutes=want.fit.buffer_before_min)
        busy_until = slot.ends_at + timedelta(minutes=want.fit.buffer_after_min)
        pool_id, day = want.day
        claim = Claim(
            id=want.claim_id, pool_id=pool_id, day=day, starts_at=slot.starts_at, ends_at=slot.ends_at, busy_from=busy_from,
            busy_until=busy_until, subject=want.subject, held_until=want.held_until, kept_at=kept_at, lapsed_at=None,
            released_at=None, created_at=self._now,
        )  # fmt: skip
        self._taken[want.day].append(busy_of(day, busy_from, busy_until))
        self._claims.append(claim)
        return claim

    async def write(self, wire: Wire) -> None:
        """Put the claims down. The lapsed holds whose time they take are marked: from here on those must be
        seated anew, whatever the clock of the request that pays for them says."""
        stepped_over = {
            lapsed.id
            for claim in self._claims
            for lapsed in self._lapsed[claim.pool_id, claim.day]
            if _meet(lapsed.busy, busy_of(claim.day, claim.busy_from, claim.busy_until))
        }
        await queries.mark_lapsed(wire, stepped_over, self._now)
        await wire.put(*insert_of(self._claims))


def _meet(one: Busy, other: Busy) -> bool:
    return one.start < other.end and other.start < one.end


async def lock_seats(tx: Asks, days: Iterable[Day], *, now: datetime, but: Sequence[ClaimId] = ()) -> Seats:
    """Lock days of pools in key order and count their claims, those in `but` left out."""
    wanted = sorted(set(days))
    await queries.lock_days(tx, wanted)
    return Seats({each: await queries.count_day(tx, *each, now=now, but=but) for each in wanted}, now)


async def claim_place(
    tx: AsyncSession, *, service: Need, place: Place, starts_at: datetime, claim_id: ClaimId, held_until: datetime,
    now: datetime, subject: str = "", instead_of: ClaimId | None = None,
) -> Claim:  # fmt: skip
    """Take one place of the slot that starts then, held until `held_until`; `keep_claim` makes it permanent.

    Raises SlotNotOffered (no such slot) and SlotTaken (full). `service` comes from `need_of`; `place` is home or
    hospital. A full slot is refused without a lock. With `instead_of` that claim is given back in the same step and
    does not stand in the way of its own successor; a kept claim's successor is kept too. Locks the days in key order.
    """
    crew = await require_crew(tx, await queries.draw_for(tx, service.service_id, place), now=now)
    want = Want(crew, service.fit, starts_at, claim_id, held_until, subject)
    before = await queries.find_claim(tx, instead_of) if instead_of is not None else None
    but = [before.id] if before is not None else []
    await require_left(tx, want, now=now, but=but)
    days = [want.day, *((each.pool_id, each.day) for each in [before] if each)]
    seats = await lock_seats(tx, days, now=now, but=but)
    if before is not None:
        before = await queries.find_claim(tx, before.id)
    claim = seats.take(want, kept_at=now if before is not None and before.kept_at is not None else None)
    if before is not None and before.released_at is None:
        before.released_at = now
    await tx.flush()
    await seats.write(await Wire.of(tx))
    return claim


async def keep_claim(tx: AsyncSession, claim_id: ClaimId, *, now: datetime) -> bool:
    """Make a held place permanent (it was paid for); safe to repeat.

    A hold that lapsed is seated again when its time is still ahead and still free; False when it is not, and when the
    claim was given back. Locks the day.
    """
    claim = await queries.find_claim(tx, claim_id)
    if claim is None:
        return False
    await queries.lock_days(tx, [(claim.pool_id, claim.day)])
    claim = await queries.find_claim(tx, claim_id)
    if claim is None or claim.released_at is not None:
        return False
    if claim.kept_at is not None:
        return True
    if not is_live(claim, now) and not await _seats_again(tx, claim, now):
        return False
    claim.kept_at, claim.lapsed_at = now, None
    await tx.flush()
    return True


async def release_claim(tx: AsyncSession, claim_id: ClaimId, *, now: datetime) -> None:
    """Give a place back, held or kept; nothing happens when it was given back before. Locks the day."""
    claim = await queries.find_claim(tx, claim_id)
    if claim is None:
        return
    await queries.lock_days(tx, [(claim.pool_id, claim.day)])
    claim = await queries.find_claim(tx, claim_id)
    if claim is not None and claim.released_at is None:
        claim.released_at = now
        await tx.flush()


async def purge_claims(tx: AsyncSession, *, kept: timedelta, now: datetime, at_most: int) -> int:
    """Forget the claims that were made (by the machine's clock) longer ago, whatever became of them.

    A claim counts on its own day alone, and no schedule reaches as far ahead as the shortest time they are kept.
    """
    return await delete_some(tx, Claim, Claim.id < ClaimId.first_at(now - kept), at_most=at_most)


async def _seats_again(tx: AsyncSession, claim: Claim, now: datetime) -> bool:
    """Whether a lapsed hold finds its place free; then those whose time it takes are stepped over, as in `Seats`."""
    draw = await queries.draw_of(tx, claim.pool_id)
    if draw is None:
        return False
    crew = (await queries.crews_of(tx, [draw], today=day_of(now)))[claim.pool_id]
    taken, lapsed = await queries.count_day(tx, claim.pool_id, claim.day, now=now, but=[claim.id])
    busy = busy_of(claim.day, claim.busy_from, claim.busy_until)
    if not seats_again(crew, claim.starts_at, claim.ends_at, busy, taken=taken, now=now):
        return False
    await queries.mark_lapsed(tx, [each.id for each in lapsed if _meet(each.busy, busy)], now)
    return True
