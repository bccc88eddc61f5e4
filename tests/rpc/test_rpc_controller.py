"""What each call does, with a clock of the test's own: links, moments, and a log that fails."""

from typing import Any

import pytest

from nc.domain import errors
from nc.domain.links import AcceptLink, HandOverAddress
from nc.pb import network_controller_pb2 as pb
from nc.replica.batch import Origin
from nc.replica.errors import Overloaded, Unwritable
from nc.replica.local_log import LocalLog
from nc.replica.replica import Replica
from nc.rpc.methods import methods_of
from tests.rpc.controller_bench import CALL, MINUTE_MS, Bench, run


def test_a_bootstrap_token_ends_at_its_very_millisecond() -> None:
    """Good until the last one before, refused from it on, with the moment it expired."""

    async def scenario(bench: Bench) -> None:
        token = await bench.issue(minutes=3)
        bench.clock.now_ms += 3 * MINUTE_MS - 1
        assert (await bench.join(token)).code == "200"
        bench.clock.now_ms += 1
        with pytest.raises(errors.BootstrapTokenExpired, match="2030-01-02T03:07:05Z"):
            await bench.join(token)

    run(scenario)


def test_a_token_that_never_expires_never_does() -> None:
    """Negative minutes: good a century later, as far as the CA's own time goes."""

    async def scenario(bench: Bench) -> None:
        token = await bench.issue(minutes=-1)
        bench.clock.now_ms += 9 * 365 * 24 * 60 * MINUTE_MS
        assert (await bench.join(token)).code == "200"

    run(scenario)


def test_a_malformed_token_costs_what_an_unknown_one_does() -> None:
    """Both are hashed once and looked up, so that time does not tell them apart."""

    async def scenario(bench: Bench) -> None:
        for token, error in (
            ("0123456789abcdef", errors.BootstrapTokenUnknown),
            ("nonsense", errors.BootstrapTokenMalformed),
            ("x" * 10_000, errors.BootstrapTokenMalformed),
        ):
            before = bench.ids.hashed
            with pytest.raises(error):
                await bench.join(token)
            assert bench.ids.hashed == before + 1

    run(scenario)


def test_the_state_follows_the_link() -> None:
    """-1, then 1 while it is accepted, then 3 with the first address of the pool."""

    async def scenario(bench: Bench) -> None:
        token = (await bench.join(await bench.issue())).token
        assert ((await bench.ask(token)).connState, (await bench.ask(token)).bindIp) == (-1, "")
        node_id, origin = bench.ids.id_of(token), Origin("link", "link", "r")
        await bench.replica.submit(AcceptLink(node_id, "l1", bench.clock.now_ms), origin)
        assert (await bench.ask(token)).connState == 1
        await bench.replica.submit(HandOverAddress(node_id, "l1", bench.clock.now_ms), origin)
        answer = await bench.ask(token)
        assert (answer.connState, answer.bindIp) == (3, "10.1.1.3")
        request = pb.GetRegistedIpRequest(token=token)
        registered = bench.controller.get_registered_ip(request, CALL)
        assert pb.GetRegistedIpResponse.FromString(registered).ip == "10.1.1.3"

    run(scenario)


def test_unregistering_a_connected_node_drops_frees_and_forgets() -> None:
    """Unregistered, AddressReleased, and StateChanged since it was not IDLE; no more, no less."""

    async def scenario(bench: Bench) -> None:
        token = (await bench.join(await bench.issue())).token
        await bench.connect(token)
        after = bench.log.last_seq
        request = pb.UnRegisterRequest(token=token)
        assert (await bench.controller.unregister(request, CALL)).result is True
        kinds = bench.events(after)
        assert sorted(kinds) == ["address_released", "state_changed", "unregistered"]
        with pytest.raises(errors.NodeUnknown):
            await bench.controller.unregister(request, CALL)
        newcomer = (await bench.join(await bench.issue())).token
        await bench.connect(newcomer)
        assert (await bench.ask(newcomer)).connState == 3

    run(scenario)


def test_expiring_a_connected_node_drops_its_link_and_keeps_its_address() -> None:
    """ExpiryChanged and StateChanged; revived, it is IDLE with the address that it had."""

    async def scenario(bench: Bench) -> None:
        token = (await bench.join(await bench.issue())).token
        await bench.connect(token)
        after = bench.log.last_seq
        await bench.expire(token, 1)
        assert bench.events(after) == ["expiry_changed", "state_changed"]
        with pytest.raises(errors.NodeExpired):
            await bench.ask(token)
        await bench.expire(token, 0)
        answer = await bench.ask(token)
        assert (answer.connState, answer.bindIp) == (-1, "10.1.1.3")

    run(scenario)


def _varint(number: int) -> bytes:
    data = b""
    while number > 0x7F:
        data += bytes([number & 0x7F | 0x80])
        number >>= 7
    return data + bytes([number])


@pytest.mark.parametrize(
    ("at_s", "says"),
    [
        (2**32, "4294967296, is beyond 2106-02-07T06:28:15Z"),
        (1_790_000_000_000, "as milliseconds it would be 1790000000 seconds"),
        (2**64 - 1, "is beyond 2106"),
    ],
)
def test_an_expiry_of_more_than_32_bits_is_not_another_one(at_s: int, says: str) -> None:
    """2^32 seconds are not never, and milliseconds are not the year 2076; nothing is changed."""

    async def scenario(bench: Bench) -> None:
        token = (await bench.join(await bench.issue())).token.encode()
        method = methods_of(bench.controller)[b"/Internal/UpdateSensorExpireTime"]
        operation: Any = method.operation
        after = bench.log.last_seq
        sensor = b"\x0a" + _varint(len(token)) + token + b"\x10" + _varint(at_s)
        request = method.parse(b"\x0a" + _varint(len(sensor)) + sensor)
        with pytest.raises(errors.ExpiryTooLate, match=says):
            await operation(request, CALL)
        assert bench.events(after) == []

    run(scenario)


def test_the_addresses_survive_the_log() -> None:
    """A second replica that reads the log gives the same answers about the same nodes."""

    async def scenario(bench: Bench) -> None:
        token = (await bench.join(await bench.issue())).token
        await bench.connect(token)
        second = Replica(LocalLog(bench.log.peer(), bench.clock), bench.clock)
        second.start()
        assert second.state.addresses.address_of(bench.ids.id_of(token)) == "10.1.1.3"
        await second.stop()

    run(scenario)


def test_a_log_that_cannot_be_written_ends_commands_and_not_questions() -> None:
    """Commands are refused as unwritable, HealthCheck says 500, questions go on as before."""

    async def scenario(bench: Bench) -> None:
        token = (await bench.join(await bench.issue())).token
        assert bench.health() == "200"
        bench.log.fail_appends()
        for _ in range(2):
            with pytest.raises(Unwritable):
                await bench.issue()
        with pytest.raises(Unwritable):
            await bench.controller.unregister(pb.UnRegisterRequest(token=token), CALL)
        assert bench.health() == "500"
        assert (await bench.ask(token)).code == "200"
        with pytest.raises(errors.BootstrapTokenUnknown):
            await bench.join("0" * 16)

    run(scenario)


def test_a_full_queue_refuses_at_once() -> None:
    """Beyond the bound a command is Overloaded, nothing is recorded, and questions go on."""

    async def scenario(bench: Bench) -> None:
        with pytest.raises(Overloaded):
            await bench.issue()
        with pytest.raises(errors.NodeUnknown):
            await bench.ask("0" * 16)

    assert run(scenario, max_waiting_commands=0).events() == []
