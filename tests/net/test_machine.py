"""What a machine says of itself goes through HTTP's headers unharmed."""

from hypothesis import given
from hypothesis import strategies as st

from nc.net.machine import MachineFacts, machine_headers, read_machine

texts = st.text(st.characters(codec="utf-8"), max_size=253).map(str.strip)


@given(st.builds(MachineFacts, texts, texts, texts, texts))
def test_every_fact_arrives_in_plain_headers(facts: MachineFacts) -> None:
    """Of printable ASCII alone, so that no fact can end a header; nothing unknown is sent."""
    headers = machine_headers(facts)
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    assert len(headers) == sum(map(bool, facts))
    assert read_machine(headers) == facts


@given(st.dictionaries(st.sampled_from(["nc-machine-os", "nc-machine-hostname", "x"]), st.text()))
def test_any_header_is_read(headers: dict[str, str]) -> None:
    """Whatever a stranger wrote: facts of a bounded length."""
    assert all(len(fact) <= 253 for fact in read_machine(headers))
