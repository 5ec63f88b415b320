"""A sandbox inside this process, on a free port, in a thread of its own: for tests and for the demonstration."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from yiyuebao_api.sandbox import keys
from yiyuebao_api.sandbox.app import Options, create_sandbox, listen, server


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """Where it listens, and the environment that makes the service speak to it."""

    base_url: str
    home: Path
    environment: dict[str, str]


@contextmanager
def running_sandbox(home: Path, *, options: Options | None = None, port: int = 0) -> Iterator[RunningSandbox]:
    """Answers when the block begins, is stopped and saved when it ends."""
    listening = listen(port)
    base_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    environment = keys.prepare(home, base_url)
    serving = server(create_sandbox(home, options=options))
    thread = threading.Thread(target=serving.run, kwargs={"sockets": [listening]}, name="sandbox", daemon=True)
    thread.start()
    try:
        while not serving.started:
            if not thread.is_alive():
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.01)
        yield RunningSandbox(base_url, home, environment)
    finally:
        serving.should_exit = True
        thread.join(timeout=10)
        listening.close()
