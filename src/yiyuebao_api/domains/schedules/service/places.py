"""What can be had when; taking a place, keeping it, giving it back."""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.catalogue.models import Place, Service, ServiceVersion
from yiyuebao_api.domains.catalogue.queries import require_offer
from yiyuebao_api.domains.schedules import queries
from yiyuebao_api.domains.schedules.models import Claim
from yiyuebao_api.domains.schedules.problems import SlotNotOffered, SlotTaken
from yiyuebao_api.domains.schedules.rules import (
    Crew,
    Fit,
    Need,
    Slot,
    busy_of,
    day_of,
    days_between,
    is_live,
    seats_again,
    slot_at,
    slots_of,
)  # fmt: skip
from yiyuebao_api.kernel.ids import ClaimId, ServiceId
from yiyuebao_api.kernel.reading import Asks

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
    crew = await _crew_for(tx, need, place, now)
    if crew is None:
        return []
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


async def _crew_for(tx: AsyncSession, need: Need, place: Place, now: datetime) -> Crew | None:
    draws = (await queries.draws_of(tx, [need.service_id], place)).get(need.service_id, [])
    crews = await queries.crews_of(tx, draws, today=day_of(now))
    return next(iter(crews.values()), None)


# ── taking, keeping, giving back ─────────────────────────────────────────────────────────────────────────────────────


async def claim_place(
    tx: AsyncSession, *, service: Need, place: Place, starts_at: datetime, claim_id: ClaimId, held_until: datetime,
    now: datetime, subject: str = "", instead_of: ClaimId | None = None,
) -> Claim:  # fmt: skip
    """Take one place of the slot that starts then, held until `held_until`; `keep_claim` makes it permanent.

    Raises SlotNotOffered (no such slot) and SlotTaken (full). `service` comes from `need_of`; `place` is home or
    hospital. A full slot is refused without a lock. With `instead_of` that claim is given back in the same step and
    does not stand in the way of its own successor; a kept claim's successor is kept too. Locks the days in key order.
    """
    crew = await _crew_for(tx, service, place, now)
    if crew is None:
        raise SlotNotOffered
    before = await queries.find_claim(tx, instead_of) if instead_of is not None else None
    but = [before.id] if before is not None else []
    day = day_of(starts_at)

    async def free_slot() -> Slot:
        taken = await queries.taken_of(tx, [crew.pool_id], day, day, now=now, but=but)
        slot = slot_at(crew, service.fit, starts_at, taken, now)
        if slot is None:
            raise SlotNotOffered
        if slot.left < 1:
            raise SlotTaken
        return slot

    await free_slot()
    await queries.lock_days(tx, [(crew.pool_id, day), *((each.pool_id, each.day) for each in [before] if each)])
    slot = await free_slot()
    if before is not None:
        before = await queries.find_claim(tx, before.id)
    claim = Claim(
        id=claim_id, pool_id=crew.pool_id, day=day, starts_at=slot.starts_at, ends_at=slot.ends_at,
        busy_from=slot.starts_at - timedelta(minutes=service.fit.buffer_before_min),
        busy_until=slot.ends_at + timedelta(minutes=service.fit.buffer_after_min), subject=subject, held_until=held_until,
        kept_at=now if before is not None and before.kept_at is not None else None,
        lapsed_at=None, released_at=None, created_at=now,
    )  # fmt: skip
    if before is not None and before.released_at is None:
        before.released_at = now
    await _step_over(tx, claim, now)
    tx.add(claim)
    await tx.flush()
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
    if not is_live(claim, now):
        if not await _seats_again(tx, claim, now):
            return False
        await _step_over(tx, claim, now)
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


async def _seats_again(tx: AsyncSession, claim: Claim, now: datetime) -> bool:
    draw = await queries.draw_of(tx, claim.pool_id)
    if draw is None:
        return False
    crew = (await queries.crews_of(tx, [draw], today=day_of(now)))[claim.pool_id]
    taken = await queries.taken_of(tx, [claim.pool_id], claim.day, claim.day, now=now, but=[claim.id])
    busy = busy_of(claim.day, claim.busy_from, claim.busy_until)
    others = taken.get((claim.pool_id, claim.day), ())
    return seats_again(crew, claim.starts_at, claim.ends_at, busy, taken=others, now=now)


async def _step_over(tx: AsyncSession, claim: Claim, now: datetime) -> None:
    """Mark the lapsed holds whose time this claim takes: from here on they must be seated anew, whatever the clock of
    the request that pays for them says."""
    for lapsed in await queries.lapsed_beside(tx, claim, now):
        lapsed.lapsed_at = now
