"""Which addresses are called: every way we know of to name a private one is refused."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from yiyuebao_api.gateways.webhooks.addresses import is_public, may_call, target_of

REFUSED = [
    "http://his.example.com/hook",
    "https://his.example.com:8080/hook",
    "https://his.example.com:22/",
    "https://user:password@his.example.com/",
    "https://user@his.example.com/",
    "https://his.example.com/#fragment",
    "ftp://his.example.com/",
    "file:///etc/passwd",
    "gopher://his.example.com/",
    "https:///hook",
    "https://",
    "his.example.com/hook",
    "https://127.0.0.1/",
    "https://10.1.2.3/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://100.100.100.200/latest/meta-data",
    "https://0.0.0.0/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[fd00::1]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[ff0e::1]/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://a b.example.com/",
    "https://his.example.com\r\nX-Evil: 1/",
    "https://his.example.com:99999/",
]


@pytest.mark.parametrize("url", REFUSED)
def test_an_address_that_is_not_public_https_is_refused_by_its_words(url: str) -> None:
    assert target_of(url, allow_loopback=False) is None


@pytest.mark.parametrize("url", [
    "https://his.example.com/hook?tenant=1", "https://his.example.com:8443/", "https://8.8.8.8/",
    "https://医院.example.com/hook", "https://[2001:4860:4860::8888]/",
])  # fmt: skip
def test_a_public_https_address_is_accepted(url: str) -> None:
    assert target_of(url, allow_loopback=False) is not None


def test_only_development_calls_this_machine_and_then_only_this_machine() -> None:
    for url in ("http://127.0.0.1:9000/", "http://localhost:9000/", "http://[::1]:9000/", "https://localhost:9443/"):
        target = target_of(url, allow_loopback=True)
        assert target is not None
        assert target.here
        assert not may_call(target, ["127.0.0.1", "10.0.0.1"])
        assert target_of(url, allow_loopback=False) is None or not may_call(
            target_of(url, allow_loopback=False) or target, ["10.0.0.1"]
        )
    assert target_of("http://10.0.0.1/", allow_loopback=True) is None
    assert target_of("http://his.example.com/", allow_loopback=True) is None


@pytest.mark.parametrize("address", [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254",
    "100.64.0.1", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "239.1.1.1",
    "240.0.0.1", "255.255.255.255", "168.63.129.16", "::", "::1", "::ffff:10.0.0.1", "fc00::1", "fd12::1",
    "fe80::1", "fec0::1", "ff02::1", "2001:db8::1", "64:ff9b::a00:1", "64:ff9b::7f00:1", "2002:a00:1::",
    "2001:0:0:0:0:0:80ff:fffe", "64:ff9b:1::1", "100::1", "::7f00:1",
])  # fmt: skip
def test_no_address_of_a_private_or_special_network_is_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", [
    "8.8.8.8", "223.5.5.5", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808",
])  # fmt: skip
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ip_address(address))


def test_one_private_address_among_public_ones_refuses_the_name() -> None:
    target = target_of("https://his.example.com/", allow_loopback=False)
    assert target is not None
    assert may_call(target, ["8.8.8.8"])
    assert not may_call(target, ["8.8.8.8", "10.0.0.1"])
    assert not may_call(target, [])
