"""Private MariaDB and Redis servers: own folder, own port, loopback only, nothing but the standard library.

`scripts/run` keeps them under `.data`; the tests throw theirs away (tests/servers.py). The system's own
servers, their configuration files and their ports are never touched.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

#: Debian keeps servers where the PATH of a user does not look.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])


class ServerFailed(Exception):
    """A program did not start, or ended by itself; the text is made for the person at the terminal."""


def port_is_free(port: int) -> bool:
    """True when a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A loopback port that is free now, outside the range from which the kernel serves outgoing connections.

    Inside that range a server that is restarted may find its port borrowed by somebody's client.
    """
    while not port_is_free(port := random.randrange(20_000, 32_000)):
        pass
    return port


def find_program(name: str, package: str) -> str:
    """Full path of a server's program, or `ServerFailed` naming the Debian package that brings it."""
    found = shutil.which(name, path=SEARCH_PATH)
    if found is None:
        raise ServerFailed(f"{name} is missing. Please install it with:  sudo apt-get install {package}")
    return found


class Daemon:
    """One long-running program with its log file; it ends, at the latest, with whoever started it."""

    def __init__(
        self,
        name: str,
        command: list[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.command = command
        self.log = log
        self.env = env
        self.cwd = cwd
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def launch(self) -> None:
        """Start the program, and do not wait for it.

        It gets a session of its own: a Ctrl-C at the terminal reaches only us, and we stop things in order.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*_ends_with_us(), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=None if self.env is None else dict(self.env),
                cwd=self.cwd,
                start_new_session=True,
            )

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Return when `ready` is true; `ServerFailed` when the program ends first or the time is over."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not self.running:
                raise ServerFailed(self.obituary())
            if time.monotonic() > deadline:
                late = f"{self.name} did not answer within {timeout_s:.0f} s."
                raise ServerFailed(f"{late}\n{self.last_words()}")
            time.sleep(0.02)

    def wait_for_success(self, *, timeout_s: float) -> None:
        """Return when the program has ended well; `ServerFailed` when it ended badly or not in time."""
        assert self.process is not None, "launch it first"
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ServerFailed(f"{self.name} took more than {timeout_s:.0f} s.\n{self.last_words()}") from None
        if code != 0:
            raise ServerFailed(self.obituary())

    def stop(self, *, grace_s: float = 10.0) -> None:
        """Ask the program to end (SIGTERM), wait, and kill what is left of it and of its children."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(grace_s)
        self.kill()

    def kill(self) -> None:
        """End the program and its children at once, as a power cut would."""
        if self.process is None:
            return
        self.send_kill()
        self.process.wait()

    def send_kill(self) -> None:
        """Like `kill`, without waiting for the end: safe in a signal handler."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def obituary(self) -> str:
        """Why the program is gone: exit code and last lines of its log; a full disk is called by its name."""
        code = None if self.process is None else self.process.poll()
        if code is not None and code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
        else:
            how = f"stopped by itself (exit code {code})"
        sentence = f"{self.name} {how}."
        if re.search(r"No space left on device|\berr(no|or):? 28\b", self.last_words(200), re.IGNORECASE):
            sentence = f"{self.name} could not write: the disk is full ({self.log.parent})."
        return f"{sentence}\n{self.last_words()}"

    def last_words(self, lines: int = 15) -> str:
        """The end of the log, indented, under the log's name."""
        try:
            text = self.log.read_text(errors="replace")
        except OSError:
            text = ""
        tail = "\n".join(f"    {line}" for line in text.rstrip().splitlines()[-lines:])
        return f"Last lines of {self.log}:\n{tail}" if tail else f"{self.log} is empty."


class MariaDb(Daemon):
    """A private MariaDB whose only way in over TCP is one user with one password.

    `durable=True` survives a power cut (flush at every commit, doublewrite); `False` is for throwing away.
    `database` is created when given, and the user is then confined to it; otherwise the user may create any.
    """

    def __init__(
        self,
        home: Path,
        port: int,
        *,
        user: str,
        password: str,
        log: Path,
        durable: bool,
        database: str | None = None,
    ) -> None:
        for word in (user, password, database or user):
            if not re.fullmatch(r"[A-Za-z0-9_-]+", word):
                raise ValueError("user, password and database must need no quoting")
        self.home = home
        self.port = port
        self.user = user
        self.password = password
        self.durable = durable
        self.database = database
        super().__init__("MariaDB", [], log=log)

    def url(self, database: str = "") -> str:
        """SQLAlchemy address of a database on this server; of the server itself without a name."""
        return f"mysql+asyncmy://{self.user}:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self, *, timeout_s: float = 120.0) -> None:
        """Make the data folder when there is none, start, and return when the server answers.

        After a crash the server repairs its files first; that is what the long time limit is for.
        """
        self._install()
        # Given at every start, so that a new password is taken over; removed, for it holds the password.
        first_words = self.home / "first-words.sql"
        first_words.touch(mode=0o600)
        first_words.write_text(self._first_words())
        self.command = [
            find_program("mariadbd", "mariadb-server-core"),
            "--no-defaults",
            *_as_this_user(),
            f"--datadir={self._data}",
            f"--tmpdir={self.home}",
            # Relative to the data folder: the kernel refuses socket paths longer than 107 bytes.
            "--socket=mariadb.sock",
            "--pid-file=mariadb.pid",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            f"--init-file={first_words}",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--log-warnings=1",
            "--performance-schema=OFF",
            "--max-connections=300",
            "--max-allowed-packet=64M",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_unicode_ci",
            "--default-time-zone=+00:00",
            "--transaction-isolation=READ-COMMITTED",
            *self._effort,
        ]
        try:
            self.launch()
            self.wait_until(self._answers, timeout_s=timeout_s)
        finally:
            first_words.unlink(missing_ok=True)

    @property
    def _effort(self) -> list[str]:
        return _DURABLE if self.durable else _FAST

    @property
    def _data(self) -> Path:
        return self.home / "data"

    def _install(self) -> None:
        """Make the system tables in a folder beside, then move it into place: half a folder never starts."""
        if self._data.exists():
            return
        half = self.home / "data.half"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        install = Daemon(
            "mariadb-install-db",
            [
                find_program("mariadb-install-db", "mariadb-server-core"),
                "--no-defaults",
                *_as_this_user(),
                # Relative to its working folder: this shell script breaks paths with a space in them.
                f"--datadir=./{half.name}",
                "--auth-root-authentication-method=socket",
                "--skip-test-db",
                "--skip-name-resolve",
                *self._effort,
            ],
            log=self.log,
            cwd=self.home,
        )
        try:
            install.launch()
            install.wait_for_success(timeout_s=120)
        finally:
            install.kill()
        half.rename(self._data)

    def _first_words(self) -> str:
        account = f"'{self.user}'@'127.0.0.1'"
        scope = f"`{self.database}`" if self.database else "*"
        statements = [
            f"create user if not exists {account}",
            f"alter user {account} identified by '{self.password}'",
            f"grant all on {scope}.* to {account}",
        ]
        if self.database:
            statements.insert(0, f"create database if not exists `{self.database}`")
        return "".join(f"{statement};\n" for statement in statements)

    def _answers(self) -> bool:
        """True when the server greets on its own socket file, which nobody else can be listening on."""
        try:
            folder = os.open(self._data, os.O_RDONLY)
        except OSError:
            return False
        try:
            with socket.socket(socket.AF_UNIX) as door:
                door.settimeout(5)
                door.connect(f"/proc/self/fd/{folder}/mariadb.sock")
                return len(door.recv(5)) == 5
        except OSError:
            return False
        finally:
            os.close(folder)


class Redis(Daemon):
    """A private Redis that keeps nothing: it wakes up other processes, it is never asked to remember."""

    def __init__(self, home: Path, port: int, *, log: Path) -> None:
        self.home = home
        self.port = port
        super().__init__("Redis", [], log=log)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, and return when the server answers."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.command = [
            find_program("redis-server", "redis-server"),
            *("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.home)),
            *("--save", "", "--appendonly", "no", "--daemonize", "no"),
            *("--maxmemory", "128mb", "--maxmemory-policy", "noeviction"),
        ]
        self.launch()
        self.wait_until(self._answers, timeout_s=20)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as door:
                door.sendall(b"PING\r\n")
                return self.running and door.recv(5) == b"+PONG"
        except OSError:
            return False


_DURABLE = [
    "--innodb-flush-log-at-trx-commit=1",
    "--innodb-doublewrite=1",
    "--innodb-buffer-pool-size=256M",
    "--innodb-log-file-size=64M",
]
_FAST = [
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=32M",
]


def _as_this_user() -> list[str]:
    # As root the server refuses to start unless told that root is meant.
    return ["--user=root"] if os.getuid() == 0 else []


def _ends_with_us() -> list[str]:
    """Command prefix: the kernel sends SIGTERM to the program when its starter dies, even by SIGKILL.

    The kernel means the starting *thread*, so a thread that may end before its process gets no such promise.
    """
    setpriv = shutil.which("setpriv", path=SEARCH_PATH)
    if setpriv is None or threading.current_thread() is not threading.main_thread():
        return []
    return [setpriv, "--pdeathsig", "TERM", "--"]
