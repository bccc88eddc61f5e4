// Certificates as they are now: the server's own, operators', and those of nodes that end first.

import { act, ask } from "./api.js";
import { on } from "./chosen.js";
import { choice, confirm, copyLine, field, saving } from "./dialogs.js";
import { box, button, element, line } from "./dom.js";
import { durationText, expiryText, shownName } from "./format.js";
import { soon, whileShown } from "./soon.js";
import { addTab, shownTab } from "./tabs.js";
import { Table } from "./table.js";

const SOON_MS = 30 * 86_400_000;
const EVERY_MS = 30_000;

const endTone = (at) => (at && at - Date.now() < SOON_MS ? "expired" : "");
const endText = (at) => {
  if (!at) return "–";
  const left = at - Date.now();
  return `${expiryText(at).slice(0, 10)}, ${left < 0 ? "ended" : `in ${durationText(left)}`}`;
};

const own = new Table(
  "own",
  [
    { title: "Authority", width: "84px", text: ({ authority }) => authority },
    { title: "Kind", width: "64px", text: ({ kind }) => kind },
    {
      title: "Ends",
      width: "190px",
      text: ({ not_after: at }) => endText(at),
      key: ({ not_after: at }) => at ?? 0,
      tone: ({ not_after: at, renewed_from: renewed }) => (renewed ? "" : endTone(at)),
    },
    {
      title: "Renewed by the server",
      width: "160px",
      text: ({ renewed_from: at }) => (at ? `from ${expiryText(at).slice(0, 10)} on` : "no"),
    },
    { title: "File", width: "minmax(120px, 1fr)", text: ({ file }) => file, mono: true },
  ],
  {
    absence: "The server has no certificates: it speaks plain text.",
    one: "certificate of the server",
    many: "certificates of the server",
  },
);

const standing = ({ revoked, certificate_ends: at }) =>
  revoked ? "revoked" : at && at < Date.now() ? "ended" : "good";
const operators = new Table(
  "operators",
  [
    {
      title: "Operator",
      width: "minmax(100px, 1fr)",
      text: ({ name, self }) => (self ? `${name} (you)` : name),
    },
    { title: "Role", width: "60px", text: ({ role }) => role },
    {
      title: "Is",
      width: "64px",
      text: standing,
      tone: (each) => (standing(each) === "good" ? "good" : "faded"),
    },
    {
      title: "Ends",
      width: "190px",
      text: ({ certificate_ends: at }) => endText(at),
      key: ({ certificate_ends: at }) => at ?? 0,
      tone: (each) => (standing(each) === "good" ? endTone(each.certificate_ends) : "faded"),
    },
    { title: "Serial", width: "minmax(90px, 0.7fr)", text: ({ serial }) => serial, mono: true },
  ],
  { absence: "The log knows no operator's certificate.", one: "operator", onClick: showActions },
);

const ofNodes = new Table(
  "ends",
  [
    {
      title: "Ends",
      width: "190px",
      text: ({ certificates_end: at }) => endText(at),
      key: ({ certificates_end: at }) => at ?? Infinity,
      tone: ({ certificates_end: at, renewable }) => (renewable ? "" : endTone(at)),
    },
    {
      title: "Node",
      width: "minmax(100px, 1fr)",
      text: ({ name, id }) => shownName(name || id),
      mono: true,
    },
    {
      title: "Renews itself",
      width: "96px",
      text: ({ renewable }) => (renewable ? "yes" : "no: join again"),
    },
  ],
  {
    absence: "No node has a certificate.",
    one: "node, by the end of its certificates",
    many: "nodes, by the end of their certificates",
  },
);

const load = soon(async () => {
  const found = await ask("certificates");
  own.set(found.server);
  operators.set(found.administrators);
  ofNodes.set(found.nodes);
  showActions(operators.all.find(({ serial }) => serial === operators.chosen?.serial) ?? null);
});

let isAllowed = false;

function showActions(operator) {
  operators.chosen = operator;
  const revoking = element("operator-revoke");
  if (revoking) revoking.disabled = !operator || standing(operator) !== "good";
}

function revoke() {
  const { name, serial, self } = operators.chosen;
  confirm({
    title: `Revoke the certificate of ${name}`,
    meaning: [
      "It is refused from now on, on open connections too. This cannot be undone: a new one is issued with ncadm admins issue.",
      ...(self ? ["It is the certificate that this console uses: the console ends with it."] : []),
    ],
    verb: "Revoke",
    isGrave: true,
    run: async () => void (await act("revoke-administrator", { serial })),
  }).then(load);
}

const ROLES = [
  ["viewer", "viewer: reads everything, changes nothing"],
  ["admin", "admin: may change everything"],
];
const LIFETIMES_OF_OPERATORS = [
  ["28800", "8 hours"],
  ["604800", "7 days"],
  ["2592000", "30 days"],
  ["31536000", "1 year"],
];
const REQUEST =
  "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=NAME -keyout client-key.pem -out client.csr";

function issue() {
  const name = field("Name", {
    required: true,
    maxLength: 63,
    hint: "Letters, digits and .-_@. Everything that is done is recorded under it.",
  });
  const role = choice("Role", ROLES, "viewer");
  const lifetime = choice("Good for", LIFETIMES_OF_OPERATORS, "31536000");
  const request = field("Certificate request", {
    rows: 5,
    required: true,
    placeholder: "-----BEGIN CERTIFICATE REQUEST-----",
  });
  confirm({
    title: "Issue a certificate for an operator",
    meaning: [
      "Whoever has the key of the request can read everything here, and as an admin change everything, until the certificate ends or is revoked.",
      "The operator makes key and request on a machine of their own, and sends you the request alone, client.csr:",
    ],
    fields: [copyLine(REQUEST), name.whole, role.whole, lifetime.whole, request.whole],
    verb: "Issue certificate",
    run: async () => {
      const { certificate, ca } = await act("issue-administrator", {
        operator: name.input.value.trim(),
        role: role.input.value,
        lifetime_s: Number(lifetime.input.value),
        csr_pem: request.input.value,
      });
      return [
        line("p", "Send both files to the operator; they are no secret. Beside client-key.pem:"),
        box("div", "buttons", saving("client.pem", certificate), saving("ca.pem", ca)),
        copyLine("ncadm contexts add NAME --ip SERVER --certs DIR"),
      ];
    },
  }).then(load);
}

export function addCertificatesTab(isAdministrator) {
  isAllowed = isAdministrator;
  const shownNow = whileShown(() => shownTab() === "certificates", load, EVERY_MS);
  addTab("certificates", "Certificates", shownNow);
  if (isAllowed) {
    const revoking = button("Revoke", "action grave", revoke);
    revoking.id = "operator-revoke";
    const issuing = button("Issue certificate", "action main", issue);
    issuing.id = "operator-issue";
    element("operators-actions").append(revoking, issuing);
    showActions(null);
  }
  on("back", shownNow);
  on("look", () => [own, operators, ofNodes].forEach((table) => table.show()));
}
