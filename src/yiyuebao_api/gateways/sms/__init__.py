"""Short messages: a code on its way to a phone (RULE-10).

Refusals (`ProviderRefused.code`):

    invalid-phone      the number cannot receive messages; for the user
    rate-limited       this number got too many: one a minute, five an hour, ten a day; for the user
    content-refused    the operator's filter took offence at the text
    misconfigured      key, signature name, template or permission is wrong; for the operator
    refused            anything else the provider is final about
"""

from __future__ import annotations

from typing import Annotated, Protocol, cast

from fastapi import Depends
from fastapi.requests import HTTPConnection


class SmsSender(Protocol):
    """Sends short messages from approved templates."""

    async def send_code(self, phone_e164: str, code: str, template: str) -> None:
        """Hand one code to the operator of `phone_e164`; returning means accepted, not yet delivered.

        Not idempotent, hence never repeated by itself: after ProviderUnavailable the message may or may not
        have left. The user asks again, within the limits of RULE-10. Raises ProviderUnavailable,
        ProviderRefused.
        """
        ...


async def get_sms(connection: HTTPConnection) -> SmsSender:
    """The one of this process."""
    return cast("SmsSender", connection.app.state.gateways.sms)


SmsGateway = Annotated[SmsSender, Depends(get_sms)]
