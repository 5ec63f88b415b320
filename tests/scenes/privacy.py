"""Scenes of privacy: codes that were just sent, and the worker's turn."""

from __future__ import annotations

from sqlalchemy import delete

from tests.scenes.accounts import read_code
from yiyuebao_api import wiring
from yiyuebao_api.context import Context
from yiyuebao_api.domains.accounts.models import Allowance
from yiyuebao_api.domains.accounts.queries import phone_of
from yiyuebao_api.domains.accounts.rules import CodePurpose
from yiyuebao_api.domains.accounts.service import send_sms_code
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.ids import AccountId
from yiyuebao_api.kernel.outbox import Worker

ASKED, CLOSING = "/v1/privacy/exports", "/v1/privacy/closing"


async def code_for(context: Context, account_id: AccountId, *, purpose: str = "privacy") -> str:
    """The code that the account's phone just got, as if the last one were long ago."""
    async with context.begin() as tx:
        await tx.execute(delete(Allowance))
        phone = await phone_of(tx, account_id)
    assert phone is not None
    settings = context.settings.sms
    await send_sms_code(
        context.begin, context.gateways.sms, phone, purpose=CodePurpose(purpose), address=bytes(32),
        template=settings.login_template, daily_budget=settings.daily_budget, now=clock.now(),
    )  # fmt: skip
    return await read_code(settings.base_url, phone.removeprefix("+86"))


async def do_jobs(context: Context, job: str) -> None:
    """What the worker does of one kind, now."""
    await Worker(context.begin, context, wiring.JOBS, {}).drain(job)
