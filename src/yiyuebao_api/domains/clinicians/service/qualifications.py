"""A person's certificates: filled in by themself, decided by the operator, written into their file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.clinicians import queries, rules
from yiyuebao_api.domains.clinicians.events import QualificationDecided
from yiyuebao_api.domains.clinicians.models import Clinician, ClinicianState, Qualification
from yiyuebao_api.domains.clinicians.problems import (
    CertificateNotReadable,
    ClinicianStateRefused,
    QualificationAlreadyOpen,
    QualificationNotAcceptable,
    QualificationOfOtherKind,
    QualificationStateRefused,
)
from yiyuebao_api.domains.clinicians.rules import LICENCES, Fault, QualificationKind, QualificationState
from yiyuebao_api.domains.clinicians.schemas import QualificationApprovalIn, QualificationFieldsIn, QualificationIn
from yiyuebao_api.domains.files import service as files
from yiyuebao_api.domains.files.queries import require_file
from yiyuebao_api.domains.files.rules import Purpose
from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.identity_ocr import IdentityOcr
from yiyuebao_api.gateways.object_store import ObjectStore
from yiyuebao_api.kernel import audit, outbox
from yiyuebao_api.kernel.database import Begin, is_duplicate
from yiyuebao_api.kernel.editing import Precondition
from yiyuebao_api.kernel.events import announce
from yiyuebao_api.kernel.ids import AccountId, ClinicianId, FileId, QualificationId
from yiyuebao_api.kernel.secrets import blind
from yiyuebao_api.kernel.tokens import Mode

#: Final answers about the picture, not about us.
_NOTHING_THERE = frozenset({"bad-image", "not-recognised"})
log = structlog.get_logger()


async def begin_qualification(
    tx: AsyncSession, account_id: AccountId, body: QualificationIn, *, now: datetime
) -> Qualification:
    """A certificate of the caller's own file, as a draft.

    Raises NotFound, ClinicianStateRefused, QualificationOfOtherKind, FileNotFound, QualificationAlreadyOpen.
    """
    clinician = await _own_clinician(tx, account_id, body.clinician_id)
    if body.kind not in rules.KINDS[clinician.kind]:
        raise QualificationOfOtherKind
    paper = Qualification(
        id=QualificationId.new(), clinician_id=clinician.id, kind=body.kind, state=QualificationState.DRAFT,
        pending=True, fault=None, reason=None, submitted_at=None, decided_at=None, decided_by=None,
        recognised=None, version=1, created_at=now, **_fields(body),
    )  # fmt: skip
    await _keep(tx, account_id, paper)
    tx.add(paper)
    try:
        await tx.flush()
    except IntegrityError as error:
        if is_duplicate(error, "uq_qualification_clinician_id_kind_pending"):
            raise QualificationAlreadyOpen from None
        raise
    return paper


async def edit_qualification(
    tx: AsyncSession, paper_id: QualificationId, body: QualificationFieldsIn, expected: Precondition
) -> Qualification:
    """Correct a draft, or what was rejected. Raises PreconditionFailed, QualificationStateRefused, FileNotFound."""
    clinician, paper = await _held(tx, paper_id)
    expected.require(paper.version)
    if paper.state is QualificationState.SUBMITTED:  # the reviewer is looking at it: it is withdrawn first
        raise QualificationStateRefused(state=paper.state.value)
    _move(paper, QualificationState.DRAFT)
    for name, value in _fields(body).items():
        setattr(paper, name, value)
    await _keep(tx, clinician.account_id, paper)
    return paper


async def submit_qualification(tx: AsyncSession, paper_id: QualificationId, *, now: datetime) -> Qualification:
    """Ask the operator to decide; what a machine can refuse is refused here.

    Raises QualificationStateRefused; QualificationNotAcceptable with every fault.
    """
    clinician, paper = await _held(tx, paper_id)
    _move(paper, QualificationState.SUBMITTED)
    _check(rules.faults_of(paper, name=clinician.name, kind=clinician.kind, on=rules.day_of(now)))
    paper.submitted_at, paper.recognised = now, None
    await outbox.put(tx, "clinicians.read_photos", paper.id, {"version": paper.version}, now=now)
    return paper


async def withdraw_qualification(tx: AsyncSession, paper_id: QualificationId) -> Qualification:
    """Take a certificate back before it is decided, to correct it. Raises QualificationStateRefused."""
    _, paper = await _held(tx, paper_id)
    if paper.state is not QualificationState.SUBMITTED:
        raise QualificationStateRefused(state=paper.state.value)
    _move(paper, QualificationState.DRAFT)
    return paper


async def approve_qualification(
    tx: AsyncSession, paper_id: QualificationId, body: QualificationApprovalIn, expected: Precondition, *,
    operator: AccountId, now: datetime,
) -> Qualification:  # fmt: skip
    """The operator has compared the certificate with its register: what it says becomes the file's (RULE-22, RULE-26).

    `expected` is the version that the operator looked at. The one it replaces expires. Raises NotFound,
    PreconditionFailed, QualificationStateRefused, QualificationNotAcceptable with every fault.
    """
    clinician, paper = await _held(tx, paper_id)
    expected.require(paper.version)
    replaced = await queries.lock_approved(tx, clinician.id, paper.kind)
    _move(paper, QualificationState.APPROVED)
    today = rules.day_of(now)
    faults = rules.faults_of(paper, name=clinician.name, kind=clinician.kind, on=today)
    await queries.lock_number(tx, paper.kind, paper.number_index, now)
    if await queries.is_number_of_another(tx, paper, clinician.account_id):
        faults.append(Fault.NUMBER_TAKEN)
    if paper.kind in LICENCES:
        if body.practice is None:
            faults.append(Fault.NOT_REGISTERED_HERE)
        in_register = body.e_reg_checked_on is not None and body.e_reg_source is not None
        late = body.e_reg_checked_on is not None and body.e_reg_checked_on > today
        if late or (paper.kind is QualificationKind.NURSE_LICENCE and not in_register):
            faults.append(Fault.NOT_IN_REGISTER)
    _check(faults)
    for each in replaced:
        _move(each, QualificationState.EXPIRED)
    paper.pending, paper.decided_at, paper.decided_by = None, now, operator
    paper.fault = paper.reason = None
    _write_down(clinician, paper, body, now)
    await announce(tx, QualificationDecided(paper.id, clinician.account_id, clinician.hospital_id, True, now))
    return paper


async def reject_qualification(
    tx: AsyncSession, paper_id: QualificationId, fault: Fault, reason: str, *, operator: AccountId, now: datetime
) -> Qualification:
    """The operator sends a certificate back and names the clause. Raises NotFound, QualificationStateRefused."""
    clinician, paper = await _held(tx, paper_id)
    _move(paper, QualificationState.REJECTED)
    paper.fault, paper.reason, paper.decided_at, paper.decided_by = fault, reason, now, operator
    await announce(tx, QualificationDecided(paper.id, clinician.account_id, clinician.hospital_id, False, now))
    return paper


def _write_down(clinician: Clinician, paper: Qualification, body: QualificationApprovalIn, now: datetime) -> None:
    if paper.kind in LICENCES:
        clinician.licence_no, clinician.licence_checked_at = paper.number, now
        clinician.licence_valid_until = paper.valid_until or clinician.licence_valid_until
        clinician.practice = body.practice
        clinician.e_reg_checked_on, clinician.e_reg_source = body.e_reg_checked_on, body.e_reg_source
    if paper.kind is QualificationKind.TITLE and paper.title is not None:
        clinician.title, clinician.title_checked_at = paper.title, now
    clinician.version += 1


async def _own_clinician(tx: AsyncSession, account_id: AccountId, clinician_id: ClinicianId) -> Clinician:
    clinician = await queries.require_clinician_of_account(tx, account_id, clinician_id)
    if clinician.state is ClinicianState.EXITED:
        raise ClinicianStateRefused(state=clinician.state.value)
    return clinician


async def _held(tx: AsyncSession, paper_id: QualificationId) -> tuple[Clinician, Qualification]:
    """Both rows locked, the file first, as everywhere. Raises NotFound."""
    found = await queries.require_qualification(tx, paper_id)
    clinician = await queries.lock_clinician(tx, found.clinician_id)
    return clinician, await queries.lock_qualification(tx, paper_id)


def _move(paper: Qualification, state: QualificationState) -> None:
    rules.check_qualification_move(paper.state, state)
    paper.state = state
    paper.version += 1


def _check(faults: list[Fault]) -> None:
    if faults:
        raise QualificationNotAcceptable(faults=[each.value for each in faults])


def _fields(body: QualificationFieldsIn) -> dict[str, Any]:
    """The fields in the form they are kept and compared in."""
    fields: dict[str, Any] = {name: getattr(body, name) for name in QualificationFieldsIn.model_fields}
    fields["photo_ids"] = [*dict.fromkeys(map(str, body.photo_ids))]
    return fields | {"number_index": blind("qualification.number", body.number)}


async def _keep(tx: AsyncSession, owner: AccountId, paper: Qualification) -> None:
    """Hold on to its photographs: the holder's own, uploaded for this. Raises FileNotFound."""
    for each in paper.photo_ids:
        await files.keep(tx, await require_file(tx, FileId.parse(each), owner=owner, purpose=Purpose.LICENCE))


# ── what a machine reads (A07) ───────────────────────────────────────────────────────────────────────────────────────


async def read_photo(
    begin: Begin, store: ObjectStore, reader: IdentityOcr, owner: AccountId, file_id: FileId
) -> Sequence[str]:
    """The lines on one's own photograph, to fill a certificate in; nothing is kept.

    Raises FileNotFound, ProviderDown, CertificateNotReadable. A picture in which nothing was recognised has no lines.
    """
    async with begin() as tx:
        await require_file(tx, file_id, owner=owner, purpose=Purpose.LICENCE)
    try:
        return await reader.read_text(await files.read_file(begin, store, file_id))
    except ProviderUnavailable as error:
        log.warning("photograph not read", file=str(file_id), error=type(error).__name__)
    except ProviderRefused as refused:
        if refused.code in _NOTHING_THERE:
            return []
        log.error("photograph not read", file=str(file_id), code=refused.code)
    raise CertificateNotReadable(retry_after=60)


async def read_photos(
    begin: Begin, store: ObjectStore, reader: IdentityOcr, paper_id: QualificationId, version: int
) -> None:
    """Read what was submitted, for the reviewer to compare; it decides nothing. Safe to repeat.

    Raises ProviderUnavailable, ProviderDown: the job comes again. What the reader is final about is kept as no lines.
    """
    async with begin() as tx:
        paper = await queries.require_qualification(tx, paper_id)
        if not _waits_to_be_read(paper, version):
            return
        photo_ids = [FileId.parse(each) for each in paper.photo_ids]
    lines: list[str] = []
    for file_id in photo_ids:
        try:
            lines += await reader.read_text(await files.read_file(begin, store, file_id))
        except ProviderRefused as refused:
            log.error("photograph not read", paper=str(paper_id), code=refused.code)
    async with begin() as tx:
        paper = await queries.lock_qualification(tx, paper_id)
        if _waits_to_be_read(paper, version):
            paper.recognised = {"lines": lines}  # the version stays: nothing that is decided on has changed


def _waits_to_be_read(paper: Qualification, version: int) -> bool:
    return paper.state is QualificationState.SUBMITTED and paper.version == version and paper.recognised is None


def note_look(tx: AsyncSession, paper: Qualification, operator: AccountId, *, now: datetime) -> None:
    """An operator saw the photographs (RULE-102)."""
    audit.note(
        tx, actor=operator, mode=Mode.OPERATOR, action="clinicians.show_qualification", subject_patient=None,
        subject=paper.id, basis="duty", now=now,
    )  # fmt: skip
