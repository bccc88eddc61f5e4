"""The table of long files is about files that there are."""

from tests.support.long_files import LONG, TESTS, place


def test_the_table_names_files() -> None:
    """Each is there, once."""
    assert [name for name in LONG if not (TESTS / name).is_file()] == []
    assert len(set(LONG)) == len(LONG)


def test_long_files_come_first() -> None:
    """In the table's order, before all others."""
    files = [TESTS / name for name in LONG]
    assert sorted([TESTS / "test_docs.py", *reversed(files)], key=place)[:-1] == files
