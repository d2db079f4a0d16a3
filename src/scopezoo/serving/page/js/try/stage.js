// The image and its result on one stage: planes, channels, contrast, comparing.

import { check, field, h, number } from "../dom.js";
import { ImageDocument } from "../images/client.js";
import { Layer } from "./layer.js";
import { Look, lookControls, placeSliders } from "./planes.js";
import { Viewer } from "./viewer.js";

const MODES = {
  labels: [["before", "Image"], ["after", "Objects"], ["compare", "Compare"]],
  image: [["before", "Before"], ["after", "After"], ["compare", "Compare"]],
};

export class Stage {
  /** `onChoose(label, place)` when an object is picked in the image; `overlay` lies over the empty stage. */
  constructor({ onChoose, overlay }) {
    this.onChoose = onChoose;
    this.place = { t: 0, z: 0 };
    this.before = null;
    this.after = null;
    this.labelLook = { fill: 0.35, outlines: true, selected: 0 };
    this.viewer = new Viewer({
      onPoint: (at, pointer) => this.pointAt(at, pointer),
      onPick: (at) => this.pick(at),
      onDivide: (fraction) => this.divide(fraction),
    });
    this.modes = h("div", { class: "modes", hidden: true });
    this.readout = h("p", { class: "readout", "aria-hidden": "true" });
    this.tag = h("span", { class: "tag", hidden: true, "aria-hidden": "true" });
    this.divider = h("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": "Divider between before and after" });
    this.divider.addEventListener("input", () => this.divide(this.divider.valueAsNumber / 100));
    this.dividerRow = h("div", { class: "divider", hidden: true }, this.divider);
    this.controls = h("div", { class: "look-controls" });
    this.overlay = overlay;
    this.zoomButtons = this.makeZoomButtons();
    this.viewer.element.append(overlay, this.zoomButtons, this.readout, this.tag);
    this.element = h("div", { class: "stage-column" },
      this.modes, this.viewer.element, this.dividerRow, this.controls);
  }

  makeZoomButtons() {
    const button = (text, label, action) => h("button", { type: "button", class: "small", "aria-label": label, title: label, onclick: action }, text);
    return h("div", { class: "zoom", hidden: true },
      button("−", "Zoom out", () => this.viewer.zoom(1 / 1.5)),
      button("+", "Zoom in", () => this.viewer.zoom(1.5)),
      button("⤢", "Show all", () => this.viewer.fit()));
  }

  /** Open and show an image; what its file says, or null with `onUnshown(reason)` where it cannot be shown. */
  async openBefore(blob, name, onUnshown) {
    let doc = null;
    try {
      doc = await ImageDocument.open(blob, name);
      this.clear();
      await this.show("before", doc, "image");
      return doc.info;
    } catch (error) {
      if (error.name === "WrongFileError") throw error;
      this.clear();
      onUnshown(error.message);
      return doc?.info ?? null;
    }
  }

  /** Show a result over the image. `kind` is "labels" or "image". */
  async openAfter(blob, name, kind) {
    const doc = await ImageDocument.open(blob, name);
    if (doc.info.asksAxes && this.before) await doc.interpret(this.before.doc.info.axes);
    this.labelLook.selected = 0;
    await this.show("after", doc, kind);
    this.showModes(kind);
    this.setMode(this.before ? (kind === "labels" ? "after" : "compare") : "after");
  }

  async show(side, doc, kind) {
    const { sizes, pixelSizeUm } = doc.info;
    const look = new Look(doc);
    const paint = kind === "labels" ? this.labelPainter(look) : this.imagePainter(look);
    const layer = new Layer({ width: sizes.x, height: sizes.y }, paint, () => this.viewer.draw());
    this.close(side);
    this[side] = { doc, look, layer, kind };
    if (side === "before" || !this.before) {
      this.place = { t: 0, z: Math.floor(sizes.z / 2) };
      this.viewer.setField({ width: sizes.x, height: sizes.y }, pixelSizeUm.x);
    }
    await layer.refresh();
    this.overlay.hidden = true;
    this.zoomButtons.hidden = false;
    this.arrange();
  }

  imagePainter(look) {
    return async (region, width, height) => {
      const place = look.place(this.place, this.ownerSizes);
      return look.doc.picture({ ...place, looks: await look.looks(place), region, width, height });
    };
  }

  labelPainter(look) {
    return (region, width, height) => look.doc.labels({
      ...look.place(this.place, this.ownerSizes), look: this.labelLook, region, width, height,
    });
  }

  /** Sizes of the document that the z and t sliders go through. */
  get ownerSizes() {
    return (this.before ?? this.after).doc.info.sizes;
  }

  /** Layers and controls as they follow from what is open. */
  arrange() {
    const before = this.before ? [this.before.layer] : [];
    const after = this.after ? [this.after.layer] : [];
    this.viewer.setLayers("before", before);
    this.viewer.setLayers("after", this.after?.kind === "labels" ? [...before, ...after] : after);
    const refresh = (...sides) => () => sides.forEach((side) => this[side]?.layer.refresh());
    const owner = this.before ?? this.after;
    const parts = [];
    if (this.before) {
      const title = this.after?.kind === "image" ? "Before" : "Image";
      parts.push(lookControls(title, this.before.look, () => this.place, refresh("before")));
    }
    if (this.after?.kind === "image") parts.push(lookControls("After", this.after.look, () => this.place, refresh("after")));
    if (this.after?.kind === "labels") parts.push(this.labelControls());
    this.controls.replaceChildren(...placeSliders(owner.doc.info, this.place, refresh("before", "after")),
      h("div", { class: "looks" }, parts));
    const { sizes } = owner.doc.info;
    this.viewer.canvas.setAttribute("aria-label", `${this.after ? "Image and result" : "Image"}, ${sizes.x} by ${sizes.y} pixels`);
  }

  labelControls() {
    const fill = h("input", { type: "range", min: 0, max: 100, value: this.labelLook.fill * 100, "aria-valuetext": "" });
    const output = h("output", {});
    const say = () => {
      output.textContent = `${fill.value} %`;
      fill.setAttribute("aria-valuetext", output.textContent);
    };
    const outlines = check("Outlines", { checked: this.labelLook.outlines });
    const update = () => {
      say();
      Object.assign(this.labelLook, { fill: fill.valueAsNumber / 100, outlines: outlines.box.checked });
      this.after.layer.refresh();
    };
    fill.addEventListener("input", update);
    outlines.box.addEventListener("input", update);
    say();
    return h("fieldset", { class: "look" }, h("legend", {}, "Objects"),
      h("div", { class: "axis" }, field("Opacity", fill), output), outlines.element);
  }

  showModes(kind) {
    this.modes.replaceChildren(h("fieldset", {}, h("legend", { class: "only-spoken" }, "Show"),
      MODES[kind].map(([mode, title]) => {
        const radio = h("input", { type: "radio", name: "mode", value: mode, onchange: () => this.setMode(mode) });
        return h("label", {}, radio, h("span", {}, title));
      })));
    this.modes.hidden = !this.before;
  }

  setMode(mode) {
    const radio = this.modes.querySelector(`[value=${mode}]`);
    if (radio) radio.checked = true;
    this.dividerRow.hidden = mode !== "compare";
    this.viewer.setMode(mode);
  }

  divide(fraction) {
    this.viewer.setDivider(fraction);
    this.divider.value = this.viewer.divider * 100;
  }

  /** Read the file's axes in another way. */
  async interpret(axes) {
    const { doc } = this.before;
    await doc.interpret(axes);
    await this.show("before", doc, "image");
  }

  /** Outline one object in white and bring it into view; `row` is one of its table. */
  async select(row) {
    if (this.after?.kind !== "labels") return;
    this.labelLook.selected = row.label;
    const z = row.z ?? row.centroid_z_px;
    if (z !== undefined) this.place.z = Math.round(z);
    if (row.t !== undefined) this.place.t = row.t;
    if (z !== undefined || row.t !== undefined) {
      this.arrange();
      this.before?.layer.refresh();
    }
    if (this.viewer.mode === "before") this.setMode("after");
    const scale = this.viewer.field.width / this.after.doc.info.sizes.x;
    this.viewer.centreOn((row.centroid_x_px + 0.5) * scale, (row.centroid_y_px + 0.5) * scale);
    await this.after.layer.refresh();
  }

  /** The value of each document at a place of the field, null outside. */
  async valuesAt(side, at) {
    const { sizes } = this[side].doc.info;
    const { field: whole } = this.viewer;
    const x = Math.floor((at.x / whole.width) * sizes.x);
    const y = Math.floor((at.y / whole.height) * sizes.y);
    if (x < 0 || y < 0 || x >= sizes.x || y >= sizes.y) return null;
    return { x, y, values: await this[side].doc.values({ ...this[side].look.place(this.place, this.ownerSizes), x, y }) };
  }

  async pointAt(at, pointer) {
    this.pointed = at;
    if (!at) {
      this.readout.textContent = "";
      this.tag.hidden = true;
      return;
    }
    if (this.isReading) return;
    this.isReading = true;
    try {
      const seen = await this.valuesAt(this.before ? "before" : "after", at);
      const result = this.before && this.after ? await this.valuesAt("after", at) : null;
      this.showValues(seen, result, pointer);
    } finally {
      this.isReading = false;
    }
    // the pointer went on while the values were read
    if (this.pointed && this.pointed !== at) this.pointAt(this.pointed, pointer);
  }

  showValues(seen, result, pointer) {
    const label = this.after?.kind === "labels" ? (result ?? seen)?.values[0] : 0;
    const list = (values) => values.map(number).join(", ");
    const words = seen ? [`x ${seen.x}  y ${seen.y}`] : [];
    if (seen && this.before) words.push(list(seen.values));
    if (result && this.after.kind === "image") words.push(`→ ${list(result.values)}`);
    if (seen && label) words.push(`object ${label}`);
    this.readout.textContent = words.join("   ");
    this.tag.hidden = !label || !seen;
    if (!label) return;
    this.tag.textContent = label;
    this.tag.style.left = `${pointer.x + 14}px`;
    this.tag.style.top = `${pointer.y + 14}px`;
  }

  async pick(at) {
    if (this.after?.kind !== "labels") return;
    const found = await this.valuesAt("after", at);
    const label = found?.values[0] ?? 0;
    this.labelLook.selected = label;
    this.after.layer.refresh();
    this.onChoose(label, this.after.look.place(this.place, this.ownerSizes));
  }

  close(side) {
    const open = this[side];
    if (!open) return;
    open.layer.close();
    this[side] = null;
    return open.doc;
  }

  clearAfter() {
    this.close("after")?.close();
    this.modes.hidden = true;
    if (this.before) this.arrange();
    this.setMode("before");
  }

  clear() {
    this.close("after")?.close();
    this.close("before")?.close();
    this.modes.hidden = true;
    this.viewer.setLayers("before", []);
    this.viewer.setLayers("after", []);
    this.controls.replaceChildren();
    this.setMode("before");
  }
}
