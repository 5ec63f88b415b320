"""`python -m yiyuebao_api staff`: how an installation gets its first operator and auditor."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from urllib.parse import parse_qs, urlsplit

import pyotp

from tests.client import Api, refused
from yiyuebao_api.kernel import clock
from yiyuebao_api.settings import Settings

SESSIONS = "/v1/accounts/sessions/password"


async def register(settings: Settings, login: str, mode: str) -> tuple[int, str]:
    environment = {**os.environ, "YIYUEBAO_DATABASE__URL": settings.database.url.get_secret_value()}
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "yiyuebao_api", "staff", login, "--mode", mode, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await started.communicate()
    return started.returncode or 0, said.decode()


async def test_who_was_registered_signs_in_with_both_steps(settings: Settings, api: Api, dirty: object) -> None:
    code, said = await register(settings, "Platform.One", "operator")
    assert code == 0, said
    password = re.search(r"^password +(\S+)$", said, re.MULTILINE)
    address = re.search(r"^TOTP +(\S+)$", said, re.MULTILINE)
    assert password
    assert address
    secret = parse_qs(urlsplit(address[1]).query)["secret"][0]
    body = {"login": "platform.one", "password": password[1], "device": "Chrome"}
    refused(await api.post(SESSIONS, json=body), 401, "totp-needed")
    answer = await api.post(SESSIONS, json={**body, "totp": pyotp.TOTP(secret).at(clock.system_now())})
    assert answer.status_code == 201, answer.text
    code, said = await register(settings, "platform.one", "auditor")
    assert (code, said.strip()) == (1, "This login is in use; choose another.")
