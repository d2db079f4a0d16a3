// All paired datasets that this server shares.

import { getJson } from "./api.js";
import { bytes, h, plural } from "./dom.js";
import { coverOf, firstSentence } from "./gallery.js";

export function datasetAddress(dataset) {
  return `#/dataset/${encodeURIComponent(dataset.id)}`;
}

export async function showDatasets({ signal }) {
  const { datasets } = await getJson("/api/v1/datasets", { signal });
  return h("div", { class: "gallery" },
    h("div", { class: "lead" },
      h("h1", {}, "Datasets"),
      h("p", {}, "The same fields by two microscopes, registered: to look at where they lie, in napari or viv, "
        + "or to pull, whole or in part.")),
    datasets.length ? null : h("p", { class: "count" }, "This server shares no dataset now."),
    h("ul", { class: "models", role: "list" }, datasets.map(datasetCard)));
}

function datasetCard(dataset) {
  return h("li", { class: "model" },
    h("div", { class: "cover" }, coverOf(dataset)),
    h("div", { class: "about" },
      h("h2", {}, h("a", { href: datasetAddress(dataset) }, dataset.name)),
      h("p", {}, firstSentence(dataset.description)),
      datasetChips(dataset)));
}

export function datasetChips(dataset) {
  const words = [plural(dataset.pairs.length ?? dataset.pairs, "pair"), ...dataset.dimensions, ...dataset.modalities,
    dataset.simulated ? "simulated" : null, bytes(dataset.bytes), dataset.license ?? "no licence"];
  return h("ul", { class: "chips", role: "list", "aria-label": "Kind" },
    words.filter(Boolean).map((word) => h("li", {}, word)));
}
