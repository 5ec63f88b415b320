"""`python -m yiyuebao_api demo`: the whole story against the running service, told so that a person enjoys it.

It speaks HTTP only: to the API, to the sandbox's control routes (the SMS inbox, the phone that pays), and through a
receiver of its own that plays the hospital's system. Days pass by the documented clock file, and it is put back at the
end. It may be run again and again on the same installation.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from io import TextIOWrapper

import httpx

from yiyuebao_api.demo import side_stories, story, talk, who
from yiyuebao_api.demo.hospital_system import open_system
from yiyuebao_api.demo.people import require
from yiyuebao_api.demo.stage import Stage, StoryBroken, wire_now
from yiyuebao_api.demo.travel import Travel
from yiyuebao_api.settings import Settings

__all__ = ["tell"]

#: As a shell reports a program that was ended by Ctrl-C.
INTERRUPTED = 130


async def tell(settings: Settings, url: str | None, pause: float) -> int:
    """0 when everything happened as told; 1 when something did not, after a sentence that says what.

    Ctrl-C and SIGTERM end the story early, with 130. The clock is put back whatever happens.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that knows no Chinese
    stage = Stage(pause=pause)
    api_url = (url or settings.http.public_url).rstrip("/")
    stage.title("医约宝 · 一次上门护理的全过程", "yiyuebao_api: the main job, end to end, on real parts")
    travel: Travel | None = None
    try:
        travel = Travel.prepared(settings)
        with _stopped_by_sigterm():
            await _play(stage, travel, api_url, settings.wechat_pay.base_url)
    except StoryBroken as why:
        stage.broken(str(why))
        return 1
    except asyncio.CancelledError:
        stage.broken("演示被中断 · interrupted")
        return INTERRUPTED
    finally:
        if travel is not None and travel.is_away:
            travel.back()
            stage.note(f"时钟已回到 {wire_now()} · the clock is back")
    stage.line()
    stage.good("全部如上所述 · everything happened as told")
    return 0


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the story as Ctrl-C does: by cancelling it, so that it tidies up."""
    loop, story_told = asyncio.get_running_loop(), asyncio.current_task()
    assert story_told is not None
    try:
        loop.add_signal_handler(signal.SIGTERM, story_told.cancel)
    except (NotImplementedError, RuntimeError, ValueError):  # not in the main thread, or not on this system
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


async def _play(stage: Stage, travel: Travel, api_url: str, sandbox_url: str) -> None:
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(httpx.AsyncClient(base_url=api_url, timeout=30, trust_env=False))
        sandbox = await stack.enter_async_context(
            httpx.AsyncClient(base_url=sandbox_url, timeout=30, trust_env=False)
        )
        system = await stack.enter_async_context(open_system())
        cast, logins = story.make_cast(api, sandbox, stage, travel, system)
        await _require_ready(stage, api, cast)
        stack.push_async_callback(story.close_house, cast)
        await story.open_house(cast, logins["desk"])
        await who.new_nurse(cast, logins["operator"])
        home = await who.stranger(cast)
        service = await story.find_service(cast, home)
        booking = await story.book(cast, home, service)
        booking = await story.pay(cast, cast.daughter, booking)
        await story.tell_hospital(cast, booking)
        await story.visit(cast, booking)
        await story.settle(cast, booking, logins["operator"])
        travel.back()
        stage.clock(f"时钟回到 {wire_now()}：此间要做的事都已做完 · the clock goes back, nothing is left waiting")

        phone = (logins["neighbour"].phone or "").removeprefix("+86")
        held, wish, his = await side_stories.last_place(cast, home, phone)
        prepaid, order = await side_stories.forgery(cast, held)
        await side_stories.late_money(cast, held, wish, prepaid, order)
        await side_stories.change_of_mind(cast, home)
        await side_stories.silence(cast, his)
        await talk.consultation(cast, home)
        await cast.deliveries_done()


async def _require_ready(stage: Stage, api: httpx.AsyncClient, cast: story.Cast) -> None:
    try:
        ready = await api.get("/readyz")
    except httpx.TransportError:
        raise StoryBroken(f"{api.base_url} 没有应答。先启动：scripts/run") from None
    require(ready.status_code == 200, f"{api.base_url} 还没有准备好：{ready.text[:300]}")
    await cast.outside.require_open()
    stage.fact("API", str(api.base_url))
    stage.fact("时钟", f"{cast.travel.file}  {wire_now()}", "the business clock, moved on the way and put back")
    if cast.travel.was_moved:
        stage.note("有人移动过时钟，结束时回到此刻；回到真实时间：python -m yiyuebao_api clock now")
