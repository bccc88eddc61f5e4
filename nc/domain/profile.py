"""A node's profile: its name, labels and note, the facts that its machine says, and its key."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeAlias

from nc.domain.events import Label, NodeFacts, NodeRegistered
from nc.domain.interning import shared_id
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
        return Facts(*(printable(text[:LONGEST_FACT]) for text in self))

    def message(self) -> NodeFacts:
        return NodeFacts(**self._asdict())


NO_FACTS: Final = Facts()


class Profile(NamedTuple):
    """What a node is called, what is known of its machine, and the key that it has."""

    name: str = ""  # no other registered node has it; "" in logs of versions without names
    labels: LabelPairs = ()
    note: str = ""
    facts: Facts = NO_FACTS
    key_sha256: str = ""  # hex, of the public key that the machine made; "": the server made it
    imported: bool = False  # its certificates are an upstream server's, with another common name


NO_PROFILE: Final = Profile()


def facts_in(message: NodeFacts) -> Facts:
    """The facts of an event; machines have many in common, which share their texts."""
    return Facts(
        message.hostname,
        shared_id(message.os),
        shared_id(message.architecture),
        shared_id(message.agent_version),
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
    """The labels of an event; nodes have many in common, which share their texts."""
    return tuple((shared_id(each.key), shared_id(each.value)) for each in messages)


def require_note(note: str) -> None:
    """Raises NoteInvalid: it is too long, or could steer a terminal."""
    if len(note) > LONGEST_NOTE or not note.replace("\n", " ").isprintable():
        raise NoteInvalid(LONGEST_NOTE)


def require_token_label(label: str) -> None:
    """Raises TokenLabelInvalid: it is too long, or could steer a terminal."""
    if len(label) > LONGEST_TOKEN_LABEL or not label.isprintable():
        raise TokenLabelInvalid(LONGEST_TOKEN_LABEL)


def profile_in(event: NodeRegistered) -> Profile:
    """The profile that a node begins with."""
    if not (event.name or event.imported or event.key_sha256):
        return NO_PROFILE  # shared by the nodes of older logs
    return Profile(
        event.name,
        labels_in(event.labels),
        facts=facts_in(event.facts),
        key_sha256=event.key_sha256,
        imported=event.imported,
    )
