"""`scripts/run` as a newcomer meets it: it starts, says where, keeps the data, stops whole, and explains what failed.

The accident: Ctrl-C ended the start script and left a database behind, which held the port; the next start spoke to
yesterday's data and nobody knew why.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

import pytest

from scripts import run
from scripts.servers import ServerFailed, find_program, free_port, port_is_free

ROOT = Path(__file__).resolve().parents[2]


class Start:
    """One `scripts/run` in a folder and on ports of its own."""

    def __init__(self, environment: dict[str, str], output: Path) -> None:
        self.data = Path(environment["YIYUEBAO_DATA_DIR"])
        self.output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "scripts.run"], cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def text(self) -> str:
        return self.output.read_text()

    def wait_for(self, words: str, timeout_s: float = 240) -> None:
        deadline = time.monotonic() + timeout_s
        while words not in self.text:
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, self.text
            time.sleep(0.05)

    def end(self, number: signal.Signals | None = None, timeout_s: float = 90) -> int:
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(timeout_s)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    variables = [
        "YIYUEBAO_PORT",
        "YIYUEBAO_SANDBOX_PORT",
        "YIYUEBAO_DATABASE_PORT",
        "YIYUEBAO_REDIS_PORT",
    ]
    bare = {name: value for name, value in os.environ.items() if not name.startswith("YIYUEBAO_")}
    ports: set[int] = set()
    while len(ports) < len(variables):
        ports.add(free_port())
    given = dict(zip(variables, map(str, ports), strict=True))
    return {**bare, **given, "YIYUEBAO_DATA_DIR": str(tmp_path / "data with a space")}


def left_over(data: Path) -> Iterator[str]:
    """Command lines of living processes that work in or with this data folder."""
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                place = (process / "cwd").resolve()
            except OSError:
                continue
            if str(data) in words or place.is_relative_to(data):
                yield f"{process.name} {words}"


def refused(environment: dict[str, str]) -> str:
    """What a start says that must not succeed."""
    ended = subprocess.run(
        [sys.executable, "-m", "scripts.run"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    return ended.stderr.strip()


@pytest.mark.timeout(600)
def test_the_life_of_an_installation(environment: dict[str, str], tmp_path: Path) -> None:
    port = environment["YIYUEBAO_PORT"]
    data = Path(environment["YIYUEBAO_DATA_DIR"])

    with Start(environment, tmp_path / "first") as first:
        first.wait_for("Ctrl-C stops everything")
        connection = HTTPConnection("127.0.0.1", int(port), timeout=10)
        connection.request("GET", "/readyz")
        assert connection.getresponse().status == 200
        connection.close()
        for shown in (f"http://127.0.0.1:{port}/docs", environment["YIYUEBAO_SANDBOX_PORT"], str(data / "log")):
            assert shown in first.text
        for private in ("run.env", "secrets.env"):
            assert (data / private).stat().st_mode & 0o077 == 0

        assert "already at work" in refused(environment)

        demo = subprocess.run(
            ["sh", "-c", f". {shlex.quote(str(data / 'run.env'))} && exec {sys.executable} -m yiyuebao_api demo"],
            cwd=tmp_path,
            env={name: value for name, value in environment.items() if not name.startswith("YIYUEBAO_")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert demo.returncode == 0, demo.stdout + demo.stderr

        assert first.end(signal.SIGTERM) == 0
    assert not list(left_over(data))
    assert not (data / "run.env").exists()
    assert all(port_is_free(int(value)) for name, value in environment.items() if name.endswith("_PORT"))
    secrets = (data / "secrets.env").read_text()

    with Start(environment, tmp_path / "second") as second:
        second.wait_for("Ctrl-C stops everything")
        assert "Demo data" not in second.text  # it is there already
        assert (data / "secrets.env").read_text() == secrets
        worker = next(words for words in left_over(data) if words.rstrip().endswith("yiyuebao_api worker"))
        os.kill(int(worker.split()[0]), signal.SIGKILL)
        assert second.end() == 1
        assert "The worker was ended by SIGKILL." in second.text
        assert str(data / "log" / "worker.log") in second.text
    assert not list(left_over(data))

    (data / "secrets.env").unlink()
    assert "nobody can read" in refused(environment)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.5])
def test_an_interrupted_first_start_leaves_nothing_behind(
    environment: dict[str, str], tmp_path: Path, seconds: float
) -> None:
    with Start(environment, tmp_path / "output") as started:
        time.sleep(seconds)
        started.end(signal.SIGINT)
        assert "Traceback" not in started.text
    assert not list(left_over(started.data))


def test_a_killed_start_takes_its_servers_along(environment: dict[str, str], tmp_path: Path) -> None:
    with Start(environment, tmp_path / "output") as started:
        started.wait_for("Redis")
        started.end(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while left := list(left_over(started.data)):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_a_taken_port_is_named_and_another_offered(environment: dict[str, str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(environment["YIYUEBAO_PORT"])))
        other.listen()
        said = refused(environment)
    assert f"Port {environment['YIYUEBAO_PORT']}, meant for the API, is taken" in said
    assert re.search(r"YIYUEBAO_PORT=\d+ scripts/run", said)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("YIYUEBAO_PORT", "eight thousand", "must be a port number"),
        ("YIYUEBAO_PORT", "70000", "must be a port number"),
        ("YIYUEBAO_DATA_DIR", "/proc/here", "/proc/here"),
        ("YIYUEBAO_DATA_DIR", str(ROOT / "pyproject.toml"), "pyproject.toml"),
    ],
)
def test_nonsense_is_refused_with_its_name(
    environment: dict[str, str], variable: str, value: str, sentence: str
) -> None:
    assert sentence in refused({**environment, variable: value})


def test_two_parts_cannot_share_a_port(environment: dict[str, str]) -> None:
    said = refused({**environment, "YIYUEBAO_REDIS_PORT": environment["YIYUEBAO_PORT"]})
    assert "a port of its own" in said


def test_a_full_disk_is_told_before_anything_starts(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_FIRST_START_BYTES", 1 << 60)  # no disk has that much
    plan = run.Plan(tmp_path, 1, 2, 3, 4)
    with pytest.raises(run.CannotStart, match="The disk is full"):
        run._check_room(plan)


def test_a_missing_program_is_told_with_its_package() -> None:
    with pytest.raises(ServerFailed, match="sudo apt-get install mariadb-server-core"):
        find_program("mariadbd-that-is-not-there", "mariadb-server-core")
