// Joins the parts: one chosen moment, which everything shows, and the ways to choose another.
// The moment and the node are in the address after `#`, so that a link can point at them.

// ---- The moment

const slider = element("slider");

function show(position, drawnAt = null) {
  chosen.position = Math.min(count, Math.max(0, position));
  const fraction = drawnAt ?? fractionOf(chosen.position, chosen.byTime);
  slider.value = fraction;
  timeline.moveLine(fraction);
  showMoment();
  showNodes();
  showCurrent();
  showEvents();
  rememberSoon();
}

function showMoment() {
  const { position } = chosen;
  const time = position ? `${timeText(times[position])} UTC` : "the beginning";
  let where = `after event ${numberText(seqs[position])} of ${numberText(seqs[count])}`;
  if (!position) where = count ? `before event ${numberText(seqs[1])}` : "an empty log";
  setText(element("moment-time"), time);
  setText(element("moment-event"), where);
  slider.setAttribute("aria-valuetext", `${where}, ${time}`);
  const network = networkAt(position);
  setText(element("title"), network ? `Network ${network}` : "Network controller log");
}

function showFacts() {
  const parts = [count === 1 ? `event ${numberText(seqs[1])}` : `${numberText(count)} events`];
  if (count > 1) parts[0] = `events ${numberText(seqs[1])} to ${numberText(seqs[count])}`;
  if (!count) parts[0] = "no events";
  parts.push(nodes.length === 1 ? "1 node" : `${numberText(nodes.length)} nodes`);
  if (count) {
    const [start, end] = [times[1], times[count]].map((ms) => timeText(ms).slice(0, 19));
    const isSameDay = start.slice(0, 10) === end.slice(0, 10);
    const until = start === end ? "" : ` – ${isSameDay ? end.slice(11) : end}`;
    parts.push(`${start}${until} UTC`);
  }
  setText(element("facts"), parts.join("  ·  "));
  document.title = `Network controller log: ${parts[0]}`;
}

function chooseNode(node) {
  chosen.node = node;
  timeline.choose(node);
  const index = shownNodes.findIndex((each) => each.node === node);
  if (index >= 0) nodeList.reveal(index);
  nodeList.render();
  filterEvents();
  showEvents();
  rememberSoon();
}

function chooseScale(byTime) {
  chosen.byTime = byTime;
  timeline.byTime = byTime;
  for (const each of document.getElementsByName("scale")) {
    each.checked = (each.value === "time") === byTime;
  }
  timeline.draw();
  show(chosen.position);
}

// ---- The address

let remembering = 0;

function rememberSoon() {
  // browsers refuse more than some ten changes of the address a second
  if (!remembering) remembering = setTimeout(remember, 250);
}

function remember() {
  remembering = 0;
  const parts = new URLSearchParams({ seq: seqs[chosen.position] });
  if (chosen.node) parts.set("node", chosen.node.id);
  if (chosen.byTime) parts.set("by", "time");
  if (location.hash.slice(1) !== String(parts)) history.replaceState(null, "", `#${parts}`);
}

function recall() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const seq = parts.get("seq");
  const isNumber = seq !== null && /^\d+$/.test(seq);
  chosen.position = isNumber ? positionOfSeq(Number(seq)) : count;
  chooseScale(parts.get("by") === "time");
  chooseNode(nodeById.get(parts.get("node")) ?? null);
}

// ---- Playing

const WHOLE_S = 40; // what playing everything takes at speed 1
const SLOWEST = 2; // events a second at speed 1: a short log is not to drag
const playing = { frame: 0, before: 0, fraction: 0 };

function play() {
  if (chosen.position === count) show(0);
  playing.fraction = fractionOf(chosen.position, chosen.byTime);
  playing.before = performance.now();
  playing.frame = requestAnimationFrame(playOn);
  showPlaying();
}

function pause() {
  cancelAnimationFrame(playing.frame);
  playing.frame = 0;
  showPlaying();
}

function playOn(now) {
  const seconds = Math.max(0, now - playing.before) / 1000;
  const rate = Math.max(1 / WHOLE_S, chosen.byTime ? 0 : SLOWEST / Math.max(1, count));
  playing.before = now;
  const played = seconds * rate * Number(element("speed").value);
  playing.fraction = Math.min(1, playing.fraction + played);
  const exact = playing.fraction * count;
  const position = chosen.byTime ? positionAt(playing.fraction, true) : Math.floor(exact + 1e-9);
  if (position !== chosen.position) show(position, playing.fraction);
  else timeline.moveLine((slider.value = playing.fraction));
  if (playing.fraction < 1) playing.frame = requestAnimationFrame(playOn);
  else pause();
}

function showPlaying() {
  const is = playing.frame !== 0;
  element("play").setAttribute("aria-pressed", is);
  element("play").setAttribute("aria-label", is ? "Pause" : "Play");
  element("moment").setAttribute("aria-live", is ? "off" : "polite"); // no reader keeps up
}

// Wherever somebody goes by hand, the film stops.
function go(position) {
  if (playing.frame) pause();
  show(position);
}

// ---- Controls

slider.max = 1;
slider.addEventListener("input", () => go(positionAt(Number(slider.value), chosen.byTime)));
element("first").addEventListener("click", () => go(0));
element("back").addEventListener("click", () => go(chosen.position - 1));
element("step").addEventListener("click", () => go(chosen.position + 1));
element("last").addEventListener("click", () => go(count));
element("play").addEventListener("click", () => (playing.frame ? pause() : play()));
element("nodes-filter").addEventListener("input", showNodes);
for (const id of ["events-filter", "events-type", "events-only"]) {
  element(id).addEventListener("input", () => {
    filterEvents();
    showEvents();
  });
}
for (const each of document.getElementsByName("scale")) {
  each.addEventListener("change", () => chooseScale(each.value === "time"));
}

const page = () => Math.max(1, Math.round(count / 20));
const KEYS = {
  ArrowLeft: () => go(chosen.position - 1),
  ArrowRight: () => go(chosen.position + 1),
  Home: () => go(0),
  End: () => go(count),
  PageUp: () => go(chosen.position - page()),
  PageDown: () => go(chosen.position + page()),
  " ": () => element("play").click(),
  Escape: () => chooseNode(null),
};

document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || !Object.hasOwn(KEYS, key)) return;
  const isField = target.matches("input:not([type=range], [type=checkbox]), select");
  if (isField && key !== "Escape") return;
  if (key === " " && target.matches("button, [type=checkbox]")) return;
  event.preventDefault();
  KEYS[key]();
});

// Up and down in a list: to its neighbours.
function onArrows(list, move) {
  list.grid.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    move(step);
    const selected = list.box.querySelector("[aria-selected=true]:not([hidden])");
    list.grid.setAttribute("aria-activedescendant", selected ? selected.id : "");
  });
}

onArrows(nodeList, (step) => {
  const index = shownNodes.findIndex(({ node }) => node === chosen.node);
  const next = index < 0 ? shownNodes[0] : shownNodes[index + step];
  if (next) chooseNode(next.node);
});
onArrows(eventList, (step) => {
  const index = lastAtMost(shownEvents, chosen.position);
  const isListed = shownEvents[index] === chosen.position;
  const next = shownEvents[step > 0 || isListed ? index + step : index];
  if (next) go(next);
});

// ---- The picture

function pointed(event) {
  const { left } = timeline.picture.getBoundingClientRect();
  const fraction = timeline.fractionAt(event.clientX - left);
  const y = event.clientY - timeline.box.getBoundingClientRect().top;
  const node = event.target === timeline.bars ? timeline.nodeAt(y) : null;
  const isName = event.clientX - left < GUTTER - 6;
  return { node, isName, position: positionAt(fraction, chosen.byTime) };
}

timeline.picture.addEventListener("click", (event) => {
  const { node, isName, position } = pointed(event);
  const isAgain = node === chosen.node;
  if (node && isName) chooseNode(isAgain ? null : node);
  else if (node && !isAgain) chooseNode(node);
  if (!isName) go(position);
});
timeline.picture.addEventListener("pointermove", (event) => {
  const { node, isName, position } = pointed(event);
  const tip = element("tip");
  const when = `${timeText(times[position])} UTC, event ${seqs[position]}`;
  const lines = [position ? when : "the beginning"];
  if (node) {
    const status = statusAt(node, position);
    const how = status ? `${data.states[status.state]} ${status.address}` : "not registered";
    lines.unshift(isName ? node.id : `${node.id}: ${how}`);
  } else if (!isName) {
    lines.unshift(data.states.map((state, i) => `${totals[i][position]} ${state}`).join(", "));
  }
  if (isName) lines.length = node ? 1 : 0;
  tip.hidden = lines.length === 0;
  tip.replaceChildren(...lines.map((text) => line("p", text)));
  const { width, height } = tip.getBoundingClientRect();
  const below = event.clientY + 18 + height < innerHeight;
  const x = Math.max(8, Math.min(event.clientX + 14, innerWidth - width - 8));
  tip.style.transform = `translate(${x}px, ${event.clientY + (below ? 18 : -height - 12)}px)`;
});
timeline.picture.addEventListener("pointerleave", () => (element("tip").hidden = true));

// ---- Paper: all nodes, and the events around the chosen moment

const EVENTS_ON_PAPER = 60;

addEventListener("beforeprint", () => {
  nodeList.unroll(0, nodeList.length);
  const index = lastAtMost(shownEvents, chosen.position);
  eventList.unroll(Math.max(0, index - EVENTS_ON_PAPER / 2), EVENTS_ON_PAPER);
});
addEventListener("afterprint", () => {
  nodeList.rollUp();
  eventList.rollUp();
});

// ---- Begin

element("no-bars").hidden = nodes.length > 0;
showFacts();
showSorting();
filterEvents();
recall();
addEventListener("hashchange", recall);
