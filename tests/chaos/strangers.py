"""Well-formed requests of people who know living ids, of their own and of others, in whatever order and state.

    ( . .data/run.env && .venv/bin/python -m tests.chaos.strangers --requests 150000 --seed 7 )

Against what `scripts/run` runs here, best after the demo has told its story: then there is something of everything. It says
what was answered, and ends with 1 when there was a 5xx other than 503, an answer the contract does not know, one that is no
problem document, or one that took longer than `--hang` seconds. What it does to the data stays.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from sqlalchemy import select

from tests.scenes.accounts import sign_in
from yiyuebao_api import api as contents
from yiyuebao_api import tables
from yiyuebao_api.domains.accounts.models import Role
from yiyuebao_api.domains.patients.models import Patient
from yiyuebao_api.kernel import clock, secrets
from yiyuebao_api.kernel.database import Database, IdColumn
from yiyuebao_api.kernel.ids import AccountId, HospitalId
from yiyuebao_api.kernel.problems import MEDIA_TYPE
from yiyuebao_api.kernel.tokens import Mode, Tokens
from yiyuebao_api.settings import Settings

_ID = re.compile(r"([a-z]{3})_[0-7][0-9a-hjkmnp-tv-z]{25}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT")
_EACH_TIME = 6
#: What ends what others need: seldom, or soon nothing is left to try.
_RARE = re.compile(r"suspend|retire|revoke|terminate|/close|/end$|members|accounts|leave|block|merchant")
_RARELY = 0.1


@dataclass(frozen=True, slots=True)
class Somebody:
    """Signed in; `owners` are the account and the hospital whose rows are theirs."""

    mode: str
    token: str
    owners: tuple[str, ...]


@dataclass
class World:
    """Who is there, and which ids live."""

    people: list[Somebody] = field(default_factory=list)
    living: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    owned: defaultdict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    versions: dict[str, int] = field(default_factory=dict)

    async def look(self, database: Database) -> None:
        """The newest rows of every table, and to whom they belong."""
        self.living.clear()
        self.owned.clear()
        for table in tables.metadata.tables.values():
            kinds = {column.name: column.type.of for column in table.columns if isinstance(column.type, IdColumn)}
            if not kinds:
                continue
            wanted = [table.c[name] for name in kinds] + ([table.c.version] if "version" in table.c else [])
            (key, *_) = table.primary_key.columns
            async with database.begin() as tx:
                rows = (await tx.execute(select(*wanted).order_by(key.desc()).limit(100))).mappings().all()
            for row in rows:
                ids = {name: str(row[name]) for name in kinds if row[name] is not None}
                owners = [ids[name] for name in ids if issubclass(kinds[name], AccountId | HospitalId)]
                for name, text in ids.items():
                    self.living[kinds[name].prefix].append(text)
                    for owner in owners:
                        self.owned[kinds[name].prefix, owner].append(text)
                if "version" in row and key.name in ids:
                    self.versions[ids[key.name]] = row["version"]

    async def sign_in(self, database: Database, tokens: Tokens) -> None:
        """A few of everybody who is somebody here, each with a new session of their own."""
        async with database.begin() as tx:
            roles = (await tx.scalars(select(Role).where(Role.active).order_by(Role.id))).all()
            patients = (await tx.scalars(select(Patient.account_id).distinct().limit(20))).all()
        self.people.clear()
        each: list[tuple[AccountId, Mode, HospitalId | None]] = [(account, Mode.PATIENT, None) for account in patients]
        for mode in Mode:
            each += [(role.account_id, role.mode, role.hospital_id) for role in roles if role.mode is mode][:10]
        for account_id, mode, hospital_id in each:
            signed = await sign_in(database, tokens, account_id, mode=mode, hospital_id=hospital_id)
            self.people.append(Somebody(mode.value, signed.access_token, (str(account_id), str(hospital_id))))


@dataclass
class Asking:
    """One run. `wrong` says what should not have been."""

    url: str
    world: World
    random: random.Random
    hang_s: float
    statuses: Counter[int] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)  # successes of each operation
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    def alive(self, value: Any, who: Somebody) -> Any:
        """The same with living ids, mostly their own, and moments that are near."""
        if isinstance(value, dict):
            return {key: self.alive(each, who) for key, each in value.items()}
        if isinstance(value, list):
            return [self.alive(each, who) for each in value]
        if not isinstance(value, str):
            return value
        if (found := _ID.fullmatch(value)) is not None:
            mine = [each for owner in who.owners for each in self.world.owned[found[1], owner]]
            some = mine if mine and self.random.random() < 0.8 else self.world.living[found[1]]
            return self.random.choice(some) if some and self.random.random() < 0.95 else value
        if _MOMENT.match(value) and self.random.random() < 0.8:
            hours = self.random.choice([-24, 0, 1, 5, 24, 25, 26, 27, 48, 50, 72, 24 * 13])
            return (clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=hours)).isoformat()
        return value

    async def ask(self, client: httpx.AsyncClient, operation: Any, callers: set[str], case: Any) -> None:
        fitting = [each for each in self.world.people if each.mode in callers] or self.world.people
        who = self.random.choice(fitting if self.random.random() < 0.95 else self.world.people)
        path = {name: str(self.alive(value, who)) for name, value in (case.path_parameters or {}).items()}
        headers = {name: str(value) for name, value in (case.headers or {}).items() if name.lower() != "authorization"}
        if "If-Match" in headers:
            edited = next((self.world.versions[each] for each in reversed(path.values()) if each in self.world.versions), 1)
            headers["If-Match"] = f'"{edited}"'
        if self.random.random() < 0.98:
            headers["authorization"] = f"Bearer {who.token}"
        content = None
        if isinstance(case.body, dict | list):
            content = json.dumps(self.alive(case.body, who)).encode()
            headers["content-type"] = "application/json"
        url = self.url + operation.path.format_map({name: quote(value, safe="") for name, value in path.items()})
        query = {name: self.alive(value, who) for name, value in (case.query or {}).items() if value is not None}
        began = time.perf_counter()
        try:
            sent = {name: value.encode("utf-8", "replace") for name, value in headers.items()}
            answer = await client.request(case.method, url, params=query, content=content, headers=sent)
        except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeEncodeError):
            return  # no client can send this
        self.judge(operation, answer, time.perf_counter() - began)

    def judge(self, operation: Any, answer: httpx.Response, seconds: float) -> None:
        self.statuses[answer.status_code] += 1
        self.slowest_s = max(self.slowest_s, seconds)
        told = operation.definition.raw["responses"]
        name = f"{operation.method.upper()} {operation.path}"
        self.done[name] += answer.is_success
        if answer.status_code >= 500 and answer.status_code != 503:
            self.wrong.append(f"{name}: {answer.status_code} {answer.text[:300]}")
        elif answer.is_error and answer.headers.get("content-type") != MEDIA_TYPE:
            self.wrong.append(f"{name}: {answer.status_code} without a problem")
        if str(answer.status_code) not in told and answer.status_code != 404:
            self.wrong.append(f"{name}: {answer.status_code} is not in its contract")
        if seconds > self.hang_s:
            self.wrong.append(f"{name}: {answer.status_code} after {seconds:.1f} s")


def cases_of(operation: Any, count: int, seed: int) -> list[Any]:
    """Requests that keep to the contract."""
    found: list[Any] = []

    @seeded(seed)
    @settings(
        max_examples=count, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None, database=None
    )
    @given(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def draw(case: Any) -> None:
        found.append(case)

    draw()
    return found


async def strangers(given_settings: Settings, *, requests: int, seed: int, hang_s: float) -> Asking:
    """The whole run. Reads and signs people in on the database itself; everything else goes over HTTP."""
    clock.use_file(given_settings.clock_file)
    secrets.install(given_settings.secrets)
    database = Database(given_settings.database, pool_size=2)
    url = given_settings.http.public_url.rstrip("/")
    try:
        asking = Asking(url, World(), random.Random(seed), hang_s)
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            document = (await client.get(f"{url}/openapi.json")).json()
            read = schemathesis.openapi.from_dict(document).get_all_operations()
            operations = [each.ok() for each in read if isinstance(each, Ok)]
            callers = {f"{each.method} {each.path}": set(each.callers) for each in contents.operations()}
            while sum(asking.statuses.values()) < requests:
                await asking.world.sign_in(database, Tokens(given_settings.secrets))  # tokens end, and some signed out
                await asking.world.look(database)
                asking.random.shuffle(operations)
                for operation in operations:
                    if _RARE.search(operation.path) and asking.random.random() > _RARELY:
                        continue
                    may = callers.get(f"{operation.method.upper()} {operation.path}", set())
                    some = cases_of(operation, _EACH_TIME, asking.random.randrange(1 << 30))
                    await asyncio.gather(*(asking.ask(client, operation, may, case) for case in some))
                    if sum(asking.statuses.values()) >= requests:
                        break
    finally:
        await database.aclose()
    return asking


def main() -> int:
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--requests", type=int, default=5_000)
    told.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    told.add_argument("--hang", type=float, default=2.0, help="seconds after which an answer counts as wrong")
    options = told.parse_args()
    print(f"seed {options.seed}", flush=True)
    asking = asyncio.run(strangers(Settings(), requests=options.requests, seed=options.seed, hang_s=options.hang))
    print(f"{sum(asking.statuses.values())} requests: {dict(sorted(asking.statuses.items()))}")
    never = sorted(name for name, times in asking.done.items() if not times)
    print(f"{len(asking.done) - len(never)} of {len(asking.done)} operations succeeded, not: {', '.join(never)}")
    print(f"the slowest answer took {asking.slowest_s:.2f} s")
    for line, times in Counter(asking.wrong).most_common():
        print(f"WRONG {times} x {line}")
    return 1 if asking.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
