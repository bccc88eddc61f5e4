// Numbers, times and names as people read them.

import { tell } from "./chosen.js";

export const clock = { isLocal: false };

const EARLIEST_MS = -62_135_596_800_000; // the year 1
const LATEST_MS = 253_402_300_799_999; // the year 9999

export function chooseClock(isLocal) {
  clock.isLocal = isLocal;
  keep("clock", isLocal ? "local" : "utc");
  tell("look");
}

export function zoneName() {
  return clock.isLocal ? "local" : "UTC";
}

export function numberText(number) {
  return number.toLocaleString("en");
}

export function countText(number, one, many = `${one}s`) {
  return `${numberText(number)} ${number === 1 ? one : many}`;
}

// `2026-11-20 15:00:00.000`, in UTC or the reader's own time.
export function timeText(ms) {
  if (!(ms >= EARLIEST_MS && ms <= LATEST_MS)) return `${ms} ms after 1970`;
  const shift = clock.isLocal ? new Date(ms).getTimezoneOffset() * 60_000 : 0;
  return new Date(ms - shift).toISOString().replace("T", " ").replace("Z", "");
}

// To the second; 0 is how the log writes never.
export function expiryText(ms) {
  if (ms === 0) return "never";
  const text = timeText(ms);
  return text.endsWith("1970") ? text : text.slice(0, text.lastIndexOf("."));
}

const UNITS = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1000, "s"],
];

// `3 d`, `2 h`, `45 s`.
export function durationText(ms) {
  for (const [unit, name] of UNITS) {
    if (Math.abs(ms) >= unit) return `${Math.floor(Math.abs(ms) / unit)} ${name}`;
  }
  return "0 s";
}

const PREFIXES = ["B", "kB", "MB", "GB", "TB", "PB"];

export function bytesText(bytes) {
  let power = 0;
  for (; bytes >= 1000 && power + 1 < PREFIXES.length; power++) bytes /= 1000;
  return `${power && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)} ${PREFIXES[power]}`;
}

export function shortened(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

// A name is never cut; an id without one is shown by its first digits.
export function shownName(name) {
  return /^[0-9a-f]{32}$/.test(name) ? name.slice(0, 8) : name;
}

// What the reader chose the last time; a browser may keep nothing.
export function kept(name) {
  try {
    return localStorage.getItem(`nc-${name}`);
  } catch {
    return null;
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(`nc-${name}`, value);
  } catch {
    // then it is chosen again
  }
}

clock.isLocal = kept("clock") === "local";
