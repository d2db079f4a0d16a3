// Reads, decodes and paints images away from the page, which stays quick whatever their size.

import { openImage } from "./open.js";
import { wholeSize } from "./pixels.js";
import { contrastOf, paintChannels, paintLabels } from "./render.js";

const KEPT_PLANES = 8;

const documents = new Map();
const planes = new Map();
let lastDocument = 0;

const methods = {
  async open(blob, name) {
    const id = (lastDocument += 1);
    documents.set(id, await openImage(blob, name));
    return methods.describe(id);
  },

  describe(id) {
    const { shape, asksAxes, axes, sizes, dtype, channelNames, pixelSizeUm, isRgb } = documents.get(id);
    return { id, shape, asksAxes, axes, sizes, dtype, channelNames, pixelSizeUm, isRgb };
  },

  interpret(id, axes) {
    documents.get(id).interpret(axes);
    forget(id);
    return methods.describe(id);
  },

  close(id) {
    documents.delete(id);
    forget(id);
  },

  async contrast(id, position) {
    const { x, y } = documents.get(id).sizes;
    const { width, height } = wholeSize(x, y);
    return contrastOf(await plane(id, position, { x0: 0, y0: 0, x1: x, y1: y }, width, height));
  },

  /** `looks`: {c, low, high, colour} of the channels that are shown. */
  async picture(id, { t, z, looks, region, width, height }) {
    const read = await Promise.all(looks.map(({ c }) => plane(id, { t, z, c }, region, width, height)));
    return createImageBitmap(paintChannels(read, looks, width, height));
  },

  async labels(id, { t, z, look, region, width, height }) {
    const labels = await plane(id, { t, z, c: 0 }, region, width, height);
    return createImageBitmap(paintLabels(labels, look, width, height));
  },

  /** The values of all channels at one pixel. */
  async values(id, { t, z, x, y }) {
    const { sizes, plane: read } = documents.get(id);
    const count = Math.min(sizes.c, 6);
    const region = { x0: x, y0: y, x1: x + 1, y1: y + 1 };
    const one = (c) => read({ t, z, c }, region, 1, 1);
    const found = await Promise.all(Array.from({ length: count }, (_, c) => one(c)));
    return found.map(([value]) => value);
  },
};

/** Planes read last are kept: contrast and colours change more often than the place. */
function plane(id, { t, z, c }, region, width, height) {
  const key = [id, t, z, c, region.x0, region.y0, region.x1, region.y1, width, height].join();
  const kept = planes.get(key);
  planes.delete(key);
  const found = kept ?? documents.get(id).plane({ t, z, c }, region, width, height);
  planes.set(key, found);
  if (!kept) found.catch(() => planes.delete(key));
  for (const old of planes.keys()) {
    if (planes.size <= KEPT_PLANES) break;
    planes.delete(old);
  }
  return found;
}

function forget(id) {
  for (const key of planes.keys()) if (key.startsWith(`${id},`)) planes.delete(key);
}

onmessage = async ({ data: { call, method, args } }) => {
  try {
    const result = await methods[method](...args);
    postMessage({ call, result }, result instanceof ImageBitmap ? [result] : []);
  } catch (error) {
    postMessage({ call, error: { name: error.name, message: error.message } });
  }
};
