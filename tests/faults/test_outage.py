"""The database is killed, frozen and restarted under requests: only 503 problems, nobody waits long, nothing is lost."""

from __future__ import annotations

import asyncio
import os
import random
import re
import secrets as random_names
import signal
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from alembic import command
from pydantic import SecretStr
from sqlalchemy import func, select

from scripts.servers import free_port
from tests.client import Api
from tests.faults.processes import Service, environment
from tests.sandbox_server import SandboxServer
from tests.scenes.bookings import Customer, Offered, make_customer, make_offer
from tests.servers import MariaDb
from yiyuebao_api import migrate, tables, wiring
from yiyuebao_api.app import create_app
from yiyuebao_api.context import Context, open_context
from yiyuebao_api.domains.bookings.models import Booking
from yiyuebao_api.kernel import events
from yiyuebao_api.settings import Settings

#: Besides successes. A run cut off by the power has locked its key until the server noticed.
_EXPECTED = {(503, "service-unavailable"), (503, "None"), (409, "request-in-progress")}
LONGEST_S = 6.0
WELL_AGAIN_S = 5.0


@dataclass(frozen=True)
class Answer:
    """One request as its client saw it, by the monotonic clock."""

    what: str
    began: float
    ended: float
    status: int
    media: str
    code: str
    retry_after: str | None

    @property
    def served(self) -> bool:
        return self.status in (200, 201)


@dataclass
class Load:
    """Six phones that read, book and book again until it works; in a thread of their own."""

    url: str
    customers: list[Customer]
    offered: Offered
    answers: list[Answer] = field(default_factory=list)
    booked: dict[str, str] = field(default_factory=dict)  # Idempotency-Key → booking
    broken: list[str] = field(default_factory=list)
    stopped: bool = False

    async def phone(self, customer: Customer) -> None:
        headers = {"Authorization": f"Bearer {customer.api.token}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30, trust_env=False) as client:
            while not self.stopped:
                key = random_names.token_hex(8)
                starts_at = self.offered.starts_at(days=random.randint(2, 12), hour=random.randint(8, 17))
                await self.ask(client, "GET", "/v1/bookings")
                await self.ask(client, "GET", "/v1/patients")
                made = await self.insist(client, "/v1/bookings", customer.wish(self.offered, starts_at), key)
                self.booked[key] = made["id"]
                await self.insist(client, f"/v1/bookings/{made['id']}/cancel", {"reason": "x"}, key + "-cancel")
                await asyncio.sleep(0.02)

    async def insist(self, client: httpx.AsyncClient, path: str, body: dict[str, Any], key: str) -> Any:
        """The same request under the same key until it is answered, as a phone does."""
        while (made := await self.ask(client, "POST", path, json=body, key=key)) is None:
            if self.answers[-1].status not in (409, 503):
                raise AssertionError(self.answers[-1])
            await asyncio.sleep(0.1)
        return made

    async def probe(self) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=30, trust_env=False) as client:
            while not self.stopped:
                await self.ask(client, "GET", "/healthz")
                await self.ask(client, "GET", "/readyz")
                await asyncio.sleep(0.1)

    async def ask(self, client: httpx.AsyncClient, method: str, path: str, *, key: str = "", **options: Any) -> Any:
        """The body of a success, else None."""
        began = time.monotonic()
        headers = {"Idempotency-Key": key} if key else {}
        try:
            answer = await client.request(method, path, headers=headers, **options)
        except httpx.HTTPError as error:
            self.broken.append(f"{method} {path}: {type(error).__name__} {error}")
            await asyncio.sleep(0.1)
            return None
        body = answer.json()
        self.answers.append(Answer(
            f"{method} {re.sub('bkg_[^/]+', '…', path)}", began, time.monotonic(), answer.status_code, answer.headers["content-type"],
            str(body.get("code")), answer.headers.get("retry-after"),
        ))  # fmt: skip
        return body if answer.status_code < 300 else None

    async def run(self) -> None:
        await asyncio.gather(self.probe(), *(self.phone(each) for each in self.customers))

    def well_since(self, moment: float) -> bool:
        """Every kind of request has been served after that moment."""
        kinds = {each.what for each in self.answers}
        return kinds == {each.what for each in self.answers if each.served and each.began >= moment}


@pytest.fixture
async def own(settings: Settings, sandbox: SandboxServer) -> AsyncIterator[tuple[MariaDb, Context]]:
    """A durable server of our own, which may be hurt, with the whole schema."""
    with MariaDb(durable=True, database="yiyuebao") as server:
        url = SecretStr(server.url("yiyuebao"))
        hurt = settings.model_copy(update={"database": settings.database.model_copy(update={"url": url})})
        async with open_context(hurt) as context:
            async with context.database.engine.begin() as connection:
                await connection.run_sync(tables.metadata.create_all)
            await asyncio.to_thread(command.stamp, migrate.config(hurt), "head")
            events.connect(wiring.EVENTS)
            yield server, context


@pytest.mark.timeout(240)
async def test_a_database_that_dies_freezes_and_restarts_under_requests(
    own: tuple[MariaDb, Context], sandbox: SandboxServer, tmp_path: Path
) -> None:
    """F2: killed (power cut), frozen (a disk that hangs) and restarted (an upgrade), while six phones book."""
    server, context = own
    api = Api(create_app(context=context))
    offered = await make_offer(api, context, capacity=500)
    load = Load("", [await make_customer(api, context) for _ in range(6)], offered)
    env = environment(context.settings, sandbox, YIYUEBAO_BUSINESS__OPEN_HOLDS_PER_ACCOUNT="100000")
    with Service(tmp_path, env, free_port()) as service:
        load.url = service.url
        await service.answers()
        phones = threading.Thread(target=lambda: asyncio.run(load.run()), daemon=True)
        phones.start()
        outages = []
        try:
            await_well(load, time.monotonic(), within=30)
            for hurt in (power_cut, freeze, restart):
                began = time.monotonic()
                hurt(server)
                back = time.monotonic()
                await_well(load, back, within=WELL_AGAIN_S)
                outages.append((began, time.monotonic()))
                time.sleep(0.3)
        finally:
            load.stopped = True
            phones.join(30)
        assert not phones.is_alive(), load.answers[-6:]
        assert service.running
    assert load.broken == [], "the API itself was there all the time"
    judge(load.answers, outages)
    async with context.begin() as tx:
        ids = {str(each) for each in (await tx.scalars(select(Booking.id))).all()}
        claims = await tx.scalar(select(func.count(Booking.claim_id.distinct())))
    assert ids == set(load.booked.values()), "every booking that was told exists, and none that was not asked for"
    assert len(load.booked) == len(set(load.booked.values())) == claims, "one effect for each key"


def judge(answers: list[Answer], outages: list[tuple[float, float]]) -> None:
    """Nothing but successes and well-formed 503s, the latter only in the outages, and none that took long."""
    odd = [each for each in answers if not each.served and (each.status, each.code) not in _EXPECTED]
    assert odd == [], "never a 500"
    assert [each for each in answers if each.what == "GET /healthz" and not each.served] == []
    refused = [each for each in answers if each.status == 503 and each.what != "GET /readyz"]
    assert {(each.media, each.code, each.retry_after) for each in refused} == {
        ("application/problem+json", "service-unavailable", "1")
    }
    slow = [(each.what, each.status, each.ended - each.began) for each in answers if each.ended - each.began > LONGEST_S]
    assert slow == [], "nobody hangs"
    calm = [each for each in refused if not any(began <= each.ended <= ended for began, ended in outages)]
    assert calm == [], "no 503 while the database is well"
    for began, ended in outages:
        assert [each for each in refused if began <= each.ended <= ended], "the outage was one"


def await_well(load: Load, since: float, *, within: float) -> None:
    deadline = since + within
    while not (load.answers and load.well_since(since)):
        assert time.monotonic() < deadline, f"not well {within} s later: {[each for each in load.answers if each.began > since][-8:]}"
        time.sleep(0.02)


def power_cut(server: MariaDb) -> None:
    server.kill()
    time.sleep(1)
    server.start()


def freeze(server: MariaDb) -> None:
    assert server.process is not None
    os.killpg(server.process.pid, signal.SIGSTOP)
    time.sleep(7)
    os.killpg(server.process.pid, signal.SIGCONT)


def restart(server: MariaDb) -> None:
    server.restart()
