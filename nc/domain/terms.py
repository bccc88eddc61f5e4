"""What a bootstrap token is issued with beside its lifetime."""

from typing import Any, Final, NamedTuple

from nc.domain.names import LONGEST_PREFIX, is_prefix
from nc.domain.operator_errors import NamePrefixInvalid
from nc.domain.profile import LabelPairs, label_pairs, labels_in, require_token_label


class Terms(NamedTuple):
    """What a token was issued with beside its lifetime."""

    label: str = ""  # what operators call it
    max_uses: int = 0  # 0: any number
    max_nodes: int = 0  # registered at one time; 0: any number
    node_labels: LabelPairs = ()
    node_name_prefix: str = ""


NO_TERMS: Final = Terms()


def require_terms(terms: Terms) -> None:
    """Raises TokenLabelInvalid, NamePrefixInvalid, LabelInvalid, TooManyLabels."""
    require_token_label(terms.label)
    if not is_prefix(terms.node_name_prefix):
        raise NamePrefixInvalid(LONGEST_PREFIX)
    label_pairs(dict(terms.node_labels))


def terms_in(message: Any) -> Terms:
    """The terms of a TokenIssued, or of a snapshot; those of plain tokens are shared."""
    terms = Terms(
        message.label,
        message.max_uses,
        message.max_nodes,
        labels_in(message.node_labels),
        message.node_name_prefix,
    )
    return NO_TERMS if terms == NO_TERMS else terms
