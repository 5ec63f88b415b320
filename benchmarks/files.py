"""How many photos a second are taken, and who else waits meanwhile? Beside: the same re-encoding with nothing around it.

    python -m benchmarks.files             # about two minutes
    python -m benchmarks.files --quick     # some photos of each, to see that it works

Two photos: 12 megapixels as a camera makes them, 3 megapixels as the mini-program compresses them. Cells: `bare` is
`media.clean` in as many plain processes as the service has; `upload` is the whole of POST /v1/files over HTTP (multipart,
checks, re-encoding, thumbnail, encryption, three objects' worth of disk and three commits); `others` is the time of
GET /healthz, asked by a thread every two milliseconds, at rest and beside the uploads: what the event loop lets others wait.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from multiprocessing import get_context

import uvloop
from PIL import Image, ImageDraw, ImageFilter

from benchmarks.harness import Ask, House, Program, cpu_us, fire, say, tell
from tests.scenes.accounts import sign_in
from yiyuebao_api.kernel.media import Kind, clean

WORKERS, SENDERS, PAUSE_S = 2, 4, 0.002
PHOTOS = {"12 MP": ((4000, 3000), 92), "3 MP": ((2048, 1536), 80)}


def photo(size: tuple[int, int], quality: int) -> bytes:
    """Something between a wall and a meadow: soft noise, edges, a gradient."""
    noise = Image.effect_noise(size, 60).filter(ImageFilter.GaussianBlur(1.5)).convert("RGB")
    image = Image.blend(noise, Image.linear_gradient("L").resize(size).convert("RGB"), 0.6)
    draw = ImageDraw.Draw(image)
    for step in range(0, size[0], 200):
        draw.rectangle((step, step // 2, step + 90, step // 2 + 60), fill=(step % 255, 90, 160))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def form(content: bytes, token: str) -> bytes:
    """One upload as it goes over the wire."""
    mark = "benchmark-boundary"
    body = (
        f'--{mark}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nwound_photo\r\n--{mark}\r\n'
        'content-disposition: form-data; name="file"; filename="photo.jpg"\r\ncontent-type: image/jpeg\r\n\r\n'
    ).encode() + content + f"\r\n--{mark}--\r\n".encode()  # fmt: skip
    head = (
        f"POST /v1/files HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n"
        f"content-type: multipart/form-data; boundary={mark}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def bare(content: bytes, count: int) -> float:
    """Photos a second through `clean` alone."""
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        list(pool.map(clean, [Kind.JPEG] * WORKERS * 2, [content] * WORKERS * 2))  # started and imported
        began = time.perf_counter()
        list(pool.map(clean, [Kind.JPEG] * count, [content] * count))
        return count / (time.perf_counter() - began)


@contextmanager
def others(port: int) -> Iterator[list[float]]:
    """Times of /healthz in milliseconds, while the block runs."""
    times: list[float] = []
    stop = threading.Event()

    def ask() -> None:
        connection = HTTPConnection("127.0.0.1", port)
        while not stop.wait(PAUSE_S):
            began = time.perf_counter()
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            times.append((time.perf_counter() - began) * 1e3)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield times
    finally:
        stop.set()
        thread.join()


def quantile(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def shared(request: bytes, count: int) -> list[Ask]:
    """`count` uploads, divided among the senders as they become free."""
    left = iter(range(count))
    return [lambda _status: request if next(left, None) is not None else None] * SENDERS


async def run(house: House, program: Program, *, photos: int, rest_s: float) -> None:
    database = house.database()
    token = (await sign_in(database, house.tokens)).access_token
    await program.ready()
    with others(program.port) as calm:
        await asyncio.sleep(rest_s)
    at_rest = {"p50_ms": quantile(calm, 0.5), "p99_ms": quantile(calm, 0.99), "max_ms": max(calm)}
    say(f"others, at rest: p50 {at_rest['p50_ms']:.1f} ms, p99 {at_rest['p99_ms']:.1f} ms, max {at_rest['max_ms']:.1f} ms")
    for name, (size, quality) in PHOTOS.items():
        content = photo(size, quality)
        ceiling = await asyncio.to_thread(bare, content, photos)
        request = form(content, token)
        await fire(program.port, shared(request, SENDERS))  # its processes are started
        before = cpu_us(program.pid)
        with others(program.port) as times:
            answers = await fire(program.port, shared(request, photos))
        if set(answers.statuses) != {201}:
            raise RuntimeError(f"{dict(answers.statuses)}: {answers.bodies}")
        per_s = photos / answers.seconds
        used = (cpu_us(program.pid) - before) / photos / 1e3
        p50, p99, most = quantile(times, 0.5), quantile(times, 0.99), max(times)
        say(
            f"{name} ({len(content) >> 10} kB): {per_s:.1f} photos/s = {per_s / ceiling:.2f} of bare ({ceiling:.1f}/s), "
            f"{used:.0f} ms CPU each, answer p50 {answers.quantile(0.5):.0f} ms; "
            f"others p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {most:.1f} ms"
        )  # fmt: skip
        tell(
            "files", name, photos_per_s=round(per_s, 1), of_bare=round(per_s / ceiling, 2), cpu_ms=round(used),
            others_p50_ms=round(p50, 1), others_p99_ms=round(p99, 1), others_max_ms=round(most, 1),
            at_rest_p99_ms=round(at_rest["p99_ms"], 1),
        )  # fmt: skip
    await database.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few photos: shows that it works, no more")
    options = parser.parse_args()
    photos, rest_s = (8, 1.0) if options.quick else (60, 5.0)
    with House.standing() as house, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        program = house.serve(
            YIYUEBAO_FILES__FOLDER=str(house.folder / "files"), YIYUEBAO_FILES__UPLOADS_PER_DAY="100000",
            YIYUEBAO_FILES__WORKERS=str(WORKERS),
        )  # fmt: skip
        runner.run(run(house, program, photos=photos, rest_s=rest_s))


if __name__ == "__main__":
    main()
