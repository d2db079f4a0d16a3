// All about one model.

import { getJson, request, save } from "./api.js";
import { h } from "./dom.js";
import { chips, coverOf, dimensions, measuredFacts, modelAddress } from "./gallery.js";

export async function showCard({ parts: [id], signal }) {
  const path = `/api/v1/models/${encodeURIComponent(id)}`;
  const model = await getJson(path, { signal });
  const text = await (await request(model.links.card, { signal })).text();
  return h("article", { class: "card" },
    h("nav", { class: "trail", "aria-label": "Where you are" }, h("a", { href: "#/" }, "Models"), " / ", model.id),
    h("header", { class: "card-head" },
      h("div", { class: "card-title" },
        h("h1", {}, model.name),
        h("p", { class: "summary" }, model.description),
        chips(model),
        h("div", { class: "row" },
          h("a", { class: "button primary", href: `${modelAddress(model)}/try` }, "Try it"),
          h("button", { type: "button", onclick: () => save({ url: model.links.package }, `${model.id}.zip`) }, "Download the package"))),
      h("div", { class: "cover" }, coverOf(model))),
    h("div", { class: "card-body" },
      h("div", { class: "prose" }, cardText(text, model)),
      h("aside", { class: "facts" }, facts(model), citations(model))));
}

/** The card below the page's own title: its headings go one level down, and its title is ours. */
export function cardText(html, model) {
  const template = h("template");
  template.innerHTML = html;
  const content = template.content;
  const first = content.querySelector("h1");
  if (first?.textContent.trim() === model.name) first.remove();
  for (const element of content.querySelectorAll("img, picture, video, audio")) element.remove();
  for (const heading of [...content.querySelectorAll("h1, h2, h3, h4, h5")].reverse()) {
    heading.replaceWith(h(`h${Number(heading.tagName[1]) + 1}`, {}, ...heading.childNodes));
  }
  for (const paragraph of content.querySelectorAll("p")) {
    if (!paragraph.textContent.trim() && !paragraph.children.length) paragraph.remove();
  }
  for (const table of content.querySelectorAll("table")) {
    table.replaceWith(h("div", { class: "scrolls", tabindex: 0, role: "region", "aria-label": "Table" }, table.cloneNode(true)));
  }
  for (const block of content.querySelectorAll("pre")) block.tabIndex = 0;
  for (const link of content.querySelectorAll("a[href]")) Object.assign(link, { target: "_blank", rel: "noopener noreferrer" });
  return content.textContent.trim() ? content : "There is no card.";
}

function facts(model) {
  const rows = [
    ["Id", h("code", {}, model.id)],
    ["Version", model.version],
    ["Licence", model.license],
    ["Made by", model.authors.join(", ")],
    ["Trained on", model.dataset],
    ...measuredFacts(model),
    ["Memory", model.speed?.memory_bytes && `${Math.round(model.speed.memory_bytes / 1e6)} MB at its peak`],
    ["Dimensions", dimensions(model)],
    ["Pixel size", pixelSize(model.pixel_size_um)],
    ["Takes", model.inputs.map(inputText).join("; ")],
    ["Gives", model.outputs.map(({ id, kind }) => (kind === "labels" ? `${id} (objects)` : id)).join(", ")],
  ];
  return h("section", {},
    h("h2", {}, "Facts"),
    h("dl", {}, rows.filter(([, value]) => value).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    h("p", {}, h("a", { href: `${model.links.self}/description` }, "Description (rdf.yaml)")));
}

export function pixelSize(sizes) {
  const entries = Object.entries(sizes ?? {});
  const values = new Set(entries.map(([, size]) => size));
  if (values.size === 1) return `${[...values][0]} µm`;
  if (sizes.x === sizes.y && sizes.x) return `${sizes.x} µm, z ${sizes.z} µm`;
  return entries.map(([axis, size]) => `${axis} ${size} µm`).join(", ");
}

function inputText({ id, channels, optional }) {
  const count = channels.length > 1 ? `${channels.length} channels: ${channels.join(", ")}` : "1 channel";
  return `${id} (${count}${optional ? ", optional" : ""})`;
}

function citations(model) {
  if (!model.citations.length) return null;
  return h("section", {},
    h("h2", {}, "Please cite"),
    h("ol", { class: "citations" }, model.citations.map(({ text, doi }) => h("li", {}, text, " ", doi
      ? h("a", { href: `https://doi.org/${doi}`, target: "_blank", rel: "noopener noreferrer" }, `doi:${doi}`) : null))));
}
