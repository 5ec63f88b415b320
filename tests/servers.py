"""Throw-away database and Redis servers for the tests; the real programs, each with its own folder and port.

`python -m tests.servers COMMAND…` runs one command with an empty database of its own and no more.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, Self

from sqlalchemy import URL, make_url

import scripts.servers
from scripts.servers import free_port

#: Points the suite at a server that is already there: `mysql://user:password@host:port`, MariaDB or MySQL,
#: with a user who may create databases.
TEST_DATABASE_URL: Final = "YIYUEBAO_TEST_DATABASE_URL"

_PREFIX: Final = "yiyuebao-test-"
_ROOM_NEEDED: Final = 1 << 30  # a container's /dev/shm of 64 MiB is too small for a database


class MariaDb(scripts.servers.MariaDb):
    """A started MariaDB in memory (0.6 s) whose user may create databases; `stop` removes all of it.

    `durable=True` keeps what was committed through `kill`, on a real disk, as production does; the default
    trades that promise for speed. With `database` it has that one database, and a user who sees no other.
    """

    def __init__(self, *, durable: bool = False, database: str | None = None) -> None:
        self._folder = _Folder(in_memory=not durable)
        super().__init__(
            self._folder.path,
            free_port(),
            user="tester",
            # Two suites at once never write into each other's server by accident.
            password=secrets.token_urlsafe(12),
            log=self._folder.path / "mariadb.log",
            durable=durable,
            database=database,
        )
        self._start_or_clean_up()

    def restart(self) -> None:
        """End the server cleanly, whoever is connected, and start it again: same port, same data."""
        super().stop()
        self.start()

    def stop(self, *, grace_s: float = 10.0) -> None:
        """End the server and remove its data. `kill` (a power cut; `start` again afterwards) keeps them."""
        self.kill()
        self._folder.remove()

    def _start_or_clean_up(self) -> None:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class GivenServer:
    """A database server that was there before the tests and stays after them."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="mysql+asyncmy")

    def url(self, database: str = "") -> str:
        """SQLAlchemy address of a database on this server; of the server itself without a name."""
        url: URL = self._url.set(database=database)
        return url.render_as_string(hide_password=False)

    def stop(self) -> None:
        """Nothing: it is not ours."""


def database_server() -> MariaDb | GivenServer:
    """The server of this run: the one YIYUEBAO_TEST_DATABASE_URL names, else a throw-away MariaDB."""
    given = os.environ.get(TEST_DATABASE_URL)
    return GivenServer(given) if given else MariaDb()


class Redis(scripts.servers.Redis):
    """A started, empty Redis; gone after `stop`. `kill` and `start` play its bad days."""

    def __init__(self) -> None:
        self._folder = _Folder(in_memory=True)
        super().__init__(self._folder.path, free_port(), log=self._folder.path / "redis.log")
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def restart(self) -> None:
        """End the server and start it again, empty, on the same port."""
        super().stop()
        self.start()

    def stop(self, *, grace_s: float = 10.0) -> None:
        """End the server and remove its folder."""
        self.kill()
        self._folder.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Folder:
    """A temporary folder. When this run is killed the next one removes it: a database in memory is memory."""

    def __init__(self, *, in_memory: bool) -> None:
        place = Path("/dev/shm")
        roomy = os.access(place, os.W_OK) and shutil.disk_usage(place).free > _ROOM_NEEDED
        base = place if in_memory and roomy else Path(tempfile.gettempdir())
        for other in base.glob(f"{_PREFIX}*"):
            _remove_if_abandoned(other)
        nameless = Path(tempfile.mkdtemp(prefix="yiyuebao-", dir=base))
        self._claim = (nameless / "claim").open("w")
        fcntl.flock(self._claim, fcntl.LOCK_EX)
        # Only now under the name that others look for: nobody ever sees it unclaimed.
        self.path = nameless.rename(base / f"{_PREFIX}{nameless.name.removeprefix('yiyuebao-')}")

    def remove(self) -> None:
        self._claim.close()
        shutil.rmtree(self.path, ignore_errors=True)


def _remove_if_abandoned(folder: Path) -> None:
    try:
        with (folder / "claim").open() as claim:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        pass  # in use, or somebody else's


def _run_with_database(command: list[str]) -> int:
    with MariaDb(database="yiyuebao") as server:
        address = {"YIYUEBAO_DATABASE__URL": server.url("yiyuebao")}
        return subprocess.run(command, check=False, env={**os.environ, **address}).returncode


if __name__ == "__main__":
    sys.exit(_run_with_database(sys.argv[1:]))
