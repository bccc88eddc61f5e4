// What is chosen, and who is told when it changes.
//
//   moment   another moment was chosen       node    another node, or none
//   grown    events have been added          look    colours, or how times are written
//   order    nodes are filtered or sorted    window  another part of the time is drawn
//   span     changes between two positions are shown
//   tab      another view is shown           back    a live source is there again
//   line     the moment is drawn elsewhere, as while it plays
//   tick     time has passed, of a live source
//   read     more of the past has been read
//   health   a live source says whether its server is degraded

export const chosen = { position: 0, node: null, byTime: false, isAtEnd: true };

const listeners = new Map();

export function on(what, listener) {
  if (!listeners.has(what)) listeners.set(what, []);
  listeners.get(what).push(listener);
}

export function tell(what, ...details) {
  for (const listener of listeners.get(what) ?? []) listener(...details);
}
