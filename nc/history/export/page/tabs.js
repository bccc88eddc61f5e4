// The views, of which one is shown. A view is a `main`; it is told when it comes into sight.

import { tell } from "./chosen.js";
import { button, element } from "./dom.js";

const views = new Map(); // by name: { main, tab, show }
let shown = "";

export function addTab(name, title, show = () => {}) {
  const main = element(`view-${name}`);
  const tab = button(title, "", () => showTab(name));
  tab.role = "tab";
  tab.id = `tab-${name}`;
  tab.setAttribute("aria-controls", main.id);
  main.setAttribute("aria-labelledby", tab.id);
  element("tabs").append(tab);
  views.set(name, { main, tab, show });
}

export function showTab(name) {
  if (!views.has(name)) return;
  shown = name;
  for (const [each, { main, tab }] of views) {
    main.hidden = each !== name;
    tab.setAttribute("aria-selected", each === name);
  }
  views.get(name).show();
  tell("tab");
}

export function shownTab() {
  return shown;
}

export function tabNames() {
  return [...views.keys()];
}
