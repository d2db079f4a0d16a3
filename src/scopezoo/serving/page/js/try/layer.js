// One picture in the viewer: the whole field at a bounded size, and the part in view sharp.

import { wholeSize } from "../images/pixels.js";

const DETAIL_DELAY_MS = 150;

/**
 * `paint(region, width, height)` gives an ImageBitmap of a region in the layer's own pixels.
 * `field` is the size of the viewer's field, in which the layer is drawn over all of it.
 */
export class Layer {
  constructor({ width, height }, paint, onChange) {
    Object.assign(this, { width, height, paint, onChange });
    this.whole = wholeSize(width, height);
    this.shrink = this.whole.shrink;
    this.base = null;
    this.detail = null;
    this.detailKey = "";
    this.wanted = 0;
    this.timer = 0;
  }

  /** Paint anew, after contrast, plane or colours changed; of many calls in a row the last counts. */
  async refresh() {
    this.wanted += 1;
    if (this.painting) return this.painting;
    this.painting = this.paintUntilCurrent();
    try {
      await this.painting;
    } finally {
      this.painting = null;
    }
    return undefined;
  }

  async paintUntilCurrent() {
    let painted;
    do {
      painted = this.wanted;
      const region = { x0: 0, y0: 0, x1: this.width, y1: this.height };
      const bitmap = await this.paint(region, this.whole.width, this.whole.height);
      this.base?.close();
      this.base = bitmap;
      this.dropDetail();
      this.onChange();
    } while (painted !== this.wanted);
  }

  /** Ask for a sharp picture of the part in view, once the view rests. */
  sharpen(seen, field) {
    const wanted = this.partInView(seen, field);
    if (!wanted || wanted.key === this.detailKey) return;
    this.detailKey = wanted.key;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.paintDetail(wanted), DETAIL_DELAY_MS);
  }

  partInView(seen, field) {
    const scale = seen.pixelsPerUnit * (field.width / this.width);
    if (this.shrink === 1 || scale <= this.shrink * 1.1 || !this.base) return null;
    const toOwn = [this.width / field.width, this.height / field.height];
    const region = {
      x0: Math.max(0, Math.floor(seen.left * toOwn[0])),
      y0: Math.max(0, Math.floor(seen.top * toOwn[1])),
      x1: Math.min(this.width, Math.ceil(seen.right * toOwn[0])),
      y1: Math.min(this.height, Math.ceil(seen.bottom * toOwn[1])),
    };
    const sizes = [region.x1 - region.x0, region.y1 - region.y0].map((n) => Math.round(n * Math.min(1, scale)));
    if (Math.min(...sizes) < 1) return null;
    return { region, width: sizes[0], height: sizes[1], key: [this.wanted, ...Object.values(region), ...sizes].join() };
  }

  async paintDetail({ region, width, height, key }) {
    const bitmap = await this.paint(region, width, height);
    if (key !== this.detailKey) {
      bitmap.close();
      return;
    }
    this.detail?.bitmap.close();
    this.detail = { bitmap, region };
    this.onChange();
  }

  dropDetail() {
    this.detail?.bitmap.close();
    this.detail = null;
    this.detailKey = "";
  }

  /** Draw with `context` set up in units of the field. */
  draw(context, field, pixelsPerUnit) {
    if (!this.base) return;
    const scale = [field.width / this.width, field.height / this.height];
    context.imageSmoothingEnabled = pixelsPerUnit * scale[0] < this.shrink;
    context.drawImage(this.base, 0, 0, field.width, field.height);
    if (!this.detail) return;
    const { bitmap, region } = this.detail;
    context.drawImage(bitmap, region.x0 * scale[0], region.y0 * scale[1],
      (region.x1 - region.x0) * scale[0], (region.y1 - region.y0) * scale[1]);
  }

  close() {
    clearTimeout(this.timer);
    this.wanted = -1;
    this.dropDetail();
    this.base?.close();
    this.base = null;
    this.onChange = () => {};
  }
}
