// Loads that follow the slider: not more than one at a time, and the last that was wanted.

import { Unanswered } from "./api.js";
import { complain } from "./live.js";

const PAUSE_MS = 120;
const AGAIN_MS = 1000; // after a load that was not answered

// A function that loads soon after it was called, however often.
export function soon(load) {
  let [timer, isLoading, isWanted] = [0, false, false];
  const run = async () => {
    timer = 0;
    [isLoading, isWanted] = [true, false];
    let isUnanswered = false;
    try {
      await load();
      complain("");
    } catch (error) {
      complain(error.message);
      isUnanswered = error instanceof Unanswered;
    }
    isLoading = false;
    if (isUnanswered) timer = setTimeout(run, AGAIN_MS);
    else if (isWanted) wait();
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
