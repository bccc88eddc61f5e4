// Bootstrap tokens, now or at the chosen moment, and what an administrator may do with them.

import { act, ask } from "./api.js";
import { chosen, on } from "./chosen.js";
import { choice, confirm, copyLine, field } from "./dialogs.js";
import { button, element, line } from "./dom.js";
import { expiryText, numberText } from "./format.js";
import { labelsIn, pairsText } from "./labels.js";
import { count, seqs } from "./model.js";
import { addTab, shownTab } from "./tabs.js";
import { Table } from "./table.js";
import { soon } from "./soon.js";

const of = (number, limit) =>
  limit ? `${numberText(number)} of ${numberText(limit)}` : numberText(number);
const standing = (token) => (token.revoked ? "revoked" : token.expired ? "expired" : "good");

const table = new Table(
  "tokens",
  [
    {
      title: "Label",
      width: "minmax(90px, 1.2fr)",
      text: ({ label, id }) => label || id.slice(0, 8),
    },
    {
      title: "Is",
      width: "64px",
      text: standing,
      tone: (token) => (standing(token) === "good" ? "good" : "faded"),
    },
    {
      title: "Expires",
      width: "148px",
      text: ({ expires_at: at }) => expiryText(at ?? 0),
      key: ({ expires_at: at }) => at ?? Infinity,
    },
    {
      title: "Uses",
      width: "74px",
      text: ({ uses, max_uses: most }) => of(uses, most),
      key: ({ uses }) => -uses,
    },
    {
      title: "Nodes",
      width: "74px",
      text: ({ nodes, max_nodes: most }) => of(nodes, most),
      key: ({ nodes }) => -nodes,
    },
    {
      title: "Issued",
      width: "148px",
      text: ({ issued_at: at }) => (at ? expiryText(at) : "–"),
      key: ({ issued_at: at }) => -(at ?? 0),
    },
    {
      title: "Name prefix",
      width: "minmax(80px, 0.6fr)",
      text: ({ node_name_prefix: prefix }) => prefix,
    },
    {
      title: "Node labels",
      width: "minmax(80px, 1fr)",
      text: ({ node_labels: labels }) => pairsText(labels),
    },
    { title: "Id", width: "82px", text: ({ id }) => id.slice(0, 8), mono: true },
  ],
  { absence: "There is no bootstrap token.", one: "bootstrap token", onClick: showActions },
);

const load = soon(async () => {
  const query = chosen.isAtEnd ? {} : { seq: seqs[chosen.position] };
  table.set(chosen.position || !count ? await ask("tokens", query) : []);
  showActions(table.all.find(({ id }) => id === table.chosen?.id) ?? null);
});

function refresh() {
  if (shownTab() === "tokens") load();
}

let isAllowed = false;

function showActions(token) {
  table.chosen = token;
  const can = isAllowed && chosen.isAtEnd && token && standing(token) === "good";
  element("token-revoke").disabled = !can;
}

const LIFETIMES = [
  ["600", "10 minutes"],
  ["3600", "1 hour"],
  ["86400", "1 day"],
  ["604800", "7 days"],
  ["2592000", "30 days"],
  ["", "never expires"],
];

function issue() {
  const lifetime = choice("Good for", LIFETIMES, "600");
  const uses = field("Uses", {
    type: "number",
    value: "1",
    min: 0,
    hint: "How many machines it registers; 0: any number.",
  });
  const label = field("Label", { maxLength: 63, hint: "What you call it." });
  const prefix = field("Name prefix", { maxLength: 40 });
  const labels = field("Labels of its nodes", { rows: 2, hint: "One on each line, as key=value." });
  confirm({
    title: "Issue a bootstrap token",
    meaning: [
      "Whoever has the token can make a machine a node of this network, until it expires or is used up.",
    ],
    fields: [lifetime, uses, label, prefix, labels].map(({ whole }) => whole),
    verb: "Issue token",
    run: async () => {
      const issued = await act("issue-token", {
        lifetime_s: lifetime.input.value ? Number(lifetime.input.value) : null,
        max_uses: Number(uses.input.value),
        label: label.input.value.trim(),
        node_name_prefix: prefix.input.value.trim(),
        node_labels: labelsIn(labels.input.value),
      });
      return [
        line(
          "p",
          "Run this on the machine that is to join. It is shown this one time: the server keeps no token.",
        ),
        copyLine(issued.join),
      ];
    },
  }).then(refresh);
}

function revoke() {
  const token = table.chosen;
  const name = token.label || token.id.slice(0, 8);
  const nodes = `${numberText(token.nodes)} ${token.nodes === 1 ? "node" : "nodes"}`;
  const all = field(`Unregister its ${nodes} too, for good`, { type: "checkbox", value: false });
  confirm({
    title: `Revoke bootstrap token ${name}`,
    meaning: [
      `From now on it registers nobody. The ${nodes} that came with it stay, unless you say otherwise. This cannot be undone.`,
    ],
    fields: token.nodes ? [all.whole] : [],
    verb: "Revoke",
    isGrave: true,
    run: async () => {
      await act("revoke-token", { token: token.id, unregister_nodes: all.input.checked });
    },
  }).then(refresh);
}

export function addTokens(isAdministrator) {
  isAllowed = isAdministrator;
  addTab("tokens", "Tokens", refresh);
  if (isAdministrator) {
    const revoking = button("Revoke", "action grave", revoke);
    revoking.id = "token-revoke";
    const issuing = button("Issue token", "action main", issue);
    issuing.id = "token-issue";
    element("tokens-actions").append(revoking, issuing);
    showActions(null);
  } else element("tokens-actions").append(Object.assign(line("span", ""), { id: "token-revoke" }));
  for (const what of ["moment", "back"]) on(what, refresh);
  on("look", () => table.show());
}
