"""Server names: which texts become which subjectAltName entries."""

import ipaddress
import string

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from nc.pki.errors import InvalidName
from nc.pki.names import LOCAL_NAMES, general_name, general_names, server_names

LABELS = st.from_regex(r"[A-Za-z]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?", fullmatch=True)
DNS_NAMES = st.lists(LABELS, min_size=1, max_size=5).map(".".join)


@given(st.ip_addresses())
def test_every_ip_address_becomes_an_address_entry(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """An IP address in text is an IPAddress entry, never a DNS name."""
    assert general_name(str(address)) == x509.IPAddress(address)


@given(DNS_NAMES)
def test_every_host_name_becomes_a_dns_entry_in_lower_case(name: str) -> None:
    """A host name is a DNSName entry; its case carries nothing."""
    assert general_name(name) == x509.DNSName(name.lower())


@given(st.lists(st.sampled_from(["a.example", "A.EXAMPLE", "::1", "0:0:0:0:0:0:0:1", "10.1.1.1"])))
def test_each_name_appears_once(names: list[str]) -> None:
    """However often and however spelled, one name is one entry, in the order of first mention."""
    entries = general_names(names)
    assert len(set(entries)) == len(entries)
    assert list(entries) == list(dict.fromkeys(general_name(name) for name in names))


@given(st.text(alphabet=string.printable + "é中\0", max_size=40))
def test_any_text_is_an_entry_or_a_clear_error(text: str) -> None:
    """No text gets through half understood, and none raises anything but InvalidName."""
    try:
        entry = general_name(text)
    except InvalidName as error:
        assert repr(text) in error.problem  # noqa: PT017 - most texts are refused, some are not
    else:
        assert str(entry.value).lower() == text.lower() or isinstance(entry, x509.IPAddress)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "example.com.",
        "*.example.com",
        "a..b",
        "-a.example",
        "a-.example",
        "192.0.2.256",
        "10.1.1",
        "10.1.1.1/24",
        "192.0.2.7:6440",
        "[::1]",
        "fe80::1%eth0",
        "https://nc.example.com",
        "nc.example.com\n",
        "bücher.example",
        "a" * 64,
        ".".join(["a" * 50] * 6),
    ],
)
def test_what_is_no_plain_name_is_refused(name: str) -> None:
    """Ports, prefix lengths, brackets, zones, wildcards and mistyped addresses are errors."""
    with pytest.raises(InvalidName):
        general_name(name)


def test_a_server_is_known_locally_from_outside_and_through_the_overlay() -> None:
    """CONTRACT: localhost, 127.0.0.1, ::1, the advertised IP or name, the overlay address."""
    names = server_names(["192.0.2.7"], "10.1.1.1")
    assert names == (*LOCAL_NAMES, "192.0.2.7", "10.1.1.1")
    assert general_names(names) == (
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
        x509.IPAddress(ipaddress.ip_address("192.0.2.7")),
        x509.IPAddress(ipaddress.ip_address("10.1.1.1")),
    )
