"""The link's wire format: existing ends' bytes are read, ours are theirs, nothing else passes."""

import base64
import json
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.net import wire
from tests.support.link_client import packet

HELLO = b'{"connectionState":2,"payload":null}'
ANSWER = b'{"connectionState":2,"payload":"MTAuMS4xLjMvMjQ="}'


def test_both_frames_are_those_of_existing_ends() -> None:
    """Byte for byte, as the link's contract has them."""
    assert wire.hello() == HELLO
    assert wire.answer("10.1.1.3", 24) == ANSWER
    assert base64.b64decode(json.loads(ANSWER)["payload"]) == b"10.1.1.3/24"


@given(st.integers(0, 2**32 - 1), st.integers(1, 32))
def test_an_answer_is_read_as_it_was_written(number: int, prefix_length: int) -> None:
    """Every address and prefix length survives the way."""
    address = str(IPv4Address(number))
    assert (
        str(wire.read_answer(wire.answer(address, prefix_length))) == f"{address}/{prefix_length}"
    )


@pytest.mark.parametrize(
    "frame",
    [
        HELLO,
        b' { "payload" : null , "connectionState" : 2 }\n',
        b'{"connectionState":2}',
        b'{"connectionState":2,"payload":""}',
        b'{"connectionState":2.0,"payload":null,"version":"1"}',
    ],
)
def test_harmless_differences_are_no_matter(frame: bytes) -> None:
    """Spaces, order, further keys, an absent or empty payload."""
    wire.read_hello(frame)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
)
MESSAGES = st.fixed_dictionaries(
    {}, optional={"connectionState": st.sampled_from([1, 2, 3, "2", True, None]), "payload": JSON}
)


@given(
    st.binary(max_size=200)
    | (JSON | MESSAGES).map(lambda value: json.dumps(value).encode())
    | st.sampled_from([b"[" * 1000, b'{"connectionState":' + b"2" * 900 + b"}", b"1" * 5000])
)
def test_everything_else_is_refused_in_a_sentence(frame: bytes) -> None:
    """Whatever the bytes are: they are a hello, or HandshakeError says what is wrong."""
    for read in (wire.read_hello, wire.read_answer):
        refusal = refused(read, frame)
        if refusal is None:
            assert json.loads(frame)["connectionState"] == 2
        else:
            assert 0 < len(refusal.encode()) <= wire.MAX_REASON_BYTES


def refused(read: Callable[[bytes], object], frame: bytes) -> str | None:
    """What is said against a frame, None if nothing is."""
    try:
        read(frame)
    except wire.HandshakeError as error:
        return str(error)
    return None


@pytest.mark.parametrize("value", [ANSWER, b'{"connectionState":2,"payload":0}', b"{}", b""])
def test_what_is_not_a_hello(value: bytes) -> None:
    """A payload, another state, another form."""
    with pytest.raises(wire.HandshakeError):
        wire.read_hello(value)


@given(st.text())
def test_a_reason_fits_into_a_close_frame(text: str) -> None:
    """However long a sentence is, its beginning fits, and stays text."""
    reason = wire.close_reason(text)
    assert len(reason.encode()) <= wire.MAX_REASON_BYTES
    assert text.startswith(reason)


def test_what_is_wrong_comes_before_what_to_do() -> None:
    """A sentence that is too long loses its advice first."""
    wrong = "no address is free"
    assert wire.close_reason(f"{wrong}; {'x' * 200}") == wrong
    assert wire.close_reason(f"{wrong}; wait") == f"{wrong}; wait"


def test_every_reason_of_ours_fits_as_it_is() -> None:
    """None of the fixed reasons is cut."""
    closes: list[Any] = [v for v in vars(wire).values() if isinstance(v, wire.Close)]
    assert len(closes) > 5
    assert [c for c in closes if wire.close_reason(c.reason) != c.reason] == []


@pytest.mark.parametrize(
    ("header", "offers"),
    [
        (None, False),
        ("", False),
        ("nc.offload.1", True),
        ("chat, nc.offload.1", True),
        ("nc.offload.10", False),
        ("nc.offload.2,nc.offload.1", True),
    ],
)
def test_the_subprotocol_is_offered_by_its_whole_name(header: str | None, offers: bool) -> None:
    """One of a list, and not a part of another's name."""
    assert wire.offers_offload(header) is offers


@given(st.lists(st.binary(max_size=60), min_size=1), st.binary(min_size=10, max_size=10))
def test_packets_that_share_a_frame_are_told_apart(payloads: list[bytes], header: bytes) -> None:
    """Each as it was put in, its header before it, whatever that says."""
    frames = [header + packet("10.1.1.3", "10.1.1.5", payload) for payload in payloads]
    assert [bytes(one) for one in wire.packets(memoryview(b"".join(frames)))] == frames


@given(st.binary(max_size=200))
def test_no_byte_of_a_frame_is_lost_whatever_it_is(frame: bytes) -> None:
    """What is no packet is the rest, and the kernel's to refuse."""
    assert b"".join(wire.packets(frame)) == frame
