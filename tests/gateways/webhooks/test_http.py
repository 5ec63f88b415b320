"""The poster against real servers that behave as strangers' servers do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.gateways.webhooks.receiver import Receiver, Reply
from yiyuebao_api.gateways import ProviderRefused, ProviderUnavailable
from yiyuebao_api.gateways.webhooks import AddressRefused, Fault, Letter, Unreached
from yiyuebao_api.gateways.webhooks.http import HttpWebhookPoster
from yiyuebao_api.gateways.webhooks.signing import new_secret

SECRET = new_secret()


def letter(url: str, *, body: bytes = b'{"type":"booking.paid"}') -> Letter:
    return Letter("evt_1", url, body, [SECRET])


@pytest.fixture
async def poster() -> AsyncIterator[HttpWebhookPoster]:
    async with HttpWebhookPoster(allow_loopback=True) as made:
        yield made


@pytest.fixture
async def hasty() -> AsyncIterator[HttpWebhookPoster]:
    """One that waits half a second, where waiting is what is tested."""
    async with HttpWebhookPoster(allow_loopback=True, total_s=0.5) as made:
        yield made


@pytest.fixture
async def hospital() -> AsyncIterator[Receiver]:
    async with Receiver() as made:
        yield made


async def test_a_message_arrives_signed_with_the_real_time_and_nothing_of_ours_besides(
    poster: HttpWebhookPoster, hospital: Receiver
) -> None:
    answer = await poster.post(letter(hospital.url + "?tenant=1"))
    assert (answer.status, answer.excerpt, answer.retry_after) == (200, "ok", None)
    [got] = hospital.got
    assert got.verify(SECRET) == {"type": "booking.paid"}
    assert abs(int(got.headers["webhook-timestamp"]) - time.time()) < 5
    assert got.headers["host"] == f"localhost:{hospital.port}"
    assert got.headers["content-type"] == "application/json"
    assert set(got.headers) == {
        "host", "content-type", "content-length", "user-agent", "accept-encoding", "connection",
        "webhook-id", "webhook-timestamp", "webhook-signature",
    }  # fmt: skip


async def test_a_redirect_is_an_answer_and_is_not_followed(poster: HttpWebhookPoster, hospital: Receiver) -> None:
    hospital.always = Reply(307, {"location": f"http://127.0.0.1:{hospital.port}/elsewhere"})
    assert (await poster.post(letter(hospital.url))).status == 307
    assert [got.path for got in hospital.got] == ["/yiyuebao"]


async def test_cookies_are_neither_kept_nor_sent(poster: HttpWebhookPoster, hospital: Receiver) -> None:
    hospital.always = Reply(headers={"set-cookie": "a=b"})
    await poster.post(letter(hospital.url))
    await poster.post(letter(hospital.url))
    assert "cookie" not in hospital.got[1].headers


async def test_a_receiver_that_answers_too_late_is_a_timeout(hasty: HttpWebhookPoster, hospital: Receiver) -> None:
    never = asyncio.Event()
    hospital.always = Reply(until=never)
    with pytest.raises(Unreached) as none:
        await hasty.post(letter(hospital.url))
    assert none.value.fault is Fault.TIMEOUT
    assert isinstance(none.value, ProviderUnavailable)
    never.set()


async def test_an_endless_body_is_read_to_64_kib_and_no_further(poster: HttpWebhookPoster, hospital: Receiver) -> None:
    hospital.always = Reply(body=b"x" * 32_768, pieces=10_000)
    answer = await poster.post(letter(hospital.url))
    assert (answer.status, answer.excerpt) == (200, "x" * 500)
    assert hospital.sent_bytes < 20_000_000  # what fits into the sockets' own buffers, far from the whole


async def test_a_dripping_body_does_not_undo_a_success(poster: HttpWebhookPoster, hospital: Receiver) -> None:
    hospital.always = Reply(body=b"x", pieces=1000, pause_s=0.05)
    answer = await poster.post(letter(hospital.url))
    assert (answer.status, set(answer.excerpt)) == (200, {"x"})
    assert len(answer.excerpt) < 100, "two seconds of the fifty"


async def test_a_compressed_bomb_stays_packed(poster: HttpWebhookPoster, hospital: Receiver) -> None:
    hospital.always = Reply(headers={"content-encoding": "gzip"}, body=b"\x1f\x8b not gzip at all")
    assert (await poster.post(letter(hospital.url))).status == 200


@pytest.mark.parametrize(("said", "wait"), [
    (lambda: "120", 120), (lambda: "0", 0), (lambda: "99999999999999", 86400), (lambda: "soon", None),
    (lambda: "", None),
    (lambda: format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True), 300),
    (lambda: "Wed, 21 Oct 2015 07:28:00 GMT", 0),
])  # fmt: skip
async def test_retry_after_is_understood_in_both_forms(
    poster: HttpWebhookPoster, hospital: Receiver, said: Callable[[], str], wait: int | None
) -> None:
    hospital.always = Reply(503, {"retry-after": said()})
    answer = await poster.post(letter(hospital.url))
    if wait is None:
        assert answer.retry_after is None
    else:
        assert answer.retry_after is not None
        assert abs(answer.retry_after.total_seconds() - wait) <= 2


async def _posted_to_bytes(poster: HttpWebhookPoster, reply: bytes, *, drip_s: float = 0.0) -> Fault:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(1000)
            for at in range(0, len(reply), 1 if drip_s else max(1, len(reply))):
                writer.write(reply[at : at + (1 if drip_s else len(reply))])
                await writer.drain()
                await asyncio.sleep(drip_s)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        with pytest.raises(Unreached) as none:
            await poster.post(letter(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
    finally:
        server.close()
        await server.wait_closed()
    return none.value.fault


async def test_what_is_not_http_is_a_protocol_error(poster: HttpWebhookPoster) -> None:
    assert await _posted_to_bytes(poster, b"SSH-2.0-OpenSSH_9.2\r\n") is Fault.PROTOCOL
    assert await _posted_to_bytes(poster, b"") is Fault.PROTOCOL
    assert await _posted_to_bytes(poster, b"HTTP/1.1 200 OK\r\nX: " + b"x" * 500_000) is Fault.PROTOCOL


async def test_headers_that_drip_end_at_the_total_time(hasty: HttpWebhookPoster) -> None:
    assert await _posted_to_bytes(hasty, b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000, drip_s=0.05) is Fault.TIMEOUT


async def test_nobody_listening_is_a_failed_connection(poster: HttpWebhookPoster, hospital: Receiver) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(Unreached) as none:
        await poster.post(letter(f"http://127.0.0.1:{port}/"))
    assert none.value.fault is Fault.CONNECTION


async def test_a_name_that_does_not_exist_is_told(poster: HttpWebhookPoster) -> None:
    async with HttpWebhookPoster(allow_loopback=False, total_s=10) as strict:
        with pytest.raises(Unreached) as none:
            await strict.post(letter("https://no-such-hospital.invalid/"))
    assert none.value.fault in (Fault.NAME, Fault.TIMEOUT)


async def test_names_that_turn_out_to_be_private_are_not_connected_to(hospital: Receiver) -> None:
    """`localhost` and a number in disguise pass by their words; what they resolve to does not."""
    async with HttpWebhookPoster(allow_loopback=False) as strict:
        for url in ("https://localhost/", "https://2130706433/", "https://0x7f000001/", "https://127.1/", "https://0/"):
            with pytest.raises(AddressRefused) as refusal:
                await strict.post(letter(url))
            assert isinstance(refusal.value, ProviderRefused)
        with pytest.raises(AddressRefused):
            await strict.post(letter(hospital.url))
    assert hospital.got == []


def _certificate(folder: Path, *names: str) -> tuple[Path, Path]:
    """A self-signed certificate for some names, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    files = folder / f"{names[0]}.pem", folder / f"{names[0]}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


async def test_the_certificate_is_checked_against_the_name_though_the_number_is_called(tmp_path: Path) -> None:
    files = _certificate(tmp_path, "localhost")
    async with (
        Receiver(certificate=files) as hospital,
        HttpWebhookPoster(allow_loopback=True, ca_bundle=files[0]) as poster,
    ):
        assert (await poster.post(letter(hospital.url))).status == 200
        hospital.got[0].verify(SECRET)
        with pytest.raises(Unreached) as none:  # the same server under its number: the certificate does not name it
            await poster.post(letter(hospital.url.replace("localhost", "127.0.0.1")))
        assert none.value.fault is Fault.TLS


async def test_a_certificate_for_another_name_or_of_nobody_we_trust_is_refused(tmp_path: Path) -> None:
    files = _certificate(tmp_path, "other.example.com")
    async with Receiver(certificate=files) as hospital:
        for bundle in (files[0], None):
            async with HttpWebhookPoster(allow_loopback=True, ca_bundle=bundle) as poster:
                with pytest.raises(Unreached) as none:
                    await poster.post(letter(hospital.url))
                assert none.value.fault is Fault.TLS
        assert hospital.got == []


async def test_a_lane_has_so_many_places_and_gives_them_back(poster: HttpWebhookPoster) -> None:
    async with (
        poster.lane("a", 2, patience_s=0) as first,
        poster.lane("a", 2, patience_s=0) as second,
        poster.lane("a", 2, patience_s=0.05) as third,
    ):
        assert (first, second, third) == (True, True, False)
        async with poster.lane("b", 1, patience_s=0) as other:
            assert other
    async with poster.lane("a", 1, patience_s=0) as again:
        assert again


async def test_whoever_is_patient_gets_the_lane_that_becomes_free(poster: HttpWebhookPoster) -> None:
    taken: list[bool] = []
    inside = most = 0

    async def call() -> None:
        nonlocal inside, most
        async with poster.lane("a", 2, patience_s=60) as free:
            taken.append(free)
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(call() for _ in range(20)))
    assert taken == [True] * 20
    assert most == 2
