// Says whether what is shown is live, or how much of the log has been read; goes back to live.

import { chosen, on } from "./chosen.js";
import { button, element, setText } from "./dom.js";
import { count, live, seqs } from "./model.js";
import { go } from "./moment.js";

export function addPulse() {
  const pulse = button("", "", () => go(count));
  pulse.id = "pulse";
  element("moment").before(pulse);
  const show = () => {
    const share = Math.floor((100 * (seqs[count] - seqs[0])) / Math.max(1, live.endSeq - seqs[0]));
    const isBehind = seqs[count] < live.endSeq;
    const now = isBehind ? `Reading the log, ${share} %` : "Live";
    setText(pulse, chosen.isAtEnd || isBehind ? now : "Back to live");
    pulse.title = chosen.isAtEnd ? "What happens is shown at once" : "To the end (End)";
    pulse.classList.toggle("past", !chosen.isAtEnd);
  };
  on("moment", show);
  show();
}
