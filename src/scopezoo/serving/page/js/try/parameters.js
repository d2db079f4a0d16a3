// What a run can be told: axes, channel, pixel size, tiles.

import { check, field, h } from "../dom.js";
import { axesChoices, axesProblem } from "../images/axes.js";
import { pixelSize } from "../card.js";

/** `info` is what the image's file says, null where the page cannot read it. */
export function parameterForm(model, info, { onAxes }) {
  const controls = {
    axes: info ? axesControl(info, onAxes) : freeAxes(),
    channel: channelControl(model, info),
    rescale: rescaleControl(model, info),
    tile: tileControl(),
  };
  const main = [controls.axes, controls.channel, controls.rescale].filter(Boolean).map(({ element }) => element);
  const element = h("div", { class: "parameters" }, main,
    h("details", {}, h("summary", {}, "More"), controls.tile.element));
  return {
    element,
    /** Parameters that differ from the defaults. */
    values() {
      const found = {};
      for (const [name, control] of Object.entries(controls)) {
        const value = control?.value();
        if (value) found[name] = value;
      }
      return found;
    },
    /** What keeps the model from being run, "" where nothing does. */
    problem: () => controls.axes?.problem?.() ?? "",
  };
}

/** Only where the file does not tell what its axes are. */
function axesControl(info, onAxes) {
  if (!info.asksAxes) return null;
  const choices = axesChoices(info.shape);
  if (!choices.length) return freeAxes(info.shape.length, onAxes);
  const names = { Z: "depth", T: "time", C: "channels" };
  const text = (axes) => `${axes} (${[...axes].filter((a) => names[a]).map((a) => names[a]).join(", ")})`;
  const select = h("select", {},
    h("option", { value: "" }, "Choose …"), choices.map((axes) => h("option", { value: axes }, text(axes))));
  select.addEventListener("input", () => select.value && onAxes(select.value));
  return {
    element: field("What are its axes?", select, "The file does not say whether its planes are depth, time or channels."),
    value: () => select.value,
    problem: () => (select.value ? "" : "Say what the image's axes are: the file does not tell."),
  };
}

function freeAxes(rank = 0, onAxes = () => {}) {
  const input = h("input", { type: "text", maxlength: 5, placeholder: "as the file says", autocapitalize: "characters", spellcheck: "false" });
  const value = () => input.value.trim().toUpperCase();
  input.addEventListener("change", () => rank && !axesProblem(value(), rank) && onAxes(value()));
  return {
    element: field("Axes", input, "Letters of TCZYX in the order of the file, only if it does not tell."),
    value,
    problem: () => (rank ? axesProblem(value(), rank) : ""),
  };
}

/** A model of one channel on an image of several takes one of them. */
function channelControl(model, info) {
  const wanted = Math.max(1, model.inputs[0].channels.length);
  if (!info) return textChannel("Channel", "Only if the image has several: a name, or a number from 0.");
  const { sizes, channelNames } = info;
  if (sizes.c <= 1 || sizes.c === wanted) return null;
  if (wanted > 1) return textChannel("Channels", `The model takes ${wanted}: names or numbers from 0, with commas.`);
  const name = (c) => (channelNames[c] ? `${c}: ${channelNames[c]}` : `${c}`);
  const select = h("select", {}, Array.from({ length: sizes.c }, (_, c) => h("option", { value: c }, name(c))));
  return { element: field("Channel for the model", select, "The model takes one channel."), value: () => select.value };
}

function textChannel(title, hint) {
  const input = h("input", { type: "text", spellcheck: "false" });
  return { element: field(title, input, hint), value: () => input.value.trim() };
}

/** Only for models that know their pixel size. */
function rescaleControl(model, info) {
  if (!Object.keys(model.pixel_size_um).length) return null;
  const known = !info || Object.keys(info.pixelSizeUm).length > 0;
  const { box, element } = check(`Run at the model's pixel size, ${pixelSize(model.pixel_size_um)}`, { disabled: !known });
  const note = known
    ? `This image has ${pixelSize(info?.pixelSizeUm) || "its own"}. The result is on the image's own pixels.`
    : "This image does not say its pixel size.";
  return { element: h("div", { class: "field" }, element, h("small", {}, note)), value: () => box.checked };
}

function tileControl() {
  const input = h("input", { type: "number", min: 32, max: 8192, step: 1, placeholder: "automatic", inputmode: "numeric" });
  return { element: field("Largest tile, in pixels", input, "Less memory; the result is the same."), value: () => input.value };
}
