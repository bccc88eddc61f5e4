"""Bytes that no honest client sends: Hypothesis strategies for messages, texts and metadata."""

from hypothesis import strategies as st


def varint(number: int) -> bytes:
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def delimited(field: int, value: bytes) -> bytes:
    """A field of bytes, text or a message."""
    return varint(field << 3 | 2) + varint(len(value)) + value


def nested(depth: int, field: int = 1) -> bytes:
    """A message within a message, and so on; about three bytes a level."""
    data = b""
    for _ in range(depth):
        data = delimited(field, data)
    return data


_FIELDS = st.one_of(st.integers(0, 20), st.sampled_from([2**28, 2**29 - 1, 2**32 - 1]))
_VARINTS = st.one_of(
    st.integers(0, 2**64 - 1).map(varint),
    st.sampled_from([b"\xff" * 9 + b"\x01", b"\xff" * 10, b"\xff" * 11 + b"\x01", b"\x80" * 5]),
)


@st.composite
def _one_field(draw: st.DrawFn) -> bytes:
    """A field of any number and any wire type, whose length may lie."""
    wire_type = draw(st.integers(0, 7))
    tag = varint(draw(_FIELDS) << 3 | wire_type)
    match wire_type:
        case 0:
            return tag + draw(_VARINTS)
        case 1:
            return tag + draw(st.binary(min_size=8, max_size=8))
        case 2:
            value = draw(st.one_of(TEXTS, st.binary(max_size=40)))
            lie = draw(st.sampled_from([0, 0, 0, 1, -1, 1000, 2**31, 2**63]))
            return tag + varint(max(0, len(value) + lie)) + value
        case 5:
            return tag + draw(st.binary(min_size=4, max_size=4))
        case _:
            return tag + draw(st.binary(max_size=8))


# As UTF-8, or as what only looks like it.
TEXTS = st.one_of(
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.text(st.characters(categories=["Cc", "Cf", "Zl", "Zp"]), max_size=20).map(str.encode),
    st.from_regex(r"[0-9a-fA-F]{14,18}\s?", fullmatch=True).map(str.encode),
    st.sampled_from(
        [
            b"\x00",
            b"\xc0\x80",  # an overlong NUL
            b"\xed\xa0\x80",  # half a surrogate pair
            b"\xf4\x90\x80\x80",  # beyond Unicode
            b"\xe2\x82",  # cut short
            b"reserverd",
            b"reserverd\x00",
            b"%s%n%x{0.__class__}${jndi}",
            b"../../../../secret.key",
            b"'; DROP TABLE nodes; --",
            "\u202e\ufeff\U000e0001".encode(),
            b"\x1b]0;title\x07\x1b[2J",
            b'"}\n{"event":"rpc.crashed"}',
            b"A" * 5000,
        ]
    ),
)

MESSAGES = st.one_of(
    st.binary(max_size=200),
    st.lists(_one_field(), max_size=8).map(b"".join),
    TEXTS.map(lambda text: delimited(1, text)),
    st.lists(TEXTS.map(lambda text: delimited(1, delimited(1, text))), max_size=4).map(b"".join),
    st.integers(1, 400).map(nested),
    st.integers(1, 5000).map(lambda depth: b"\x0b" * depth),  # groups that never end
    st.integers(1, 5000).map(lambda depth: b"\x0b" * depth + b"\x0c" * depth),
)

# What gRPC lets a client send as metadata at all: printable ASCII, or anything under `-bin`.
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=200)
METADATA = st.lists(
    st.one_of(
        st.tuples(st.just("x-request-id"), PRINTABLE),
        st.tuples(st.just("x-request-id-bin"), st.binary(max_size=200)),
        st.tuples(st.from_regex(r"x-[a-z0-9_.-]{1,30}-bin", fullmatch=True), st.binary()),
        st.tuples(st.sampled_from(["node-token", "authorization", "user-agent"]), PRINTABLE),
    ),
    max_size=6,
)
