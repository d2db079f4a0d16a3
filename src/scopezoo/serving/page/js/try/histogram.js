// How large the objects are.

import { h, number, plural, svg } from "../dom.js";
import { columnTitle } from "./table.js";

const WIDTH = 320;
const HEIGHT = 110;
const BINS = 24;

/** Areas or volumes of the objects as a histogram, null where there are too few. */
export function sizeHistogram({ columns, rows }) {
  const name = ["volume_um3", "area_um2", "volume_px", "area_px"].find((one) => columns.includes(one));
  const values = rows.map((row) => row[name]).filter(Number.isFinite).sort((a, b) => a - b);
  if (!name || values.length < 5) return null;
  const [least, most] = [values[0], values[values.length - 1]];
  const width = (most - least) / BINS || 1;
  const bins = new Array(BINS).fill(0);
  for (const value of values) bins[Math.min(BINS - 1, Math.floor((value - least) / width))] += 1;
  const tallest = Math.max(...bins);
  const median = values[Math.floor(values.length / 2)];
  const at = (value) => ((value - least) / (width * BINS)) * WIDTH;

  const bars = bins.map((count, i) => {
    const height = (count / tallest) * HEIGHT;
    const bar = svg("rect", { x: (i * WIDTH) / BINS + 1, y: HEIGHT - height, width: WIDTH / BINS - 2, height, rx: 1.5 });
    bar.append(svg("title", {}));
    bar.firstChild.textContent = `${number(least + i * width)} to ${number(least + (i + 1) * width)}: ${plural(count, "object")}`;
    return bar;
  });
  const marker = svg("line", { x1: at(median), x2: at(median), y1: 0, y2: HEIGHT, class: "median" });
  const spoken = `Sizes from ${number(least)} to ${number(most)}, half of them below ${number(median)}`;
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": spoken, class: "histogram" }, ...bars, marker);
  return h("figure", { class: "sizes" }, picture,
    h("figcaption", {}, h("span", {}, number(least)),
      h("span", {}, `${columnTitle(name)}, median ${number(median)}`), h("span", {}, number(most))));
}
