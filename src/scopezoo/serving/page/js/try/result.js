// What came out: how many objects, their table, files to keep, and how to get the same elsewhere.

import { contentOf, save } from "../api.js";
import { bytes, h, number, plural } from "../dom.js";
import { sizeHistogram } from "./histogram.js";
import { recipesView } from "./recipes-view.js";
import { ObjectTable, readTable } from "./table.js";

const TITLES = {
  result: "Result", rois: "ImageJ ROIs", table: "Table", record: "Record", preview: "Preview",
};

const MAX_TABLE_BYTES = 30_000_000;

/** The file of one kind among a job's, or undefined. */
export function fileOf(job, kind) {
  return job.files.find((file) => file.kind === kind);
}

/** The result's section, and the table where there is one. */
export async function resultView({ job, made, sample, onChoose }) {
  const tableFile = fileOf(job, "table");
  const isSmall = tableFile && tableFile.size <= MAX_TABLE_BYTES;
  const data = isSmall ? readTable(await (await contentOf(tableFile)).text()) : null;
  const count = job.objects ?? data?.rows.length;
  const table = data?.rows.length ? new ObjectTable(data, onChoose) : null;
  const element = h("section", { class: "result", "aria-labelledby": "result-title" },
    h("h2", { id: "result-title", tabindex: -1 }, count === undefined ? "Result" : plural(count, "object")),
    warnings(job),
    tableFile && !isSmall ? h("p", {}, "The table is too large for this page: download it.") : null,
    count === 0 ? h("p", {}, "Nothing was found. Is it the right channel, and are the objects of the size that the card names?") : null,
    h("div", { class: "result-top" },
      h("div", {}, downloads(job), h("p", { class: "hint" }, keptUntil(job))),
      data ? sizeHistogram(data) : null),
    table ? h("details", { open: true }, h("summary", {}, h("h3", {}, "Objects")), table.element) : null,
    h("h3", {}, "The same result elsewhere"),
    h("p", { class: "hint" }, `In the folder where ${made.file} is`, sample
      ? [" (", h("a", { href: sample, download: made.file, onclick: (event) => { event.preventDefault(); save({ url: sample }, made.file); } }, "download it"), ")"] : null,
      ". The pixels are the same, to the byte."),
    recipesView(made));
  return { element, table, data };
}

function warnings(job) {
  if (!job.warnings.length) return null;
  return h("ul", { class: "warnings", role: "list", "aria-label": "Warnings" }, job.warnings.map((text) => h("li", {}, text)));
}

function downloads(job) {
  return h("ul", { class: "downloads", role: "list", "aria-label": "Downloads" }, Object.keys(TITLES)
    .flatMap((kind) => job.files.filter((file) => file.kind === kind))
    .map((file) => h("li", {}, h("button", { type: "button", onclick: () => save(file, file.name) },
      h("strong", {}, TITLES[file.kind]),
      h("span", {}, `${file.name} · ${bytes(file.size)}`)))));
}

function keptUntil(job) {
  if (!job.expires) return "";
  const when = new Date(job.expires).toLocaleDateString("en", { day: "numeric", month: "long" });
  return `The server keeps these files until ${when}.`;
}

/** A sentence on how it ran, from the record. */
export async function runSummary(job) {
  const record = fileOf(job, "record");
  if (!record || !job.started || !job.finished) return "";
  const { model, versions } = JSON.parse(await (await contentOf(record)).text());
  const seconds = (new Date(job.finished) - new Date(job.started)) / 1000;
  return [`${model.id} ${model.version ?? ""}`.trim(), `${number(seconds)} s`, `scopezoo ${versions.scopezoo}`].join(" · ");
}
