// Shows a field with layers before and after; zoom, pan, and a divider to compare.

import { h } from "../dom.js";

const MAX_ZOOM = 64;
const GRIP_PX = 22;
const KEY_STEP = 0.12;

/** `before` and `after` are lists of layers, drawn one over the other. */
export class Viewer {
  constructor({ onPoint, onPick, onDivide }) {
    Object.assign(this, { onPoint, onPick, onDivide });
    this.field = null;
    this.layers = { before: [], after: [] };
    this.mode = "before";
    this.divider = 0.5;
    this.pixelSizeUm = null;
    this.view = { x: 0, y: 0, zoom: 1 };
    this.pointers = new Map();
    this.canvas = h("canvas", {
      tabindex: 0, role: "application", "aria-roledescription": "image viewer", "aria-label": "Image",
      "aria-describedby": "viewer-keys",
    });
    this.scaleBar = h("div", { class: "scale-bar", hidden: true }, h("span", {}), h("i", {}));
    this.element = h("div", { class: "stage" }, this.canvas, this.scaleBar,
      h("p", { id: "viewer-keys", class: "only-spoken" }, "Arrow keys move, plus and minus zoom, 0 shows all."));
    this.listen();
    new ResizeObserver(() => this.resize()).observe(this.element);
  }

  /** A new field of `width` by `height` pixels, seen whole. */
  setField(field, pixelSizeUm) {
    this.field = field;
    this.pixelSizeUm = pixelSizeUm ?? null;
    this.fit();
  }

  setLayers(name, layers) {
    for (const layer of this.layers[name]) if (!layers.includes(layer)) layer.close();
    this.layers[name] = layers;
    this.draw();
  }

  setMode(mode) {
    this.mode = mode;
    this.draw();
  }

  setDivider(fraction) {
    this.divider = Math.min(1, Math.max(0, fraction));
    this.draw();
  }

  get fitZoom() {
    const { clientWidth, clientHeight } = this.canvas;
    return Math.min(clientWidth / this.field.width, clientHeight / this.field.height) || 1;
  }

  fit() {
    if (!this.field) return;
    this.view = { x: this.field.width / 2, y: this.field.height / 2, zoom: this.fitZoom };
    this.isFitted = true;
    this.draw();
  }

  /** Zoom by `factor` such that the point of the canvas at `at` (CSS pixels) stays. */
  zoom(factor, at = { x: this.canvas.clientWidth / 2, y: this.canvas.clientHeight / 2 }) {
    if (!this.field) return;
    const fixed = this.toField(at);
    const zoom = Math.min(MAX_ZOOM, Math.max(this.fitZoom, this.view.zoom * factor));
    if (zoom === this.fitZoom) {
      this.fit();
      return;
    }
    this.view = { x: fixed.x - (at.x - this.canvas.clientWidth / 2) / zoom,
      y: fixed.y - (at.y - this.canvas.clientHeight / 2) / zoom, zoom };
    this.moved();
  }

  pan(dx, dy) {
    this.view.x -= dx / this.view.zoom;
    this.view.y -= dy / this.view.zoom;
    this.moved();
  }

  /** Show a place, at least twice as large as when all is seen. */
  centreOn(x, y) {
    this.view = { x, y, zoom: Math.max(this.view.zoom, 2 * this.fitZoom) };
    this.moved();
  }

  moved() {
    this.isFitted = false;
    this.view.x = Math.min(this.field.width, Math.max(0, this.view.x));
    this.view.y = Math.min(this.field.height, Math.max(0, this.view.y));
    this.draw();
  }

  toField({ x, y }) {
    return {
      x: this.view.x + (x - this.canvas.clientWidth / 2) / this.view.zoom,
      y: this.view.y + (y - this.canvas.clientHeight / 2) / this.view.zoom,
    };
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    if (this.isFitted) this.fit();
    else this.draw();
  }

  draw() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  paint() {
    const context = this.canvas.getContext("2d");
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (!this.field) return;
    // fingers scroll the page while the whole field is seen, and move the picture once it is zoomed
    this.canvas.classList.toggle("zoomed", !this.isFitted);
    const split = this.mode === "compare" ? this.divider * this.canvas.width : 0;
    if (this.mode !== "after") this.paintSide(context, "before", 0, this.mode === "compare" ? split : this.canvas.width, ratio);
    if (this.mode !== "before") this.paintSide(context, "after", split, this.canvas.width, ratio);
    if (this.mode === "compare") this.paintDivider(context, split, ratio);
    this.paintScaleBar();
  }

  paintSide(context, name, from, to, ratio) {
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.beginPath();
    context.rect(from, 0, to - from, this.canvas.height);
    context.clip();
    const scale = this.view.zoom * ratio;
    context.setTransform(scale, 0, 0, scale,
      this.canvas.width / 2 - this.view.x * scale, this.canvas.height / 2 - this.view.y * scale);
    const corner = this.toField({ x: 0, y: 0 });
    const far = this.toField({ x: this.canvas.clientWidth, y: this.canvas.clientHeight });
    const seen = { left: corner.x, top: corner.y, right: far.x, bottom: far.y, pixelsPerUnit: scale };
    for (const layer of this.layers[name]) {
      layer.draw(context, this.field, scale);
      layer.sharpen(seen, this.field);
    }
    context.restore();
  }

  paintDivider(context, split, ratio) {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#fff";
    context.fillRect(split - ratio, 0, 2 * ratio, this.canvas.height);
    context.beginPath();
    context.arc(split, this.canvas.height / 2, 15 * ratio, 0, 7);
    context.fill();
    context.strokeStyle = "#10202a";
    context.lineWidth = 2 * ratio;
    context.beginPath();
    for (const side of [-1, 1]) {
      const y = this.canvas.height / 2;
      context.moveTo(split + side * 4 * ratio, y - 5 * ratio);
      context.lineTo(split + side * 9 * ratio, y);
      context.lineTo(split + side * 4 * ratio, y + 5 * ratio);
    }
    context.stroke();
  }

  /** A bar of a round length, up to a fifth of the stage. */
  paintScaleBar() {
    this.scaleBar.hidden = !this.pixelSizeUm;
    if (!this.pixelSizeUm) return;
    const limit = (0.2 * this.canvas.clientWidth * this.pixelSizeUm) / this.view.zoom;
    const decade = 10 ** Math.floor(Math.log10(limit));
    const length = [5, 2, 1].map((step) => step * decade).find((size) => size <= limit);
    this.scaleBar.querySelector("span").textContent = `${Number(length.toPrecision(1))} µm`;
    this.scaleBar.querySelector("i").style.width = `${(length / this.pixelSizeUm) * this.view.zoom}px`;
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("keydown", (event) => this.onKey(event));
    canvas.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.onDown(event));
    canvas.addEventListener("pointermove", (event) => this.onMove(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.onUp(event));
    canvas.addEventListener("pointerleave", () => this.onPoint(null));
    canvas.addEventListener("dblclick", (event) => this.zoom(2, { x: event.offsetX, y: event.offsetY }));
  }

  onKey(event) {
    if (!this.field || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = [this.canvas.clientWidth * KEY_STEP, this.canvas.clientHeight * KEY_STEP];
    const actions = {
      ArrowLeft: () => this.pan(step[0], 0), ArrowRight: () => this.pan(-step[0], 0),
      ArrowUp: () => this.pan(0, step[1]), ArrowDown: () => this.pan(0, -step[1]),
      "+": () => this.zoom(1.4), "=": () => this.zoom(1.4), "-": () => this.zoom(1 / 1.4), 0: () => this.fit(),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }

  /** The wheel scrolls the page unless the picture was chosen by click or key, or Ctrl is held. */
  onWheel(event) {
    if (!this.field || !(event.ctrlKey || document.activeElement === this.canvas)) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), { x: event.offsetX, y: event.offsetY });
  }

  onDown(event) {
    if (!this.field) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    const grip = Math.abs(event.offsetX - this.divider * this.canvas.clientWidth);
    this.gesture = {
      divides: this.mode === "compare" && grip < GRIP_PX && this.pointers.size === 1,
      start: { x: event.offsetX, y: event.offsetY },
      isClick: this.pointers.size === 1,
    };
  }

  onMove(event) {
    const at = { x: event.offsetX, y: event.offsetY };
    const last = this.pointers.get(event.pointerId);
    if (!last) {
      if (this.field && event.pointerType === "mouse") this.onPoint(this.toField(at), at);
      return;
    }
    if (Math.hypot(at.x - this.gesture.start.x, at.y - this.gesture.start.y) > 5) this.gesture.isClick = false;
    if (this.pointers.size === 2) this.pinch(event.pointerId, last, at);
    else if (this.gesture.divides) this.onDivide(at.x / this.canvas.clientWidth);
    else if (!this.gesture.isClick) this.pan(at.x - last.x, at.y - last.y);
    this.pointers.set(event.pointerId, at);
  }

  pinch(id, last, at) {
    const [, other] = [...this.pointers].find(([one]) => one !== id);
    const apart = (point) => Math.hypot(point.x - other.x, point.y - other.y);
    this.zoom(apart(at) / Math.max(1, apart(last)), { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 });
  }

  onUp(event) {
    const wasDown = this.pointers.delete(event.pointerId);
    if (!wasDown || event.type === "pointercancel" || !this.gesture.isClick || this.gesture.divides) return;
    this.onPick(this.toField(this.gesture.start));
  }
}
