// Sends a file in parts that survive a broken connection (tus 1.0.0).

import { patiently, request } from "../api.js";

const PART_BYTES = 8 << 20;
const TUS = { "Tus-Resumable": "1.0.0" };

/** The upload's id. `onProgress(fraction)`; `onWait` as for `patiently`. */
export async function upload(file, name, { signal, onProgress, onWait }) {
  const created = await patiently(() => request("/api/v1/uploads", {
    method: "POST", signal,
    headers: { ...TUS, "Upload-Length": String(file.size), "Upload-Metadata": `filename ${base64(name)}` },
  }), { signal, onWait });
  const place = new URL(created.headers.get("Location"), location.href).pathname;
  try {
    await sendParts(file, place, { signal, onProgress, onWait });
  } catch (error) {
    request(place, { method: "DELETE", headers: TUS }).catch(() => {}); // it expires by itself too
    throw error;
  }
  return place.split("/").pop();
}

async function sendParts(file, place, { signal, onProgress, onWait }) {
  let offset = 0;
  let isSure = true;
  while (offset < file.size) {
    offset = await patiently(async () => {
      if (!isSure) return receivedBytes(place, signal).then((bytes) => { isSure = true; return bytes; });
      isSure = false;
      const bytes = await sendPart(file, offset, place, signal);
      isSure = true;
      return bytes;
    }, { signal, onWait, evenAway: true });
    onProgress(offset / file.size);
  }
}

async function sendPart(file, offset, place, signal) {
  try {
    const answer = await request(place, {
      method: "PATCH", signal, body: file.slice(offset, offset + PART_BYTES),
      headers: { ...TUS, "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" },
    });
    return Number(answer.headers.get("Upload-Offset"));
  } catch (error) {
    if (error.status !== 409) throw error;
    return receivedBytes(place, signal); // more had come than we knew
  }
}

async function receivedBytes(place, signal) {
  const answer = await request(place, { method: "HEAD", signal, headers: TUS });
  return Number(answer.headers.get("Upload-Offset"));
}

function base64(text) {
  return btoa(String.fromCodePoint(...new TextEncoder().encode(text)));
}
