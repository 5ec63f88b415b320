"""A feature that needs somebody's consent says so: `dependencies=[Depends(requires(Purpose.LOCATION))]`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from fastapi.requests import HTTPConnection

from yiyuebao_api.domains.accounts.guards import Member
from yiyuebao_api.domains.consents import queries
from yiyuebao_api.domains.consents.models import Consent
from yiyuebao_api.domains.consents.rules import Purpose
from yiyuebao_api.kernel.database import Transactions, Tx, current_attempt
from yiyuebao_api.kernel.ids import ConsentId, PatientId
from yiyuebao_api.kernel.problems import NotFound


def requires(*purposes: Purpose) -> Callable[..., Awaitable[None]]:
    """A dependency that refuses a feature with ConsentMissing while consent to one of the purposes does not stand.

    It is about the patient whom the path names as `patient_id`, else about the account. Where a body names the patient,
    the use case calls `queries.require_consents` itself. An operation without `Tx` is asked in a short transaction of
    its own. Declare `ConsentMissing` in the route's `refuses(…)`.
    """

    async def consented(caller: Member, connection: HTTPConnection, begin: Transactions) -> None:
        try:
            patient_id = PatientId.parse(connection.path_params.get("patient_id", ""))
        except ValueError:
            patient_id = None
            if "patient_id" in connection.path_params:
                raise NotFound from None
        attempt = current_attempt.get()
        before = attempt.committed if attempt is not None else False
        open_tx = getattr(connection.state, "tx", None)
        if open_tx is not None:
            await queries.require_consents(open_tx, caller.account_id, patient_id, *purposes)
            return
        async with begin() as tx:
            await queries.require_consents(tx, caller.account_id, patient_id, *purposes)
        if attempt is not None:
            attempt.committed = before  # looking has no effect: the request may still be run again

    return consented


async def access_own_consent(caller: Member, consent_id: ConsentId, tx: Tx) -> Consent:
    """One of the caller's own answers. Raises NotFound."""
    return await queries.require_own_consent(tx, caller.account_id, consent_id)


OwnConsent = Annotated[Consent, Depends(access_own_consent)]
