"""`client.tokens`: what lets machines in."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from nc.client.arguments import checked
from nc.client.calls import Area, Items
from nc.client.convert import convert, uint32, whole_seconds
from nc.client.types import BootstrapToken, IssuedToken
from nc.pb.admin.v1 import tokens_pb2

PAGE_SIZE: Final = 1000


class Tokens(Area):
    @checked
    async def issue(
        self,
        *,
        lifetime: timedelta | None = timedelta(minutes=10),
        max_uses: int = 0,
        max_nodes: int = 0,
        label: str = "",
        node_labels: Mapping[str, str] | None = None,
        node_name_prefix: str = "",
    ) -> IssuedToken:
        """A new bootstrap token. The server does not keep it: this is the only time it is shown.

        Args:
            lifetime: None: it never expires.
            max_uses: how many machines it registers in all; 0: any number.
            max_nodes: how many of its nodes may be registered at one time; 0: any number.
            label: what you call it.
            node_labels: the labels that its nodes begin with.
            node_name_prefix: what their names begin with.
        """
        request = tokens_pb2.IssueTokenRequest(
            lifetime_s=-1 if lifetime is None else whole_seconds("lifetime", lifetime),
            max_uses=uint32("max_uses", max_uses),
            max_nodes=uint32("max_nodes", max_nodes),
            label=label,
            node_labels=node_labels,
            node_name_prefix=node_name_prefix,
        )
        return convert(IssuedToken, await self._calls.write("BootstrapTokens.Issue", request))

    # `all` is the word of the API.
    @checked
    def list(self, *, all: bool = False, page_size: int = PAGE_SIZE) -> Items[BootstrapToken]:  # noqa: A002
        """The tokens that register machines now; with `all`, expired and revoked ones too."""
        request = tokens_pb2.ListTokensRequest(page_size=uint32("page_size", page_size), all=all)
        return self._calls.pages(
            "BootstrapTokens.List",
            request,
            lambda page: [convert(BootstrapToken, token) for token in page.tokens],
        )

    @checked
    async def revoke(self, token: str) -> BootstrapToken:
        """Register nobody with a token from now on; the nodes that it registered stay.

        Args:
            token: its id, a prefix of it, or the token itself.
        """
        request = tokens_pb2.RevokeTokenRequest(token=token)
        return convert(BootstrapToken, await self._calls.write("BootstrapTokens.Revoke", request))
