"""nc.admin.v1.BootstrapTokens: issue, list and revoke what lets machines in."""

from collections.abc import Callable, Sequence

from nc.domain import tokens
from nc.domain.map_items import items_of
from nc.domain.profile import label_pairs
from nc.domain.references import token_meant
from nc.domain.terms import Terms
from nc.pb.admin.v1 import tokens_pb2 as pb
from nc.pki.certificates import ca_cert_hash
from nc.rpc.admin.context import Context
from nc.rpc.admin.errors import InvalidField
from nc.rpc.admin.paging import Key, list_id, page_of, page_size, place_of
from nc.rpc.admin.views import token_view
from nc.rpc.api import Authorities, Call, Endpoints
from nc.secrets import new_token


class BootstrapTokensService:
    """The operations of the service; the errors are the domain's, and those of `errors`.

    Args:
        authorities: one of them signs the certificate by which machines recognise the server.
        endpoints: asked for with each answer.
        others: host and bootstrap port of each other live server with the same log.
    """

    def __init__(
        self,
        context: Context,
        authorities: Authorities,
        endpoints: Callable[[], Endpoints],
        others: Callable[[], Sequence[tuple[str, int]]],
    ) -> None:
        self._others = others
        self._context = context
        self._authorities = authorities
        self._endpoints = endpoints

    async def issue(self, request: pb.IssueTokenRequest, call: Call) -> pb.IssueTokenResponse:
        context = self._context
        terms = Terms(
            request.label,
            request.max_uses,
            request.max_nodes,
            label_pairs(request.node_labels),
            request.node_name_prefix,
        )
        token = new_token(context.secrets)
        token_id = context.token_ids.id_of(token)
        await context.submit(
            tokens.IssueToken(token_id, 0, context.now_ms, request.lifetime_s, terms), call
        )
        endpoints = self._endpoints()
        return pb.IssueTokenResponse(
            token=token,
            issued=self._view(token_id),
            host=endpoints.advertised,
            port=endpoints.bootstrap_port,
            ca_cert_hash=ca_cert_hash(self._authorities.grpc.certificate_pem),
            others=[pb.JoinAddress(host=host, port=port) for host, port in self._others()],
        )

    async def list(self, request: pb.ListTokensRequest, _call: Call) -> pb.ListTokensResponse:
        """The newest first."""
        state, now_ms = self._context.state, self._context.now_ms
        listed = list_id("tokens", request.all)

        def key_of(item: tuple[str, tokens.Token]) -> Key | None:
            token_id, token = item
            is_left_out = token.is_over(now_ms) and not request.all
            return None if is_left_out else (token.issued_at_ms, token_id)

        async with self._context.listing.taken():
            page = await page_of(
                items_of(state.tokens),
                key_of,
                after=place_of(request.page_token, listed, int),
                size=page_size(request.page_size),
                descending=True,
                listed=listed,
            )
        views = [token_view(each, state.tokens[each], now_ms) for _, each in page.keys]
        return pb.ListTokensResponse(
            tokens=views, next_page_token=page.next_token, total=page.total
        )

    async def revoke(self, request: pb.RevokeTokenRequest, call: Call) -> pb.BootstrapToken:
        if not request.token:
            raise InvalidField("token", "it is empty; give a bootstrap token, or its id")
        token_id = token_meant(self._context.state, request.token, self._context.token_ids.id_of)
        await self._context.submit(tokens.RevokeToken(token_id), call)
        return self._view(token_id)

    def _view(self, token_id: str) -> pb.BootstrapToken:
        """The token as it is now; its id alone if it was forgotten just after it was changed."""
        token = self._context.state.tokens.get(token_id)
        if token is None:
            return pb.BootstrapToken(id=token_id)
        return token_view(token_id, token, self._context.now_ms)
