"""The state folder: the node comes back as itself, or as nobody; never as half of two."""

import os
import stat
from pathlib import Path

import pytest

from nc.agent.state import (
    CertificateSet,
    NodeCertificates,
    NodeIdentity,
    StateFolder,
    StateFolderError,
    digest_of,
)


def certificates(name: str) -> CertificateSet:
    """A set whose files say whose they are."""
    parts = (f"{name} {part}".encode() for part in ("ca", "key", "certificate"))
    return CertificateSet(*parts)


def both(grpc: str = "grpc", network: str = "network") -> NodeCertificates:
    return NodeCertificates(certificates(grpc), certificates(network))


def node(name: str) -> NodeIdentity:
    """A node of that name."""
    return NodeIdentity(f"token-{name}", f"{name}.example", 6441, None, digest_of(name))


def test_what_is_kept_is_loaded(tmp_path: Path) -> None:
    """By another process too: everything but where the folder is comes from the folder."""
    kept = StateFolder(tmp_path / "a" / "state").keep(node("one"), both())
    (tmp_path / "a").rename(tmp_path / "b")
    loaded = StateFolder(tmp_path / "b" / "state").load()
    assert loaded is not None
    assert (loaded.token, loaded.host, loaded.port) == ("token-one", "one.example", 6441)
    assert loaded.joined_with == kept.joined_with == digest_of("one")
    assert loaded.certificates is not None
    assert (loaded.certificates / "client-key.pem").read_bytes() == b"network key"
    assert (loaded.certificates / ".." / "grpc" / "ca.pem").read_bytes() == b"grpc ca"


def test_an_empty_folder_remembers_nobody(tmp_path: Path) -> None:
    """And is not made for that: only once there is an agent, with those above it."""
    folder = StateFolder(tmp_path / "a" / "b")
    assert folder.load() is None
    assert not (tmp_path / "a").exists()
    with folder.locked():
        assert folder.path.is_dir()


def test_everything_is_closed_to_others(tmp_path: Path) -> None:
    """No bit for group and others, on any file or folder; whatever the umask."""
    before = os.umask(0)
    try:
        folder = StateFolder(tmp_path / "state")
        with folder.locked():
            folder.keep(node("one"), both())
    finally:
        os.umask(before)
    made = [folder.path, *folder.path.rglob("*")]
    assert len(made) == 12
    assert {oct(stat.S_IMODE(path.stat().st_mode) & 0o077) for path in made} == {"0o0"}


@pytest.mark.parametrize("survivors", range(9))
def test_a_new_node_takes_the_place_of_the_old_one_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survivors: int
) -> None:
    """If the disk fails at any of the steps, the old node is still whole, or the new one is."""
    folder = StateFolder(tmp_path / "state")
    folder.keep(node("old"), both("old", "old"))
    replace = os.replace
    done: list[str] = []

    def failing(source: str, target: str) -> None:
        if len(done) == survivors:
            raise OSError(28, "No space left on device")
        done.append(target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    try:
        folder.keep(node("new"), both("new", "new"))
    except StateFolderError as error:
        expected, said = "old", str(error)
    else:
        expected, said = "new", ""
    assert (expected == "new") == (survivors == 8)
    assert ("no space left" in said) == (expected == "old")
    loaded = folder.load()
    assert loaded is not None
    assert loaded.token == f"token-{expected}"
    assert loaded.certificates is not None
    for name, part in (("ca", "ca"), ("client-key", "key"), ("client", "certificate")):
        content = (loaded.certificates / f"{name}.pem").read_text()
        assert content == f"{expected} {part}"


def test_the_old_certificates_are_gone(tmp_path: Path) -> None:
    """Keys that are of no more use do not lie about."""
    folder = StateFolder(tmp_path / "state")
    for name in ("one", "two", "three"):
        folder.keep(node(name), both(name, name))
    assert [path.name for path in folder.path.glob("certificates-*")] == ["certificates-3"]


def test_one_agent_a_folder(tmp_path: Path) -> None:
    """A second one is told so, until the first has ended."""
    folder = StateFolder(tmp_path / "state")
    with (
        folder.locked(),
        pytest.raises(StateFolderError, match="another agent runs"),
        StateFolder(tmp_path / "state").locked(),
    ):
        pass
    with folder.locked():
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"certificates": null, "x": 1}', "5"])
def test_a_damaged_file_is_said_to_be(tmp_path: Path, content: str) -> None:
    """Whatever is in it, the error names it and says what to do."""
    folder = StateFolder(tmp_path)
    (tmp_path / "node.json").write_text(content)
    with pytest.raises(StateFolderError, match=r"node\.json is damaged; move .* join again"):
        folder.load()


def test_a_file_in_its_place_is_named(tmp_path: Path) -> None:
    """So that another folder can be chosen."""
    (tmp_path / "state").write_text("")
    folder = StateFolder(tmp_path / "state")
    with pytest.raises(StateFolderError, match="--state-dir"), folder.locked():
        pass


def test_nothing_secret_is_shown() -> None:
    """Neither a token nor a key is in a repr."""
    assert "token-one" not in repr(node("one"))
    assert certificates("x").key.decode() not in repr(certificates("x"))
