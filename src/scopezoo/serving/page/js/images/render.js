// Pixels to pictures: grey or coloured channels, and labels in colours.

/** Colours of channels shown together, as in the previews of the command line. */
export const CHANNEL_COLOURS = [
  [0, 190, 255], [255, 60, 150], [255, 200, 40], [80, 255, 120], [150, 100, 255], [255, 255, 255],
];
export const RGB_COLOURS = [[255, 0, 0], [0, 255, 0], [0, 0, 255]];

const PALETTE_SIZE = 251;
const LABEL_COLOURS = labelPalette();

/** Add channels up: `planes` are arrays of equal length, `looks` are {low, high, colour}. */
export function paintChannels(planes, looks, width, height) {
  const image = new ImageData(width, height);
  const out = image.data;
  planes.forEach((plane, i) => {
    const { low, high, colour: [red, green, blue] } = looks[i];
    const scale = high > low ? 1 / (high - low) : 1;
    for (let p = 0, q = 0; p < plane.length; p += 1, q += 4) {
      const value = (plane[p] - low) * scale;
      if (!(value > 0)) continue;
      const bright = value > 1 ? 1 : value;
      out[q] += bright * red;
      out[q + 1] += bright * green;
      out[q + 2] += bright * blue;
    }
  });
  for (let q = 3; q < out.length; q += 4) out[q] = 255;
  return image;
}

/**
 * Labels as a layer that lies over an image: transparent where there is no object.
 * `look`: {fill: 0..1, outlines: boolean, selected: a label or 0}
 */
export function paintLabels(labels, look, width, height) {
  const image = new ImageData(width, height);
  const out = image.data;
  const fill = Math.round(look.fill * 255);
  for (let y = 0, p = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, p += 1) {
      const label = labels[p];
      if (label === 0) continue;
      const isSelected = label === look.selected;
      const isEdge = (look.outlines || isSelected) && isOnEdge(labels, p, x, y, width, height);
      const colour = isEdge && isSelected ? 0xffffff : LABEL_COLOURS[Math.abs(label) % PALETTE_SIZE];
      const q = p * 4;
      out[q] = colour >> 16;
      out[q + 1] = (colour >> 8) & 255;
      out[q + 2] = colour & 255;
      out[q + 3] = isEdge ? 255 : isSelected ? Math.max(fill, 150) : fill;
    }
  }
  return image;
}

function isOnEdge(labels, p, x, y, width, height) {
  const label = labels[p];
  return x === 0 || y === 0 || x === width - 1 || y === height - 1
    || labels[p - 1] !== label || labels[p + 1] !== label
    || labels[p - width] !== label || labels[p + width] !== label;
}

/** Hues that differ most between labels that follow each other (golden angle), in three tones. */
function labelPalette() {
  return Array.from({ length: PALETTE_SIZE }, (_, i) => {
    const hue = (i * 137.508) % 360;
    const [saturation, lightness] = [[0.85, 0.66], [0.75, 0.76], [0.95, 0.6]][i % 3];
    return fromHsl(hue, saturation, lightness);
  });
}

function fromHsl(hue, saturation, lightness) {
  const channel = (shift) => {
    const k = (shift + hue / 30) % 12;
    const range = saturation * Math.min(lightness, 1 - lightness);
    return Math.round(255 * (lightness - range * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return (channel(0) << 16) | (channel(8) << 8) | channel(4);
}

/** Contrast of the 1st and 99.8th percentiles, the extremes, and a histogram of 64 bins. */
export function contrastOf(plane) {
  const step = Math.max(1, Math.floor(plane.length / 250_000));
  const values = [];
  for (let i = 0; i < plane.length; i += step) {
    if (Number.isFinite(plane[i])) values.push(plane[i]);
  }
  if (!values.length) return { low: 0, high: 1, least: 0, most: 1, bins: [] };
  const sorted = Float64Array.from(values).sort();
  const at = (percent) => sorted[Math.round((percent / 100) * (sorted.length - 1))];
  const [least, most] = [sorted[0], sorted[sorted.length - 1]];
  let [low, high] = [at(1), at(99.8)];
  if (low === high) [low, high] = [least, most];
  if (low === high) high = low + 1;
  return { low, high, least, most: Math.max(most, high), bins: histogram(sorted, 64) };
}

function histogram(sorted, count) {
  const bins = new Array(count).fill(0);
  const [least, most] = [sorted[0], sorted[sorted.length - 1]];
  const scale = count / (most - least || 1);
  for (const value of sorted) bins[Math.min(count - 1, Math.floor((value - least) * scale))] += 1;
  return bins;
}
