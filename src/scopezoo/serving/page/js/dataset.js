// All about one paired dataset: its card, how to get it, and every field with its addresses.

import { getJson, request, showPicture } from "./api.js";
import { cardText } from "./card.js";
import { copyButton } from "./copy.js";
import { bytes, field, h, number, plural } from "./dom.js";
import { datasetChips } from "./datasets.js";
import { coverOf } from "./gallery.js";

const SHOWN_AT_ONCE = 24;

export async function showDataset({ parts: [id], info, signal }) {
  const dataset = await getJson(`/api/v1/datasets/${encodeURIComponent(id)}`, { signal });
  const text = await (await request(dataset.links.card, { signal })).text();
  return h("article", { class: "card" },
    h("nav", { class: "trail", "aria-label": "Where you are" }, h("a", { href: "#/datasets" }, "Datasets"), " / ", dataset.id),
    h("header", { class: "card-head" },
      h("div", { class: "card-title" },
        h("h1", {}, dataset.name),
        h("p", { class: "summary" }, dataset.description),
        datasetChips(dataset),
        pulling(dataset, info)),
      h("div", { class: "cover" }, coverOf(dataset))),
    fields(dataset),
    h("div", { class: "card-body" },
      h("div", { class: "prose" }, cardText(text, dataset)),
      h("aside", { class: "facts" }, facts(dataset), citations(dataset))));
}

function pulling(dataset, info) {
  const token = info.auth ? "SCOPEZOO_TOKEN=YOUR_TOKEN " : "";
  const command = `${token}scopezoo dataset pull ${location.origin}${dataset.links.self} -o ${dataset.id}`;
  return h("section", { class: "take", "aria-label": "Get it" },
    line("Pull all of it", command),
    h("p", { class: "hint" }, "Add ", h("code", {}, "--pairs a,b"), ", ", h("code", {}, "--specimen NAME"),
      dataset.parts.training ? [" or ", h("code", {}, "--split training")] : null,
      " for a part. Every file is verified, and the same command goes on where it was stopped."));
}

/** A text to copy, with what it is for before it. */
function line(title, text) {
  return h("div", { class: "line" },
    h("span", { class: "line-title" }, title),
    h("code", { class: "line-text", title: text }, text),
    copyButton(title, text));
}

function fields(dataset) {
  const list = h("ul", { class: "fields", role: "list" });
  const count = h("p", { class: "count", role: "status", "aria-live": "polite" });
  const more = h("button", { type: "button", onclick: () => { shown += SHOWN_AT_ONCE; update(); } }, "Show more");
  const selects = [choice("Part", dataset.pairs.map((pair) => pair.part)),
    choice("Specimen", dataset.pairs.map((pair) => pair.specimen))];
  let shown = SHOWN_AT_ONCE;

  function update() {
    const [part, specimen] = selects.map(({ select }) => select.value);
    const fitting = dataset.pairs.filter((pair) => (!part || pair.part === part) && (!specimen || pair.specimen === specimen));
    const wanted = fitting.slice(0, shown);
    const here = new Map([...list.children].map((row) => [row.dataset.pair, row]));
    list.replaceChildren(...wanted.map((pair) => here.get(pair.id) ?? fieldRow(pair)));
    count.textContent = fitting.length > shown ? `${shown} of ${fitting.length} fields` : plural(fitting.length, "field");
    more.hidden = fitting.length <= shown;
  }

  selects.forEach(({ select }) => select.addEventListener("input", () => { shown = SHOWN_AT_ONCE; update(); }));
  update();
  return h("section", { class: "fields-section", "aria-labelledby": "fields-title" },
    h("h2", { id: "fields-title" }, "Fields"),
    h("p", { class: "hint" }, "Source, target, and the source (magenta) placed on the target (green). The addresses are "
      + "OME-Zarr, and open where they lie: ", h("code", {}, "napari --plugin napari-ome-zarr URL"), ", viv, or zarr in Python."),
    h("div", { class: "filters" }, selects.filter(({ several }) => several).map(({ title, select }) => field(title, select))),
    count, list, more);
}

function choice(title, all) {
  const values = [...new Set(all.filter(Boolean))].sort();
  const select = h("select", {}, h("option", { value: "" }, "All"), values.map((value) => h("option", { value }, value)));
  return { title, select, several: values.length > 1 };
}

function fieldRow(pair) {
  const img = h("img", { alt: `${pair.id}: source, target${pair.source_to_target ? ", one on the other" : ""}`, loading: "lazy" });
  showPicture(img, pair.links.picture).catch(() => img.remove());
  return h("li", { class: "pair", "data-pair": pair.id },
    h("div", { class: "pair-picture" }, img),
    h("div", { class: "pair-about" },
      h("h3", {}, pair.id),
      h("p", { class: "hint" }, [pair.specimen, pair.part, told(pair)].filter(Boolean).join(" · ")),
      ["source", "target"].map((side) => h("div", { class: "pair-side" },
        line(side, location.origin + pair[side].url),
        h("p", { class: "hint" }, sizeText(pair[side]))))));
}

function told(pair) {
  if (pair.status !== "registered") return [pair.status, ...pair.reasons].join(": ");
  const residual = pair.quality?.residual_median_um;
  return residual === undefined || residual === null ? "registered" : `registered, residual ${Math.round(1000 * residual)} nm`;
}

function sizeText({ shape, voxel_um: voxel, dtype, bytes: size }) {
  const sizes = ["z", "y", "x"].filter((axis) => voxel[axis]).map((axis) => number(voxel[axis])).join(" × ");
  return `${shape.join(" × ")}, ${sizes} µm, ${dtype}, ${bytes(size)}`;
}

function facts(dataset) {
  const parts = Object.entries(dataset.parts).map(([part, count]) => `${count} ${part}`).join(", ");
  const rows = [
    ["Id", h("code", {}, dataset.id)],
    ["Licence", dataset.license],
    ["Made by", dataset.authors.map(({ name }) => name).join(", ")],
    ["Specimens", String(dataset.specimens.length)],
    ["Split", parts],
    ["Size", bytes(dataset.bytes)],
    ...dataset.instruments.map((one) => [one.id, [one.microscope, one.objective, one.na ? `NA ${one.na}` : null].filter(Boolean).join(", ")]),
  ];
  return h("section", {},
    h("h2", {}, "Facts"),
    h("dl", {}, rows.filter(([, value]) => value).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    h("p", {}, h("a", { href: dataset.links.manifest }, "Manifest (dataset.json)")));
}

function citations(dataset) {
  const works = [{ text: dataset.cite_as }, ...dataset.cite];
  return h("section", {},
    h("h2", {}, "Please cite"),
    h("ol", { class: "citations" }, works.map(({ text, doi }) => h("li", {}, text, " ", doi
      ? h("a", { href: `https://doi.org/${doi}`, target: "_blank", rel: "noopener noreferrer" }, `doi:${doi}`) : null))));
}
