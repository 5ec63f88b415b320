"""Rules of signing in, without input or output: limits, lockout, how long a session lives, whose address it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil

from yiyuebao_api.kernel.clock import today
from yiyuebao_api.kernel.tokens import Mode

#: Who may not be one person: the operator decides, the auditor looks at the decisions.
OPPOSITES = {Mode.OPERATOR: Mode.AUDITOR, Mode.AUDITOR: Mode.OPERATOR}

#: RULE-10.
CODE_LIFE, CODE_TRIES = timedelta(minutes=5), 5

PASSWORD_TRIES, LOCKED_FOR = 5, timedelta(minutes=15)

#: An app's session ends 30 days after its last refresh; a password's after 12 hours, or 30 minutes without a request.
APP_LIFE, STAFF_LIFE, STAFF_IDLE = timedelta(days=30), timedelta(hours=12), timedelta(minutes=30)
#: How exactly `last_used_at` is kept: one write a minute, not one a request.
TOUCH_EVERY = timedelta(seconds=60)

STAFF_MODES = frozenset({Mode.DESK, Mode.OPERATOR, Mode.AUDITOR})

_MAINLAND = re.compile(r"\+861[3-9][0-9]{9}")


class AccountStatus(StrEnum):
    """Whether an account may sign in."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class SignInMethod(StrEnum):
    """How a session began."""

    SMS = "sms"
    WECHAT = "wechat"
    PASSWORD = "password"


class CodePurpose(StrEnum):
    """What a code is for; a code of one purpose is none for another."""

    LOGIN = "login"
    PRIVACY = "privacy"  # a copy of what is held, or the end of the account


class EndReason(StrEnum):
    """Why a session was ended before its time."""

    LOGOUT = "logout"
    LOGOUT_EVERYWHERE = "logout_everywhere"
    TOKEN_REUSED = "token_reused"
    ROLE_REVOKED = "role_revoked"


def is_mainland_mobile(phone_e164: str) -> bool:
    """RULE-09: a mobile number of mainland China, by its form alone."""
    return _MAINLAND.fullmatch(phone_e164) is not None


# ── allowances ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Window(StrEnum):
    """Over what an allowance is counted."""

    HOUR = "hour"
    DAY = "day"  # of Shanghai

    def began(self, now: datetime) -> datetime:
        """The start of the window that `now` lies in, aware UTC."""
        return today(now) if self is Window.DAY else now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)

    @property
    def length(self) -> timedelta:
        return timedelta(days=1) if self is Window.DAY else timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Limit:
    """So many in a window, and never two within `gap`."""

    most: int
    window: Window
    gap: timedelta = timedelta()


#: RULE-10 and A02. The daily budget of the whole service comes from the settings.
CODES_PER_PHONE = Limit(10, Window.DAY, timedelta(seconds=60))
CODES_PER_ADDRESS = Limit(20, Window.HOUR)
#: Failures only: a hospital's whole staff may share one address.
PASSWORDS_PER_ADDRESS = Limit(60, Window.HOUR)


@dataclass(frozen=True, slots=True)
class Spent:
    """What is gone of an allowance."""

    window_began: datetime
    times: int
    last_at: datetime


def wait(spent: Spent | None, limit: Limit, now: datetime) -> timedelta:
    """How long until one more is allowed; zero means now."""
    began = limit.window.began(now)
    waits = [timedelta()]
    if limit.most <= 0 or (spent is not None and spent.window_began == began and spent.times >= limit.most):
        waits.append(began + limit.window.length - now)
    # Later than now by more than the gap: the clock was set back since (a demo travels), and nobody is to wait for that.
    if spent is not None and spent.last_at <= now + limit.gap:
        waits.append(min(limit.gap, spent.last_at + limit.gap - now))
    return max(waits)


def spend(spent: Spent | None, limit: Limit, now: datetime) -> Spent:
    """The allowance after one more; ask `wait` first."""
    began = limit.window.began(now)
    before = spent.times if spent is not None and spent.window_began == began else 0
    return Spent(began, before + 1, now)


def seconds(duration: timedelta) -> int:
    """Whole seconds, rounded up, at least one: for Retry-After."""
    return max(1, ceil(duration.total_seconds()))


# ── passwords ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Tries:
    """Failures in a row, and until when no try counts."""

    failed: int
    locked_until: datetime | None

    def is_locked(self, now: datetime) -> bool:
        return self.locked_until is not None and now < self.locked_until

    def one_more(self, now: datetime) -> Tries:
        """A try is counted before the password is looked at, so that parallel guesses cannot share one."""
        failed = 1 if self.locked_until is not None else self.failed + 1
        return Tries(failed, now + LOCKED_FOR if failed >= PASSWORD_TRIES else None)

    def one_less(self) -> Tries:
        """The password was right and only the second step is missing: that try was none."""
        return Tries(max(0, self.failed - 1), None)


FRESH = Tries(0, None)


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What decides whether a session still is one."""

    method: SignInMethod
    last_used_at: datetime
    expires_at: datetime
    revoked_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        idle = self.method is SignInMethod.PASSWORD and now - self.last_used_at >= STAFF_IDLE
        return self.revoked_at is None and now < self.expires_at and not idle

    def needs_touch(self, now: datetime) -> bool:
        return self.method is SignInMethod.PASSWORD and now - self.last_used_at >= TOUCH_EVERY


def first_end(method: SignInMethod, now: datetime) -> datetime:
    """When a session that begins now ends, unless it is refreshed."""
    return now + (STAFF_LIFE if method is SignInMethod.PASSWORD else APP_LIFE)


def refreshed_end(method: SignInMethod, ends: datetime, now: datetime) -> datetime:
    """A password's session is not prolonged: after 12 hours somebody types it again."""
    return ends if method is SignInMethod.PASSWORD else now + APP_LIFE


# ── addresses of clients ─────────────────────────────────────────────────────────────────────────────────────────────


def client_address(peer: str, forwarded_for: list[str], trusted: tuple[str, ...]) -> str:
    """Who is really calling: the peer, or behind our own proxies the last address that none of them has.

    What a client itself wrote into X-Forwarded-For stands further left and is never reached. IPv6 counts by /64: one
    household has 2^64 addresses.
    """
    networks = [ip_network(each, strict=False) for each in trusted]
    chain = [each.strip() for line in forwarded_for for each in line.split(",")]
    for hop in [peer, *reversed(chain)]:
        try:
            address = ip_address(hop)
        except ValueError:
            return "unknown"
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if not any(address in network for network in networks):
            return str(ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
    return peer
