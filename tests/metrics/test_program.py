"""Metrics of the program: from a configuration file, and in a call's trace."""

from pathlib import Path

import grpc
import pytest

from eventlog import LogReader
from nc.domain.codec.records import entries_in
from nc.pb import network_controller_pb2 as pb
from tests.support.scraped import read, series, value
from tests.support.server_process import PATIENCE_S, ServerProcess

METHOD = "/pb.LiteKubeNCService/GetBootStrapToken"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "nc.yaml"
    path.write_text("mode: server\nserver:\n  metricsListen: none\n", encoding="utf-8")
    return path


def test_the_program_serves_metrics_and_records_traces(data_dir: Path, config: Path) -> None:
    """The command line wins over the file; what a traced call changed has the trace's id."""
    options = ("--config", str(config), "--metrics-listen", "127.0.0.1:0", "--plaintext")
    with ServerProcess(data_dir, *options) as server:
        (line,) = server.logged("server.metrics")
        with grpc.insecure_channel(server.control_target) as channel:
            call = channel.unary_unary(
                METHOD,
                request_serializer=pb.GetBootStrapTokenRequest.SerializeToString,
                response_deserializer=pb.GetBootStrapTokenResponse.FromString,
            )
            parent = (("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01"),)
            request = pb.GetBootStrapTokenRequest(expireTime=1)
            assert call(request, timeout=PATIENCE_S, metadata=parent).code == "200"
        found = series(read(line["url"]))
        assert value(found, "nc_events_total", kind="token_issued") == 1
        assert server.stop() == 0
    assert f"  metrics   {line['url']}\n".encode() in server.stdout
    entries = entries_in(LogReader(server.log_dir).read())
    assert [e.request_id for e in entries if e.method == "GetBootStrapToken"] == [TRACE]


def test_the_file_switches_metrics_off(data_dir: Path, config: Path) -> None:
    """`metricsListen: none` is something else than no such key."""
    with ServerProcess(data_dir, "--config", str(config), metrics=()) as server:
        assert server.logged("server.started")
        assert server.logged("server.metrics") == server.logged("server.extra_failed") == []
    assert b"  metrics  " not in server.stdout
