"""What is wrong with a configuration file is named: file, line, key, and what is allowed."""

from pathlib import Path

import pytest

from nc.cli import config_file as config
from nc.errors import ConfigError

SERVER = "mode: server\nserver:\n  "
DIGITS = "0123456789abcdef"
CLIENT = "mode: client\nclient:\n  "


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "mode: server"),
        ("- mode", 1, "mode: server"),
        ("server: {}", 1, "mode: is missing"),
        ("mode: both", 1, "'server' or 'client'"),
        ("mode: server\nmode: client", 2, "mode is given twice"),
        ("mode: server\nlink: {}", 2, "link: unknown key; allowed: mode, server, client"),
        ("mode: server\nserver: 5", 2, "server: expected keys and values; allowed: ip, port"),
        ("mode: server\nserver: []", 2, "server: expected keys and values"),
        (SERVER + "ip: true", 3, "server.ip: input should be a valid string"),
        (SERVER + "ip: ''", 3, "server.ip: "),
        (SERVER + "ip: a b", 3, "neither an IP address nor a DNS name"),
        (SERVER + "ip: 192.0.2.300", 3, "neither an IP address nor a DNS name"),
        (SERVER + "debug: true\n  ip: x\n  port: 65536", 5, "expected a port number, 1 to 65535"),
        (SERVER + "port: -1", 3, "expected a port number, 1 to 65535"),
        (SERVER + "port: true", 3, "server.port: expected a port number"),
        (SERVER + "grpcPort: six", 3, "server.grpcPort: expected a port number, or 0"),
        (SERVER + "grpc_port: 6440", 3, "server.grpc_port: unknown key; allowed: ip, port"),
        (SERVER + "port: 1\n  port: 1", 4, "server.port is given twice"),
        (SERVER + "networkAddr: 10.1.1.1/33", 3, "10.1.1.1/24"),
        (SERVER + "networkAddr: 10.1.1.1/30", 3, "/29 or shorter"),
        (SERVER + "networkAddr: [10.1.1.1]", 3, "10.1.1.1/24"),
        (SERVER + "mtu: 100", 3, "576"),
        (SERVER + "debug: maybe", 3, "server.debug: expected true or false"),
        (SERVER + "interconnection: 7", 3, "server.interconnection: "),
        (SERVER + "tlsDir: [a]", 3, "server.tlsDir: "),
        (SERVER + "\tip: x", 3, "is not YAML"),
        ("mode: server\nclient: {token: t}", 2, "server: is missing, and client: is not read"),
        ("server: {ip: x}\nmode: client", 1, "client: is missing, and server: is not read"),
        ("mode: server\nserver: {", 2, "is not YAML"),
        ("mode: client\nclient:\n  serverAddress: x", 3, "unknown key; allowed: networkCertDir"),
        ("mode: client\nclient:\n  mtu: 70000", 3, "client.mtu: "),
        ("mode: client\nclient: {serverAddr: x, networkCertDir: y}", 2, "client.token: is missing"),
        (CLIENT + "serverAddr: ''", 3, "client.serverAddr: "),
        (CLIENT + "serverAddr: 192.0.2.1:6441", 3, "neither an IP address nor a DNS name"),
        (CLIENT + "serverAddr: 192.0.2.1/x", 3, "neither an IP address nor a DNS name"),
        (CLIENT + "serverAddr: no..name", 3, "neither an IP address nor a DNS name"),
        ("? [a, b]\n: 1", 1, "is not YAML: found unhashable key"),
        ("mode: server\n1: 2", 2, "1: unknown key; allowed: mode, server, client"),
        (SERVER + "ip: 127.0.0.1\n--- {}", 4, "is not YAML"),
        (SERVER + "ip: !!python/object:os.system x", 3, "is not YAML"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, line: int, says: str) -> None:
    """One sentence with the file, the line of the key, the key and what it may be."""
    path = tmp_path / "nc.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        config.load(path)
    message = str(raised.value)
    assert message.startswith(f"{path}, line {line}: ")
    assert says in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe", ", line 1: is not UTF-8 text; save it as UTF-8"),
        (b"\nmode: \x01", ", line 2: has the control character U+0001"),
        (b"mode: " + b"[" * 5000, ", line 1: values are nested too deeply"),
        (b"mode: server\nserver: {ip: 2026-13-45}", ": is not YAML"),
    ],
    ids=["encoding", "control", "depth", "date"],
)
def test_what_is_no_file_of_ours_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    """The file, the line where one is known, and what it should have been."""
    path = tmp_path / "nc.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        config.load(path)
    assert str(raised.value).startswith(f"{path}{says}")
    assert "\n" not in str(raised.value)


def test_a_file_that_refers_to_itself_is_a_mistake(tmp_path: Path) -> None:
    """An anchor is refused, before an alias can stand for itself, or for gigabytes."""
    path = tmp_path / "nc.yaml"
    path.write_text("mode: server\nserver: &a\n  ip: *a\n")
    with pytest.raises(ConfigError, match=r"line 2: aliases and anchors .* are not allowed"):
        config.load(path)
    doubling = [f"a{n}: &a{n} {{x: *a{n - 1}, y: *a{n - 1}}}" for n in range(1, 60)]
    path.write_text("\n".join(["mode: server", "a0: &a0 {}", *doubling]))
    with pytest.raises(ConfigError, match=r"line 2: aliases and anchors .* are not allowed"):
        config.load(path)


def test_a_token_in_a_file_is_not_shown(tmp_path: Path) -> None:
    """A wrong node file is refused without repeating the token that is in it."""
    path = tmp_path / "nc.yaml"
    path.write_text("mode: client\nclient:\n  token: [0123456789abcdef]\n")
    with pytest.raises(ConfigError) as raised:
        config.load(path)
    assert "0123456789abcdef" not in str(raised.value)
    path.write_text(
        "mode: client\nclient: {token: 'fedcba9876543210', serverAddr: x, networkCertDir: y}\n"
    )
    assert "fedcba9876543210" not in repr(config.load(path))


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("mode: server\nserver: {ip: 192.0.2.7}\nclient:\n", "server"),
        ("mode: server\nserver:\nclient: {mtu: 1}\n", "server"),
        (
            f"{CLIENT}{{token: {DIGITS}, serverAddr: x, networkCertDir: y}}\nserver: {{port: six}}",
            "client",
        ),
    ],
)
def test_only_the_section_of_the_mode_counts(tmp_path: Path, text: str, mode: str) -> None:
    """A file with both, as LiteKube's has them, may leave the other one empty, or wrong."""
    path = tmp_path / "nc.yaml"
    path.write_text(text)
    file = config.load(path)
    assert file.mode == mode
    assert (file.client if mode == "server" else file.server) is None


def test_a_file_with_little_in_it_is_enough(tmp_path: Path) -> None:
    """Only `mode` must be there; what is absent is left to the command line and the defaults."""
    path = tmp_path / "nc.yaml"
    for text in ("mode: server", "mode: server\nserver:\n", "mode: server\nserver: {}"):
        path.write_text(text)
        assert (config.load(path).server or config.ServerSection()) == config.ServerSection()


@pytest.mark.parametrize("token", ["0123456701234567", "1234567890123456", "12345678901234e5"])
def test_a_token_that_looks_like_a_number_is_text(tmp_path: Path, token: str) -> None:
    """One node in 1,850 has a token of digits alone; YAML would make another number of it."""
    path = tmp_path / "nc.yaml"
    path.write_text(
        f"{CLIENT}token: {token}\n  port: 06441\n  serverAddr: '[::1]'\n  networkCertDir: x"
    )
    client = config.load(path).client
    assert client is not None
    assert (client.token, client.port, client.server_addr) == (token, 6441, ("::1",))


@pytest.mark.parametrize(
    ("key", "value", "field", "taken"),
    [
        ("mut", "1300", "mtu", 1300),
        ("vpnAddr", "10.9.0.1/16", "network_addr", "10.9.0.1/16"),
        ("vpnCertDir", "/etc/nc", "network_cert_dir", Path("/etc/nc")),
        ("listenAddr", "'::1'", "listen", "[::1]"),
    ],
)
def test_keys_of_other_releases_are_taken(
    tmp_path: Path, key: str, value: str, field: str, taken: object
) -> None:
    """They mean what ours mean, and a line says which; mistakes in them are named by our key."""
    path = tmp_path / "nc.yaml"
    path.write_text(f"{SERVER}{key}: {value}\n")
    file = config.load(path)
    assert getattr(file.server, field) == taken
    [note] = file.notes
    assert note.startswith(f"{path}, line 3: server.{key}: is ")
    path.write_text(f"{SERVER}{key}: [1]\n")
    with pytest.raises(ConfigError, match="line 3: server"):
        config.load(path)


def test_a_key_and_its_older_name_are_a_mistake(tmp_path: Path) -> None:
    """Which of the two would count?"""
    path = tmp_path / "nc.yaml"
    path.write_text(f"{SERVER}mut: 1300\n  mtu: 1400\n")
    with pytest.raises(ConfigError, match=r"line 3: server\.mut: means mtu, which is given, too"):
        config.load(path)


def test_an_upstream_database_is_no_mistake(tmp_path: Path) -> None:
    """A server does not read it, and says what does."""
    path = tmp_path / "nc.yaml"
    path.write_text(f"{SERVER}dbPath: /var/lib/litekube-nc.db\n")
    [note] = config.load(path).notes
    assert "import-litekube" in note
