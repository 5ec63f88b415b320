"""SMS codes and the allowances that keep them from being pumped or guessed (RULE-10)."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from yiyuebao_api.domains.accounts.models import SmsCode
from yiyuebao_api.domains.accounts.problems import PhoneUnreachable, SmsCodeLimit
from yiyuebao_api.domains.accounts.queries import lock_allowance, lock_newest_code, phone_index
from yiyuebao_api.domains.accounts.rules import (
    CODE_LIFE,
    CODE_TRIES,
    CODES_PER_ADDRESS,
    CODES_PER_PHONE,
    CodePurpose,
    Limit,
    Window,
    seconds,
    spend,
    wait,
)
from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.sms import SmsSender
from yiyuebao_api.kernel.database import Begin
from yiyuebao_api.kernel.ids import RowId
from yiyuebao_api.kernel.problems import ProviderDown
from yiyuebao_api.kernel.secrets import blind, code_hash, new_code, same

log = structlog.get_logger("yiyuebao.accounts")


async def send_sms_code(
    begin: Begin, gateway: SmsSender, phone_e164: str, *, purpose: CodePurpose, address: bytes, template: str,
    daily_budget: int, now: datetime,
) -> None:  # fmt: skip
    """Send a new code; the ones before it end. Known and unknown numbers are treated alike.

    The code is committed before it is sent, and never sent twice: when nobody knows whether it left, the user asks
    again after the gap. Raises SmsCodeLimit, PhoneUnreachable, ProviderDown.
    """
    code, row_id = new_code(), RowId.new()
    async with begin() as tx:
        # Always in this order: what one phone, one address and everybody may ask for.
        for subject, limit in (
            (blind("accounts.codes.phone", phone_e164), CODES_PER_PHONE),
            (blind("accounts.codes.address", address.hex()), CODES_PER_ADDRESS),
            (blind("accounts.codes.all", ""), Limit(daily_budget, Window.DAY)),
        ):
            if left := await spend_allowance(tx, subject, limit, now=now):
                raise SmsCodeLimit(wait_s=seconds(left))
        tx.add(SmsCode(
            id=row_id, phone_index=phone_index(phone_e164), purpose=purpose, code_hash=_hash(row_id, code),
            address_index=address, tries=0, created_at=now, expires_at=now + CODE_LIFE, used_at=None,
        ))  # fmt: skip
    try:
        await gateway.send_code(phone_e164, code, template)
    except ProviderUnavailable as error:
        log.warning("sms unavailable", error=str(error))
        raise ProviderDown(retry_after=seconds(CODES_PER_PHONE.gap)) from None
    except ProviderRefused as error:
        if error.code == "invalid-phone":
            raise PhoneUnreachable from None
        if error.code == "rate-limited":
            raise SmsCodeLimit(wait_s=seconds(CODES_PER_PHONE.gap)) from None
        log.error("sms refused", error=str(error))
        raise ProviderDown(retry_after=seconds(CODES_PER_PHONE.gap)) from None


async def try_code(tx: AsyncSession, phone_e164: str, code: str, *, purpose: CodePurpose, now: datetime) -> bool:
    """One guess at the newest code of a phone. The caller commits whatever the outcome: a wrong guess is counted.

    The row is locked before it is looked at, so fifty parallel guesses are five and forty-five refusals.
    """
    row = await lock_newest_code(tx, phone_index(phone_e164), purpose)
    if row is None or row.used_at is not None or now >= row.expires_at or row.tries >= CODE_TRIES:
        return False
    row.tries += 1
    if not same(row.code_hash, _hash(row.id, code)):
        return False
    row.used_at = now
    return True


async def spend_allowance(tx: AsyncSession, subject: bytes, limit: Limit, *, now: datetime) -> timedelta:
    """Spend one of an allowance, or say how long until one is there; zero when it was spent."""
    allowance = await lock_allowance(tx, subject, now=now)
    left = wait(allowance.spent, limit, now)
    if not left:
        allowance.spent = spend(allowance.spent, limit, now)
    return left


def _hash(row_id: RowId, code: str) -> bytes:
    return code_hash(f"accounts.sms_code.{row_id}", code)
