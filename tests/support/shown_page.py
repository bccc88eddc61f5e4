"""A history's page in Chromium: what is asked of it, and what it has to show."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

from nc.domain.codec.records import Recorded
from nc.domain.expiry import has_passed
from nc.domain.links import link_of
from nc.domain.state import State
from nc.text import moment
from tests.support.chromium import Tab

# Opens the page of a history: `with shown(history, base, fragment="seq=1") as tab:`
Shown = Callable[..., AbstractContextManager[Tab]]

GLYPHS = {"CONNECTED": "●", "INIT": "◐", "IDLE": "○"}

_ID = re.compile(r"[0-9a-f]{32}")

NO_ADDRESS = "\N{EN DASH}"

GUTTER, MARGIN = 236, 22  # px beside the picture; `nc/history/export/page/timeline.js`

# The texts in sight that are too pale to be read: WCAG AA wants 4.5:1.
CONTRAST = """
(() => {
  const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const light = (part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = rgba(getComputedStyle(each).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return rgba("white");
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    if (element.closest(":disabled, script, style, noscript")) continue;
    const colours = [luminance(rgba(getComputedStyle(element).color)), luminance(behind(element))];
    const [dark, bright] = colours.sort((a, b) => a - b);
    const ratio = (bright + 0.05) / (dark + 0.05);
    if (ratio < 4.5) found.push([walker.currentNode.data.trim(), ratio.toFixed(2)]);
  }
  return found;
})()
"""

# What tests call in the page.
LIBRARY = """
globalThis.rows = (id) => [...document.querySelectorAll(`#${id} .rows .row:not([hidden])`)]
  .sort((a, b) => a.ariaRowIndex - b.ariaRowIndex);
globalThis.selected = (id) => rows(id).filter((row) => row.ariaSelected === "true").map(cells);
globalThis.cells = (row) => [...row.children].map((cell) => cell.textContent);
globalThis.nodeCells = (row) => cells(row).slice(0, 4);
globalThis.text = (id) => document.getElementById(id).textContent;
globalThis.frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
globalThis.slideTo = (fraction) => set("slider", fraction);
globalThis.set = (id, value) => {
  const field = document.getElementById(id);
  if (field.type === "checkbox") field.checked = value; else field.value = value;
  field.dispatchEvent(new Event("input"));
};
globalThis.everyRow = async (id) => {
  const box = document.querySelector(`#${id} .rows`);
  const found = new Map();
  for (let top = 0; ; ) {
    box.scrollTop = top;
    const wanted = box.scrollTop; // no further than its end
    await frame();
    if (box.scrollTop !== wanted) continue; // it was resized: the chosen row stays in sight
    for (const row of rows(id)) found.set(row.ariaRowIndex, cells(row));
    if (wanted < top) return [...found.values()];
    top = wanted + box.clientHeight;
  }
};
0
"""


def table(state: State, now_ms: int) -> list[list[str]]:
    """The first four columns of what the table of nodes has to show, by name."""
    rows = []
    for node_id, node in state.nodes.items():
        name = link_of(state.links, node_id).state.name
        until = expiry_words(node.expires_at_ms)
        expired = "expired " if has_passed(node.expires_at_ms, now_ms) else ""
        address = state.addresses.address_of(node_id) or NO_ADDRESS
        shown = shown_name(node.profile.name, node_id)
        rows.append([shown, f"{GLYPHS[name]} {name}", address, expired + until])
    return sorted(rows)


def shown_name(name: str, node_id: str) -> str:
    """What a node is called in the page: an id without a name is cut, other texts never are."""
    return name or (node_id[:8] if _ID.fullmatch(node_id) else node_id)


def expiry_words(expires_at_ms: int) -> str:
    """An expiry as the page shows it, in UTC; a browser has doubles alone."""
    nearest_ms = int(Decimal(repr(float(expires_at_ms))))
    text = moment(nearest_ms) if nearest_ms else "never"
    return text.replace("T", " ").removesuffix("Z")


def counts(state: State) -> str:
    """How many nodes are in each state, as it is shown."""
    names = [link_of(state.links, node_id).state.name for node_id in state.nodes]
    return "".join(f"{glyph} {names.count(name)}" for name, glyph in GLYPHS.items())


def recorded_at_ms(history: list[Recorded], seq: int) -> int:
    """When an event was recorded."""
    return history[seq - history[0].seq].entry.recorded_at_ns // 1_000_000


def box(tab: Tab, selector: str) -> tuple[float, float, float, float]:
    """Where an element is on the screen: left, top, width, height."""
    found: Any = tab.run(
        "(({x, y, width, height}) => [x, y, width, height])"
        f"(document.querySelector({selector!r}).getBoundingClientRect())"
    )
    left, top, width, height = found
    return left, top, width, height


def middle(tab: Tab, selector: str) -> tuple[float, float]:
    left, top, width, height = box(tab, selector)
    return left + width / 2, top + height / 2
