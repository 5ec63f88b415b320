"""The people of the story: each holds a phone or a browser, is signed in, and speaks to the API over HTTP alone."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx

from yiyuebao_api.demo.outside import Outside
from yiyuebao_api.demo.stage import Stage, StoryBroken

Json = dict[str, Any]
Found = TypeVar("Found")

#: What helps when something does not come that follows a commit.
WORKER = "worker 在运行吗？scripts/run 会启动它；单独启动：python -m yiyuebao_api worker"


class Person:
    """Somebody. When the token has ended (the clock was moved) they sign in anew, as an app does."""

    def __init__(self, name: str, api: httpx.AsyncClient, stage: Stage) -> None:
        self.name: str = name
        self.tokens: Json = {}
        self._api, self._stage = api, stage
        self._renew: Callable[[], Awaitable[None]] | None = None

    # ── signing in ────────────────────────────────────────────────────────────────────────────────────────────────

    async def sign_in_by_sms(self, outside: Outside, phone: str) -> bool:
        """A code comes to the phone. False when no code was to be had: it is asked for too often."""
        asked = await self._send("POST", "/v1/accounts/sms-codes", {"phone": phone, "purpose": "login"})
        if asked.status_code == 429:
            self._stage.refusal(asked.json())
            return False
        _require(asked, 202)
        message = await outside.newest_sms(phone)
        self._stage.fact("短信", message["text"], "the sandbox's SMS inbox")
        body = {"phone": phone, "code": message["code"], "device": f"{self.name}的手机"}
        await self._signed_in(await self._send("POST", "/v1/accounts/sessions", body))
        return True

    async def sign_in_by_wechat(self, outside: Outside, phone: str) -> str:
        """The mini-program's login, with the phone number the first time; returns the openid."""
        code, phone_code, openid = await outside.wechat_codes(phone)
        body = {"login_code": code, "phone_code": phone_code, "device": f"{self.name}的微信"}
        answer = await self._send("POST", "/v1/accounts/sessions/wechat", body)
        if answer.status_code == 409 and answer.json()["code"] == "another-wechat-bound" and self.tokens:
            return "（此前已绑定另一微信）"
        await self._signed_in(answer)
        return openid

    async def sign_in_by_password(self, login: str, password: str) -> None:
        """A back end: after thirty idle minutes the same again."""

        async def again() -> None:
            body = {"login": login, "password": password, "device": "Chrome"}
            _keep(self, await self._send("POST", "/v1/accounts/sessions/password", body, quiet=bool(self.tokens)))

        await again()
        self._renew = again

    async def change_mode(self, mode: str, hospital_id: str | None = None) -> None:
        """Go on as somebody else the account also is."""
        self.tokens = await self.post("/v1/accounts/mode", {"mode": mode, "hospital_id": hospital_id})

    async def _signed_in(self, answer: httpx.Response) -> None:
        _keep(self, answer)

        async def refresh() -> None:
            body = {"refresh_token": self.tokens["refresh_token"]}
            _keep(self, await self._send("POST", "/v1/accounts/tokens/refresh", body, quiet=True))

        self._renew = refresh

    def leave(self, name: str) -> None:
        """Somebody else takes the part, with a phone of their own."""
        self.name, self.tokens, self._renew = name, {}, None

    async def agree(self, patient_id: str, *purposes: str, quiet: bool = False) -> list[Json]:
        """Read and agree to what is still needed, one notice for each purpose; what was agreed to now."""
        agreed = []
        for each in await self.get("/v1/consents", quiet=quiet):
            if each["purpose"] not in purposes or each["given"] or each["patient_id"] not in (None, patient_id):
                continue
            notice = await self.get(f"/v1/consents/notices/{each['notice_id']}", quiet=quiet)
            body = {"notice_id": notice["id"], "patient_id": each["patient_id"], "read_at": notice["served_at"]}
            await self.post("/v1/consents", body, quiet=quiet)
            agreed.append(notice)
        return agreed

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def get(self, path: str, *, quiet: bool = False, **query: Any) -> Any:
        """What is there."""
        return _require(await self.ask("GET", path, query=query, quiet=quiet)).json()

    async def post(
        self, path: str, body: Json | None = None, *, key: str | None = None, version: int | None = None, quiet: bool = False
    ) -> Any:
        """Do something that works; `version` is the one that was looked at."""
        return _require(await self.ask("POST", path, body, key=key, version=version, quiet=quiet)).json()

    async def put(self, path: str, body: Json, *, version: int | None = None, quiet: bool = False) -> Any:
        """Set something that works; `version` is the one that was looked at."""
        return _require(await self.ask("PUT", path, body, version=version, quiet=quiet)).json()

    async def upload(self, purpose: str, content: bytes, name: str) -> Json:
        """A picture or document, as `uni.uploadFile` sends it."""
        headers = {"Authorization": f"Bearer {self.tokens['access_token']}"}
        files = {"file": (name, content, "image/jpeg" if name.endswith(".jpg") else "image/png")}
        answer = await self._api.post("/v1/files", data={"purpose": purpose}, files=files, headers=headers)
        self._stage.call("POST", "/v1/files", answer.status_code)
        sent: Json = _require(answer, 201).json()
        return sent

    async def fetch(self, url: str) -> bytes:
        """What a signed link leads to, without signing in."""
        answer = await self._api.get(url)
        self._stage.call("GET", url.partition("?")[0], answer.status_code)
        return _require(answer).content

    def beside(self, name: str) -> Person:
        """Somebody else of the same story, not signed in yet."""
        return Person(name, self._api, self._stage)

    async def refused(self, path: str, body: Json, code: str, *, key: str | None = None) -> Json:
        """Try something that is refused with this code; shows and returns the refusal."""
        answer = await self.ask("POST", path, body, key=key)
        problem: Json = answer.json()
        if problem.get("code") != code:
            raise StoryBroken(f"本应被拒绝（{code}），却得到 {answer.status_code} {answer.text[:300]}")
        self._stage.refusal(problem)
        return problem

    def show(self, problem: Json) -> None:
        """A refusal that leads to another try."""
        self._stage.refusal(problem)

    async def ask(
        self, method: str, path: str, body: Json | None = None, *, key: str | None = None, version: int | None = None,
        query: Json | None = None, quiet: bool = False,
    ) -> httpx.Response:  # fmt: skip
        """Whatever the answer is; a token that has ended is renewed once."""
        answer = await self._send(method, path, body, key=key, version=version, query=query, quiet=True)
        if answer.status_code == 401 and self._renew is not None:
            await self._renew()
            answer = await self._send(method, path, body, key=key, version=version, query=query, quiet=True)
        if not quiet:
            self._stage.call(method, path, answer.status_code)
        return answer

    async def _send(
        self, method: str, path: str, body: Json | None = None, *, key: str | None = None, version: int | None = None,
        query: Json | None = None, quiet: bool = False,
    ) -> httpx.Response:  # fmt: skip
        headers = {"Authorization": f"Bearer {self.tokens['access_token']}"} if self.tokens else {}
        if key is not None:
            headers["Idempotency-Key"] = key
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        try:
            answer = await self._api.request(method, path, json=body, params=query, headers=headers)
        except httpx.TransportError as error:
            raise StoryBroken(f"{self._api.base_url} 没有应答（{type(error).__name__}）。先启动：scripts/run") from None
        if not quiet:
            self._stage.call(method, path, answer.status_code)
        return answer


def new_key() -> str:
    """An Idempotency-Key."""
    return secrets.token_hex(12)


async def until(
    what: str, look: Callable[[], Awaitable[Found | None]], *, hint: str = WORKER, within_s: float = 20.0
) -> Found:
    """What `look` finds, as soon as it does. Raises StoryBroken, with what was waited for and what may help."""
    deadline = time.monotonic() + within_s
    while (found := await look()) is None:
        if time.monotonic() > deadline:
            raise StoryBroken(f"等了 {within_s:.0f} 秒，{what}仍没有发生。{hint}")
        await asyncio.sleep(0.1)
    return found


def require(true: bool, words: str) -> None:
    """Raises StoryBroken unless it is as told."""
    if not true:
        raise StoryBroken(words)


def _require(answer: httpx.Response, *wanted: int) -> httpx.Response:
    if answer.status_code in wanted or (not wanted and answer.is_success):
        return answer
    asked = f"{answer.request.method} {answer.request.url.path}"
    try:
        problem = answer.json()
        wrong = "；".join(f"{each['pointer']} {each['detail']}" for each in problem.get("errors", ()))
        words = f"{problem['title']}：{problem['detail']}{wrong}（{problem['code']}，{problem['request_id']}）"
    except (ValueError, KeyError, TypeError):
        words = answer.text[:300]
    raise StoryBroken(f"{asked} 得到 {answer.status_code}。{words}")


def _keep(person: Person, answer: httpx.Response) -> None:
    person.tokens = _require(answer).json()
