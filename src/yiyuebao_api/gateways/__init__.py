"""The outside world: one room per capability, each with one real implementation.

    ProviderError
    ├── ProviderUnavailable   nobody knows whether it happened; the same call may be made again
    └── ProviderRefused       the provider understood and said no; the same call will be refused again

Nothing else leaves a gateway: SDK types and errors never cross this floor. Every method that speaks to the outside
calls `kernel.database.assert_no_transaction()` first.
"""

from __future__ import annotations


class ProviderError(Exception):
    """A provider did not do what it was asked."""


class ProviderUnavailable(ProviderError):
    """Timeout, broken connection, overload or an answer not to be believed: what became of it is unknown, ask again."""


class ProviderRefused(ProviderError):
    """The provider's own final answer; `code` and `message` are the provider's words, for logs and operators only."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
