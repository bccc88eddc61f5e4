// Light or dark, UTC or local time, and the page on paper.

import { on, tell } from "./chosen.js";
import { element, setText } from "./dom.js";
import { chooseClock, clock, keep, kept } from "./format.js";
import { rollUpEvents, unrollEvents } from "./events.js";
import { rollUpNodes, unrollNodes } from "./nodes.js";

const THEMES = ["auto", "light", "dark"];
const SIGNS = { auto: "◐", light: "☀", dark: "☾" };

let theme = kept("theme") ?? "auto";

function chooseTheme(wanted) {
  theme = THEMES.includes(wanted) ? wanted : "auto";
  keep("theme", theme);
  document.documentElement.dataset.theme = theme;
  setText(element("theme"), SIGNS[theme]);
  element("theme").title = `Colours: ${theme} (T)`;
  element("theme").setAttribute("aria-label", `Colours: ${theme}`);
  tell("look");
}

export function nextTheme() {
  chooseTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
}

export function otherClock() {
  chooseClock(!clock.isLocal);
}

function showClock() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  setText(element("clock"), clock.isLocal ? "local" : "UTC");
  element("clock").title = clock.isLocal ? `Times of ${zone} (U)` : "Times in UTC (U)";
}

element("theme").addEventListener("click", nextTheme);
element("clock").addEventListener("click", otherClock);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => tell("look"));
on("look", showClock);

export function beginLook() {
  chooseTheme(theme);
}

// For paper: all nodes, and the events around the chosen moment.
addEventListener("beforeprint", () => {
  unrollNodes();
  unrollEvents();
});
addEventListener("afterprint", () => {
  rollUpNodes();
  rollUpEvents();
});
