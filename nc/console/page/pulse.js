// Says whether what is shown is live, and goes back to it.

import { chosen, on } from "./chosen.js";
import { button, element, setText } from "./dom.js";
import { count } from "./model.js";
import { go } from "./moment.js";

export function addPulse() {
  const pulse = button("", "", () => go(count));
  pulse.id = "pulse";
  element("moment").before(pulse);
  const show = () => {
    setText(pulse, chosen.isAtEnd ? "Live" : "Back to live");
    pulse.title = chosen.isAtEnd ? "What happens is shown at once" : "To the end (End)";
    pulse.classList.toggle("past", !chosen.isAtEnd);
  };
  on("moment", show);
  show();
}
