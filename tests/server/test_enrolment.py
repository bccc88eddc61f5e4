"""nc.node.v1 on a whole server, over TLS: what an attempt costs, and who gets certificates."""

import asyncio
import base64
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from nc.pb import network_controller_pb2 as pb
from nc.pb.node.v1 import node_pb2
from nc.rpc.abuse import GUESSES_AT_ONCE
from tests.server.enrolling_machine import DAY_MS, STATUS, certificate, here, refused
from tests.support.link_cluster import logged_events
from tests.support.whole_server import Lines, MovableClock


async def test_a_machine_enrols_with_its_own_key(tmp_path: Path) -> None:
    """Both certificates are for its key and node, last 30 days, and are in the log with its facts.

    No private key is answered: there is no field for one. The line of the call has the node's name.
    """
    lines = Lines()
    async with here(tmp_path / "data", lines=lines) as at:
        machine = at.machine()
        facts = node_pb2.Facts(hostname="Web_1.example", os="Debian 13", architecture="aarch64")
        answer = await machine.enrol(await at.token(), facts=facts)
        node = at.server.replica.state.nodes[answer.node_id]
        given = answer.certificates
        for pem in (given.grpc_certificate_pem, given.network_certificate_pem):
            one = certificate(pem)
            assert one.public_key() == machine.key.public_key()
            assert f"CN={answer.node_id}" in one.subject.rfc4514_string()
            life = one.not_valid_after_utc - one.not_valid_before_utc
            assert life == timedelta(days=31)  # of which one is past, for clocks that are slow
        assert given.lifetime_s in range(30 * 86_400 - 1, 30 * 86_400 + 1)
        assert (answer.name, node.profile.name) == ("web-1", "web-1")
        assert node.profile.facts.os == "Debian 13"
        assert node.is_renewable
        assert answer.bootstrap.port == at.server.endpoints.bootstrap_port
        (registered,) = [
            e.node_registered
            for e in logged_events(at.server.folder.log)
            if e.HasField("node_registered")
        ]
        serials = {c.serial for c in registered.certificates}
        assert f"{certificate(given.grpc_certificate_pem).serial_number:x}" in serials
        assert machine.attempt not in str(registered)
    (line,) = [line for line in lines.named("rpc") if line["method"].endswith("/Enrol")]
    assert (line["target"], line["target_id"]) == ("web-1", answer.node_id)


async def test_a_repeated_attempt_is_the_same_node(tmp_path: Path) -> None:
    """It costs no use of the token, also when the token is used up, revoked, or the server new."""
    async with here(tmp_path / "data") as at:
        token, machine = await at.token(max_uses=1), at.machine()
        first = await machine.enrol(token)
        again = await machine.enrol(token)
        used_up = await refused(at.machine().enrol(token))
        await at.operator.call("BootstrapTokens/Revoke", token=token)
        revoked = await machine.enrol(token)
        kept = machine.key, machine.attempt
    assert used_up.code is STATUS.UNAUTHENTICATED
    assert "no uses left, of 1" in used_up.details
    async with here(tmp_path / "data") as at:
        machine = at.machine()
        machine.key, machine.attempt = kept
        after = await machine.enrol(token)
        assert at.kinds().count("node_registered") == 1
    for answer in (again, revoked, after):
        assert (answer.node_id, answer.node_token) == (first.node_id, first.node_token)
        assert answer.certificates.grpc_certificate_pem != first.certificates.grpc_certificate_pem


async def test_an_attempt_with_another_key_is_refused(tmp_path: Path) -> None:
    """Whoever learns an attempt gets neither its node's token nor its certificates."""
    async with here(tmp_path / "data") as at:
        token, machine, thief = await at.token(), at.machine(), at.machine()
        await machine.enrol(token)
        thief.attempt = machine.attempt
        assert (await refused(thief.enrol(token))).code is STATUS.PERMISSION_DENIED
        assert len(at.server.replica.state.nodes) == 1


async def test_two_calls_of_one_attempt_at_once_are_one_node(tmp_path: Path) -> None:
    """As when the first seems lost and is not."""
    async with here(tmp_path / "data") as at:
        token, machine = await at.token(max_uses=1), at.machine()
        answers = await asyncio.gather(*(machine.enrol(token) for _ in range(8)))
        assert len({(a.node_id, a.node_token) for a in answers}) == 1
        assert at.kinds().count("node_registered") == 1


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"bootstrap_token": ""}, STATUS.INVALID_ARGUMENT, "empty"),
        ({"bootstrap_token": "nonsense"}, STATUS.UNAUTHENTICATED, "malformed"),
        ({"bootstrap_token": "0" * 16}, STATUS.UNAUTHENTICATED, "unknown"),
        ({"attempt": ""}, STATUS.INVALID_ARGUMENT, "attempt"),
        ({"attempt": "A" * 32}, STATUS.INVALID_ARGUMENT, "attempt"),
        ({"csr_pem": "nonsense"}, STATUS.INVALID_ARGUMENT, "PKCS #10"),
        ({"name": "No Label"}, STATUS.INVALID_ARGUMENT, "name"),
    ],
)
async def test_what_is_wrong_with_a_request_is_said(
    tmp_path: Path, fields: dict[str, str], code: grpc.StatusCode, words: str
) -> None:
    """By a status and a sentence; nothing is recorded."""
    async with here(tmp_path / "data") as at:
        answer = await refused(at.machine().enrol(await at.token(), **fields))
        assert answer.code is code
        assert words in answer.details
        assert "node_registered" not in at.kinds()


async def test_a_request_whose_signature_is_wrong_is_refused(tmp_path: Path) -> None:
    """Its sender has not shown that it has the key."""
    async with here(tmp_path / "data") as at:
        machine = at.machine()
        lines = machine.request_pem.splitlines()
        der = bytearray(base64.b64decode("".join(lines[1:-1])))
        der[-1] ^= 1
        body = base64.encodebytes(bytes(der)).decode()
        forged = f"{lines[0]}\n{body}{lines[-1]}\n"
        answer = await refused(machine.enrol(await at.token(), csr_pem=forged))
        assert answer.code is STATUS.INVALID_ARGUMENT


async def test_renewal_keeps_node_and_key(tmp_path: Path) -> None:
    """Also long after the certificates ended; with another key, and for a GetToken node, not."""
    clock = MovableClock()
    async with here(tmp_path / "data", clock) as at:
        token, machine = await at.token(lifetime_s=-1), at.machine()
        enrolled = await machine.enrol(token, name="web-1")
        other = await refused(at.machine().renew(enrolled.node_token))
        older = await at.client.call("GetToken", pb.GetTokenRequest(bootStrapToken=token))
        without = await refused(machine.renew(older.token))
        clock.ahead_ms = 400 * DAY_MS
        renewed = await machine.renew(enrolled.node_token)
        state = at.server.replica.state
    assert (renewed.node_id, renewed.name) == (enrolled.node_id, "web-1")
    pem = renewed.certificates.network_certificate_pem
    assert certificate(pem).public_key() == machine.key.public_key()
    end_ms = int(certificate(pem).not_valid_after_utc.timestamp() * 1000)
    assert state.nodes[renewed.node_id].certificates_end_ms == end_ms
    assert other.code is STATUS.PERMISSION_DENIED
    assert without.code is STATUS.FAILED_PRECONDITION
    assert "GetToken" in without.details


async def test_who_is_not_a_node_renews_nothing(tmp_path: Path) -> None:
    """Unregistered is final; expired and unknown are not, since an operator can mend that."""
    clock = MovableClock()
    async with here(tmp_path / "data", clock) as at:
        token, machine = await at.token(lifetime_s=-1), at.machine()
        enrolled = await machine.enrol(token)
        unknown = await refused(machine.renew("0" * 16))
        now_s = clock.now_ns() // 10**9
        node = enrolled.node_id
        await at.operator.call("Nodes/SetExpiry", node=node, expires_at_ms=now_s * 1000)
        expired = await refused(machine.renew(enrolled.node_token))
        await at.operator.call("Nodes/Unregister", nodes=[node])
        gone = await refused(machine.renew(enrolled.node_token))
        again = await refused(machine.enrol(token))
    assert unknown.code is STATUS.NOT_FOUND
    assert expired.code is STATUS.FAILED_PRECONDITION
    assert gone.code is STATUS.UNAUTHENTICATED
    assert "unregistered" in gone.details
    assert again.code is STATUS.UNAUTHENTICATED


async def test_guesses_of_any_token_are_limited(tmp_path: Path) -> None:
    """Wrong ones of both kinds count together; a good one from that address waits, too."""
    clock = MovableClock()
    async with here(tmp_path / "data", clock, guess_rate=0.01) as at:
        token, machine = await at.token(), at.machine()
        wrong = [f"{number:016x}" for number in range(GUESSES_AT_ONCE // 2)]
        calls = [call(guess) for guess in wrong for call in (machine.enrol, machine.renew)]
        await asyncio.gather(*map(refused, calls))  # at once, since later answers are held back
        assert (await refused(machine.enrol(token))).code is STATUS.RESOURCE_EXHAUSTED
        assert (await refused(machine.renew("0" * 16))).code is STATUS.RESOURCE_EXHAUSTED
        clock.ahead_ms += 200_000
        assert (await machine.enrol(token)).node_id


async def test_the_caps_hold(tmp_path: Path) -> None:
    """Of a token's nodes, and of the server's; neither counts as a wrong token."""
    async with here(tmp_path / "data", max_nodes=2) as at:
        capped, free = await at.token(max_nodes=1), await at.token()
        await at.machine().enrol(capped)
        for _ in range(2 * GUESSES_AT_ONCE // 100):
            assert (await refused(at.machine().enrol(capped))).code is STATUS.RESOURCE_EXHAUSTED
        assert at.server.server.abuse.wrong_tokens == 0
        await at.machine().enrol(free)
        assert (await refused(at.machine().enrol(free))).code is STATUS.RESOURCE_EXHAUSTED


async def test_the_lifetime_is_a_setting(tmp_path: Path) -> None:
    """`serve --certificate-lifetime`; GetToken's certificates last a year whatever it is."""
    async with here(tmp_path / "data", certificate_lifetime="36h") as at:
        token, machine = await at.token(), at.machine()
        given = (await machine.enrol(token)).certificates
        one = certificate(given.network_certificate_pem)
        assert one.not_valid_after_utc - one.not_valid_before_utc == timedelta(hours=60)
        older = await at.client.call("GetToken", pb.GetTokenRequest(bootStrapToken=token))
        long = certificate(base64.b64decode(older.NetworkClientCert).decode())
        assert long.not_valid_after_utc - long.not_valid_before_utc > timedelta(days=360)


async def test_certificates_that_end_for_good_are_said(tmp_path: Path) -> None:
    """At the start and once a day: those that the server made the keys of, by name."""
    clock, lines = MovableClock(), Lines()
    async with here(tmp_path / "data", clock, lines) as at:
        token = await at.token(lifetime_s=-1)
        own = await at.machine().enrol(token, name="renews")
        answers = [
            await at.client.call("GetToken", pb.GetTokenRequest(bootStrapToken=token))
            for _ in range(12)
        ]
        ending = at.server.server.ending_certificates
        await ending.look()
        assert ending.count == 0
        assert not lines.named("node.certificates_end")
        clock.ahead_ms = 340 * DAY_MS
        await ending.look()
        assert ending.count == len(answers)
    (line,) = lines.named("node.certificates_end")
    assert line["count"] == len(answers)
    assert "and 2 more end within 30 days" in line["message"]
    assert own.name not in line["message"]
    assert not any(answer.token in line["message"] for answer in answers)
