"""Where a request comes from: which address is believed, and how it is kept."""

import pytest
from django.test import RequestFactory

from trackmate.capture.clients import apply_ip_mode, client_address, parse_ip


def request(remote="10.0.0.1", forwarded=None):
    extra = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return RequestFactory().get("/", REMOTE_ADDR=remote, **extra)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, None, "10.0.0.1"),
        (0, "192.0.2.7", "10.0.0.1"),
        (1, "192.0.2.7", "192.0.2.7"),
        (1, "6.6.6.6, 192.0.2.7", "192.0.2.7"),
        (2, "6.6.6.6, 192.0.2.7, 10.0.0.9", "192.0.2.7"),
        (2, "192.0.2.7", "10.0.0.1"),
        (1, None, "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (3, "a, b ,c", "a"),
    ],
)
def test_a_header_is_believed_as_far_as_the_proxies_are_ours(
    configure, proxies, forwarded, address
):
    configure(TRUSTED_PROXY_COUNT=proxies)
    assert client_address(request(forwarded=forwarded)) == address


@pytest.mark.parametrize("remote", [None, ""])
def test_a_connection_without_an_address_has_none(remote):
    assert client_address(request(remote)) == ""
    assert parse_ip("") is None


def named_by_header(request):
    return request.headers.get("CF-Connecting-IP")


@pytest.mark.parametrize("hook", [named_by_header, f"{__name__}.named_by_header"])
def test_a_project_can_say_where_the_address_stands(configure, hook):
    configure(CLIENT_IP=hook, TRUSTED_PROXY_COUNT=1)
    asked = RequestFactory().get("/", headers={"CF-Connecting-IP": "192.0.2.9"})
    assert client_address(asked) == "192.0.2.9"
    assert client_address(request(forwarded="192.0.2.7")) == ""


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7 ", "192.0.2.7"),
        ("192.0.2.7:5555", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[::1]:443", "::1"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        ("unix:", None),
        ("garbage", None),
        ("", None),
        ("1.2.3", None),
        ("[", None),
        ("1" * 5000, None),
    ],
)
def test_an_address_is_read_in_each_of_its_forms(text, address):
    assert parse_ip(text) == address


@pytest.mark.parametrize(
    ("mode", "address", "kept"),
    [
        ("full", "192.0.2.7", "192.0.2.7"),
        ("full", None, None),
        ("none", "192.0.2.7", None),
        ("truncated", "192.0.2.7", "192.0.2.0"),
        ("truncated", "2001:db8:1:2::7", "2001:db8:1::"),
        ("truncated", None, None),
        ("hashed", None, None),
    ],
)
def test_an_address_is_kept_as_the_settings_say(configure, mode, address, kept):
    configure(IP_MODE=mode)
    assert apply_ip_mode(address) == kept


def test_a_hashed_address_is_a_private_one_and_the_same_each_time(configure, settings):
    configure(IP_MODE="hashed")
    kept = apply_ip_mode("192.0.2.7")
    assert kept == apply_ip_mode("192.0.2.7") != apply_ip_mode("192.0.2.8")
    assert kept == parse_ip(kept)
    assert kept.startswith("fd")
    settings.SECRET_KEY = "another"
    assert apply_ip_mode("192.0.2.7") != kept


@pytest.mark.parametrize(
    ("forwarded", "address", "claimed"),
    [("192.0.2.7", "192.0.2.7", None), ("1.2.3.4:5", "1.2.3.4", "1.2.3.4:5"), ("x", None, "x")],
)
def test_what_was_claimed_is_kept_where_it_differs(
    client, activities, configure, forwarded, address, claimed
):
    configure(TRUSTED_PROXY_COUNT=1)
    client.get("/", headers={"X-Forwarded-For": forwarded})
    (activity,) = activities
    assert activity.ip_address == address
    assert (activity.extra or {}).get("claimed_address") == claimed


@pytest.mark.parametrize("mode", ["truncated", "hashed", "none"])
def test_what_was_claimed_is_not_kept_where_addresses_are_not(client, activities, configure, mode):
    configure(TRUSTED_PROXY_COUNT=1, IP_MODE=mode)
    client.get("/", headers={"X-Forwarded-For": "1.2.3.4:5"})
    assert activities[0].extra is None
