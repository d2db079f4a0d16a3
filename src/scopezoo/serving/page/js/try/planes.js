// Which plane of a stack is seen, which channels, and with what contrast.

import { h, field, check, number } from "../dom.js";
import { CHANNEL_COLOURS, RGB_COLOURS } from "../images/render.js";

const GREY = [255, 255, 255];
const STEPS = 1000;
const NAMES = { z: "Depth (z)", t: "Time (t)", c: "Channel" };

/** A slider over the planes along one axis. */
function axisSlider(axis, size, value, text, onChange) {
  const output = h("output", {}, text(value));
  const range = h("input", { type: "range", min: 0, max: size - 1, step: 1, value, "aria-valuetext": text(value) });
  range.addEventListener("input", () => {
    output.textContent = text(range.valueAsNumber);
    range.setAttribute("aria-valuetext", output.textContent);
    onChange(range.valueAsNumber);
  });
  return h("div", { class: "axis" }, field(NAMES[axis], range), output);
}

/** How one document is looked at: channel, contrast by channel, all channels together or one. */
export class Look {
  constructor(doc) {
    this.doc = doc;
    this.channel = 0;
    const { sizes, isRgb } = doc.info;
    this.canMerge = sizes.c > 1 && sizes.c <= CHANNEL_COLOURS.length;
    this.merged = isRgb;
    this.contrasts = [];
  }

  get shown() {
    const { sizes, isRgb } = this.doc.info;
    if (isRgb) return [0, 1, 2];
    return this.merged ? [...Array(sizes.c).keys()] : [this.channel];
  }

  /** Contrast of the shown channels; measured on plane (t, z) where it is not set yet. */
  async looks(place) {
    const { isRgb } = this.doc.info;
    const shown = this.shown;
    await Promise.all(shown.map((c) => this.contrast(c, place)));
    return shown.map((c, i) => ({
      c, ...this.contrasts[c],
      colour: isRgb ? RGB_COLOURS[i] : this.merged ? CHANNEL_COLOURS[i] : GREY,
    }));
  }

  async contrast(c, { t, z }, again = false) {
    if (this.contrasts[c] && !again) return this.contrasts[c];
    const found = await this.doc.contrast({ t, z, c });
    if (this.doc.info.isRgb) Object.assign(found, { low: 0, high: 255, least: 0, most: 255 });
    this.contrasts[c] = found;
    return found;
  }

  /** The same size in another document: z and t of the image it came from. */
  place({ t, z }, of) {
    const { sizes } = this.doc.info;
    const along = (at, size, own) => (own === size ? at : Math.min(own - 1, Math.floor(((at + 0.5) * own) / size)));
    return { t: along(t, of.t, sizes.t), z: along(z, of.z, sizes.z) };
  }
}

/** Sliders for z and t, shared by the image and its result. */
export function placeSliders(info, place, onChange) {
  const axes = [...info.axes].map((letter) => letter.toLowerCase()).filter((axis) => "zt".includes(axis) && info.sizes[axis] > 1);
  return axes.map((axis) => {
    const size = info.sizes[axis];
    return axisSlider(axis, size, place[axis], (at) => `${at + 1} of ${size}`, (at) => {
      place[axis] = at;
      onChange();
    });
  });
}

/** Channel and contrast of one document under a title. `place()` tells the plane that is seen. */
export function lookControls(title, look, place, onChange) {
  const { sizes, isRgb, channelNames } = look.doc.info;
  const contrast = h("div", { class: "contrast" });
  const refresh = async () => {
    contrast.replaceChildren(...(await contrastControls(look, place, onChange)));
  };
  const parts = [];
  if (sizes.c > 1 && !isRgb) {
    const name = (c) => channelNames[c] || `${c + 1} of ${sizes.c}`;
    parts.push(axisSlider("c", sizes.c, look.channel, name, async (c) => {
      look.channel = c;
      if (!merge.box.checked) await refresh();
      onChange();
    }));
    const merge = check("All channels together, in colours", { checked: look.merged });
    merge.box.addEventListener("input", async () => {
      look.merged = merge.box.checked;
      await refresh();
      onChange();
    });
    if (look.canMerge) parts.push(merge.element);
  }
  refresh();
  return h("fieldset", { class: "look" }, h("legend", {}, title), parts, contrast);
}

async function contrastControls(look, place, onChange) {
  const channel = look.shown.length === 1 ? look.channel : look.merged && !look.doc.info.isRgb ? look.channel : 0;
  const limits = await look.contrast(channel, place());
  const set = (values) => {
    for (const c of look.doc.info.isRgb ? look.shown : [channel]) Object.assign(look.contrasts[c], values);
    onChange();
  };
  const span = limits.most - limits.least || 1;
  const low = slider("Black", limits.low, (value) => set({ low: Math.min(value, limits.high) }));
  const high = slider("White", limits.high, (value) => set({ high: Math.max(value, limits.low + span / STEPS) }));

  function slider(name, value, change) {
    const output = h("output", {}, number(value));
    const range = h("input", {
      type: "range", min: 0, max: STEPS, step: 1, value: Math.round(((value - limits.least) / span) * STEPS),
      "aria-valuetext": number(value),
    });
    const show = (to) => {
      output.textContent = number(to);
      range.setAttribute("aria-valuetext", number(to));
    };
    range.addEventListener("input", () => {
      const to = limits.least + (range.valueAsNumber / STEPS) * span;
      show(Number.isInteger(limits.most) && span > 10 ? Math.round(to) : to);
      change(to);
    });
    const element = h("div", { class: "axis" }, field(name, range), output);
    return { element, move: (to) => { range.value = Math.round(((to - limits.least) / span) * STEPS); show(to); } };
  }

  const auto = h("button", { type: "button", class: "small" }, "Auto");
  auto.title = "Black at the 1st, white at the 99.8th percentile of this plane";
  auto.addEventListener("click", async () => {
    const found = await look.contrast(channel, place(), true);
    low.move(found.low);
    high.move(found.high);
    onChange();
  });
  return [low.element, high.element, auto];
}
