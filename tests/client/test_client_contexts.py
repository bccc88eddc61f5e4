"""Contexts: one small file, whatever is in it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nc.client.contexts import Context, ContextError, Contexts, config_folder
from nc.data_folder import default_data_dir

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
PORTS = st.integers(1, 65_535)
PATHS = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=20) | st.just(
    "~no-one/x"
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "server": st.text(st.characters(categories=("L", "N")), min_size=1, max_size=20),
        "port": PORTS,
        "bootstrap_port": PORTS,
        "ca": PATHS,
        "certificate": PATHS,
        "key": PATHS,
        "data_dir": PATHS,
        "plaintext": st.booleans(),
    },
)
YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["current", "contexts", "a", "port", "server"]), inner)
    ),
    max_leaves=8,
)

once = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without contexts, and without variables that name a server."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("NC_CONTEXT", "NC_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "network-controller"


@once
@given(st.dictionaries(NAMES, ENTRIES, max_size=4), st.data())
def test_what_is_saved_is_loaded(entries: dict[str, Any], data: st.DataObject) -> None:
    """The same contexts, the same current one; the file is for its owner alone."""
    kept = Contexts(Contexts.load().path)
    for name, entry in entries.items():
        kept = kept.with_entry(name, entry)
    if entries:
        kept = kept.using(data.draw(st.sampled_from(sorted(entries))))
    kept.save()
    assert Contexts.load() == kept
    assert kept.path.stat().st_mode & 0o777 == 0o600
    for context in kept.all():
        entry = entries[context.name]
        assert context.port == entry.get("port", 6440)
        assert context.plaintext == entry.get("plaintext", False)


@once
@given(st.binary(max_size=60) | YAML.map(lambda value: yaml.safe_dump(value).encode()))
def test_a_file_that_is_none_is_one_error(home: Path, content: bytes) -> None:
    """Whatever it holds: contexts, or a ContextError that names the file."""
    home.mkdir(exist_ok=True)
    (home / "contexts.yml").write_bytes(content)
    problem = ""
    try:
        Contexts.load()
    except ContextError as error:
        problem = str(error)
    assert not problem or problem.startswith(str(home / "contexts.yml"))


def test_the_context_is_the_first_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NC_CONTEXT, NC_DATA_DIR, the current context, the usual data folder: in this order."""
    pki = ("pki", "grpc", "ca.pem")
    assert Context.current().ca == default_data_dir().joinpath(*pki)
    kept = Contexts.load().with_entry("a", {"server": "a.example"})
    kept.with_entry("b", {"server": "b.example"}).using("a").save()
    assert Context.current().host == "a.example"
    monkeypatch.setenv("NC_DATA_DIR", str(tmp_path / "data"))
    assert Context.current().ca == tmp_path.joinpath("data", *pki)
    monkeypatch.setenv("NC_CONTEXT", "b")
    assert Context.current().host == "b.example"
    monkeypatch.setenv("NC_CONTEXT", "c")
    with pytest.raises(ContextError, match="a, b"):
        Context.current()


def test_paths_are_relative_to_the_file(home: Path) -> None:
    """So that the folder can be moved; absolute ones and those of a home folder stay."""
    entry = {"ca": "prod/ca.pem", "certificate": "/etc/nc/client.pem", "key": "~/key.pem"}
    context = Contexts(home / "contexts.yml").with_entry("prod", entry).get("prod")
    assert context.ca == home / "prod" / "ca.pem"
    assert context.certificate == Path("/etc/nc/client.pem")
    assert context.key == Path("~/key.pem").expanduser()


def test_a_link_to_the_file_stays_one(home: Path, tmp_path: Path) -> None:
    """As programs leave it that keep a user's settings in a folder of their own."""
    home.mkdir()
    kept = tmp_path / "kept.yml"
    kept.write_text("", encoding="utf-8")
    (home / "contexts.yml").symlink_to(kept)
    Contexts.load().with_entry("a", {}).using("a").save()
    assert (home / "contexts.yml").is_symlink()
    assert yaml.safe_load(kept.read_text(encoding="utf-8"))["current"] == "a"


def test_a_user_may_have_no_name_and_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that a container is started with: options name what there is."""
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    assert default_data_dir() == Path("/.local/share/network-controller")
    assert config_folder() == Path("/.config/network-controller")


def test_removing_the_current_context_leaves_none(home: Path) -> None:
    """Then the usual data folder is used again."""
    kept = Contexts(home / "contexts.yml").with_entry("a", {}).with_entry("b", {}).using("a")
    assert kept.without("b").current == "a"
    assert kept.without("a").current == ""
    with pytest.raises(ContextError):
        kept.without("a").get("a")


@pytest.mark.parametrize("name", ["", "-a", "a b", "../a", "a/b", "x" * 64, "ä"])
def test_a_name_that_is_no_folder_name_is_refused(home: Path, name: str) -> None:
    """Certificates are copied into a folder that is called so."""
    with pytest.raises(ContextError, match="context's name"):
        Contexts(home / "contexts.yml").with_entry(name, {})
