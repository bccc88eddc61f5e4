"""Flaws of certificates and keys: each has exactly its own files signed anew, and says why."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nc.pki.folder import PkiFolder
from nc.pki.pem import load_private_key
from tests.support.pki_folders import DAY, NOW, contents, leaf, opened


def assert_consistent(folder: PkiFolder) -> None:
    """Both leaves are signed by the CA and match their keys."""
    paths = folder.paths
    for file, key in ((paths.server, paths.server_key), (paths.client, paths.client_key)):
        leaf(file).verify_directly_issued_by(folder.authority.certificate)
        assert load_private_key(key.read_bytes()).public_key() == leaf(file).public_key()


Damage = Callable[[Path, Path], None]


def _nothing(_path: Path, _other: Path) -> None:
    pass


def _foreign(*names: str) -> Damage:
    def damage(path: Path, other: Path) -> None:
        for name in names:
            shutil.copy(other / name, path / name)

    return damage


def _missing(*names: str) -> Damage:
    def damage(path: Path, _other: Path) -> None:
        for name in names:
            (path / name).unlink()

    return damage


def _swapped(path: Path, _other: Path) -> None:
    for end in (".pem", "-key.pem"):
        (path / f"server{end}").rename(path / "aside")
        (path / f"client{end}").rename(path / f"server{end}")
        (path / "aside").rename(path / f"client{end}")


OTHER_CA = "it was signed by another CA than ca.pem"
MISMATCH = "it did not match its private key"
USAGE = "its extended key usage was for something else"
MADE = "made: it was missing"


def kept(name: str) -> dict[str, str]:
    """The line of a file that is kept under another name."""
    stem = name.removesuffix(".pem")
    return {f"{stem}.kept-1.pem": f"kept: the old {name}"}


def new_pair(which: str) -> dict[str, str]:
    """The lines of a key that was not its certificate's."""
    return {
        f"{which}-key.pem": f"made: the old one was not the key of {which}.pem",
        **kept(f"{which}-key.pem"),
    }


TABLE = [
    ("complete", _nothing, 0, {}),
    ("31 days before the end", _nothing, 334, {}),
    (
        "30 days before the end",
        _nothing,
        335,
        dict.fromkeys(("server.pem", "client.pem"), "renewed: it was to end on 2027-05-17"),
    ),
    (
        "expired",
        _nothing,
        366,
        dict.fromkeys(("server.pem", "client.pem"), "renewed: it ended on 2027-05-17"),
    ),
    (
        "another CA's server",
        _foreign("server.pem", "server-key.pem"),
        0,
        {"server.pem": f"renewed: {OTHER_CA}", **kept("server.pem")},
    ),
    (
        "another CA's client",
        _foreign("client.pem", "client-key.pem"),
        0,
        {"client.pem": f"renewed: {OTHER_CA}", **kept("client.pem")},
    ),
    (
        "another server key",
        _foreign("server-key.pem"),
        0,
        {"server.pem": f"renewed: {MISMATCH}", **kept("server.pem"), **new_pair("server")},
    ),
    (
        "another client key",
        _foreign("client-key.pem"),
        0,
        {"client.pem": f"renewed: {MISMATCH}", **kept("client.pem"), **new_pair("client")},
    ),
    (
        "another CA's server without its key",
        _foreign("server.pem"),
        0,
        {
            "server.pem": f"renewed: {OTHER_CA}, {MISMATCH}",
            **kept("server.pem"),
            **new_pair("server"),
        },
    ),
    (
        "no server key",
        _missing("server-key.pem"),
        0,
        {"server-key.pem": MADE, "server.pem": f"renewed: {MISMATCH}", **kept("server.pem")},
    ),
    ("no server certificate", _missing("server.pem"), 0, {"server.pem": MADE}),
    (
        "no client certificate",
        _missing("client.pem"),
        0,
        {"client.pem": MADE, **new_pair("client")},
    ),
    (
        "no client",
        _missing("client.pem", "client-key.pem"),
        0,
        {"client-key.pem": MADE, "client.pem": MADE},
    ),
    (
        "server and client swapped",
        _swapped,
        0,
        {
            "server.pem": f"renewed: {USAGE}, it did not name localhost and 192.0.2.7",
            "client.pem": f"renewed: {USAGE}",
        },
    ),
    (
        "no CA",
        _missing("ca.pem", "ca-key.pem"),
        0,
        {
            "ca-key.pem": MADE,
            "ca.pem": MADE,
            "server.pem": f"renewed: {OTHER_CA}",
            "client.pem": f"renewed: {OTHER_CA}",
            **kept("server.pem"),
            **kept("client.pem"),
        },
    ),
]


@pytest.mark.parametrize(
    ("damage", "days", "made"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_what_does_not_serve_is_signed_anew_and_nothing_else_is_touched(
    path: Path, other: Path, damage: Damage, days: int, made: dict[str, str]
) -> None:
    """Each flaw renews exactly its own files, says why, and the next opening finds all well."""
    damage(path, other)
    before = contents(path)
    now = NOW + days * DAY
    folder = opened(path, now=now)
    assert {m.name: m.reason for m in folder.made} == made
    after = contents(path)
    assert {name for name in after if after[name] != before.get(name)} == made.keys()
    assert_consistent(folder)
    assert opened(path, now=now).made == ()
