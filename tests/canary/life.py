"""A whole life over the wire, with all that a careless client does; keeps what it was told."""

import asyncio
import base64
import contextlib
import ssl
from typing import Any

import grpc
from google.protobuf.message import Message

from nc.pb import network_controller_pb2 as pb
from nc.pb import sensor_pb2
from tests.canary.canaries import Canaries
from tests.support.link_client import CLOSE, Closed, Identity, LinkClient, NoUpgrade
from tests.support.server_process import CHANNEL_OPTIONS, PATIENCE_S, ServerProcess

CONTROL = "/pb.LiteKubeNCService/"
BOOTSTRAP = "/pb.LiteKubeNCBootstrapService/"
EXPIRY = "/Internal/UpdateSensorExpireTime"

# Every text method on the port where it is found; field 1 of each is the text.
TEXT_METHODS = (
    CONTROL + "HelloWorld",
    CONTROL + "GetToken",
    CONTROL + "CheckConnState",
    CONTROL + "GetRegistedIp",
    CONTROL + "UnRegister",
)


class Life:
    """A client with the admin's certificate, and one without.

    Args:
        server: whose life it is.
        canaries: gets every secret that is answered.
        plaintext: whether it has no TLS.
    """

    def __init__(
        self, server: ServerProcess, canaries: Canaries, *, plaintext: bool = False
    ) -> None:
        self._plaintext = plaintext
        self._server = server
        self._canaries = canaries
        self.bootstrap_tokens: list[str] = []
        self.node_tokens: list[str] = []
        self._begun: list[Any] = []  # calls that will be answered
        self._refusable: list[Any] = []
        self._identities: list[Identity] = []  # of the nodes, on the link port

    def live(self) -> None:
        """Everything, mistakes included."""
        server = self._server
        with (
            self._channel(server.control_target, admin=True) as self._control,
            self._channel(server.bootstrap_target, admin=False) as self._bootstrap,
        ):
            for minutes in (0, 10, -1):
                self._issue(minutes)
            for token in self.bootstrap_tokens:
                self._join(token)
                self._join(token)
            for token in self.node_tokens:
                self._send(self._control, CONTROL + "CheckConnState", token)
                self._send(self._control, CONTROL + "GetRegistedIp", token)
                self._expire(token, 2_000_000_000)
            self._wait_for_answers()
            self._expire(self.node_tokens[0], 1)
            self._wait_for_answers()
            asyncio.run(self._link_all())
            for token in (*self.bootstrap_tokens, *self.node_tokens):
                self._blunder(token)
                self._wait_for_answers()
            for token in self.node_tokens:
                self._send(self._control, CONTROL + "UnRegister", token)
                self._send(self._control, CONTROL + "UnRegister", token)
            self._wait_for_answers()

    def _issue(self, minutes: int) -> None:
        request = pb.GetBootStrapTokenRequest(expireTime=minutes)
        data = self._call(self._control, CONTROL + "GetBootStrapToken", request)
        token = pb.GetBootStrapTokenResponse.FromString(data).bootStrapToken
        self._canaries.add_token(f"bootstrap token {len(self.bootstrap_tokens)}", token)
        self.bootstrap_tokens.append(token)

    def _join(self, bootstrap_token: str) -> None:
        request = pb.GetTokenRequest(bootStrapToken=bootstrap_token)
        data = self._call(self._bootstrap, BOOTSTRAP + "GetToken", request)
        answer = pb.GetTokenResponse.FromString(data)
        assert answer.code == "200"
        name = f"node {len(self.node_tokens)}"
        self._canaries.add_token(f"token of {name}", answer.token)
        for which, key in (("grpc", answer.GrpcClientKey), ("network", answer.NetworkClientKey)):
            pem = base64.b64decode(key)
            self._canaries.add_private_key(f"{which} key of {name}", pem)
            self._canaries.add_bytes(f"{which} key of {name}, as answered", key.encode())
        self.node_tokens.append(answer.token)
        pems = (answer.NetworkCaCert, answer.NetworkClientKey, answer.NetworkClientCert)
        self._identities.append(Identity(*(base64.b64decode(pem).decode() for pem in pems)))

    async def _link_all(self) -> None:
        """Every node connects, as it should and as it should not."""
        for token, identity in zip(self.node_tokens, self._identities, strict=True):
            tls = None if self._plaintext else identity.context()
            for shown in (token, f" {token}", f"{token}0", token.upper(), self.node_tokens[-1]):
                await self._link(tls, shown, token)
            await self._link(tls, token, token, path=f"/{token}")
            await self._link(tls, None, token, path=f"/ws?token={token}", Authorization=token)
            await self._link(tls, token, token, Sec_WebSocket_Protocol=token)

    async def _link(
        self, tls: ssl.SSLContext | None, shown: str | None, token: str, **request: str
    ) -> None:
        """One link, whose client then puts the token wherever it can."""
        client = await LinkClient.reach(self._server.link_port, tls)
        with contextlib.suppress(Closed, NoUpgrade):
            await client.upgrade(shown, **request)
            if shown == token:
                await client.hand_shake()
            client.send(token.encode())
            client.send(b"\x03\xe8" + token.encode(), CLOSE)
            await client.end()
        await client.vanish()

    def _blunder(self, token: str) -> None:
        """A real token where it does not belong, and almost right."""
        for text in (token, f"{token} ", f" {token}", f"{token}\n", f"{token}\0", token.upper()):
            for method in TEXT_METHODS:
                if not method.endswith("UnRegister") or text != token:
                    self._send(self._control, method, text)
            self._send(self._bootstrap, BOOTSTRAP + "GetToken", text)
            self._expire(f"{text}0", 5)
        request = pb.GetTokenRequest(bootStrapToken=token)
        self._begin(self._control, EXPIRY, request)
        as_text = pb.GetTokenRequest(bootStrapToken=token).SerializeToString()
        for method in (*TEXT_METHODS, CONTROL + "GetBootStrapToken", EXPIRY):
            self._raw(self._control, method, as_text[:-1])  # cut short: no message at all
            self._raw(self._control, method, b"\xff" + as_text)
        self._raw(self._control, f"/{token}/{token}", as_text)
        self._raw(self._control, f"{CONTROL}{token}", as_text)
        for request_id in (
            token,
            f"a{token}",
            f"{token:0>32}",
            f"0{token:0<19}",
            f"01ARZ3NDEK{token}",
        ):
            sent = (("x-request-id", request_id.upper()), ("x-request-id", request_id))
            self._raw(self._control, CONTROL + "GetBootStrapToken", b"", sent)
            self._raw(self._control, CONTROL + "HelloWorld", as_text, sent[1:])
        metadata = (("node-token", token), ("authorization", f"Bearer {token}"))
        self._raw(self._control, CONTROL + "HelloWorld", as_text, metadata)
        self._raw(self._bootstrap, BOOTSTRAP + "GetToken", b"", metadata)
        self._wait_for_answers()
        # Without the right to, which is refused before the token is looked at; in plain text it is
        # granted, and a token of nobody may be recorded.
        self._raw(self._bootstrap, CONTROL + "UnRegister", as_text)

    def _expire(self, token: str, at_s: int) -> None:
        listed = [sensor_pb2.SensorExpire(deviceToken=token.encode(), expireTime=at_s)]
        request = sensor_pb2.SensorExpireTimeRequest(sensorExpire=listed)
        self._begin(self._control, EXPIRY, request)

    def _send(self, channel: grpc.Channel, method: str, text: str) -> None:
        self._begin(channel, method, pb.GetTokenRequest(bootStrapToken=text))

    def _call(self, channel: grpc.Channel, method: str, request: Message) -> bytes:
        rpc: Any = channel.unary_unary(method)
        answer: bytes = rpc(request.SerializeToString(), timeout=PATIENCE_S)
        return answer

    def _begin(self, channel: grpc.Channel, method: str, request: Message) -> None:
        """Begin a call that is answered with a message."""
        rpc: Any = channel.unary_unary(method)
        self._begun.append(rpc.future(request.SerializeToString(), timeout=PATIENCE_S))

    def _raw(self, channel: grpc.Channel, method: str, data: bytes, metadata: Any = ()) -> None:
        """Begin a call that may be refused in any way."""
        rpc: Any = channel.unary_unary(method)
        self._refusable.append(rpc.future(data, timeout=PATIENCE_S, metadata=metadata))

    def _wait_for_answers(self) -> None:
        """Wait for all that was begun: a call after the other would take ten times as long."""
        for begun in self._begun:
            assert begun.code() is grpc.StatusCode.OK, begun.details()
        for begun in self._refusable:
            assert begun.code() is not grpc.StatusCode.DEADLINE_EXCEEDED
        self._begun.clear()
        self._refusable.clear()

    def _channel(self, target: str, *, admin: bool) -> grpc.Channel:
        if self._plaintext:
            return grpc.insecure_channel(target, CHANNEL_OPTIONS)
        return grpc.secure_channel(target, self._server.credentials(admin=admin), CHANNEL_OPTIONS)
