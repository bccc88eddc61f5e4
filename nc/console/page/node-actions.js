// What an administrator may do with a node.

import { act, ask } from "./api.js";
import { chosen, on } from "./chosen.js";
import { confirm, field } from "./dialogs.js";
import { button, element } from "./dom.js";
import { timeText } from "./format.js";
import { nameAt, statusAt } from "./model.js";
import { labelsIn } from "./labels.js";

function current() {
  const { node, position } = chosen;
  return { id: node.id, name: nameAt(node, position), status: statusAt(node, position) };
}

function rename() {
  const { id, name } = current();
  const wanted = field("New name", { value: name, maxLength: 63, required: true });
  confirm({
    title: `Rename ${name}`,
    meaning: [
      "The node keeps its id, its address and its certificates. Commands and scripts that use the old name do not find it any more.",
    ],
    fields: [wanted.whole],
    verb: "Rename",
    run: async () =>
      void (await act("update-node", { node: id, new_name: wanted.input.value.trim() })),
  });
}

function label() {
  const { id, name, status } = current();
  const before = status?.labels ?? "";
  const wanted = field("Labels", {
    value: before.replaceAll(", ", "\n"),
    rows: 4,
    hint: "One on each line, as key=value. A line that you delete removes the label.",
  });
  confirm({
    title: `Labels of ${name}`,
    meaning: [
      "Selectors such as ncadm nodes list --selector, and whatever else reads labels, see them at once.",
    ],
    fields: [wanted.whole],
    verb: "Set labels",
    run: async () => {
      const set = labelsIn(wanted.input.value);
      const removed = Object.keys(labelsIn(before)).filter((key) => !(key in set));
      await act("update-node", { node: id, set_labels: set, remove_labels: removed });
    },
  });
}

async function note() {
  const { id, name } = current();
  const { note: before } = await ask("node", { node: id });
  const wanted = field("Note", { value: before, rows: 4, maxLength: 1000 });
  confirm({
    title: `Note on ${name}`,
    meaning: ["Everybody who may read this server sees it, and the log keeps what it was before."],
    fields: [wanted.whole],
    verb: "Set note",
    run: async () => void (await act("update-node", { node: id, note: wanted.input.value.trim() })),
  });
}

function assignAddress() {
  const { id, name, status } = current();
  const wanted = field("Address", {
    value: status?.address ?? "",
    hint: "An odd address of the overlay network that is free. Empty: any; it may be given to another node when this one is idle for long.",
  });
  confirm({
    title: `Address of ${name}`,
    meaning: [
      "A node that has another address now loses its link for a moment, and connects again to get this one. Whoever uses the old address does not reach it any more.",
    ],
    fields: [wanted.whole],
    verb: "Set address",
    run: async () =>
      void (await act("assign-address", { node: id, address: wanted.input.value.trim() })),
  });
}

function setExpiry() {
  const { id, name, status } = current();
  const at = status?.expiresMs ? timeText(status.expiresMs).slice(0, 16).replace(" ", "T") : "";
  const never = field("Never", { type: "checkbox", value: !at });
  const when = field("Expires", {
    type: "datetime-local",
    value: at,
    hint: "In the time that the page shows.",
  });
  const fit = () => (when.input.disabled = never.input.checked);
  never.input.addEventListener("input", fit);
  fit();
  confirm({
    title: `Expiry of ${name}`,
    meaning: [
      "From this moment on the node is refused and its link is closed. It stays registered, keeps its address, and a later expiry lets it in again.",
    ],
    fields: [never.whole, when.whole],
    verb: "Set expiry",
    run: async () => {
      const text = when.input.value;
      if (!never.input.checked && !text) throw new Error("Choose a moment, or Never.");
      const shown = element("clock").textContent === "UTC" ? `${text}Z` : text;
      await act("set-expiry", {
        node: id,
        expires_at_ms: never.input.checked ? null : Date.parse(shown),
      });
    },
  });
}

function unregister() {
  const { id, name } = current();
  const typed = field(`Type ${name} to confirm`, { required: true });
  confirm({
    title: `Unregister ${name}`,
    meaning: [
      "The node is removed for good: its link is closed, its token and its certificates are refused, and its address is free for others.",
      "This cannot be undone. The machine can only join again with a bootstrap token, as a new node.",
    ],
    fields: [typed.whole],
    verb: "Unregister",
    isGrave: true,
    run: async () => {
      if (typed.input.value.trim() !== name) throw new Error(`That is not ${name}.`);
      await act("unregister-node", { node: id });
    },
  });
}

const ACTIONS = [
  ["Rename", rename],
  ["Labels", label],
  ["Note", note],
  ["Address", assignAddress],
  ["Set expiry", setExpiry],
  ["Unregister", unregister],
];

// Actions are about the node as it is now; at another moment there are none.
function showActions() {
  const isThere = chosen.node && chosen.isAtEnd && statusAt(chosen.node, chosen.position);
  element("node-actions").hidden = !isThere;
}

export function addNodeActions() {
  element("node-actions").append(
    ...ACTIONS.map(([text, run]) =>
      button(text, text === "Unregister" ? "action grave" : "action", run),
    ),
  );
  for (const what of ["moment", "node"]) on(what, showActions);
  showActions();
}
