// One run in one request, for those whose token may not send jobs.

import { patiently, request } from "../api.js";
import { unzip } from "./unzip.js";

const KINDS = { ".rois.zip": "rois", ".preview.png": "preview", ".csv": "table", ".json": "record", ".tif": "result" };

/** What `run` gives, with the files' content as `blob`; no progress is known. */
export async function runWaiting({ model, image, parameters }, { signal, onPhase }) {
  const query = new URLSearchParams({ format: "zip" });
  for (const name of ["axes", "channel", "tile", "rescale"]) if (parameters[name]) query.set(name, parameters[name]);
  const started = new Date();
  const answer = await patiently(() => {
    onPhase({ phase: "running", fraction: null });
    return request(`${model.links.predict}?${query}`, {
      method: "POST", signal, body: image.blob, headers: { "Content-Type": "application/octet-stream" },
    });
  }, { signal, onWait: (reason, seconds) => onPhase({ phase: reason, waitS: seconds }) });
  const stem = image.name.replace(/(\.ome)?\.[^.]+$/i, "");
  const files = (await unzip(await answer.blob())).map(({ name, blob }) => {
    const rest = name.slice(name.indexOf("."));
    return { name: stem + rest, size: blob.size, kind: KINDS[rest] ?? "other", blob };
  });
  return {
    files, started, finished: new Date(), expires: null, objects: null,
    warnings: JSON.parse(answer.headers.get("X-Scopezoo-Warnings") ?? "[]"),
  };
}
