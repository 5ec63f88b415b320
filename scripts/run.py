"""The whole service on this machine: MariaDB, Redis, provider sandbox, migrations, demo data, API and worker.

    scripts/run            start everything and stay; Ctrl-C (or SIGTERM) stops everything
    scripts/run --help     this text

All of it lives in .data and is there again at the next start; `rm -rf .data` begins anew. Optional settings:

    YIYUEBAO_DATA_DIR        where data, logs and generated secrets are kept        .data
    YIYUEBAO_PORT            the API                                                8000
    YIYUEBAO_SANDBOX_PORT    the sandbox of WeChat Pay, SMS, maps and login         8100
    YIYUEBAO_DATABASE_PORT   the private MariaDB                                    13306
    YIYUEBAO_REDIS_PORT      the private Redis                                      16379

Any setting of the service (.env.example lists them) may be given in the environment as well, except those
that this program decides: database, Redis, secrets, clock and providers; a .env file is not read. While it
runs, `. .data/run.env` gives a shell the same settings: `python -m yiyuebao_api …` speaks to what runs here.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType
from typing import Final, Self, TypeVar

from scripts.servers import Daemon, MariaDb, Redis, ServerFailed, port_is_free

ROOT: Final = Path(__file__).resolve().parent.parent
_FIRST_START_BYTES: Final = 600 << 20  # an empty MariaDB takes 170 MiB; then demo data, logs, and air to breathe
_LATER_START_BYTES: Final = 150 << 20

_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NAMES: Final = {
    "sandbox": "The sandbox",
    "migrate": "The migration",
    "api": "The API",
    "worker": "The worker",
}
_Daemon = TypeVar("_Daemon", bound=Daemon)


class CannotStart(Exception):
    """What stands in the way, in a sentence for the person at the terminal."""


class Asked(BaseException):
    """Somebody asked us to stop: Ctrl-C, SIGTERM, or a closed terminal. No mistake, hence no Exception."""


@dataclass(frozen=True)
class Plan:
    """Where everything goes."""

    data: Path
    port: int
    sandbox_port: int
    database_port: int
    redis_port: int

    @classmethod
    def from_environment(cls) -> Self:
        """The defaults of `--help` unless the environment says otherwise; `CannotStart` for nonsense."""
        return cls(
            data=Path(os.environ.get("YIYUEBAO_DATA_DIR") or ROOT / ".data").absolute(),
            port=_port("YIYUEBAO_PORT", 8000),
            sandbox_port=_port("YIYUEBAO_SANDBOX_PORT", 8100),
            database_port=_port("YIYUEBAO_DATABASE_PORT", 13306),
            redis_port=_port("YIYUEBAO_REDIS_PORT", 16379),
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def mariadb(self) -> Path:
        return self.data / "mariadb"

    @property
    def seeded(self) -> Path:
        """Exists once the demo data are in; it lies beside the database and vanishes with it."""
        return self.mariadb / "seeded"

    @property
    def run_env(self) -> Path:
        """The settings of what runs, for a shell; exists only while it runs."""
        return self.data / "run.env"

    @property
    def secrets_env(self) -> Path:
        return self.data / "secrets.env"


def main(arguments: list[str]) -> int:
    if arguments:
        print(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    for number in _STOP_SIGNALS:
        signal.signal(number, _stop)
    try:
        plan = Plan.from_environment()
        with _alone(plan):
            _check_room(plan)
            _check_ports(plan)
            with _programs(plan) as programs:
                _start(plan, programs)
                _watch(programs)
    except Asked:
        return 0
    except (CannotStart, ServerFailed) as problem:
        print(f"\n{problem}", file=sys.stderr)
    except OSError as problem:
        if problem.errno == errno.ENOSPC:
            print(f"\nThe disk is full: {problem.filename or 'nothing more can be written'}.", file=sys.stderr)
        else:
            print(f"\n{problem.filename or 'The system'}: {problem.strerror}.", file=sys.stderr)
    return 1


def _port(variable: str, default: int) -> int:
    given = os.environ.get(variable) or str(default)
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= 65535):
        raise CannotStart(f"{variable} must be a port number between 1 and 65535; it is {given!r}.")
    return int(given)


@contextmanager
def _alone(plan: Plan) -> Iterator[None]:
    """Hold the data folder; a second start in it is told who is there."""
    plan.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (plan.data / "run.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CannotStart(
                f"scripts/run is already at work in {plan.data} ({lock.read().strip()}).\n"
                "Stop it first (Ctrl-C there), or give this one a YIYUEBAO_DATA_DIR and ports of its own."
            ) from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, {plan.url}\n")
        lock.flush()
        yield


def _check_room(plan: Plan) -> None:
    needed = _LATER_START_BYTES if plan.seeded.exists() else _FIRST_START_BYTES
    free = shutil.disk_usage(plan.data).free
    if free < needed:
        raise CannotStart(
            f"The disk is full: {plan.data} has {free >> 20} MiB left, and {needed >> 20} MiB are needed.\n"
            "Make room, or choose another place with YIYUEBAO_DATA_DIR."
        )


def _check_ports(plan: Plan) -> None:
    wanted = [
        (plan.port, "the API", "YIYUEBAO_PORT"),
        (plan.sandbox_port, "the provider sandbox", "YIYUEBAO_SANDBOX_PORT"),
        (plan.database_port, "MariaDB", "YIYUEBAO_DATABASE_PORT"),
        (plan.redis_port, "Redis", "YIYUEBAO_REDIS_PORT"),
    ]
    numbers = [port for port, _, _ in wanted]
    if len(set(numbers)) < len(numbers):
        raise CannotStart(f"Every part needs a port of its own, and these were given: {numbers}.")
    # After a kill -9 of a former run its servers need a moment to end by themselves.
    patience = time.monotonic() + (10 if plan.run_env.exists() else 0)
    for port, part, variable in wanted:
        while not port_is_free(port):
            if time.monotonic() > patience:
                other = next(p for p in range(port + 1, 65536) if port_is_free(p) and p not in numbers)
                raise CannotStart(
                    f"Port {port}, meant for {part}, is taken by another program.\n"
                    f"Stop that program, or choose another port, for example:  {variable}={other} scripts/run"
                )
            time.sleep(0.1)


def _kept_secrets(plan: Plan) -> dict[str, str]:
    """Random development secrets, made at the first start and the same ever after."""
    if plan.secrets_env.exists():
        return _read_env(plan.secrets_env)
    if (plan.mariadb / "data").exists():
        raise CannotStart(
            f"{plan.secrets_env} is gone; without its keys nobody can read the people in {plan.mariadb}.\n"
            f"Put the file back, or begin anew:  rm -rf {shlex.quote(str(plan.data))}"
        )

    def key() -> str:
        return base64.b64encode(secrets.token_bytes(32)).decode()

    made = {
        "YIYUEBAO_SECRETS__TOKEN_KEY": secrets.token_urlsafe(48),
        "YIYUEBAO_SECRETS__KEYS": json.dumps({"k1": key()}),
        "YIYUEBAO_SECRETS__CURRENT": "k1",
        "YIYUEBAO_SECRETS__INDEX_KEY": key(),
        "YIYUEBAO_SECRETS__CODE_PEPPER": secrets.token_urlsafe(48),
        "YIYUEBAO_SECRETS__AUDIT_KEY": secrets.token_urlsafe(48),
        "YIYUEBAO_RUN_DATABASE_PASSWORD": secrets.token_urlsafe(24),
    }
    _write_env(plan.secrets_env, made, "Made at the first start. Without these keys the data cannot be read again.")
    return made


class Programs:
    """What was started, in that order."""

    def __init__(self) -> None:
        self._started: list[Daemon] = []

    def add(self, program: _Daemon) -> _Daemon:
        """Remember a program before it starts, so that a stop in the middle of its start finds it."""
        if program.log.exists():
            program.log.replace(program.log.with_suffix(".log.1"))
        self._started.append(program)
        return program

    def require_all_running(self) -> None:
        """`ServerFailed` when one of them is gone."""
        for program in self._started:
            if not program.running:
                raise ServerFailed(program.obituary())

    def stop(self) -> None:
        """Stop the last first: nobody loses a server while still working with it. A second Ctrl-C kills."""
        for number in _STOP_SIGNALS:
            signal.signal(number, self._kill)
        running = [program.name.removeprefix("The ") for program in reversed(self._started) if program.running]
        if running:
            print(f"\nStopping {', '.join(running)} …", flush=True)
        for program in reversed(self._started):
            program.stop(grace_s=20)
        print("Stopped." if running else "\nStopped.", flush=True)

    def _kill(self, _number: int, _frame: FrameType | None) -> None:
        for program in self._started:
            program.send_kill()  # no waiting here: `stop` is waiting already


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Asked


def _start(plan: Plan, programs: Programs) -> None:
    kept = _kept_secrets(plan)
    print(f"医约宝 yiyuebao_api, data in {plan.data}\n", flush=True)

    env = {
        **os.environ,
        **kept,
        "PYTHONUNBUFFERED": "1",
        "YIYUEBAO_ENVIRONMENT": "development",
        "YIYUEBAO_CLOCK_FILE": str(plan.data / "clock"),
        "YIYUEBAO_FILES__FOLDER": str(plan.data / "files"),
        "YIYUEBAO_WECHAT_PAY__NOTIFY_BASE_URL": plan.url,
    }
    env.setdefault("YIYUEBAO_HTTP__PUBLIC_URL", plan.url)
    home = plan.data / "sandbox"
    home.mkdir(exist_ok=True)
    command = ["sandbox", "--port", str(plan.sandbox_port), "--home", str(home)]
    sandbox = programs.add(_ours(plan, "sandbox", command, env))
    sandbox.launch()  # it gets ready while the others start; nobody asks it before

    with _step("MariaDB", f"127.0.0.1:{plan.database_port}"):
        mariadb = programs.add(
            MariaDb(
                plan.mariadb,
                plan.database_port,
                user="yiyuebao",
                password=kept["YIYUEBAO_RUN_DATABASE_PASSWORD"],
                log=_log(plan, "mariadb"),
                durable=True,
                database="yiyuebao",
            )
        )
        mariadb.start()
    with _step("Redis", f"127.0.0.1:{plan.redis_port}"):
        redis = programs.add(Redis(plan.data / "redis", plan.redis_port, log=_log(plan, "redis")))
        redis.start()

    env |= {"YIYUEBAO_DATABASE__URL": mariadb.url("yiyuebao"), "YIYUEBAO_REDIS__URL": redis.url}
    with _step("Migrations", ""):
        _once(_ours(plan, "migrate", ["migrate"], env))
    with _step("Sandbox", f"{plan.sandbox_url}  (WeChat Pay, SMS, maps, login)"):
        sandbox.wait_until(lambda: not port_is_free(plan.sandbox_port), timeout_s=60)
        env |= _read_env(home / "sandbox.env")
    if not plan.seeded.exists():
        with _step("Demo data", ""):
            _once(_ours(plan, "seed", ["seed"], env))
            _write_whole(plan.seeded, _logins(plan, env))
    with _step("API, worker", plan.url):
        command = ["serve", "--host", "127.0.0.1", "--port", str(plan.port)]
        api = programs.add(_ours(plan, "api", command, env))
        worker = programs.add(_ours(plan, "worker", ["worker"], env))
        api.launch()
        worker.launch()
        api.wait_until(lambda: _ready(plan), timeout_s=120)
    programs.require_all_running()

    ours = {name: value for name, value in env.items() if name.startswith("YIYUEBAO_")}
    _write_env(
        plan.run_env,
        ours,
        "The settings of what scripts/run runs here, made anew at each start.",
    )
    _welcome(plan, env)


def _watch(programs: Programs) -> None:
    while True:
        programs.require_all_running()
        time.sleep(0.25)


@contextmanager
def _programs(plan: Plan) -> Iterator[Programs]:
    programs = Programs()
    try:
        yield programs
    finally:
        programs.stop()
        plan.run_env.unlink(missing_ok=True)


def _ours(plan: Plan, name: str, command: list[str], env: Mapping[str, str]) -> Daemon:
    """One of our own commands, at work in the data folder: there it reads no .env of production by accident."""
    whole = [sys.executable, "-m", "yiyuebao_api", *command]
    return Daemon(_NAMES.get(name, name), whole, log=_log(plan, name), env=env, cwd=plan.data)


def _once(program: Daemon) -> None:
    """Run a command to its end; its log begins anew."""
    program.log.unlink(missing_ok=True)
    try:
        program.launch()
        program.wait_for_success(timeout_s=600)
    finally:
        program.kill()


def _ready(plan: Plan) -> bool:
    connection = HTTPConnection("127.0.0.1", plan.port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def _step(name: str, where: str) -> Iterator[None]:
    """One line per step, finished with its seconds."""
    began = time.monotonic()
    print(f"  {name:<11}", end="", flush=True)
    yield
    print(f" {time.monotonic() - began:5.1f} s   {where}".rstrip(), flush=True)


def _welcome(plan: Plan, env: Mapping[str, str]) -> None:
    logins = plan.seeded.read_text() or _logins(plan, env)  # installations of before kept no text there
    settings = plan.run_env.relative_to(ROOT) if plan.run_env.is_relative_to(ROOT) else plan.run_env
    print(
        f"""
  API            {plan.url}
  To try it      {plan.url}/docs
  Phone, SMS     {plan.sandbox_url}/_sandbox/
  The story      ( . {shlex.quote(str(settings))} && .venv/bin/python -m yiyuebao_api demo )
  Logs           {plan.data / "log"}

{logins.rstrip()}

  Ctrl-C stops everything; the data stay.""",
        flush=True,
    )


def _logins(plan: Plan, env: Mapping[str, str]) -> str:
    """Who can sign in, as `seed` tells it."""
    told = subprocess.run(
        [sys.executable, "-m", "yiyuebao_api", "seed", "--print-logins"],
        env=dict(env),
        cwd=plan.data,
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode != 0:
        raise ServerFailed(f"The demo logins cannot be read:\n{told.stderr.strip()}")
    return told.stdout


def _log(plan: Plan, name: str) -> Path:
    return plan.data / "log" / f"{name}.log"


def _read_env(path: Path) -> dict[str, str]:
    """`NAME=value` lines as a shell would read them; `export` and comments may stand there too."""
    pairs = (word.partition("=") for word in shlex.split(path.read_text(), comments=True))
    return {name: value for name, equals, value in pairs if equals}


def _write_env(path: Path, values: Mapping[str, str], why: str) -> None:
    lines = (f"export {name}={shlex.quote(value)}\n" for name, value in sorted(values.items()))
    _write_whole(path, f"# {why}\n" + "".join(lines))


def _write_whole(path: Path, text: str) -> None:
    """Written whole or not at all, readable by its owner only."""
    half = path.with_suffix(".half")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal that knows no Chinese
    sys.exit(main(sys.argv[1:]))
