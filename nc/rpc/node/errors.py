"""What only the services of nc.node.v1 refuse."""

from nc.domain.errors import DomainError


class AttemptMalformed(Exception):
    """The id of an attempt to enrol is none."""

    def __init__(self) -> None:
        super().__init__(
            "attempt is not 32 digits of 0-9 and a-f: draw it at random once, and repeat it for as "
            "long as no answer comes"
        )


class CredentialRefused(DomainError):
    """A token is refused for good: no other try with it can succeed.

    Attributes:
        reason: why.
    """

    def __init__(self, reason: DomainError) -> None:
        super().__init__(str(reason))
        self.reason = reason
