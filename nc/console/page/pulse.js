// Says whether what is shown is live, and how much of the past has been read; goes back to live.

import { chosen, on } from "./chosen.js";
import { button, element, setText } from "./dom.js";
import { count, live } from "./model.js";
import { go } from "./moment.js";

export function addPulse() {
  const pulse = button("", "", () => go(count));
  pulse.id = "pulse";
  element("moment").before(pulse);
  const show = () => {
    const { readShare: share } = live;
    const now = share === null ? "Live" : `Live, reading the past: ${Math.floor(100 * share)} %`;
    setText(pulse, chosen.isAtEnd ? now : "Back to live");
    pulse.title = chosen.isAtEnd ? "What happens is shown at once" : "To the end (End)";
    pulse.classList.toggle("past", !chosen.isAtEnd);
  };
  for (const what of ["moment", "read"]) on(what, show);
  show();
}
