// The dialog that each action is confirmed in: what it means, its fields, and what came of it.

import { box, button, element, line, setText } from "./dom.js";

// Ask before an action. `fields` are elements with labels; `run` makes the call, and may give what
// is shown afterwards. Resolves when the dialog is closed: true if it was done.
export function confirm({ title, meaning, fields = [], verb, isGrave = false, run }) {
  const dialog = element("dialog");
  const problem = line("p", "", "problem");
  problem.setAttribute("role", "alert");
  problem.hidden = true;
  const form = box("form", "");
  const yes = line("button", verb, isGrave ? "action grave" : "action main");
  const buttons = box(
    "div",
    "buttons",
    button("Cancel", "action", () => close()),
    yes,
  );
  const heading = line("h2", title);
  heading.id = "dialog-title";
  form.append(heading, ...meaning.map((text) => line("p", text)), ...fields, problem, buttons);
  dialog.replaceChildren(form);
  dialog.showModal();
  let close;
  return new Promise((done) => {
    let isDone = false;
    const ended = () => {
      if (dialog.open && dialog.contains(heading)) return; // the one before has ended
      dialog.removeEventListener("close", ended);
      if (!dialog.open) dialog.replaceChildren(); // it may have shown a secret
      done(isDone);
    };
    dialog.addEventListener("close", ended);
    close = () => {
      dialog.close();
      ended(); // the browser says so with its next frame, and a page out of sight has none
    };
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      yes.disabled = true;
      problem.hidden = true;
      try {
        const shown = await run();
        isDone = true;
        if (!shown) return close();
        const closing = button("Close", "action main", close);
        dialog.replaceChildren(box("div", "", heading, ...shown, box("div", "buttons", closing)));
        closing.focus();
      } catch (error) {
        setText(problem, error.message);
        problem.hidden = false;
        yes.disabled = false;
      }
    });
  });
}

// A field with its label; `hint` says what to write.
export function field(label, { type = "text", value = "", hint = "", ...more } = {}) {
  const input = document.createElement(more.rows ? "textarea" : "input");
  if (!more.rows) input.type = type;
  Object.assign(input, more, type === "checkbox" ? { checked: value } : { value });
  input.spellcheck = false;
  input.autocomplete = "off";
  const name = line("span", label);
  const whole = box("label", type === "checkbox" ? "field check" : "field", name, input);
  if (hint) whole.append(line("small", hint));
  return { whole, input };
}

// A choice of few; `options` are [value, text].
export function choice(label, options, value) {
  const input = document.createElement("select");
  input.append(...options.map(([each, text]) => new Option(text, each)));
  input.value = value;
  return { whole: box("label", "field", line("span", label), input), input };
}

// A button that saves a text as a file.
export function saving(name, text) {
  return button(`Save ${name}`, "action main", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/x-pem-file" }));
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

// A line to copy.
export function copyLine(text) {
  const code = line("code", text);
  code.tabIndex = 0;
  const copy = button("Copy", "action main", async () => {
    try {
      await navigator.clipboard.writeText(text);
      setText(copy, "Copied");
    } catch {
      getSelection().selectAllChildren(code);
      setText(copy, "Press Ctrl+C");
    }
  });
  return box("div", "copy", code, copy);
}
