// "Try it": one model, one image, one result.

import { contentOf, getJson } from "../api.js";
import { announce, h, number, problem } from "../dom.js";
import { modelAddress } from "../gallery.js";
import { pixelSize } from "../card.js";
import { parameterForm } from "./parameters.js";
import { imagePicker } from "./picker.js";
import { Progress } from "./progress.js";
import { fileOf, resultView, runSummary } from "./result.js";
import { run } from "./run.js";
import { Stage } from "./stage.js";

export async function showTry({ parts: [id], info, signal }) {
  const model = await getJson(`/api/v1/models/${encodeURIComponent(id)}`, { signal });
  return new Trial(model, info, signal).element;
}

const MAX_SHOWN_BYTES = 1_500_000_000;

class Trial {
  constructor(model, server, signal) {
    Object.assign(this, { model, server, signal });
    this.image = null;
    this.running = null;
    this.givesLabels = model.outputs.some(({ kind }) => kind === "labels");
    this.stage = new Stage({
      onChoose: (label, place) => this.chooseRow(label, place),
      overlay: h("div", { class: "drop-here" }, h("p", {}, "Drop an image here"),
        h("small", {}, "TIFF, also stacks and OME-TIFF; PNG, JPEG, NPY")),
    });
    const picker = imagePicker(model, this.stage.viewer.element, {
      onImage: (image) => this.take(image),
      onProblem: (title, text) => this.say(title, text),
    });
    this.facts = h("div", { class: "image-facts" });
    this.form = h("div", {});
    this.messages = h("div", { class: "messages" });
    this.runButton = h("button", { type: "button", class: "primary run", disabled: true, onclick: () => this.run() }, "Run");
    this.progress = new Progress(() => this.running?.abort());
    this.progress.element.hidden = true;
    this.done = h("div", { class: "done", hidden: true });
    this.outcome = h("div", { class: "outcome" });
    this.element = h("div", { class: "try" },
      h("nav", { class: "trail", "aria-label": "Where you are" },
        h("a", { href: "#/" }, "Models"), " / ", h("a", { href: modelAddress(model) }, model.id), " / try"),
      h("h1", {}, model.name),
      this.runsHere() ? this.bench(picker) : problem("Not on this page",
        "This model takes several images at once: use the command line, Python or ImageJ.",
        h("a", { class: "button", href: modelAddress(model) }, "Its card")));
    // no half-sent image or job goes on when the view is left
    signal.addEventListener("abort", () => {
      this.running?.abort();
      this.stage.clear();
    });
  }

  runsHere() {
    return this.model.inputs.filter(({ optional }) => !optional).length <= 1;
  }

  bench(picker) {
    return [
      h("div", { class: "bench" },
        h("section", { class: "panel choose", "aria-labelledby": "choose-title" },
          h("h2", { id: "choose-title" }, "Image"), picker, this.facts),
        this.stage.element,
        h("section", { class: "panel start", "aria-label": "Run" },
          this.form, this.messages, this.runButton, this.progress.element, this.done)),
      this.outcome,
    ];
  }

  say(title, text, ...actions) {
    this.messages.replaceChildren(problem(title, text, ...actions));
  }

  /** An image was chosen. */
  async take(image) {
    this.running?.abort();
    const chosen = (this.chosen = image);
    this.messages.replaceChildren();
    this.facts.replaceChildren(h("p", { class: "hint" }, `Opening ${image.name} …`));
    let info = null;
    let unshown = "";
    try {
      info = await this.stage.openBefore(image.blob, image.name, (reason) => { unshown = reason; });
    } catch (error) {
      if (this.chosen !== chosen) return;
      this.facts.replaceChildren();
      if (this.image) this.showFacts();
      this.say(error.name === "WrongFileError" ? "Not an image for this" : "This image could not be opened", error.message);
      return;
    }
    if (this.chosen !== chosen) return;
    this.image = { ...image, info, unshown };
    this.dropResult();
    this.showFacts();
    this.parameters = parameterForm(this.model, info, { onAxes: (axes) => this.interpret(axes) });
    this.form.replaceChildren(this.parameters.element);
    this.runButton.disabled = false;
    this.element.querySelector(".file-button").classList.remove("primary");
    announce(`${image.name} is open`);
  }

  async interpret(axes) {
    this.messages.replaceChildren();
    await this.stage.interpret(axes);
    this.image.info = this.stage.before.doc.info;
    this.showFacts();
  }

  showFacts() {
    const { name, info, unshown } = this.image;
    const trouble = unshown && `It cannot be shown here (${unshown}), but the model can be run on it.`;
    const lines = [info && describe(info), trouble].filter(Boolean);
    this.facts.replaceChildren(h("p", { class: "file-name" }, name), ...lines.map((line) => h("p", { class: "hint" }, line)));
    if (unshown) {
      this.stage.overlay.hidden = false;
      this.stage.overlay.querySelector("p").textContent = name;
      this.stage.overlay.querySelector("small").textContent = "is chosen; this page cannot show it";
    }
  }

  async run() {
    const wrong = this.parameters.problem();
    if (wrong) {
      this.say("One thing first", wrong);
      return;
    }
    const running = (this.running = new AbortController());
    this.messages.replaceChildren();
    this.dropResult();
    this.stage.clearAfter();
    this.setBusy(true);
    const onPhase = (state) => running === this.running && this.progress.show(state);
    try {
      const values = this.parameters.values();
      const extras = { preview: true, table: this.givesLabels, rois: this.givesLabels };
      const asked = { model: this.model, image: this.image, parameters: { ...values, ...extras, format: "tif" } };
      const job = await run(asked, { signal: running.signal, onPhase });
      onPhase({ phase: "loading" });
      await this.showResult(job, { ...values, table: this.givesLabels, rois: this.givesLabels }, running.signal);
    } catch (error) {
      if (running !== this.running) return;
      if (error.name === "AbortError") announce("Cancelled");
      else this.sayFailure(error);
    } finally {
      if (running === this.running) {
        this.running = null;
        this.setBusy(false);
      }
    }
  }

  dropResult() {
    this.result = null;
    this.done.hidden = true;
    this.outcome.replaceChildren();
  }

  sayFailure(error) {
    const again = h("button", { type: "button", onclick: () => this.run() }, "Try again");
    const titles = {
      0: "The server is away", 401: "A token is needed", 403: "Not allowed", 413: "Too large for this server",
      422: "The model could not be run on this image",
    };
    if (error.status === undefined) console.error(error);
    const more = error.status === 413 ? " The command line takes images of any size." : "";
    this.say(titles[error.status] ?? "This did not work", error.message + more, ...(error.status ? [] : [again]));
  }

  setBusy(isBusy) {
    const hadFocus = [this.runButton, this.progress.cancel].includes(document.activeElement);
    this.runButton.hidden = isBusy;
    this.progress.element.hidden = !isBusy;
    if (hadFocus) (isBusy ? this.progress.cancel : this.runButton).focus();
  }

  async showResult(job, parameters, signal) {
    const isShown = await this.showAfter(job, signal);
    const made = {
      model: this.model.id, file: this.image.name, parameters, origin: location.origin, auth: this.server.auth,
    };
    const view = await resultView({
      job, made, sample: this.image.isSample ? this.model.links.sample : null,
      onChoose: (row) => this.stage.select(row),
    });
    if (signal.aborted) return;
    this.result = view;
    this.outcome.replaceChildren(view.element);
    const title = view.element.querySelector("h2");
    title.after(h("p", { class: "hint" }, await runSummary(job)));
    if (!isShown) title.after(h("p", { class: "hint" }, "The result is too large to be shown here: this is its preview."));
    const below = h("button", { type: "button", class: "small", onclick: () => goTo(title) }, "Files and lines to copy");
    if (view.table) below.textContent = "Table, files, lines to copy";
    this.done.replaceChildren(h("strong", {}, title.textContent), h("p", {}, below));
    this.done.hidden = false;
    announce(`Done: ${title.textContent}`);
  }

  /** Show the result on the stage, or its preview where a browser cannot hold it. */
  async showAfter(job, signal) {
    const result = fileOf(job, "result");
    const kind = this.model.outputs[0].kind === "labels" ? "labels" : "image";
    const isShown = result.size <= MAX_SHOWN_BYTES;
    const file = isShown ? result : fileOf(job, "preview");
    const blob = await contentOf(file, { signal });
    if (signal.aborted) throw new DOMException("stopped", "AbortError");
    if (!isShown) this.stage.clear();
    await this.stage.openAfter(blob, file.name, isShown ? kind : "image");
    return isShown;
  }

  /** An object was picked in the image: mark its row. */
  chooseRow(label, place) {
    const row = this.result?.data?.rows.find((one) => one.label === label
      && (one.z === undefined || one.z === place.z) && (one.t === undefined || one.t === place.t));
    this.result?.table?.choose(row ?? null);
  }
}

function goTo(title) {
  title.scrollIntoView();
  title.focus({ preventScroll: true });
}

function describe({ axes, sizes, dtype, pixelSizeUm, channelNames, isRgb }) {
  const planes = [["t", "frame"], ["z", "plane"], ["c", "channel"]]
    .filter(([axis]) => axes.toLowerCase().includes(axis) && sizes[axis] > 1)
    .map(([axis, word]) => (axis === "c" && isRgb ? "RGB" : `${sizes[axis]} ${word}s`));
  const names = channelNames.length > 1 ? `(${channelNames.join(", ")})` : "";
  const size = pixelSize(Object.fromEntries(Object.entries(pixelSizeUm).map(([axis, um]) => [axis, Number(number(um))])));
  return [`${sizes.x} × ${sizes.y} pixels`, ...planes, names, dtype, size && `${size} per pixel`].filter(Boolean).join(", ").replace(", (", " (");
}
