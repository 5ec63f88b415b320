"""What a newcomer does in the first five minutes: scripts/run, the README's commands as they stand there, the demo.

The accident: a README whose third command had not worked for half a year, because nobody who knew the project ever
pasted it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts.servers import free_port, port_is_free

ROOT = Path(__file__).resolve().parents[2]
PORTS = {"PORT": 8000, "SANDBOX_PORT": 8100, "DATABASE_PORT": 13306, "REDIS_PORT": 16379}

pytestmark = pytest.mark.timeout(600)


@dataclass
class Running:
    """What scripts/run runs, on ports and in a folder of its own."""

    data: Path
    ports: dict[str, int]
    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One of our own commands, with the settings of what runs."""
        return self.run("-m", "yiyuebao_api", *words)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Python, with those settings."""
        whole = ["sh", "-c", '. "$0" && exec "$@"', str(self.data / "run.env"), sys.executable, *words]
        return subprocess.run(whole, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("newcomer") / "data"
    ports = {name: free_port() for name in PORTS}
    given = {f"YIYUEBAO_{name}": str(port) for name, port in ports.items()}
    outside = {name: value for name, value in os.environ.items() if not name.startswith("YIYUEBAO_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.run"], cwd=ROOT, env={**outside, **given, "YIYUEBAO_DATA_DIR": str(data)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    made = Running(data, ports, process)
    reader = threading.Thread(target=_read, args=(made,), daemon=True)
    reader.start()
    try:
        deadline = time.monotonic() + 300
        while not any("Ctrl-C stops everything" in line for line in made.said):
            assert process.poll() is None, "".join(made.said)
            assert time.monotonic() < deadline, "".join(made.said)
            time.sleep(0.1)
        yield made
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        reader.join(5)
        if process.stdout is not None:
            process.stdout.close()
    assert process.returncode == 0, "".join(made.said)
    assert all(port_is_free(port) for port in ports.values()), "everything that was started was stopped"


def _read(made: Running) -> None:
    assert made.process.stdout is not None
    for line in made.process.stdout:
        made.said.append(line)


def readme_commands(ports: dict[str, int]) -> str:
    """The shell blocks of "The API in five minutes", one after the other, with this run's ports."""
    text = (ROOT / "README.md").read_text()
    section = text.split("## The API in five minutes", 1)[1].split("\n## ", 1)[0]
    script = "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))
    for name in ("PORT", "SANDBOX_PORT"):
        assert f":{PORTS[name]}" in script
        script = script.replace(f":{PORTS[name]}", f":{ports[name]}")
    return script


def test_it_says_where_everything_is(running: Running) -> None:
    said = "".join(running.said)
    for wanted in (f"http://127.0.0.1:{running.ports['PORT']}/docs", "desk.haikou", "13800000001", "yiyuebao_api demo"):
        assert wanted in said


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_readme_can_be_pasted(running: Running, shell: str) -> None:
    script = "set -eu\n" + readme_commands(running.ports)
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "('paid', 12500," in done.stdout
    assert "('cancelled', 12500)" in done.stdout
    assert '"booking.paid"' in done.stdout
    assert '"code":"booking-state-refused"' in done.stdout


def test_the_demo_tells_the_whole_story_and_can_tell_it_again(running: Running) -> None:
    for _ in range(2):
        told = running.command("demo")
        assert told.returncode == 0, told.stdout + told.stderr
        for wanted in ("¥209.00 + ¥11.00 = ¥220.00", "合计 ¥0.00", "slot-taken", "401", "支付过晚退款", "时钟已回到"):
            assert wanted in told.stdout
        assert "\x1b[" not in told.stdout, "no colours where no terminal is"
        assert float((running.data / "clock").read_text()) == 0


def test_without_the_service_it_says_what_to_start(running: Running) -> None:
    told = running.command("demo", "--url", f"http://127.0.0.1:{free_port()}")
    assert told.returncode == 1
    assert "scripts/run" in told.stdout


def test_people_who_know_living_ids_break_nothing(running: Running) -> None:
    """After all that was told: any request that keeps to the contract, by anybody, about anything that is there.

    The accident: an operator who typed another hospital's code into an open one's registration got a 500.
    """
    told = running.run("-m", "tests.chaos.strangers", "--requests", "2500", "--seed", "20261201", "--hang", "20")
    assert told.returncode == 0, told.stdout + told.stderr
