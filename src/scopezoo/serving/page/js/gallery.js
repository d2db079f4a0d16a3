// All models, to search and to choose from.

import { getJson, showPicture } from "./api.js";
import { field, h, plural } from "./dom.js";

const FACETS = [
  ["task", "Task", (model) => model.task],
  ["modality", "Images", (model) => model.modality],
  ["axes", "Dimensions", (model) => dimensions(model)],
  ["dataset", "Trained on", (model) => model.dataset],
];

export function dimensions(model) {
  return `${model.axes.length}D`;
}

export function modelAddress(model) {
  return `#/model/${encodeURIComponent(model.id)}`;
}

export async function showGallery({ query, signal }) {
  const { models } = await getJson("/api/v1/models", { signal });
  const list = h("ul", { class: "models", role: "list" });
  const count = h("p", { class: "count", role: "status", "aria-live": "polite" });
  const search = h("input", {
    type: "search", name: "q", placeholder: "nuclei, denoising, DAPI …", autocomplete: "off",
    value: query.get("q") ?? "",
  });
  const facets = FACETS.map(([name, title, of]) => facet(name, title, of, models, query));
  const controls = [search, ...facets.map(({ select }) => select)];

  const update = () => {
    const found = models.filter((model) => matches(model, search.value)
      && facets.every(({ select, of }) => !select.value || of(model) === select.value));
    list.replaceChildren(...found.map(modelCard));
    count.textContent = found.length ? plural(found.length, "model") : "No model fits. Try fewer words or filters.";
    rememberIn(location, controls);
  };
  controls.forEach((control) => control.addEventListener("input", update));
  update();

  return h("div", { class: "gallery" },
    h("div", { class: "lead" },
      h("h1", {}, "Models"),
      h("p", {}, "Choose a model, drop an image, look at the result. It is, to the byte, what the command "
        + "line, ImageJ and Python give.")),
    h("form", { class: "filters", role: "search", onsubmit: (event) => event.preventDefault() },
      field("Search", search),
      facets.filter(({ values }) => values.length > 1).map(({ title, select }) => field(title, select))),
    count, list);
}

function facet(name, title, of, models, query) {
  const values = [...new Set(models.map(of).filter(Boolean))].sort();
  const select = h("select", { name }, h("option", { value: "" }, "All"),
    values.map((value) => h("option", { value, selected: query.get(name) === value }, value)));
  return { title, of, values, select };
}

function matches(model, words) {
  const text = [model.id, model.name, model.description, model.task, model.modality, model.dataset, ...model.tags]
    .join(" ").toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** The address says what is searched for, so that it can be shared. */
function rememberIn({ hash }, controls) {
  const query = new URLSearchParams(controls.filter((one) => one.value).map((one) => [one.name, one.value]));
  const address = query.size ? `#/?${query}` : "#/";
  if (address !== hash && (hash || query.size)) history.replaceState(null, "", address);
}

function modelCard(model) {
  return h("li", { class: "model" },
    h("div", { class: "cover" }, coverOf(model)),
    h("div", { class: "about" },
      h("h2", {}, h("a", { href: modelAddress(model) }, model.name)),
      h("p", {}, firstSentence(model.description)),
      chips(model),
      glance(model)));
}

/** What one chooses by, as far as the package states it. */
function glance(model) {
  const rows = measuredFacts(model).concat([["Licence", model.license], ["Trained on", model.dataset]])
    .filter(([, value]) => value);
  return h("dl", { class: "glance" }, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

export function measuredFacts({ quality, speed, weights_bytes: bytes }) {
  return [
    ["Quality", quality && `${quality.metric}: ${quality.value.toPrecision(3)}`],
    ["Speed", speed && `${speed.s_per_megapixel.toPrecision(2)} s per mega${speed.is_3d ? "voxel" : "pixel"}`],
    ["Size", bytes && (bytes < 1e5 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`)],
  ];
}

export function coverOf(model) {
  if (!model.links.cover) return h("span", { class: "no-cover", "aria-hidden": "true" }, model.name.slice(0, 1));
  const img = h("img", { alt: "", loading: "lazy", width: 512, height: 256 });
  showPicture(img, model.links.cover).catch(() => img.remove());
  return img;
}

export function chips(model) {
  const words = [model.task, model.modality, dimensions(model)].filter(Boolean);
  const state = model.state === "failed" ? h("li", { class: "bad" }, "cannot be loaded") : null;
  return h("ul", { class: "chips", role: "list", "aria-label": "Kind" }, words.map((word) => h("li", {}, word)), state);
}

export function firstSentence(text) {
  return /^.*?[.!?](?=\s|$)/s.exec(text)?.[0] ?? text;
}
