"""`client.replicas`: the servers that share a log, and invitations for further ones."""

from datetime import timedelta

from nc.client.arguments import checked
from nc.client.calls import Area
from nc.client.convert import convert, whole_seconds
from nc.client.replicas import IssuedInvitation, Replica, ReplicaInvitation
from nc.pb.admin.v1 import replicas_pb2


class Replicas(Area):
    # `all` is the word of the API.
    @checked
    async def list(self, *, all: bool = False) -> tuple[Replica, ...]:  # noqa: A002
        """Those that run or have run, by their ids; with `all`, those that were removed too."""
        request = replicas_pb2.ListReplicasRequest(all=all)
        answer = await self._calls.read("Replicas.List", request)
        return tuple(convert(Replica, each) for each in answer.replicas)

    @checked
    async def invitations(self, *, all: bool = False) -> tuple[ReplicaInvitation, ...]:  # noqa: A002
        """Those that can be redeemed, the newest first; with `all`, those that are over too."""
        request = replicas_pb2.ListReplicasRequest(all=all)
        answer = await self._calls.read("Replicas.List", request)
        return tuple(convert(ReplicaInvitation, each) for each in answer.invitations)

    @checked
    async def invite(self, *, lifetime: timedelta = timedelta(hours=1)) -> IssuedInvitation:
        """A new invitation. The server does not keep its code: this is the only time it is shown.

        Args:
            lifetime: a week at most.

        Raises:
            FailedPrecondition: the server's log is in its own folder, or it runs without TLS.
        """
        seconds = whole_seconds("lifetime", lifetime)
        request = replicas_pb2.InviteReplicaRequest(lifetime_s=seconds)
        return convert(IssuedInvitation, await self._calls.write("Replicas.Invite", request))

    @checked
    async def remove(self, replica: str) -> Replica | ReplicaInvitation:
        """Refuse a server from now on, or withdraw an invitation; gives what was removed.

        Args:
            replica: a server's id; or an invitation's, or the beginning of it.

        Raises:
            FailedPrecondition: it is the one that would carry this out.
        """
        request = replicas_pb2.RemoveReplicaRequest(replica=replica)
        answer = await self._calls.write("Replicas.Remove", request)
        if answer.HasField("invitation"):
            return convert(ReplicaInvitation, answer.invitation)
        return convert(Replica, answer.replica)
