"""Who looked at or changed whose data, and what makes a changed line of that book visible (RULE-102, RULE-152).

`note` appends a row in the transaction of the use case: no other row is read or locked, so nobody waits for anybody.
Rows hold ids and words of the code, never a name or a content. Each carries a proof, a keyed digest of its own bytes; a
timer takes what is pending and binds it to all that came before: a seal is a keyed digest of the seal before it and of
the proofs of its rows. Whoever has the database but not the key can change, remove or insert a row, but not unseen.

A row is unsealed exactly as long as its line in `audit_pending` exists, so that a transaction which commits late is
sealed late and never forgotten: no time is compared. What nobody can see from inside is an end cut off, rows and seals
together; therefore every head is logged, and `verify` takes an earlier head as its anchor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import structlog
from sqlalchemy import BINARY, BigInteger, Index, LargeBinary, Select, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import Begin, Model, code_column, is_contention, is_duplicate
from yiyuebao_api.kernel.ids import AccountId, AuditId, HospitalId, Id, PatientId
from yiyuebao_api.kernel.paging import Paging, newest_first
from yiyuebao_api.kernel.secrets import ring, same
from yiyuebao_api.kernel.tokens import Mode

log = structlog.get_logger()

#: Nothing stays unsealed for longer while a worker runs.
SEALED_WITHIN = timedelta(seconds=10)
#: Rows of one seal: sixteen bytes each in its list.
BATCH = 1000
#: Rows named in a report; more are counted.
NAMED = 100
_FIRST = bytes(32)


class AuditEntry(Model):
    """Audit: who saw or changed whose data; appended and never changed (RULE-102, RULE-152)."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_patient", "patient_id", "id"),
        Index("ix_audit_entry_actor", "actor_id", "id"),
        Index("ix_audit_entry_action", "action", "id"),
        Index("ix_audit_entry_at", "at"),
    )

    id: Mapped[AuditId] = mapped_column(primary_key=True, comment="UUIDv7")
    at: Mapped[datetime] = mapped_column(comment="business clock of the request")
    actor_id: Mapped[AccountId | None] = mapped_column(comment="who; null for the service itself")
    mode: Mapped[Mode | None] = mapped_column(comment="signed in as what; null for the service itself")
    hospital_id: Mapped[HospitalId | None] = mapped_column(comment="for which hospital they acted")
    action: Mapped[str] = mapped_column(code_column(60), comment="what was done, <domain>.<verb>")
    patient_id: Mapped[PatientId | None] = mapped_column(comment="whose data")
    subject: Mapped[str] = mapped_column(code_column(60), comment="on which thing: its id")
    basis: Mapped[str] = mapped_column(code_column(60), comment="by what right: booking, contract, duty, ...")
    request_id: Mapped[str | None] = mapped_column(code_column(40), comment="request or job; the same as in the log")
    proof: Mapped[bytes] = mapped_column(BINARY(32), comment="keyed digest of this row")


class AuditPending(Model):
    """Audit rows that no seal holds yet; deleted by the sealer."""

    __tablename__ = "audit_pending"

    entry_id: Mapped[AuditId] = mapped_column(primary_key=True, comment="the audit row")


class AuditSeal(Model):
    """Seals: each binds some audit rows to everything sealed before."""

    __tablename__ = "audit_seal"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False, comment="1, 2, 3, ...")
    sealed_at: Mapped[datetime] = mapped_column(comment="system clock")
    entries: Mapped[int] = mapped_column(comment="how many rows")
    entry_ids: Mapped[bytes] = mapped_column(LargeBinary(65535), comment="their ids, sixteen bytes each, in order")
    digest: Mapped[bytes] = mapped_column(BINARY(32), comment="keyed digest of the seal before and of the rows' proofs")


# ── appending ────────────────────────────────────────────────────────────────────────────────────────────────────────


def note(
    tx: AsyncSession, *, actor: AccountId | None, mode: Mode | None, action: str, subject_patient: PatientId | None,
    subject: Id | str, basis: str, now: datetime, hospital: HospitalId | None = None, request_id: str | None = None,
) -> AuditId | None:  # fmt: skip
    """Append one row to this transaction; the same thing noted twice in it is one row, and the second answer is None.

    Without `request_id` it is the one that the log lines of this request or job carry. `action` and `basis` are words of
    the code, `subject` an id: never a name, a reason in words or a content.
    """
    told = (actor, mode, action, subject_patient, str(subject))
    noted: set[tuple[object, ...]] = tx.info.setdefault("audited", set())
    if told in noted:
        return None
    noted.add(told)
    entry = AuditEntry(
        id=AuditId.new(), at=now, actor_id=actor, mode=mode, hospital_id=hospital, action=action,
        patient_id=subject_patient, subject=str(subject), basis=basis, request_id=request_id or _current_request(),
    )  # fmt: skip
    entry.proof = proof_of(entry)
    tx.add_all([entry, AuditPending(entry_id=entry.id)])
    return entry.id


def _current_request() -> str | None:
    bound = structlog.contextvars.get_contextvars()
    return bound.get("request_id") or bound.get("job_id")


def proof_of(entry: AuditEntry) -> bytes:
    """The keyed digest of a row's own bytes."""
    return ring().witness("audit.entry", canonical(entry))


def canonical(entry: AuditEntry) -> bytes:
    """A row as bytes that no other row has: every field with its length in front, an empty one unlike a missing one."""
    return _framed([
        b"1", entry.id.bytes, _moment(entry.at), _bytes(entry.actor_id), _bytes(entry.mode), _bytes(entry.hospital_id),
        _bytes(entry.action), _bytes(entry.patient_id), _bytes(entry.subject), _bytes(entry.basis), _bytes(entry.request_id),
    ])  # fmt: skip


def _moment(at: datetime) -> bytes:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").encode()


def _bytes(value: Id | str | None) -> bytes | None:
    return value.bytes if isinstance(value, Id) else None if value is None else value.encode()


def _framed(fields: Iterable[bytes | None]) -> bytes:
    return b"".join(b"-" if each is None else str(len(each)).encode() + b":" + each for each in fields)


# ── sealing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def seal(begin: Begin, *, batch: int = BATCH) -> int:
    """Seal everything that is committed and pending; returns how many rows.

    Safe to run in any number of workers at once: the number of a seal is taken once, who comes second seals nothing.
    """
    sealed = 0
    while True:
        try:
            async with begin() as tx:
                count = await _seal_some(tx, batch)
        except Exception as error:
            if isinstance(error, IntegrityError) and is_duplicate(error):
                return sealed
            if is_contention(error):
                return sealed
            raise
        sealed += count
        if count < batch:
            return sealed


async def _seal_some(tx: AsyncSession, batch: int) -> int:
    last = await find_head(tx)  # before what waits: whoever seals in between takes this number, and ours is refused
    waiting = (await tx.scalars(select(AuditPending.entry_id).order_by(AuditPending.entry_id).limit(batch))).all()
    if not waiting:
        return 0
    found = await _entries(tx, waiting)
    ids = [each for each in waiting if each in found]  # one that was removed meanwhile stays pending, and is reported
    if not ids:
        return 0
    made = AuditSeal(
        number=1 if last is None else last.number + 1, sealed_at=clock.system_now(), entries=len(ids),
        entry_ids=b"".join(each.bytes for each in ids),
    )  # fmt: skip
    made.digest = _digest(made, _FIRST if last is None else last.digest, [found[each].proof for each in ids])
    tx.add(made)
    await tx.flush()
    await tx.execute(delete(AuditPending).where(AuditPending.entry_id.in_(ids)))
    log.info("audit sealed", number=made.number, entries=made.entries, head=made.digest.hex())
    return len(ids)


def _digest(sealed: AuditSeal, before: bytes, proofs: Sequence[bytes]) -> bytes:
    head = [str(sealed.number).encode(), before, _moment(sealed.sealed_at), str(sealed.entries).encode(), sealed.entry_ids]
    return ring().witness("audit.seal", _framed([*head, *proofs]))


async def _entries(tx: AsyncSession, ids: Sequence[AuditId]) -> dict[AuditId, AuditEntry]:
    fresh = select(AuditEntry).where(AuditEntry.id.in_(ids)).execution_options(populate_existing=True)
    return {each.id: each for each in (await tx.scalars(fresh)).all()}


async def find_head(tx: AsyncSession) -> AuditSeal | None:
    """The newest seal."""
    return (await tx.scalars(select(AuditSeal).order_by(AuditSeal.number.desc()).limit(1))).one_or_none()


# ── verifying ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head that was noted outside of the database."""

    number: int
    digest: bytes


@dataclass(slots=True)
class Report:
    """What `verify` found. `unsealed` rows are no damage: they are the tail that the next seal will hold."""

    entries: int = 0
    seals: int = 0
    head: Anchor | None = None
    unsealed: list[AuditId] = field(default_factory=list)
    changed: list[AuditId] = field(default_factory=list)
    removed: list[AuditId] = field(default_factory=list)
    inserted: list[AuditId] = field(default_factory=list)
    broken_seals: list[int] = field(default_factory=list)
    anchored: bool = True

    @property
    def sound(self) -> bool:
        """Nothing was changed, removed or inserted, as far as anybody can tell."""
        return self.anchored and not (self.changed or self.removed or self.inserted or self.broken_seals)


async def verify(begin: Begin, *, newest: int | None = None, anchor: Anchor | None = None) -> Report:
    """Read the book again and compare: all of it, or the `newest` seals with their rows and the unsealed tail.

    `changed` rows differ from their proof, or never had one of ours. `removed` are those that a seal or the pending list
    names and nobody finds; `inserted` stand in the book, and neither is told of them (full reading only). A broken seal
    differs itself, or does not follow the one before. Not anchored: the earlier head is not in this chain. Takes short
    transactions, locks nothing, and may run beside the sealer.
    """
    report = Report()
    async with begin() as tx:
        head = await find_head(tx)
    if head is not None:
        report.head = Anchor(head.number, head.digest)
        first = 1 if newest is None else max(1, head.number - newest + 1)
        await _verify_seals(begin, first, head.number, report)
    if anchor is not None:
        async with begin() as tx:
            known = await tx.get(AuditSeal, anchor.number)
            report.anchored = known is not None and same(known.digest, anchor.digest)
    await _verify_tail(begin, report)
    if newest is None:
        await _look_for_strays(begin, report)
    return report


async def _verify_seals(begin: Begin, first: int, last: int, report: Report) -> None:
    before: bytes | None = _FIRST
    if first > 1:
        async with begin() as tx:
            held = await tx.get(AuditSeal, first - 1)
            before = None if held is None else held.digest
    for number in range(first, last + 1):
        async with begin() as tx:
            one = await tx.get(AuditSeal, number)
            if one is None:
                report.broken_seals.append(number)
                before = None
                continue
            ids = _ids_of(one)
            found = await _entries(tx, ids)
        report.seals += 1
        report.entries += len(found)
        report.removed += [each for each in ids if each not in found]
        changed = [each.id for each in found.values() if not _is_genuine(each)]
        report.changed += changed
        proofs = [found[each].proof if each in found else b"" for each in ids]
        whole = len(found) == len(ids) and not changed
        if before is None or (whole and not same(one.digest, _digest(one, before, proofs))):
            report.broken_seals.append(number)
        before = one.digest


def _ids_of(one: AuditSeal) -> list[AuditId]:
    return [AuditId.of(one.entry_ids[at : at + 16]) for at in range(0, len(one.entry_ids) // 16 * 16, 16)]


def _is_genuine(entry: AuditEntry) -> bool:
    return same(entry.proof, proof_of(entry))


async def _verify_tail(begin: Begin, report: Report) -> None:
    after: AuditId | None = None
    while True:
        waiting = select(AuditPending.entry_id).order_by(AuditPending.entry_id).limit(BATCH)
        async with begin() as tx:
            ids = (await tx.scalars(waiting if after is None else waiting.where(AuditPending.entry_id > after))).all()
            found = await _entries(tx, ids) if ids else {}
        report.unsealed += [each for each in ids if each in found]
        report.removed += [each for each in ids if each not in found]
        report.changed += [each.id for each in found.values() if not _is_genuine(each)]
        if len(ids) < BATCH:
            return
        after = ids[-1]


async def _look_for_strays(begin: Begin, report: Report) -> None:
    """Every row is pending or sealed, in one look at all three tables; only when the sums differ is each row looked at."""
    counts = select(
        select(func.count()).select_from(AuditEntry).scalar_subquery(),
        select(func.coalesce(func.sum(AuditSeal.entries), 0)).scalar_subquery(),
        select(func.count()).select_from(AuditPending).scalar_subquery(),
    )
    async with begin() as tx:
        entries, sealed, pending = (await tx.execute(counts)).one()
    if entries == int(sealed) + pending and not report.removed and not report.broken_seals:
        return
    known: set[bytes] = set()
    async with begin() as tx:
        present = [each.bytes for each in (await tx.scalars(select(AuditEntry.id).order_by(AuditEntry.id))).all()]
    async with begin() as tx:  # later than the rows: what was sealed in between is known by now
        known |= {each.bytes for each in (await tx.scalars(select(AuditPending.entry_id))).all()}
    async with begin() as tx:
        for blob in (await tx.scalars(select(AuditSeal.entry_ids))).all():
            known |= {blob[at : at + 16] for at in range(0, len(blob), 16)}
    report.inserted += [AuditId.of(each) for each in present if each not in known]


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows are looked for; what is None does not count. The period is half-open."""

    patient_id: PatientId | None = None
    actor_id: AccountId | None = None
    hospital_id: HospitalId | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def list_entries(tx: AsyncSession, wanted: Wanted, paging: Paging) -> Sequence[AuditEntry]:
    """Newest first, one more than asked."""
    return (await tx.scalars(newest_first(_matching(wanted), AuditEntry.id, AuditId, paging))).all()


async def entries_after(
    tx: AsyncSession, wanted: Wanted, after: AuditId | None, *, until: datetime, most: int
) -> Sequence[AuditEntry]:
    """Oldest first, from behind a row on, only what was noted before `until`."""
    statement = _matching(wanted).where(AuditEntry.at < until)
    if after is not None:
        statement = statement.where(AuditEntry.id > after)
    return (await tx.scalars(statement.order_by(AuditEntry.id).limit(most))).all()


def _matching(wanted: Wanted) -> Select[AuditEntry]:
    statement = select(AuditEntry)
    for column, value in (
        (AuditEntry.patient_id, wanted.patient_id), (AuditEntry.actor_id, wanted.actor_id),
        (AuditEntry.hospital_id, wanted.hospital_id), (AuditEntry.action, wanted.action),
    ):  # fmt: skip
        if value is not None:
            statement = statement.where(column == value)
    if wanted.since is not None:
        statement = statement.where(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(AuditEntry.at < wanted.until)
    return statement


async def count_unsealed(tx: AsyncSession) -> int:
    """How long the tail is."""
    return cast("int", await tx.scalar(select(func.count()).select_from(AuditPending)))
