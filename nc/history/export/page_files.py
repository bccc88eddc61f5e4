"""The files of the page, which are written by hand: its HTML, its style and its modules.

A browser loads the modules of the console one by one. A file that needs nothing else has them as
one script: each after those that it imports, without `import` and `export`. So that this is the
same program, modules import without renaming, and no two have a name of their top level in common.
"""

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from string import Template
from typing import Final

_PACKAGE: Final = "nc.history.export"
_FOLDER: Final = "page"
STYLES: Final = ("colours.css", "layout.css", "parts.css", "narrow.css")

_IMPORT: Final = re.compile(r'^import (?:[^;]*? from )?"\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=(?:const|let|class|function|async)\b)", re.MULTILINE)


def page_file(name: str) -> str:
    return (files(_PACKAGE) / _FOLDER / name).read_text(encoding="utf-8")


def imports_of(text: str) -> list[str]:
    return _IMPORT.findall(text)


def page_html(**parts: str) -> str:
    """The HTML with its parts: `head`, `title`, `views` and `scripts`."""
    return Template(page_file("page.html")).substitute(parts)


def inline_source(text: str) -> str:
    """What a content security policy calls an inline script or style that it lets pass."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def one_style() -> str:
    return "\n".join(page_file(name) for name in STYLES)


@cache
def one_script() -> str:
    """The page's main module with all that it imports, as one script."""
    written: list[str] = []
    seen: set[str] = set()

    def write(name: str) -> None:
        if name in seen:
            return
        seen.add(name)
        text = page_file(name)
        for imported in imports_of(text):
            write(imported)
        written.append(_EXPORT.sub("", _IMPORT.sub("", text)))

    write("page.js")
    return '"use strict";\n' + "\n".join(written)
