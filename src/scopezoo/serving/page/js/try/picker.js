// Where an image comes from: dropped, chosen, pasted, or the model's sample.

import { request } from "../api.js";
import { h } from "../dom.js";

const ACCEPTED = ".tif,.tiff,.png,.jpg,.jpeg,.npy,image/tiff,image/png,image/jpeg";

/** `onImage({blob, name, isSample})`, `onProblem(title, text)`; the whole `stage` takes drops. */
export function imagePicker(model, stage, { onImage, onProblem }) {
  const input = h("input", { type: "file", accept: ACCEPTED, id: "image-file", class: "only-spoken" });
  input.addEventListener("change", () => {
    if (input.files.length) take(input.files);
    input.value = "";
  });

  function take(files) {
    if (files.length > 1) onProblem("One image at a time", "The command line takes many: see the lines below a result.");
    else onImage({ blob: files[0], name: files[0].name, isSample: false });
  }

  stage.addEventListener("dragover", (event) => {
    event.preventDefault();
    stage.classList.add("dropping");
  });
  stage.addEventListener("dragleave", (event) => {
    if (!stage.contains(event.relatedTarget)) stage.classList.remove("dropping");
  });
  stage.addEventListener("drop", (event) => {
    event.preventDefault();
    stage.classList.remove("dropping");
    if (event.dataTransfer.files.length) take(event.dataTransfer.files);
  });

  const sample = model.has_sample
    ? h("button", { type: "button", onclick: takeSample }, "Take the sample image") : null;

  async function takeSample() {
    sample.disabled = true;
    try {
      const answer = await request(model.links.sample);
      const name = /filename="?([^";]+)/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1];
      onImage({ blob: await answer.blob(), name: name ?? `${model.id}-sample.tif`, isSample: true });
    } catch (error) {
      onProblem("The sample did not come", error.message);
    }
    sample.disabled = false;
  }

  return h("div", { class: "row picker" }, input,
    h("label", { for: "image-file", class: "button primary file-button" }, "Choose an image"), sample);
}
