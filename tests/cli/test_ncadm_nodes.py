"""`ncadm nodes` and `ncadm tokens` against a real server, over TLS."""

import io
import json
import re
from pathlib import Path

import pytest
import yaml

from tests.support.ncadm_machine import Json, Machine
from tests.support.programs import Run


def test_a_node_is_named_by_whatever_is_known_of_it(
    ncadm: Run, told: Json, machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its id, the beginning of it, its name, its address, its token; also as they are pasted."""
    ncadm("nodes", "rename", machine.id, "pi-3")
    ncadm("nodes", "assign", machine.id, "10.1.1.77")
    names = (machine.id, machine.id[:8], "pi-3", " PI-3 ", "10.1.1.77", machine.token)
    assert {told("nodes", "show", name)["id"] for name in names} == {machine.id}
    file = tmp_path / "token"
    file.write_text(f"node token: {machine.token}\n", encoding="ascii")
    assert told("nodes", "show", "--token-file", str(file))["id"] == machine.id
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(machine.token.encode())))
    assert told("nodes", "show", "-")["id"] == machine.id


def test_what_is_changed_is_shown(ncadm: Run, told: Json, machine: Machine) -> None:
    """Name, labels, note, address, expiry: each command changes its own, and says so."""
    assert "pi-4" in ncadm("nodes", "rename", machine.id, "pi-4").stdout
    assert ncadm("nodes", "label", "pi-4", "site=berlin", "spare").stdout == (
        "pi-4 has site=berlin,spare\n"
    )
    ncadm("nodes", "label", "pi-4", "spare-", "rack=7")
    ncadm("nodes", "note", "pi-4", "behind the second door")
    ncadm("nodes", "assign", "pi-4", "10.1.1.99")
    ncadm("nodes", "set-expiry", "pi-4", "2099-01-01T00:00")
    node = told("nodes", "show", "pi-4")
    assert node["labels"] == {"rack": "7", "site": "berlin"}
    assert node["note"] == "behind the second door"
    assert (node["address"], node["address_assigned"]) == ("10.1.1.99", True)
    assert node["expires_at"] == "2099-01-01T00:00:00.000Z"
    text = ncadm("nodes", "show", "pi-4").stdout
    assert all(part in text for part in ("behind the second door", "rack=7", "2099-01-01"))
    ncadm("nodes", "set-expiry", "pi-4", "never")
    ncadm("nodes", "note", "pi-4", "")
    after = told("nodes", "show", "pi-4")
    assert (after["expires_at"], after["note"]) == (None, "")


def test_nodes_are_listed_as_they_are_asked_for(ncadm: Run, told: Json, machine: Machine) -> None:
    """By labels, text, state and token; as a table, JSON, YAML or names."""
    ncadm("nodes", "rename", machine.id, "kiosk-1")
    ncadm("nodes", "label", "kiosk-1", "site=rome")
    fits = (("-l", "site=rome"), ("--search", "KIOSK"), ("--state", "idle"), ())
    for options in fits:
        assert "kiosk-1" in ncadm("nodes", "list", *options, "--output", "name").stdout.split()
    for options in (("-l", "site!=rome"), ("--search", "nothing"), ("--state", "connected")):
        assert "kiosk-1" not in ncadm("nodes", "list", *options, "--output", "name").stdout.split()
    assert ncadm("nodes", "list", "-l", "site!=rome", "--output", "name").stdout == ""
    (listed,) = told("nodes", "list", "-l", "site=rome")
    assert listed == told("nodes", "show", "kiosk-1")
    as_yaml = ncadm("-o", "yaml", "nodes", "list", "-l", "site=rome").stdout
    assert yaml.safe_load(as_yaml) == [listed]
    titles, line = ncadm("nodes", "list", "-l", "site=rome").stdout.splitlines()
    assert max(len(titles), len(line)) <= 80
    assert line.startswith("kiosk-1")
    none = ncadm("nodes", "list", "-l", "site=nowhere")
    assert (none.returncode, none.stdout) == (0, "there are no such nodes\n")


def test_a_name_that_is_taken_is_refused(ncadm: Run, told: Json, tmp_path: Path) -> None:
    """The other node keeps it."""
    one, other = (Machine(ncadm, told, tmp_path / name) for name in ("a", "b"))
    ncadm("nodes", "rename", one.id, "taken")
    done = ncadm("--output", "json", "nodes", "rename", other.id, "taken")
    assert json.loads(done.stderr)["kind"] == "already exists"
    assert told("nodes", "show", "taken")["id"] == one.id
    gone = told("nodes", "unregister", "taken", other.id, "--yes")
    assert set(gone["node_ids"]) == {one.id, other.id}


def test_all_nodes_of_a_leaked_token_go_with_one_command(
    ncadm: Run, told: Json, tmp_path: Path
) -> None:
    """And the token registers nobody any more."""
    issued = told("tokens", "issue", "--label", "leaked", "--node-label", "site=oslo")
    token_id = issued["issued"]["id"]
    all_of_it = ("nodes", "unregister", "--token-id", token_id[:8], "--revoke-token")
    made = [Machine(ncadm, told, tmp_path / str(n), issued["join_token"]) for n in range(3)]
    kept = Machine(ncadm, told, tmp_path / "kept")
    nodes = told("nodes", "list", "--token-id", token_id[:8])
    assert {node["id"] for node in nodes} == {each.id for each in made}
    assert {node["labels"]["site"] for node in nodes} == {"oslo"}
    asked = ncadm(*all_of_it).stderr
    assert f"Unregister all 3 nodes of the bootstrap token {token_id[:8]}, and revoke it" in asked
    gone = told(*all_of_it, "--yes")
    assert set(gone["node_ids"]) == {each.id for each in made}
    assert told("nodes", "list", "--token-id", token_id) == []
    assert told("nodes", "show", kept.id)["id"] == kept.id
    (token,) = (each for each in told("tokens", "list", "--all") if each["id"] == token_id)
    assert (token["revoked"], token["nodes"], token["uses"]) == (True, 0, 3)
    refused = ncadm(
        *("get-token", "--bootstrap-token", issued["join_token"]),
        *("--network-certs-dir", str(tmp_path / "n"), "--grpc-certs-dir", str(tmp_path / "g")),
    )
    assert refused.returncode == 1


def test_a_token_is_listed_by_its_id_until_it_is_revoked(ncadm: Run, told: Json) -> None:
    """The token itself is shown once, and never again."""
    issued = told("tokens", "issue", "--uses", "2", "--label", "shop", "--lifetime", "never")
    assert issued["join_token"].startswith(f"{issued['token']}@")
    listed = ncadm("tokens", "list")
    assert issued["token"] not in listed.stdout
    assert re.search(
        rf"^{issued['issued']['id']} +shop +never +0 of 2", listed.stdout, re.MULTILINE
    )
    done = ncadm("tokens", "revoke", issued["token"], "--yes")
    assert done.stdout.startswith(f"revoked: {issued['issued']['id']}")
    assert issued["issued"]["id"] not in ncadm("tokens", "list", "-o", "name").stdout
