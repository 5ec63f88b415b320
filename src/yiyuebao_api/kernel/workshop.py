"""A few processes that do the heavy work on strangers' bytes, away from the loop and from our memory.

A decoder that crashes, takes too much memory or never ends kills its own process, not the service. The queue is bounded:
who would wait too long is told so at once.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, parent_process
from typing import TypeVar, TypeVarTuple, Unpack

_Given = TypeVarTuple("_Given")
_R = TypeVar("_R")

#: One piece of work: seconds until its process is ended, and bytes of address space.
SECONDS, MEMORY = 20, 3 << 29
#: How many may wait for each process; a picture of a phone takes about half a second.
WAITING_EACH = 16
_PIECES = 200  # then a process is replaced: decoders leak


class WorkshopBusy(Exception):
    """Too many wait already."""


class WorkFailed(Exception):
    """The process that worked on it ended: crashed, out of time, or beside one that did."""


class Workshop:
    """Starts its processes when there is work; `aclose` ends them."""

    def __init__(self, processes: int, *, seconds: int = SECONDS) -> None:
        self._processes, self._seconds = processes, seconds
        self._pool: ProcessPoolExecutor | None = None
        self._inside = 0

    async def run(self, work: Callable[[Unpack[_Given]], _R], *given: *_Given) -> _R:
        """Run a plain function of a module that is quick to import. Raises WorkshopBusy, WorkFailed, and what it raises."""
        if self._inside >= self._processes * (1 + WAITING_EACH):
            raise WorkshopBusy
        self._inside += 1
        try:
            pool = self._pool = self._pool or self._opened()
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(pool, _in_time, self._seconds, work, *given)
        except BrokenProcessPool:
            if self._pool is pool:
                self._pool = None
            raise WorkFailed from None
        finally:
            self._inside -= 1

    def _opened(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._processes, mp_context=multiprocessing.get_context("spawn"), initializer=_prepare, max_tasks_per_child=_PIECES
        )

    async def aclose(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)


def _in_time(seconds: int, work: Callable[[Unpack[_Given]], _R], *given: *_Given) -> _R:
    """The work with its time limit; SIGALRM ends the process even inside a decoder's loop."""
    signal.alarm(seconds)
    try:
        return work(*given)
    finally:
        signal.alarm(0)


def _prepare() -> None:
    """In the new process: limits, deaf to the terminal's ^C, and never longer alive than the service."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(parent: int) -> None:
    connection.wait([parent])
    os._exit(1)
