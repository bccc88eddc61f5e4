"""A node's profile: its name, labels and note, the facts that its machine says, and its key."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeAlias

from nc.domain.events import Label, NodeFacts, NodeRegistered
from nc.domain.interning import shared
from nc.domain.operator_errors import LabelInvalid, NoteInvalid, TokenLabelInvalid, TooManyLabels
from nc.text import printable

LONGEST_FACT: Final = 253  # as long as a DNS name
LONGEST_NOTE: Final = 1024
LONGEST_TOKEN_LABEL: Final = 63
MOST_LABELS: Final = 32  # of a node: all of them are in each list of nodes

_PART: Final = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_KEY: Final = re.compile(rf"([a-z0-9]([a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_PART}")
_VALUE: Final = re.compile(rf"({_PART})?")

LabelPairs: TypeAlias = tuple[tuple[str, str], ...]  # keys and values, in the order of the keys


class Facts(NamedTuple):
    """What a machine says of itself, and where it was seen; each may be ""."""

    hostname: str = ""
    os: str = ""
    architecture: str = ""
    agent_version: str = ""
    peer_address: str = ""

    def cleaned(self) -> "Facts":
        """The facts without what could steer a terminal, and none longer than LONGEST_FACT."""
        return Facts(*(printable(text[:LONGEST_FACT]) for text in self)) if any(self) else NO_FACTS

    def message(self) -> NodeFacts:
        return NodeFacts(**self._asdict())


NO_FACTS: Final = Facts()


def told(before: Facts, said: Facts) -> Facts:
    """A machine's facts once it has said these; those that it left out stay."""
    return Facts(*(new or old for new, old in zip(said.cleaned(), before, strict=True)))


class Build(NamedTuple):
    """Those of a machine's facts that many machines have in common."""

    os: str = ""
    architecture: str = ""
    agent_version: str = ""


class Profile(NamedTuple):
    """What a node is called, what is known of its machine, and the key that it has.

    One tuple with few objects of its own, since a state holds one for each node.
    """

    name: str = ""  # no other registered node has it; "" in logs of versions without names
    labels: LabelPairs = ()
    note: str = ""
    hostname: str = ""
    peer_address: str = ""
    build: Build = Build()
    key: bytes = b""  # SHA-256 of the public key that the machine made; empty: the server made it
    imported: bool = False  # its certificates are an upstream server's, with another common name

    @property
    def facts(self) -> Facts:
        return Facts(self.hostname, *self.build, self.peer_address)

    @property
    def key_sha256(self) -> str:
        """The key's hash in hex; "" if the server made the key."""
        return self.key.hex()

    def with_facts(self, facts: Facts) -> "Profile":
        """The profile with these facts; texts that profiles have in common are shared."""
        hostname, system, architecture, agent_version, peer_address = facts
        return self._replace(
            hostname=self.name if hostname == self.name else hostname,
            build=shared(Build(system, architecture, agent_version)),
            peer_address=peer_address,
        )


NO_PROFILE: Final = Profile()


def facts_in(message: NodeFacts) -> Facts:
    return Facts(
        message.hostname,
        message.os,
        message.architecture,
        message.agent_version,
        message.peer_address,
    )


def label_pairs(labels: Mapping[str, str]) -> LabelPairs:
    """The labels in the order of their keys.

    Raises:
        LabelInvalid: a key or a value is not written as Kubernetes writes them.
        TooManyLabels: more than MOST_LABELS.
    """
    for key, value in labels.items():
        if not _KEY.fullmatch(key) or not _VALUE.fullmatch(value):
            raise LabelInvalid(key, value)
    if len(labels) > MOST_LABELS:
        raise TooManyLabels(len(labels), MOST_LABELS)
    return tuple(sorted(labels.items()))


def label_messages(labels: LabelPairs) -> list[Label]:
    return [Label(key=key, value=value) for key, value in labels]


def labels_in(messages: Iterable[Label]) -> LabelPairs:
    """The labels of an event; nodes with equal ones share them."""
    labels: LabelPairs = shared(tuple((each.key, each.value) for each in messages))
    return labels


def require_note(note: str) -> None:
    """Raises NoteInvalid: it is too long, or could steer a terminal."""
    if len(note) > LONGEST_NOTE or not note.replace("\n", " ").isprintable():
        raise NoteInvalid(LONGEST_NOTE)


def require_token_label(label: str) -> None:
    """Raises TokenLabelInvalid: it is too long, or could steer a terminal."""
    if len(label) > LONGEST_TOKEN_LABEL or not label.isprintable():
        raise TokenLabelInvalid(LONGEST_TOKEN_LABEL)


def key_in(key_sha256: str) -> bytes:
    """A key's hash as a profile has it.

    Raises:
        ValueError: this is no hex.
    """
    return bytes.fromhex(key_sha256)


def profile_in(event: NodeRegistered) -> Profile:
    """The profile that a node begins with."""
    if not (event.name or event.imported or event.key_sha256):
        return NO_PROFILE  # shared by the nodes of older logs
    named = Profile(
        event.name,
        labels_in(event.labels),
        key=key_in(event.key_sha256),
        imported=event.imported,
    )
    return named.with_facts(facts_in(event.facts)) if event.HasField("facts") else named
