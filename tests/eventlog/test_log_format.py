"""The format: pure encoding and decoding, and golden bytes that keep it from drifting."""

import struct
from hashlib import sha256
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.format import (
    NO_CHAIN,
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    Incomplete,
    RecordHeader,
    RecordType,
    SegmentHeader,
    chain_record,
    decode_durable_head,
    decode_record,
    decode_segment_header,
    encode_record,
    encode_segment_header,
    record_size_bytes,
)
from eventlog.header_format import BadBytes

SEQS = st.integers(1, 2**63)
TIMES = st.integers(-(2**63), 2**63 - 1)
CHAINS = st.binary(min_size=32, max_size=32)
SEGMENT_IDS = st.integers(0, 2**32 - 1)

HEADER = SegmentHeader(0x89ABCDEF, bytes(range(16)), 1, 3, 1_700_000_000_000_000_000, NO_CHAIN)
FIRST = RecordHeader(1, 2, RecordType.EVENTS, 1_700_000_000_000_000_001, 3)
MARKER = RecordHeader(3, 0, RecordType.MARKER, 1_700_000_000_000_000_002, 3)
SECOND = RecordHeader(3, 1, RecordType.EVENTS, 1_700_000_000_000_000_003, 4)

# A segment with the three above: payload "hello", nothing, "worlds!!".
GOLDEN = """
45564c4f47534547 01000000 efcdab89 000102030405060708090a0b0c0d0e0f
0100000000000000 0300000000000000 00002a36fe9c9717
0000000000000000000000000000000000000000000000000000000000000000 00000000 ff3f0f94
c5524543 309d09c3 05000000 d051df27
0100000000000000 02000000 0100 0000 01002a36fe9c9717 0300000000000000 0000000000000000
1644291cab459a37d8f6c89953b9b012e884961249c654b2209f33fb292f622f 68656c6c6f000000
c5524543 136bfd49 00000000 efcdab89
0300000000000000 00000000 0200 0000 02002a36fe9c9717 0300000000000000 0200000000000000
3bf67414bb2cc5735124272db123a153b26f5c1a39ee394388e58057373acd04
c5524543 05ca8ed0 08000000 c20473be
0300000000000000 01000000 0100 0000 03002a36fe9c9717 0400000000000000 0200000000000000
73b201ae6c6d1f15bffde3adcb6c8950b72c59a7751d749b41acf897ec6a6f56 776f726c64732121
"""


def golden_segment() -> bytes:
    """What the codecs make of the records above."""
    first, chain = encode_record(NO_CHAIN, FIRST, b"hello", durable_seq=0, segment_id=0x89ABCDEF)
    marker, chain = encode_record(chain, MARKER, b"", durable_seq=2, segment_id=0x89ABCDEF)
    second, _ = encode_record(chain, SECOND, b"worlds!!", durable_seq=2, segment_id=0x89ABCDEF)
    return encode_segment_header(HEADER) + first + marker + second


def test_bytes_are_golden() -> None:
    """The bytes of a segment never change while the format version is 1."""
    assert golden_segment() == bytes.fromhex(GOLDEN)


def test_the_tables_suffice_for_a_reader() -> None:
    """A reader written from the README's tables, without this package, finds what was written."""
    data = bytes.fromhex(GOLDEN)
    assert data[:12] == b"EVLOGSEG\x01\0\0\0"
    segment_id = int.from_bytes(data[12:16], "little")
    assert int.from_bytes(data[92:96], "little") == crc32(data[:92])
    at, chain, payloads = 96, data[56:88], []
    while at < len(data):
        header = data[at : at + 88]
        header_crc, length, payload_crc = struct.unpack("<III", header[4:16])
        payload = data[at + 88 : at + 88 + length]
        assert header[:4] == bytes.fromhex("c5524543")
        assert header_crc == crc32(header[8:88], segment_id)
        assert payload_crc == crc32(payload, segment_id)
        chain = sha256(chain + header[16:48] + sha256(payload).digest()).digest()
        assert header[56:88] == chain
        payloads.append((int.from_bytes(header[28:30], "little"), payload))
        at += (88 + length + 7) // 8 * 8
    assert payloads == [(1, b"hello"), (2, b""), (1, b"worlds!!")]


@given(
    before=CHAINS,
    first_seq=SEQS,
    count=st.integers(1, 2**32 - 1),
    at_ns=TIMES,
    epoch=SEQS,
    payload=st.binary(min_size=1, max_size=300),
    segment_id=SEGMENT_IDS,
    lead=st.binary(max_size=20),
)
def test_a_record_comes_back(
    before: bytes,
    first_seq: int,
    count: int,
    at_ns: int,
    epoch: int,
    payload: bytes,
    segment_id: int,
    lead: bytes,
) -> None:
    """Decoding what was encoded gives it back, wherever in the buffer it lies."""
    header = RecordHeader(first_seq, count, RecordType.EVENTS, at_ns, epoch)
    data, chain = encode_record(
        before, header, payload, durable_seq=first_seq - 1, segment_id=segment_id
    )
    stored = decode_record(lead + data + b"rest", len(lead), segment_id, first_seq, before)
    assert stored is not None
    assert stored.record == (first_seq, count, at_ns, epoch, chain, payload)
    assert stored.durable_seq == first_seq - 1
    assert stored.size_bytes == len(data) == record_size_bytes(len(payload))
    assert len(data) % 8 == 0
    head = decode_durable_head(data, 0, segment_id)
    assert head is not None
    assert head.durable_seq == first_seq - 1


@given(
    first_seq=SEQS,
    epoch=SEQS,
    at_ns=TIMES,
    chain=CHAINS,
    log_id=st.binary(min_size=16, max_size=16),
)
def test_a_segment_header_comes_back(
    first_seq: int, epoch: int, at_ns: int, chain: bytes, log_id: bytes
) -> None:
    """Decoding an encoded segment header gives it back."""
    header = SegmentHeader(7, log_id, first_seq, epoch, at_ns, chain)
    data = encode_segment_header(header)
    assert len(data) == SEGMENT_HEADER_BYTES
    assert decode_segment_header(data + b"rest") == header


@given(place=st.integers(0), flip=st.integers(1, 255))
def test_a_changed_byte_never_passes(place: int, flip: int) -> None:
    """A record with one byte changed, padding included, is refused."""
    data, _ = encode_record(NO_CHAIN, FIRST, b"hello", durable_seq=0, segment_id=9)
    changed = bytearray(data)
    changed[place % len(data)] ^= flip
    with pytest.raises(BadBytes):
        decode_record(bytes(changed), 0, 9, 1, NO_CHAIN)


@pytest.mark.parametrize("place", range(SEGMENT_HEADER_BYTES))
def test_a_changed_byte_in_a_segment_header_never_passes(place: int) -> None:
    """A segment header with one byte changed is refused."""
    changed = bytearray(encode_segment_header(HEADER))
    changed[place] ^= 0x40
    with pytest.raises(BadBytes):
        decode_segment_header(bytes(changed))


@given(size=st.integers(0))
def test_a_part_of_a_record_asks_for_the_rest(size: int) -> None:
    """A cut record is incomplete, and says how many bytes it needs; it is never taken as it is."""
    data, _ = encode_record(NO_CHAIN, FIRST, b"hello", durable_seq=0, segment_id=9)
    part = data[: size % len(data)]
    with pytest.raises(Incomplete) as caught:
        decode_record(part, 0, 9, 1, NO_CHAIN)
    assert len(part) < caught.value.needed_bytes <= len(data)


@given(ours=SEGMENT_IDS, theirs=SEGMENT_IDS)
def test_bytes_of_another_segment_never_pass(ours: int, theirs: int) -> None:
    """A record's bytes are valid in their own segment only."""
    data, _ = encode_record(NO_CHAIN, FIRST, b"hello", durable_seq=0, segment_id=theirs)
    if ours == theirs:
        assert decode_record(data, 0, ours, 1, NO_CHAIN) is not None
    else:
        assert decode_durable_head(data, 0, ours) is None
        with pytest.raises(BadBytes) as caught:
            decode_record(data, 0, ours, 1, NO_CHAIN)
        assert caught.value.torn


@pytest.mark.parametrize(
    ("header", "payload", "durable_seq", "next_seq", "before", "newer"),
    [
        pytest.param(FIRST, b"x", 0, 2, NO_CHAIN, False, id="another sequence number"),
        pytest.param(FIRST, b"x", 1, 1, NO_CHAIN, False, id="durable before it was written"),
        pytest.param(FIRST, b"x", 0, 1, bytes(31) + b"x", False, id="another chain"),
        pytest.param(FIRST, b"", 0, 1, NO_CHAIN, False, id="events without a payload"),
        pytest.param(FIRST._replace(count=0), b"x", 0, 1, NO_CHAIN, False, id="no events"),
        pytest.param(FIRST._replace(type=3), b"x", 0, 1, NO_CHAIN, True, id="unknown type"),
        pytest.param(FIRST._replace(type=2), b"x", 0, 1, NO_CHAIN, False, id="marker with events"),
    ],
)
def test_whole_but_wrong_records_are_no_torn_tail(
    header: RecordHeader,
    payload: bytes,
    durable_seq: int,
    next_seq: int,
    before: bytes,
    newer: bool,
) -> None:
    """A record whose checksums are right but which does not belong here is not a crash's doing."""
    data, _ = encode_record(NO_CHAIN, header, payload, durable_seq=durable_seq, segment_id=9)
    with pytest.raises(BadBytes) as caught:
        decode_record(data, 0, 9, next_seq, before)
    assert (caught.value.torn, caught.value.newer) == (False, newer)


def test_zeros_are_no_record() -> None:
    """Room that was allocated and not written yet is neither a record nor damage."""
    assert decode_record(bytes(RECORD_HEADER_BYTES), 0, 9, 1, NO_CHAIN) is None


def test_the_chain_does_not_depend_on_the_place() -> None:
    """The chain covers what a record says, not where it is stored: an export can be verified."""
    chains = {
        encode_record(NO_CHAIN, FIRST, b"hello", durable_seq=durable_seq, segment_id=segment_id)[1]
        for durable_seq, segment_id in ((0, 1), (0, 2))
    }
    assert chains == {chain_record(NO_CHAIN, FIRST, b"hello")}


@pytest.mark.parametrize("field", ["first_seq", "count", "type", "recorded_at_ns", "epoch"])
def test_the_chain_covers_the_meaning(field: str) -> None:
    """Whatever a record says goes into its chain hash, and so does its payload."""
    changed = FIRST._replace(**{field: getattr(FIRST, field) + 1})
    hashes = {
        chain_record(NO_CHAIN, FIRST, b"hello"),
        chain_record(NO_CHAIN, changed, b"hello"),
        chain_record(NO_CHAIN, FIRST, b"hellp"),
        chain_record(sha256().digest(), FIRST, b"hello"),
    }
    assert len(hashes) == 4
