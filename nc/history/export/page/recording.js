// A history as it was read, in chunks, of which the first may be all. `nc/history/export/chunks.py`
// says how a chunk is laid out.

function grown(array, length) {
  if (array.length >= length) return array;
  const larger = new array.constructor(Math.max(length, 2 * array.length));
  larger.set(array);
  return larger;
}

export class Recording {
  constructor() {
    this.count = 0; // events
    this.knownFrom = 0; // the position from which on it is known how nodes were
    this.untilMs = 0; // the history ends then, Unix ms; 0: with its last event
    this.states = []; // names
    this.eventTypes = []; // every type of event that there can be, by name
    this.kinds = []; // { type, fields, node, network }
    this.statuses = []; // { state, address, expiresMs, name, labels }
    this.nodes = []; // { place, id, at, status, drops }, in order of registration
    this.nodeById = new Map();
    this.restarts = []; // { position, crashed }: starts of servers
    this.typeCounts = new Map();
    this.mostNodes = 1; // that there ever were

    this.texts = [];
    this.entryData = []; // [ms since the entry before, actor, method, request id], four an entry
    this.eventData = []; // of the event that led to position n + 1
    this.networks = { at: [0], names: [""] }; // the overlay network, from positions on
    this.tokenLabels = new Map(); // by the token's id
    this.unstopped = new Set(); // servers that started and did not stop, by id

    // By position; what position 0 has is that of the base. They are longer than what is in them.
    this.seqs = new Float64Array(1);
    this.times = new Float64Array(1); // Unix ms
    this.drawnTimes = new Float64Array(1); // a clock that was put back does not go back here
    this.entries = new Uint32Array(1); // where the entry is in entryData
    this.nodeOf = new Int32Array(1).fill(-1); // the place in `nodes`
    this.totals = []; // how many nodes are in each state, by state
  }

  get lastSeq() {
    return this.seqs[this.count];
  }

  // Add what happened after what is there.
  append(chunk) {
    if (chunk.states) this.begin(chunk);
    const first = this.count + 1;
    for (const text of chunk.texts) this.texts.push(text);
    for (const [type, fields] of chunk.kinds) {
      const [node, network] = [fields.indexOf("node_id"), fields.indexOf("network_address")];
      this.kinds.push({ type, fields, node, network });
    }
    for (const [state, address, expiresMs, name, labels] of chunk.statuses) {
      this.statuses.push({ state: this.states.indexOf(state), address, expiresMs, name, labels });
    }
    const length = this.count + chunk.events.length + 1;
    for (const name of ["seqs", "times", "drawnTimes", "entries", "nodeOf"]) {
      this[name] = grown(this[name], length);
    }
    this.totals = this.totals.map((each) => grown(each, length));
    const places = chunk.nodes.map(([id]) => this.placeOf(this.texts[id]));
    this.decodeEvents(chunk, new Map(chunk.nodes.map(([id], i) => [id, places[i]])));
    chunk.nodes.forEach((node, i) => this.decodeSteps(chunk.start, this.nodes[places[i]], node));
    this.addUp(first);
  }

  // From what changed at each position to how many there are.
  addUp(first) {
    const { totals, count } = this;
    for (const total of totals) for (let p = first; p <= count; p++) total[p] += total[p - 1];
    for (let p = first - 1; p <= count; p++) {
      let all = 0;
      for (const total of totals) all += total[p];
      if (all > this.mostNodes) this.mostNodes = all;
    }
  }

  begin(chunk) {
    [this.states, this.eventTypes] = [chunk.states, chunk.types];
    [this.knownFrom, this.untilMs] = [chunk.known_from ?? 0, chunk.until_ms ?? 0];
    this.totals = this.states.map(() => new Int32Array(1));
    this.networks.names = [chunk.network];
    for (const [id, label] of chunk.tokens ?? []) this.tokenLabels.set(id, label);
    this.seqs[0] = chunk.base;
  }

  placeOf(id) {
    const known = this.nodeById.get(id);
    if (known) return known.place;
    const node = { place: this.nodes.length, id, at: [], status: [], drops: [] };
    this.nodes.push(node);
    this.nodeById.set(id, node);
    return node.place;
  }

  decodeEvents(chunk, placeOfText) {
    const { entryData, eventData, kinds, nodeById, seqs, texts, times, drawnTimes } = this;
    let [seq, time, entry] = [this.lastSeq, 0, entryData.length - 4];
    let read = 0;
    for (const event of chunk.events) {
      const [seqStep, isNewEntry, kind] = event;
      const position = ++this.count;
      seq += seqStep;
      if (isNewEntry) {
        time += chunk.entries[read];
        for (let i = 0; i < 4; i++) entryData.push(chunk.entries[read++]);
        entry += 4;
      }
      eventData.push(event);
      seqs[position] = seq;
      times[position] = time;
      drawnTimes[position] = position === 1 ? time : Math.max(time, drawnTimes[position - 1]);
      if (position === 1) times[0] = drawnTimes[0] = time;
      this.entries[position] = entry;
      const place = kinds[kind].node;
      const id = place >= 0 ? event[3 + place] : -1;
      this.nodeOf[position] =
        place >= 0 ? (placeOfText.get(id) ?? nodeById.get(texts[id])?.place ?? -1) : -1;
      for (const total of this.totals) total[position] = 0;
      this.note(position, kinds[kind], event);
    }
  }

  // What is kept of some events, so that nobody has to look for them.
  note(position, { type, fields, network }, event) {
    const { texts, typeCounts, networks } = this;
    typeCounts.set(type, (typeCounts.get(type) ?? 0) + 1);
    if (network >= 0) {
      networks.at.push(position);
      networks.names.push(texts[event[3 + network]]);
    }
    const value = (name) => texts[event[3 + fields.indexOf(name)]];
    if (type === "ReplicaStarted") {
      const isAlone = value("is_alone") || !value("session");
      this.noteStart(position, value("replica_id"), isAlone);
    } else if (type === "ReplicaStopped" || type === "ReplicaRemoved") {
      this.unstopped.delete(value("replica_id"));
    } else if (type === "TokenIssued" && fields.includes("label")) {
      this.tokenLabels.set(value("token_id"), value("label"));
    }
  }

  // A start is one after a crash if no stop of that server came before; of one alone, of any.
  noteStart(position, id, isAlone) {
    const { unstopped } = this;
    this.restarts.push({ position, crashed: isAlone ? unstopped.size > 0 : unstopped.has(id) });
    if (isAlone) unstopped.clear();
    unstopped.add(id);
  }

  decodeSteps(start, node, steps) {
    const { states, totals } = this;
    const connected = states.indexOf("CONNECTED");
    let position = start;
    for (let i = 1; i < steps.length; i += 2) {
      position += steps[i];
      const before = this.stateOf(node.status.at(-1));
      const after = this.stateOf(steps[i + 1]);
      if (before >= 0) totals[before][position]--;
      if (after >= 0) totals[after][position]++;
      const drops = node.drops.at(-1) ?? 0;
      node.at.push(position);
      node.status.push(steps[i + 1]);
      node.drops.push(drops + (before === connected && after !== connected ? 1 : 0));
    }
  }

  stateOf(status) {
    return status ? this.statuses[status - 1].state : -1;
  }
}
