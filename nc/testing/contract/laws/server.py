"""The law about the server's process."""

from collections.abc import Iterator

from nc.testing.contract.happenings import Crash, Restart
from nc.testing.contract.knowledge import Observed
from nc.testing.contract.laws.law import Evidence, law


@law()
def the_server_starts_again(observed: Observed) -> Iterator[Evidence]:
    """Nothing that it is asked ends the server; after a crash or a stop it starts again."""
    for happened in observed.history.happenings:
        if isinstance(happened.happening, Crash | Restart):
            yield Evidence(True, happened)
    if observed.history.end:
        yield Evidence(False, f"the end: {observed.history.end}")
