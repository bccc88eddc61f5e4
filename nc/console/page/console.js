// The console: the page of a file with a live source, and the views that only a server can fill.

import { usual } from "./address.js";
import { ask } from "./api.js";
import { addCertificatesTab } from "./certificates.js";
import { addChangesTab } from "./changes.js";
import { element, setText } from "./dom.js";
import "./keys.js";
import { addLinks } from "./links.js";
import { beginLive, complain, connect } from "./live.js";
import { beginLook } from "./look.js";
import { addCertificates } from "./node.js";
import { addNodeActions } from "./node-actions.js";
import { addLiveParts } from "./node-live.js";
import { addOtherChanges } from "./other-changes.js";
import { addPulse } from "./pulse.js";
import { addServer } from "./server.js";
import { addTab } from "./tabs.js";
import { addTokens } from "./tokens.js";

async function whoIsIt() {
  for (;;) {
    try {
      return await ask("me");
    } catch (error) {
      complain(error.message);
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

connect();
usual.byTime = true;
addPulse();
beginLook();
const me = await whoIsIt();
complain("");
const isAdministrator = me.role === "admin";
document.title = `Network controller ${me.server}`;
setText(
  element("who"),
  `${me.name || "plain text"}${isAdministrator ? "" : ", viewer"} @ ${me.server}`,
);
addTab("fleet", "Fleet");
addTokens(isAdministrator);
addCertificatesTab(isAdministrator);
addLinks();
addServer();
addChangesTab();
addOtherChanges();
addLiveParts();
addCertificates();
if (isAdministrator) addNodeActions();
beginLive();
