// One run: send the image, queue the job, follow it to its end.

import { ApiError, getJson, patiently, pause, postJson, request } from "../api.js";
import { upload } from "./upload.js";
import { runWaiting } from "./waiting.js";

const QUICK_S = 0.25;
const SLOW_S = 1;
const QUICK_POLLS = 20;

/** As `runJob`, or without a job where the token does not allow one. */
export async function run(asked, options) {
  try {
    return await runJob(asked, options);
  } catch (error) {
    if (error.status !== 403) throw error;
    return runWaiting(asked, options);
  }
}

/**
 * The finished job. `onPhase({phase, fraction, secondsLeft, waitS})` tells how far it is:
 * "sending", "queued", "running", "busy" or "away".
 * Raises ApiError where the server refuses or the job fails, AbortError where `signal` stops it.
 */
async function runJob({ model, image, parameters }, { signal, onPhase }) {
  const onWait = (reason, seconds) => onPhase({ phase: reason, waitS: seconds });
  const options = { signal, onWait };
  let input = { sample: true };
  if (!image.isSample) {
    onPhase({ phase: "sending", fraction: 0 });
    const onProgress = (fraction) => onPhase({ phase: "sending", fraction });
    input = { upload: await upload(image.blob, image.name, { ...options, onProgress }) };
  }
  onPhase({ phase: "queued" });
  const job = await patiently(() => postJson("/api/v1/jobs", { model: model.id, input, parameters }, { signal }), options);
  try {
    return await follow(job, options, onPhase);
  } catch (error) {
    if (error.name === "AbortError") request(job.links.cancel, { method: "POST" }).catch(() => {});
    throw error;
  }
}

async function follow(queued, options, onPhase) {
  let job = queued;
  for (let polls = 0; job.state === "queued" || job.state === "running"; polls += 1) {
    const { done, total } = job.progress ?? {};
    onPhase({ phase: job.state, fraction: total ? done / total : null, secondsLeft: job.seconds_left });
    await pause(polls < QUICK_POLLS ? QUICK_S : SLOW_S, options.signal);
    job = await patiently(() => getJson(queued.links.self, { signal: options.signal }), { ...options, evenAway: true });
  }
  if (job.state === "failed") throw new ApiError(422, job.error.type, job.error.message);
  if (job.state === "cancelled") throw new ApiError(409, "Cancelled", "The run was cancelled on the server.");
  return job;
}
