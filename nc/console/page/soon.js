// Loads that follow the slider: not more than one at a time, and the last that was wanted.

import { complain } from "./live.js";

const PAUSE_MS = 120;

// A function that loads soon after it was called, however often.
export function soon(load) {
  let [timer, isLoading, isWanted] = [0, false, false];
  const run = async () => {
    timer = 0;
    [isLoading, isWanted] = [true, false];
    try {
      await load();
      complain("");
    } catch (error) {
      complain(error.message);
    }
    isLoading = false;
    if (isWanted) wait();
  };
  const wait = () => {
    if (isLoading) isWanted = true;
    else if (!timer) timer = setTimeout(run, PAUSE_MS);
  };
  return wait;
}

// Call a load again and again while its view is shown, and as soon as it is.
export function whileShown(isShown, load, everyMs) {
  setInterval(() => {
    if (isShown() && !document.hidden) load();
  }, everyMs);
  return () => {
    if (isShown()) load();
  };
}
