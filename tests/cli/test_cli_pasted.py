"""What people paste: understood, or named in one sentence; and where a token can come from."""

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.cli.invitation import without_invitation
from nc.cli.pasted import JoinLine, read_ca_cert_hash, read_join_line, read_node_token, read_token
from nc.cli.server_address import ServerAddress, read_host
from nc.text import quoted, unwrapped
from tests.support.agent_process import AgentProcess
from tests.support.programs import Run, run_program
from tests.support.server_process import ServerProcess
from tests.support.zygote import STARTS_ANEW

TOKENS = st.text("0123456789abcdef", min_size=16, max_size=16)
PORTS = st.integers(1, 65_535)
HOSTS = st.sampled_from(["192.0.2.7", "nc.example.com", "[2001:db8::7]", "[::1]", "host"])
AROUND = st.text(" \t\r\n\"'`<>.,;\u200b\ufeff\u00a0", max_size=6)
PIN = "sha256:" + "0123456789abcdef" * 4


def refusal(parse: Callable[[str], object], text: str) -> str:
    """What a parser says of a text; "" if it takes it."""
    try:
        parse(text)
    except ValueError as error:
        return str(error)
    return ""


@given(TOKENS, AROUND, AROUND, st.booleans())
def test_a_token_is_found_in_what_surrounds_it(
    token: str, before: str, after: str, upper: bool
) -> None:
    """Spaces, line ends, quotes, punctuation, invisible characters and capitals change nothing."""
    text = f"{before}{token.upper() if upper else token}{after}"
    assert read_token(text) == token
    assert read_join_line(text) == JoinLine(token)


@given(st.text(st.characters(min_codepoint=ord("!"), max_codepoint=ord("~")), min_size=1))
def test_a_node_token_may_have_another_form(text: str) -> None:
    """That of an imported node: any visible characters, as they are; at most 64."""
    token = unwrapped(text)
    if refusal(read_node_token, text):
        assert not 0 < len(token) <= 64 or set(token) & set("@.:/0123456789")
    elif not refusal(read_token, text):
        assert read_node_token(text) == read_token(text)
    elif not token.lower().startswith(("node token", "token:", "join:")):
        assert read_node_token(f" {text}\r\n") == token


@given(st.text())
def test_a_text_is_a_token_or_refused_without_being_repeated(text: str) -> None:
    """Whatever is pasted ends in a token or in one line, and a secret in it is not shown."""
    said = refusal(read_token, text) + refusal(read_node_token, text)
    assert "\n" not in said
    assert len(text.strip()) < 8 or text.strip() not in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0123456789abcde", "this has 15 digits: was it copied whole?"),
        ("0123456789abcdef" * 2, "this is the id of a node or a token"),
        (PIN, "this is a hash, as for --ca-cert-hash"),
        ("10.1.1.3", "this is an address"),
        ("10.1.1.3/24", "this is an address"),
        ("[2001:db8::7]:6439", "this is an address"),
        ("0123456789abcdef@192.0.2.7:6439", "this is a bootstrap token with its address"),
        ("c604…4954", "this is no token"),
        (" \r\n", "it is empty"),
    ],
)
def test_what_is_no_token_is_named(text: str, says: str) -> None:
    """The message says what the text seems to be, and what a token looks like."""
    with pytest.raises(ValueError, match="16 digits of 0-9 and a-f") as caught:
        read_token(text)
    assert str(caught.value).startswith(says)


@given(TOKENS, HOSTS, PORTS, AROUND, st.sampled_from(["", "https://", "HTTP://", "grpc://"]))
def test_an_invitation_is_found_in_a_whole_line(
    token: str, host: str, port: int, around: str, scheme: str
) -> None:
    """The whole join line, or all that create-bootstrap-token prints, is as good as its token."""
    place = ServerAddress(host.strip("[]"), port)
    word = f"{token}@{host}:{port}"
    assert read_join_line(f"{around}{word}{around}") == JoinLine(token, place)
    assert read_join_line(f"{token}@{scheme}{host}:{port}/") == JoinLine(token, place)
    assert read_join_line(f"{scheme}{word}") == JoinLine(token, place)
    line = f"network-controller join {word} --ca-cert-hash {PIN}"
    whole = JoinLine(token, place, PIN)
    for text in (
        f"sudo {line}\r\n",
        f"token: {word}\nexpires: never\njoin: {line}\n",
        f'{{"joinToken": "{word}", "joinCommand": "{line}"}}',
        line.replace("hash ", "hash="),
    ):
        assert read_join_line(text) == whole
    assert read_join_line(f"join {word} --plaintext").is_plaintext


@given(HOSTS, PORTS)
def test_a_place_alone_is_one(host: str, port: int) -> None:
    """`IP:PORT`, for a token that comes from elsewhere."""
    place = ServerAddress(host.strip("[]"), port)
    assert read_join_line(f"{host}:{port}") == JoinLine(place=place)


@given(st.text(max_size=300))
def test_any_text_is_a_place_or_refused(text: str) -> None:
    """No text makes a parser fail in another way than by saying what is expected."""
    for parse in (ServerAddress.parse, read_host, read_join_line, read_ca_cert_hash):
        assert "\n" not in refusal(parse, text)


def test_an_address_with_a_port_is_told_where_the_port_goes() -> None:
    """`--ip` takes the address alone."""
    with pytest.raises(ValueError, match="give the address alone, and --port 6440"):
        read_host("https://192.0.2.7:6440/")
    assert read_host(" https://192.0.2.7/ ") == "192.0.2.7"
    assert read_host("2001:db8::7") == read_host("[2001:db8::7]") == "2001:db8::7"


@pytest.mark.parametrize("text", [PIN, PIN.upper(), f" {PIN}.\r\n", PIN.removeprefix("sha256:")])
def test_a_hash_is_read_as_it_is_pasted(text: str) -> None:
    """Its prefix may be missing, and its digits may be capitals."""
    assert read_ca_cert_hash(text) == PIN


@given(st.text(max_size=200))
def test_a_quoted_text_is_short_and_printable(text: str) -> None:
    """It is safe in a message, whatever it is."""
    assert len(quoted(text)) < 700
    assert quoted(text).isprintable()
    assert unwrapped(unwrapped(text)) == unwrapped(text)


@given(TOKENS, st.booleans())
def test_a_resumed_command_line_has_no_token(token: str, equals: bool) -> None:
    """Neither the invitation nor the file that it came from is on it; the rest stays."""
    argument = f"{token}@192.0.2.7:6439"
    file = ["--token-file=f"] if equals else ["--token-file", "f"]
    words = ["bin/network-controller", "join", argument, "--no-tun", *file, "--mtu", "1400"]
    kept = ["bin/network-controller", "join", "--no-tun", "--mtu", "1400"]
    assert without_invitation(words, argument) == kept


def token_of(ncadm: Run) -> str:
    """A new `T@IP:PORT`."""
    return ncadm("create-bootstrap-token").stdout.splitlines()[0].removeprefix("token: ")


def shown(process: int) -> str:
    """What `ps` shows of a process, and its environment, which root alone may read."""
    text = Path(f"/proc/{process}/cmdline").read_text()
    with contextlib.suppress(PermissionError):
        text += Path(f"/proc/{process}/environ").read_text()
    return text


@pytest.mark.parametrize("way", ["argument", "file", "environment", "resumed"])
def test_a_connected_node_shows_no_token(ncadm: Run, tmp_path: Path, way: str) -> None:
    """Its command line and environment have none once it is connected, however it got it."""
    invitation = token_of(ncadm)
    token, _, place = invitation.partition("@")
    state = ("--no-tun", "--insecure-bootstrap", "--state-dir", str(tmp_path / "state"))
    file = tmp_path / "token"
    file.write_text(f"{token.upper()}\r\n")
    given_by: dict[str, tuple[str, ...]] = {
        "file": (place, "--token-file", str(file)),
        "environment": (),
    }
    environment = os.environ | {STARTS_ANEW: "1"}
    if way == "environment":
        environment["NC_BOOTSTRAP_TOKEN"] = invitation
    words = given_by.get(way, (invitation,))
    for _ in range(2 if way == "resumed" else 1):
        with AgentProcess(*state, *words, environment=environment) as node:
            node.wait_for("agent.connected")
            assert token not in shown(node.pid).lower()
            assert node.stop() == 0
            assert token not in node.said


@pytest.mark.parametrize("way", ["--token-file", "-", "--token-file -", "NC_NODE_TOKEN"])
def test_a_node_token_need_not_be_on_the_command_line(
    ncadm: Run, server: ServerProcess, tmp_path: Path, way: str
) -> None:
    """A file, the standard input and the environment give the same answer as the option."""
    made = ncadm(
        *("get-token", "--bootstrap-token", token_of(ncadm)),
        *("--network-certs-dir", str(tmp_path / "n"), "--grpc-certs-dir", str(tmp_path / "g")),
    )
    token = made.stdout.splitlines()[0].removeprefix("node token: ")
    file = tmp_path / "token"
    file.write_text(f"node token: {token}\r\n")
    words = {
        "--token-file": ("--token-file", str(file)),
        "-": ("--node-token", "-"),
        "--token-file -": ("--token-file", "-"),
        "NC_NODE_TOKEN": (),
    }[way]
    where = ("--data-dir", str(server.data_dir), "--port", str(server.control_port))
    said = f" {token.upper()}\n"
    environment = os.environ | {"NC_NODE_TOKEN": token if way == "NC_NODE_TOKEN" else ""}
    done = run_program(
        "ncadm", *where, "check-conn-state", *words, said=said, environment=environment
    )
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "state: IDLE"), done.stderr
    command = ("log", "why", "-", "--data-dir", str(server.data_dir))
    why = run_program("network-controller", *command, said=said)
    assert why.returncode == 0, why.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--node-token", "10.1.1.3"), "--node-token: this is an address"),
        (("--token-file", "f", "--node-token", "0" * 16), "drop one of them"),
        (("--token-file", "/nowhere"), "/nowhere cannot be read: No such file"),
        (("--token-file", "/dev/zero"), "it is a device, and a regular file is expected"),
        (("--token-file", "/"), "it is a folder, and a regular file is expected"),
    ],
)
def test_what_gives_no_token_is_one_line(ncadm: Run, words: tuple[str, ...], says: str) -> None:
    """The option or the file is named, before anything is called."""
    done = ncadm("check-conn-state", *words)
    assert done.returncode in {1, 2}
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


@pytest.mark.parametrize("port", ["control_port", "link_port"])
@pytest.mark.parametrize("pinned", [True, False])
def test_joining_at_another_port_of_the_server_is_named(
    ncadm: Run, server: ServerProcess, tmp_path: Path, port: str, pinned: bool
) -> None:
    """It ends at once, with the port's name and the one to use, where it would try for ever."""
    words = ncadm("create-bootstrap-token").stdout.splitlines()[2].split()
    number = getattr(server, port)
    place = f"{words[3].partition('@')[0]}@127.0.0.1:{number}"
    trust = words[4:] if pinned else ["--insecure-bootstrap"]
    with AgentProcess("--no-tun", "--state-dir", tmp_path / "state", place, *trust) as node:
        assert node.wait() == 1
    name = port.replace("_", " ")
    assert f"port {number} is the server's {name}; use its bootstrap port, which is 6439" in (
        node.said
    )


@pytest.mark.parametrize("port", ["bootstrap_port", "link_port"])
def test_an_administrators_call_at_another_port_is_named(
    ncadm: Run, server: ServerProcess, tmp_path: Path, port: str
) -> None:
    """Where another port of the server is the reason that a call does not get through."""
    folders = ("--network-certs-dir", str(tmp_path / "n"), "--grpc-certs-dir", str(tmp_path / "g"))
    control = str(server.control_port)
    token = ("get-token", "--bootstrap-token", "0" * 16, *folders)
    done = ncadm("--bootport", control, *token)
    assert f"port {control} is the server's control port; use its bootstrap port" in done.stderr
    if port == "link_port":
        number = str(server.link_port)
        done = ncadm("--port", number, "check-health")
        assert f"port {number} is the server's link port; use its control port" in done.stderr
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize("port", ["control_port", "bootstrap_port"])
def test_a_node_at_another_port_than_the_links_is_told_so(
    ncadm: Run, server: ServerProcess, tmp_path: Path, port: str
) -> None:
    """It goes on trying, and does not say that the CA was replaced."""
    invitation, state = token_of(ncadm), tmp_path / "state"
    with AgentProcess("--no-tun", "--state-dir", state, invitation, "--insecure-bootstrap") as node:
        node.wait_for("agent.connected")
        assert node.stop() == 0
    kept = json.loads((state / "node.json").read_bytes()) | {"port": getattr(server, port)}
    (state / "node.json").write_text(json.dumps(kept))
    with AgentProcess("--no-tun", "--state-dir", state) as node:
        said = node.wait_for("agent.disconnected")["message"]
        assert f"is the server's {port.replace('_', ' ')}; use its link port" in said
        assert node.stop() == 0
