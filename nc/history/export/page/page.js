// The page of a file: all of it is in the page, as JSON.

import { recall } from "./address.js";
import { addChangesTab } from "./changes.js";
import { tell } from "./chosen.js";
import { element } from "./dom.js";
import "./keys.js";
import { beginLook } from "./look.js";
import { append, count } from "./model.js";
import { addCertificates, addStory } from "./node.js";
import { drawAll } from "./scale.js";
import { addTab } from "./tabs.js";

addTab("fleet", "Fleet");
addChangesTab();
addCertificates();
addStory();
append(JSON.parse(element("data").textContent));
drawAll();
tell("grown");
beginLook();
document.title = `Network controller log: ${count} events`;
recall();
