// The live source: chunks of the log as they come, and how the server is.
//
// The present comes first: the nodes as they are, and the newest events. It is shown, and goes on,
// while the log is read beside it; then the log is shown, and goes on. The browser connects again by
// itself, and says which event of the log it had last.

import { awaitedSeq, recall } from "./address.js";
import { chosen, tell } from "./chosen.js";
import { element, setText } from "./dom.js";
import {
  append,
  count,
  knownFrom,
  live,
  nodeById,
  positionOfSeq,
  seqs,
  session,
  use,
} from "./model.js";
import { show } from "./moment.js";
import { Recording } from "./recording.js";
import { drawAll, moveOn } from "./scale.js";

const PAUSE_MS = 30; // events are taken in together; a tab that is out of sight has no frames
const TICK_MS = 1000;

let building = null; // the log, while it is read
let built = null; // what is to be shown instead
let isWhole = false; // the log is shown, or is to be
let presentSeq = -1; // that the present goes up to
let waiting = []; // chunks to be added to what is shown
let timer = 0;
let isReady = false;
let isRecalled = false;

function takeInSoon() {
  if (isReady) timer ||= setTimeout(takeIn, PAUSE_MS);
}

function takeIn() {
  timer = 0;
  const [wasAtEnd, seq, id, before] = [
    chosen.isAtEnd,
    seqs[chosen.position],
    chosen.node?.id,
    session,
  ];
  if (built) use(built);
  for (const chunk of waiting) append(chunk);
  [built, waiting] = [null, []];
  if (session !== before) {
    chosen.node = nodeById.get(id) ?? null;
    drawAll();
  } else moveOn();
  tell("grown");
  const awaited = knownFrom ? null : awaitedSeq();
  if (!isRecalled) recall();
  else if (awaited === null && wasAtEnd) show(count);
  else show(positionOfSeq(awaited ?? seq));
  isRecalled = true;
}

function seqAfter(chunk) {
  const start = chunk.states ? chunk.base : presentSeq;
  return chunk.events.reduce((seq, [step]) => seq + step, start);
}

function onPresent({ data }) {
  if (isWhole) return; // it has what this one has, or soon will
  const chunk = JSON.parse(data);
  presentSeq = seqAfter(chunk);
  live.readShare ??= 0;
  waiting.push(chunk);
  takeInSoon();
}

function onChunk({ data }) {
  const chunk = JSON.parse(data);
  if (chunk.states) {
    building = new Recording();
    if (isWhole) presentSeq = Math.max(presentSeq, seqs[count]);
  }
  if (!building) {
    waiting.push(chunk);
    return takeInSoon();
  }
  building.append(chunk);
  const base = building.seqs[0];
  live.readShare = (building.lastSeq - base) / Math.max(1, presentSeq - base);
  if (building.lastSeq < presentSeq) return tell("read");
  [built, building, waiting, isWhole, live.readShare] = [building, null, [], true, null];
  takeInSoon();
}

function onHealth({ data }) {
  const { problem, now_ms: now, is_degraded: isDegraded } = JSON.parse(data);
  if (now) {
    live.aheadMs = now - Date.now();
    tell("health", isDegraded);
  }
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

// Show what has come, and what comes: every view is there.
export function beginLive() {
  isReady = true;
  if (built || waiting.length) takeInSoon();
  setInterval(() => {
    if (isRecalled && !document.hidden && told.problem === "") tell("tick");
  }, TICK_MS);
}

export function connect() {
  const source = new EventSource("/api/live");
  source.addEventListener("present", onPresent);
  source.addEventListener("chunk", onChunk);
  source.addEventListener("health", onHealth);
  source.addEventListener("error", () => {
    say("The console does not answer: start ncadm console again, and open its new link.");
  });
}
