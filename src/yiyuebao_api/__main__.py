"""`python -m yiyuebao_api COMMAND`: serve, work, migrate, seed, and show oneself."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from yiyuebao_api.kernel.rotation import Count
from yiyuebao_api.settings import Settings

if TYPE_CHECKING:
    from yiyuebao_api.kernel import audit

cli = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    help="医约宝: home-visit care, booked, paid, carried out and settled.",
)


@cli.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    with_worker: Annotated[bool, typer.Option(help="Run the jobs in this process too (one process only).")] = False,
) -> None:
    """Serve the API."""
    import uvicorn

    from yiyuebao_api.serving import SOCKETS

    settings = Settings()
    if workers > 1 and with_worker:
        raise typer.BadParameter("--with-worker is for one process; run `worker` beside several")
    if workers > 1 and settings.redis.url is None:
        raise typer.BadParameter("several processes find each other's sockets through Redis: set YIYUEBAO_REDIS__URL")
    uvicorn.run(
        "yiyuebao_api.serving:app_with_worker" if with_worker else "yiyuebao_api.serving:app", factory=True, host=host,
        port=port, workers=workers, loop="uvloop", http="httptools", **SOCKETS,
        timeout_graceful_shutdown=settings.http.shutdown_s, server_header=False,
        date_header=True, access_log=False, log_config=None, proxy_headers=False,
    )  # fmt: skip


@cli.command()
def worker(
    job: Annotated[str | None, typer.Argument(help="Only this job or timer, with --once.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Do what is due and stop.")] = False,
    early: Annotated[bool, typer.Option("--early", help="With --once: also what is not due yet.")] = False,
) -> None:
    """Run the jobs that follow commits: notifications, refunds, webhooks, deadlines."""
    settings = Settings()
    asyncio.run(_work(settings, job, once=once, early=early))


async def _work(settings: Settings, job: str | None, *, once: bool, early: bool) -> None:
    from yiyuebao_api import wiring
    from yiyuebao_api.context import open_context
    from yiyuebao_api.kernel import events, log
    from yiyuebao_api.kernel.outbox import Worker

    if job is not None and job not in {*wiring.JOBS, *wiring.TIMERS}:
        known = ", ".join([*wiring.JOBS, *wiring.TIMERS])
        raise typer.BadParameter(f"no job or timer is called {job}; there are: {known}")
    if (job is not None or early) and not once:
        raise typer.BadParameter("a job's name and --early go with --once")
    log.configure(settings.log_level)
    async with open_context(settings) as context:
        events.connect(wiring.EVENTS)
        made = Worker(context.begin, context, wiring.JOBS, wiring.TIMERS)
        if once:
            done = await made.drain(job, early=early)
            print(f"{done} run{'s' if done != 1 else ''}")
            return
        stopping = asyncio.Event()
        for each in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(each, stopping.set)
        async with wiring.running(made):
            await stopping.wait()


@cli.command()
def sandbox(
    port: Annotated[int, typer.Option(help="Port on the loopback interface.")] = 8100,
    home: Annotated[Path, typer.Option(help="Where its keys and its state are kept.")] = Path(".data/sandbox"),
) -> None:
    """The providers on this machine: WeChat Pay, mini-program, Amap, SMS. Development only."""
    from yiyuebao_api.sandbox.app import serve as serve_sandbox

    serve_sandbox(port, home)


@cli.command()
def migrate(
    to: Annotated[str, typer.Argument(help="Revision to go to.")] = "head",
    down: Annotated[bool, typer.Option("--down", help="Go down to the revision instead of up.")] = False,
) -> None:
    """Bring the database to the newest revision, with the lists and notices that every installation needs."""
    from yiyuebao_api import migrate as migrations

    settings = Settings()
    asyncio.run(migrations.downgrade(settings, to) if down else migrations.upgrade(settings, to))
    if to == "head" and not down:
        if not asyncio.run(migrations.guard_audit(settings)):
            print(_UNGUARDED, file=sys.stderr)
        asyncio.run(_reference(settings))


_UNGUARDED = (
    "note: this server does not let us make the triggers that keep the audit from being changed. Set its\n"
    "log_bin_trust_function_creators=1 and migrate again; or take UPDATE and DELETE on audit_entry and audit_seal from\n"
    "the service's user. Until then a change is found by `verify-audit`, and not prevented."
)


async def _reference(settings: Settings) -> None:
    from sqlalchemy.exc import IntegrityError

    from yiyuebao_api import seed as seeding
    from yiyuebao_api.kernel import clock
    from yiyuebao_api.kernel.database import Database

    async with contextlib.aclosing(Database(settings.database)) as database:
        try:
            await seeding.seed_reference(database, now=clock.now())
        except IntegrityError:  # another process did it at the same moment: what is missing now is nothing
            await seeding.seed_reference(database, now=clock.now())


@cli.command(name="rotate-keys")
def rotate_keys() -> None:
    """Seal every encrypted column anew under the current key, while the service runs; start it again if it was stopped."""
    counts = asyncio.run(_rotate_keys(Settings()))
    for each in counts:
        print(
            f"{each.column:45} {each.resealed:8} re-sealed {each.raced:6} raced {each.current:8} were current"
            + (f" {each.unreadable:6} UNREADABLE" if each.unreadable else "")
        )
    if any(each.unreadable for each in counts):
        raise typer.Exit(1)


async def _rotate_keys(settings: Settings) -> list[Count]:
    from yiyuebao_api import tables
    from yiyuebao_api.kernel import rotation, secrets
    from yiyuebao_api.kernel.database import Database

    secrets.install(settings.secrets)
    async with contextlib.aclosing(Database(settings.database, pool_size=1)) as database:
        return await rotation.rotate(database.begin, secrets.ring(), tables.metadata)


@cli.command()
def seed(
    services: Annotated[int | None, typer.Option(help="That many generated services instead of the demo's.")] = None,
    print_logins: Annotated[bool, typer.Option("--print-logins", help="Only show who can sign in.")] = False,
) -> None:
    """Demo hospitals, services, staff and patients; the same every time, and only once."""
    from yiyuebao_api import seed as seeding

    settings = Settings()
    if print_logins:
        for each in seeding.demo_logins():
            how = each.phone.removeprefix("+86") if each.phone else f"{each.login} / {each.password}"
            print(f"  {each.mode.value:10} {how:36} {each.who}")
        print("  A phone gets its code by SMS: read it in the sandbox's inbox.")
        return
    asyncio.run(_seed(settings, services))


async def _seed(settings: Settings, services: int | None) -> None:
    from yiyuebao_api import seed as seeding
    from yiyuebao_api.kernel import clock
    from yiyuebao_api.kernel.database import Database

    clock.use_file(settings.clock_file)
    async with contextlib.aclosing(Database(settings.database)) as database:
        report = await seeding.seed(database, settings, services=services, now=clock.now())
    added = ", ".join(f"{count} {name}" for name, count in report.added.items() if count)
    print(f"added {added}" if report.changed else "everything was there already")


class StaffMode(StrEnum):
    """Who is not registered by anybody inside: desks are registered by the operator."""

    OPERATOR = "operator"
    AUDITOR = "auditor"


@cli.command()
def staff(
    login: Annotated[str, typer.Argument(help="What they sign in with.")],
    mode: Annotated[StaffMode, typer.Option(help="Operator or auditor; nobody is both.")],
) -> None:
    """Register an operator or auditor; prints a password and the secret of the second step, once."""
    from yiyuebao_api.kernel.problems import Problem

    try:
        password, address = asyncio.run(_register(Settings(), login, mode))
    except Problem as refusal:
        print(refusal.detail.en, file=sys.stderr)
        raise typer.Exit(1) from None
    print(f"login     {login.strip().lower()}\npassword  {password}\nTOTP      {address}")
    print("Shown once. Add the TOTP address to an authenticator; the sign-in asks for its code.")


async def _register(settings: Settings, login: str, mode: StaffMode) -> tuple[str, str]:
    import pyotp

    from yiyuebao_api.domains.accounts.service import create_staff
    from yiyuebao_api.domains.hospitals.service import new_credentials
    from yiyuebao_api.kernel import clock, secrets
    from yiyuebao_api.kernel.database import Database
    from yiyuebao_api.kernel.tokens import Mode

    password, totp_secret = new_credentials()
    clock.use_file(settings.clock_file)
    secrets.install(settings.secrets)
    database, hashed = Database(settings.database), await secrets.hash_password(password)
    try:
        async with database.begin() as tx:
            await create_staff(
                tx, login=login, password_hash=hashed, totp_secret=totp_secret, mode=Mode(mode.value),
                hospital_id=None, now=clock.now(),
            )  # fmt: skip
    finally:
        await database.aclose()
    return password, pyotp.TOTP(totp_secret).provisioning_uri(name=login, issuer_name="医约宝")


@cli.command()
def demo(
    url: Annotated[str | None, typer.Option(help="The running service; from the settings by default.")] = None,
    pause: Annotated[float, typer.Option(help="Seconds to wait between the steps, for people who watch.")] = 0.0,
) -> None:
    """Walk the whole story against the running service and tell it."""
    from yiyuebao_api.demo import tell

    raise typer.Exit(asyncio.run(tell(Settings(), url, pause)))


@cli.command()
def routes() -> None:
    """The table of routes: method, path, who may call, what it can refuse, where it is written."""
    from yiyuebao_api.api import operations

    for each in operations():
        print(f"{each.method:6} {each.path:66} {'|'.join(each.callers):22} {each.where}")
        print(f"       {'':66} {' '.join(each.problems)}")


@cli.command()
def openapi(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when the committed files differ.")] = False,
) -> None:
    """Write openapi/*.json from the routes."""
    from yiyuebao_api import openapi as contract
    from yiyuebao_api.app import create_app

    app = create_app(Settings())
    if not check:
        for file in contract.write(app):
            print(file)
    elif found := contract.drift(app):
        print(f"differs from the routes: {', '.join(found)}; run `python -m yiyuebao_api openapi`", file=sys.stderr)
        raise typer.Exit(1)


@cli.command(name="clock")
def move_clock(by: Annotated[str, typer.Argument(help="For example +7d, +90m, -1h, or `now` to go back.")]) -> None:
    """Move the business clock of a development installation (YIYUEBAO_CLOCK_FILE)."""
    from yiyuebao_api.kernel import clock

    clock.use_file(Settings().clock_file)
    if by == "now":
        clock.move(-clock.offset())
    elif found := re.fullmatch(r"([+-]?)(\d+)([dhms])", by):
        unit = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}[found[3]]
        sign = -1 if found[1] == "-" else 1
        clock.move(sign * timedelta(**{unit: int(found[2])}))
    else:
        raise typer.BadParameter("for example +7d, +90m, -1h, now")
    print(clock.now().astimezone(clock.SHANGHAI).isoformat(timespec="seconds"))


@cli.command(name="verify-audit")
def verify_audit(
    newest: Annotated[int | None, typer.Option(help="Only that many seals, the newest; all of them without it.")] = None,
    anchor: Annotated[str | None, typer.Option(help="A head that was noted before, as NUMBER:DIGEST.")] = None,
) -> None:
    """Read the audit again: was a row changed, removed or inserted, and which ones are not sealed yet?"""
    from yiyuebao_api.kernel import audit

    try:
        number, _, digest = (anchor or "0:").partition(":")
        held = audit.Anchor(int(number), bytes.fromhex(digest))
    except ValueError:
        raise typer.BadParameter("an anchor is NUMBER:DIGEST, as the last line of an earlier run") from None
    report = asyncio.run(_verify_audit(Settings(), newest, held if anchor else None))
    lists: dict[str, Sequence[object]] = {
        "changed": report.changed, "removed": report.removed, "inserted": report.inserted,
        "broken seal": report.broken_seals, "not sealed yet": report.unsealed,
    }  # fmt: skip
    for what, found in lists.items():
        for each in found[: audit.NAMED]:
            print(f"{what}: {each}")
        if len(found) > audit.NAMED:
            print(f"{what}: {len(found) - audit.NAMED} more")
    if not report.anchored:
        print("the anchor is not in this chain")
    told = "sound" if report.sound else "NOT SOUND"
    print(f"{told}: {report.entries} rows under {report.seals} seals, {len(report.unsealed)} not sealed yet")
    if report.head is not None:
        print(f"head {report.head.number}:{report.head.digest.hex()}")
    if not report.sound:
        raise typer.Exit(1)


async def _verify_audit(settings: Settings, newest: int | None, anchor: audit.Anchor | None) -> audit.Report:
    from yiyuebao_api.kernel import audit, secrets
    from yiyuebao_api.kernel.database import Database

    secrets.install(settings.secrets)
    async with contextlib.aclosing(Database(settings.database)) as database:
        return await audit.verify(database.begin, newest=newest, anchor=anchor)


@cli.command()
def check() -> None:
    """Say what keeps these settings from serving real people."""
    from yiyuebao_api.settings import weaknesses

    found = weaknesses(Settings())
    for each in found:
        print(f"- {each}")
    if found:
        raise typer.Exit(1)
    print("fit for production")


def main() -> None:
    """The console script."""
    cli()


if __name__ == "__main__":
    main()
