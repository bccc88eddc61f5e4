"""Refusals of what operators ask for: names, labels, addresses, administrators, imports.

Beside those of `nc.domain.errors`, and like them: the texts reach clients as they are.
"""

from nc.domain.errors import DomainError, WithoutFacts
from nc.text import quoted


class TokenReferenceUnknown(WithoutFacts):
    text = (
        "no bootstrap token has this id, or this beginning of an id: it was not issued here, or it "
        "expired long ago; ncadm tokens list has those that there are"
    )


class TokenReferenceAmbiguous(DomainError):
    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(f"{count} bootstrap tokens have an id that begins so; give more digits")


class TokenLabelInvalid(DomainError):
    def __init__(self, longest: int) -> None:
        self.longest = longest
        super().__init__(f"a bootstrap token's label is at most {longest} characters, in one line")


class NamePrefixInvalid(DomainError):
    def __init__(self, longest: int) -> None:
        self.longest = longest
        super().__init__(
            f"a prefix of nodes' names is at most {longest} characters of a-z, 0-9 and -, "
            "and begins with a letter or a digit"
        )


class NodeReferenceUnknown(WithoutFacts):
    text = (
        "no node is meant by this: give a node's name, its id or the first 4 digits of it or more, "
        "its overlay address, or its token; ncadm nodes list has those that there are"
    )


class NodeReferenceAmbiguous(DomainError):
    def __init__(self, names: list[str]) -> None:
        self.names = names  # of some of them
        super().__init__(
            f"several nodes have an id that begins so, such as {', '.join(names)}; "
            "give more digits, or a name"
        )


class NodeNameInvalid(WithoutFacts):
    text = (
        "a node's name is at most 63 characters of a-z, 0-9 and -, begins and ends with a letter "
        "or a digit, and is not 16 or 32 digits of 0-9 and a-f, as tokens and ids are"
    )


class NodeNameTaken(DomainError):
    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"another node is called {name}; take another name, or rename that node")


class LabelInvalid(DomainError):
    def __init__(self, key: str, value: str) -> None:
        self.key = key
        self.value = value
        super().__init__(
            f"the label {quoted(key)}={quoted(value)} is not one: key and value are at most 63 "
            "characters of letters, digits, -, _ and ., and begin and end with a letter or a "
            "digit; a key may have a domain and / in front, and a value may be empty"
        )


class TooManyLabels(DomainError):
    def __init__(self, count: int, most: int) -> None:
        self.count = count
        self.most = most
        super().__init__(f"a node can have {most} labels, not {count}; remove some")


class NoteInvalid(DomainError):
    def __init__(self, longest: int) -> None:
        self.longest = longest
        super().__init__(
            f"a node's note is at most {longest} characters, without control characters"
        )


class AddressNotAssignable(DomainError):
    def __init__(self, address: str, network: str) -> None:
        self.address = address
        super().__init__(
            f"{quoted(address)} cannot be a node's address in {network}: give an IPv4 address of "
            "this network with an odd last number, below 255, that is not the server's"
        )


class AddressTaken(DomainError):
    def __init__(self, address: str, holder: str) -> None:
        self.address = address
        self.holder = holder  # its name
        super().__init__(
            f"{address} is the address of the node {holder}; take another one, or give that node "
            "another one first"
        )


class AdministratorNameInvalid(WithoutFacts):
    text = (
        "an administrator's name is 1 to 63 letters, digits and ., -, _ or @, and is not 16 or 32 "
        "digits of 0-9 and a-f, as tokens and ids are"
    )


class AdministratorUnknown(WithoutFacts):
    text = (
        "no administrator's certificate has this serial, and none that is good now this name; "
        "ncadm admins list --all has those that there are"
    )


class AdministratorAmbiguous(DomainError):
    def __init__(self, serials: list[str]) -> None:
        self.serials = serials
        super().__init__(
            f"several certificates that are good now have this name; give the serial of one: "
            f"{', '.join(serials)}"
        )


class LastAdministrator(WithoutFacts):
    text = (
        "this is the last administrator's certificate that is good: without it nobody could "
        "administer the server; issue another one first (ncadm admins issue)"
    )


class AlreadyImported(WithoutFacts):
    text = "this database was imported before; nothing was changed"


class ImportRefused(DomainError):
    """Something of a database does not fit this log; nothing was imported."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}; nothing was imported")
