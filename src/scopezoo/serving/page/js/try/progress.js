// How far a run is, in words and as a bar.

import { announce, duration, h } from "../dom.js";

export class Progress {
  constructor(onCancel) {
    this.phase = "";
    this.text = h("p", { class: "phase" });
    this.bar = h("progress", { max: 1, "aria-label": "Progress" });
    this.cancel = h("button", { type: "button", onclick: onCancel }, "Cancel");
    this.element = h("div", { class: "run-progress" }, this.text, this.bar, this.cancel);
  }

  show(state) {
    this.text.textContent = words(state);
    if (state.fraction === null || state.fraction === undefined) this.bar.removeAttribute("value");
    else this.bar.value = state.fraction;
    // only what is new is spoken, not each percent
    if (state.phase !== this.phase) announce(this.text.textContent);
    this.phase = state.phase;
  }
}

function words({ phase, fraction, secondsLeft, waitS }) {
  const percent = fraction ? ` ${Math.round(fraction * 100)} %` : "";
  if (phase === "sending") return `Sending the image …${percent}`;
  if (phase === "queued") return "Waiting for its turn …";
  if (phase === "busy") return `The server is busy. Trying again in ${waitS} s …`;
  if (phase === "away") return `The server does not answer. Trying again in ${waitS} s …`;
  if (phase === "loading") return "Fetching the result …";
  const left = secondsLeft ? `, about ${duration(secondsLeft)} left` : "";
  return `Running …${percent}${left}`;
}
