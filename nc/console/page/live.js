// The live source: chunks of the log as they come, and how the server is.
//
// The browser connects again by itself, and says which event it had last.

import { recall } from "./address.js";
import { chosen, tell } from "./chosen.js";
import { element, setText } from "./dom.js";
import { append, count, live, nodeById, positionOfSeq, seqs } from "./model.js";
import { show } from "./moment.js";

let waiting = []; // chunks that have come since the last frame
let isRecalled = false;

function takeIn() {
  const chunks = waiting;
  waiting = [];
  const [wasAtEnd, seq, id] = [chosen.isAtEnd, seqs[chosen.position], chosen.node?.id];
  for (const chunk of chunks) append(chunk);
  if (chunks.some((chunk) => chunk.states)) chosen.node = nodeById.get(id) ?? null;
  tell("grown");
  if (!isRecalled) {
    isRecalled = true;
    recall();
  } else show(wasAtEnd ? count : positionOfSeq(seq));
}

function onChunk({ data }) {
  // a tab that is out of sight has no frames
  if (waiting.push(JSON.parse(data)) === 1) setTimeout(takeIn, 30);
}

function onHealth({ data }) {
  const { problem, now_ms: now, end_seq: end } = JSON.parse(data);
  live.endSeq = end;
  if (now) live.aheadMs = now - Date.now();
  say(problem ? `The server does not answer: ${problem}. What is shown is as of then.` : "");
}

const told = { problem: "", complaint: "" };

function showNotice() {
  const text = told.problem || told.complaint;
  element("notice").hidden = text === "";
  setText(element("notice"), text);
  document.body.classList.toggle("away", told.problem !== "");
}

// The server, or the console, is away; "": it is there.
function say(problem) {
  const isBack = told.problem !== "" && problem === "";
  told.problem = problem;
  showNotice();
  if (isBack) tell("back");
}

// Something could not be loaded; "": it could.
export function complain(text) {
  told.complaint = text;
  showNotice();
}

export function beginLive() {
  const source = new EventSource("/api/live");
  source.addEventListener("chunk", onChunk);
  source.addEventListener("health", onHealth);
  source.addEventListener("error", () => {
    say("The console does not answer: start ncadm console again, and open its new link.");
  });
}
