// What keys do, and the list of them.

import { chosen } from "./chosen.js";
import { box, element, line } from "./dom.js";
import { count } from "./model.js";
import { nextTheme, otherClock } from "./look.js";
import { go } from "./moment.js";
import { chooseNode } from "./nodes.js";
import { zoomAll, zoomIn, zoomOut } from "./pointer.js";
import { pan } from "./scale.js";
import { showTab, tabNames } from "./tabs.js";

const twentieth = () => Math.max(1, Math.round(count / 20));
const KEYS = {
  ArrowLeft: () => go(chosen.position - 1),
  ArrowRight: () => go(chosen.position + 1),
  Home: () => go(0),
  End: () => go(count),
  PageUp: () => go(chosen.position - twentieth()),
  PageDown: () => go(chosen.position + twentieth()),
  " ": () => element("play").click(),
  Escape: () => chooseNode(null),
  "+": zoomIn,
  "=": zoomIn,
  "-": zoomOut,
  0: zoomAll,
  ",": () => pan(-0.25),
  ".": () => pan(0.25),
  "/": () => search(),
  "?": () => element("help").showModal(),
  t: nextTheme,
  u: otherClock,
};

const HELP = [
  ["← →", "one event back or on"],
  ["Page ↑ Page ↓", "a twentieth back or on"],
  ["Home End", "the beginning, the end"],
  ["space", "play, pause"],
  ["+ − 0", "zoom in, out, all; or the wheel over the picture"],
  [", .", "move the picture; or drag it"],
  ["↑ ↓", "in a list: its neighbours"],
  ["/", "search"],
  ["Esc", "choose no node"],
  ["1 … 9", "the views"],
  ["U", "UTC or local time"],
  ["T", "light, dark, or as the system is"],
  ["?", "these keys"],
];

function search() {
  const visible = (field) => field && field.offsetParent !== null;
  const field = [...document.querySelectorAll("main:not([hidden]) input[type=search]")].find(
    visible,
  );
  field?.focus();
  field?.select();
}

function act(key) {
  const wanted = key.length === 1 ? key.toLowerCase() : key;
  const name = /^[1-9]$/.test(key) ? tabNames()[Number(key) - 1] : undefined;
  if (name) return () => showTab(name);
  return Object.hasOwn(KEYS, wanted) ? KEYS[wanted] : null;
}

document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  const action = act(key);
  if (event.ctrlKey || event.altKey || event.metaKey || !action) return;
  if (document.querySelector("dialog[open]")) return;
  const isField = target.matches(
    "input:not([type=range], [type=checkbox], [type=radio]), select, textarea",
  );
  if (isField && key === "Escape") return target.blur();
  if (isField) return;
  if (key === " " && target.matches("button, [type=checkbox]")) return;
  event.preventDefault();
  action();
});

element("help-keys").replaceChildren(
  ...HELP.map(([keys, what]) => box("div", "", line("dt", keys), line("dd", what))),
);
element("help-button").addEventListener("click", () => element("help").showModal());
