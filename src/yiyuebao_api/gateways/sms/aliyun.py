"""Aliyun Dysms, SendSms of 2017-05-25, signed with ACS3-HMAC-SHA256.

Source: Aliyun's "V3 request body and signature" and the error list of SendSms. Business refusals arrive as HTTP
200 with a `Code` that is not OK; refusals of the API gateway (signature, clock, throttling) as HTTP 4xx.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from typing import Final
from urllib.parse import quote, urlencode

import httpx
from pydantic import BaseModel, Field, ValidationError

from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.http import HttpGateway, ask, open_client
from yiyuebao_api.kernel import clock
from yiyuebao_api.kernel.database import assert_no_transaction
from yiyuebao_api.settings import Sms

_CHINESE_MOBILE = re.compile(r"\+86(1[3-9]\d{9})")

_MEANING: Final = {
    "isv.MOBILE_NUMBER_ILLEGAL": "invalid-phone",
    "isv.DOMESTIC_NUMBER_NOT_SUPPORTED": "invalid-phone",
    "isv.BUSINESS_LIMIT_CONTROL": "rate-limited",
    "isv.BLACK_KEY_CONTROL_LIMIT": "content-refused",
    "isv.PARAM_NOT_SUPPORT_URL": "content-refused",
    "isv.PARAM_LENGTH_LIMIT": "content-refused",
    "isv.SMS_TEMPLATE_ILLEGAL": "misconfigured",
    "isv.SMS_SIGNATURE_ILLEGAL": "misconfigured",
    "isv.SMS_SIGNATURE_SCENE_ILLEGAL": "misconfigured",
    "isv.TEMPLATE_MISSING_PARAMETERS": "misconfigured",
    "isv.TEMPLATE_PARAMS_ILLEGAL": "misconfigured",
    "isv.INVALID_JSON_PARAM": "misconfigured",
    "isv.INVALID_PARAMETERS": "misconfigured",
    "isv.ACCOUNT_NOT_EXISTS": "misconfigured",
    "isv.ACCOUNT_ABNORMAL": "misconfigured",
    "isv.PRODUCT_UN_SUBSCRIPT": "misconfigured",
    "isv.PRODUCT_UNSUBSCRIBE": "misconfigured",
    "isp.RAM_PERMISSION_DENY": "misconfigured",
}
#: The same message may be accepted later: somebody pays the bill, the day ends, the network recovers.
_PASSING: Final = frozenset(
    {
        "isp.SYSTEM_ERROR",
        "isp.GATEWAY_ERROR",
        "isv.AMOUNT_NOT_ENOUGH",
        "isv.OUT_OF_SERVICE",
        "isv.DAY_LIMIT_CONTROL",
    }
)


class _Answer(BaseModel):
    code: str = Field(alias="Code")
    request_id: str = Field("", alias="RequestId")


class AliyunSms(HttpGateway):
    """Sends through one Aliyun account under one signature name (签名)."""

    def __init__(self, settings: Sms) -> None:
        super().__init__(open_client(settings.base_url, timeout_s=settings.timeout_s, ca_bundle=settings.ca_bundle))
        self._key_id = settings.access_key_id
        self._secret = settings.access_key_secret
        self._sign_name = settings.sign_name

    async def send_code(self, phone_e164: str, code: str, template: str) -> None:
        assert_no_transaction()
        mobile = _CHINESE_MOBILE.fullmatch(phone_e164)
        if mobile is None:
            raise ProviderRefused("invalid-phone", "only mobile numbers of mainland China are served (RULE-09)")
        form = {
            "PhoneNumbers": mobile[1],
            "SignName": self._sign_name,
            "TemplateCode": template,
            "TemplateParam": json.dumps({"code": code}, separators=(",", ":")),
        }
        status, body = await ask("sms", self._client, self._signed(urlencode(form, quote_via=quote).encode()))
        try:
            answer = _Answer.model_validate_json(body)
        except ValidationError:
            raise ProviderUnavailable(f"sms: HTTP {status} with an answer that cannot be read") from None
        if status != 200 or answer.code != "OK":
            raise _refusal(status, answer)

    def _signed(self, body: bytes) -> httpx.Request:
        request = self._client.build_request("POST", "/", content=body)
        digest = hashlib.sha256(body).hexdigest()
        signed = {
            "content-type": "application/x-www-form-urlencoded",
            "host": request.headers["host"],
            "x-acs-action": "SendSms",
            "x-acs-content-sha256": digest,
            "x-acs-date": clock.system_now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": secrets.token_hex(16),
            "x-acs-version": "2017-05-25",
        }
        names = ";".join(signed)  # already in the order of the alphabet, as the signature wants them
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        canonical = f"POST\n{request.url.path}\n\n{lines}\n{names}\n{digest}"
        to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
        secret = self._secret.get_secret_value().encode()
        signature = hmac.new(secret, to_sign.encode(), hashlib.sha256).hexdigest()
        request.headers.update(signed)
        request.headers["Authorization"] = (
            f"ACS3-HMAC-SHA256 Credential={self._key_id},SignedHeaders={names},Signature={signature}"
        )
        return request


def _refusal(status: int, answer: _Answer) -> ProviderUnavailable | ProviderRefused:
    """The provider's message stays out: it repeats the phone number."""
    said = f"{answer.code} ({answer.request_id})"
    if answer.code in _PASSING or answer.code.startswith(("Throttling", "ServiceUnavailable", "InternalError")):
        return ProviderUnavailable(f"sms: {said}")
    # Without isv. or isp. the API gateway spoke: key, signature, clock or action.
    default = "refused" if answer.code.startswith(("isv.", "isp.")) else "misconfigured"
    return ProviderRefused(_MEANING.get(answer.code, default), f"sms: HTTP {status} {said}")
