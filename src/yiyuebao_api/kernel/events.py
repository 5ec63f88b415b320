"""In-transaction announcements: a lower domain speaks, `wiring` says who listens.

Listeners run in the announcer's transaction, in the order written; a listener's failure rolls everything back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol


class Transaction(Protocol):
    """A session, or a `Wire` without one: a listener that needs more than `info` is told by sessions only."""

    @property
    def info(self) -> dict[Any, Any]: ...


Listener = Callable[[Any, Any], Awaitable[None]]
_listeners: Mapping[type, Sequence[Listener]] = {}


def connect(table: Mapping[type, Sequence[Listener]]) -> None:
    """Called once by each process with the table of `wiring`."""
    global _listeners
    _listeners = table


def after_commit(tx: Transaction, follow: Callable[[], Awaitable[None]]) -> None:
    """Run `follow` once, after this transaction has been committed; for wake-ups, never for what must happen.

    A failure of it is logged and changes nothing.
    """
    tx.info.setdefault("after_commit", []).append(follow)


async def announce(tx: Transaction, event: object) -> None:
    """Tell everybody who listens to this kind of event. An event nobody placed in the table is a mistake."""
    for listener in _listeners[type(event)]:
        await listener(tx, event)
