// Small helpers for elements. Texts are set as text: whatever they hold, the browser never reads
// them as HTML.

export function element(id) {
  return document.getElementById(id);
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setClass(node, name) {
  if (node.className !== name) node.className = name;
}

export function line(tag, text, name = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (name) made.className = name;
  return made;
}

// An element of a class with others, or texts, in it.
export function box(tag, name, ...children) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...children);
  return made;
}

export function button(text, name, act) {
  const made = line("button", text, name);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

// A list of terms and what they are; what is empty is left out.
export function facts(pairs) {
  const list = box("dl", "facts");
  for (const [term, value, title = ""] of pairs) {
    if (value === "" || value === null || value === undefined) continue;
    const said = value instanceof Node ? box("dd", "", value) : line("dd", String(value));
    if (title) said.title = title;
    list.append(box("div", "", line("dt", term), said));
  }
  return list;
}

export function showAbsence(id, length, text) {
  element(id).hidden = length > 0;
  setText(element(id), text);
}
