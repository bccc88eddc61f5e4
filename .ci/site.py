"""What mkdocs.yml cannot say: pages from outside docs/, links between them, no foreign requests.

Links are written for readers of the repository. In the site, those to a document lead to its page,
and those to other files of the repository become plain text. A page that would make the reader's
browser ask another host is a warning, which ends a strict build.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
FOLDER = "docs/"
OUTSIDE = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "eventlog/README.md",
    "eventlog/jetstream/README.md",
)
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\(([^)\s:#]+)(#[^)\s]*)?\)")
FETCHED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc(?:set)?=[\"']?(?:https?:)?//[^\"'\s>]+"
    r"|<link\b(?![^>]*\brel=[\"']?(?:canonical|prev|next)\b)[^>]*\bhref=[\"']?(?:https?:)?//[^\"'\s>]+"
    r"|url\([\"']?(?:https?:)?//[^)]+"
)

log = get_plugin_logger("site")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents that lie beside what they are about."""
    for path in OUTSIDE:
        text = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: object) -> str:
    """Turn links between files of the repository into links between pages."""
    uri = page.file.src_uri
    source = uri if uri in OUTSIDE else FOLDER + uri

    def turned(link: re.Match[str]) -> str:
        text, target, anchor = link.groups()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        goal = path.removeprefix(FOLDER)
        if not (path.startswith(FOLDER) or path in OUTSIDE) and (ROOT / path).exists():
            return str(text)
        if files.get_file_from_path(goal) is None:
            return link[0]  # mkdocs says that it is dead
        return f"[{text}]({posixpath.relpath(goal, posixpath.dirname(uri) or '.')}{anchor or ''})"

    return LINK.sub(turned, markdown)


def on_post_page(output: str, page: Page, **_: object) -> str:
    """Warn of what a browser would fetch from elsewhere."""
    for fetched in FETCHED.findall(output):
        log.warning("%s fetches from another host: %s", page.file.src_uri, fetched)
    return output
