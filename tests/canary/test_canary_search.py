"""The search for secrets finds them: else it would prove nothing that it finds none."""

import base64
import gzip
import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from tests.canary.canaries import Canaries, token_like_words

TOKEN = "9f86d081884c7d65"  # noqa: S105 - an example
KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


@pytest.fixture
def canaries() -> Canaries:
    """One secret of each sort."""
    canaries = Canaries()
    canaries.add_token("token", TOKEN)
    canaries.add_private_key("key", PEM)
    canaries.add_bytes("hmac key", bytes(range(100, 132)))
    return canaries


def test_every_form_is_found_where_it_is_planted(canaries: Canaries, tmp_path: Path) -> None:
    """Each needle, planted among random bytes in a preallocated file, is found there."""
    rng = random.Random(1)  # noqa: S311 - noise
    for number, needle in enumerate(canaries.needles):
        folder = tmp_path / str(number)
        folder.mkdir()
        noise = rng.randbytes(1000)
        (folder / "00000000000000000001.seg").write_bytes(noise + needle.data + b"\1" + bytes(4096))
        assert any(
            f"{needle.name}: {needle.form}" in found for found in canaries.found_in_folder(folder)
        )


PLANTED = [
    f"token: {TOKEN}.".encode(),
    TOKEN.upper().encode(),
    bytes.fromhex(TOKEN),
    f'{{"token": "{TOKEN}"}}'.encode("utf-16"),
    base64.b64encode(f"x{TOKEN}y".encode()),
    base64.urlsafe_b64encode(f"xy{TOKEN}".encode()),
    TOKEN.encode().hex().encode(),
    PEM,
    repr(PEM).encode(),
    base64.b64encode(PEM),
    base64.b64encode(b"z" + PEM),
    KEY.private_numbers().private_value.to_bytes(32),
    f"{KEY.private_numbers().private_value:064x}".encode(),
    base64.b64encode(KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())),
    PEM.splitlines()[1],
    bytes(range(100, 132)),
    bytes(range(100, 132)).hex().encode(),
]


@pytest.mark.parametrize("planted", PLANTED, ids=range(len(PLANTED)))  # keys are new each time
def test_secrets_are_found_as_programs_write_them(canaries: Canaries, planted: bytes) -> None:
    """Written in any of the usual ways, between other text, a secret is found."""
    assert canaries.found_in(b"before" + planted + b"after")


def test_nothing_is_found_where_there_is_nothing(canaries: Canaries, tmp_path: Path) -> None:
    """Noise holds no secret, and a name of a file is searched too."""
    (tmp_path / "noise").write_bytes(random.Random(2).randbytes(1_000_000))  # noqa: S311 - noise
    assert canaries.found_in_folder(tmp_path) == []
    assert canaries.found_in(gzip.compress(b"something else")) == []
    (tmp_path / TOKEN).touch()
    assert canaries.found_in_folder(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"the token is {TOKEN}.", [TOKEN]),
        (f"token={TOKEN.upper()}@10.0.0.1", [TOKEN.upper()]),
        (f"id {TOKEN}{TOKEN}, request {TOKEN}abcd", []),
        ("1234567890123456", ["1234567890123456"]),
    ],
)
def test_words_that_could_be_tokens_are_told(text: str, words: list[str]) -> None:
    """Sixteen hex digits are a token's; more or fewer are not."""
    assert token_like_words(text) == words
