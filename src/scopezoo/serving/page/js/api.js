// Requests to the server, with the token where there is one, and errors that people understand.

const TOKEN = "scopezoo-token";
const MAX_WAIT_S = 60;

/** `status` is 0 where the server did not answer at all. */
export class ApiError extends Error {
  name = "ApiError";

  constructor(status, type, message, retryAfterS = null) {
    super(message);
    Object.assign(this, { status, type, retryAfterS });
  }
}

export const token = {
  get: () => sessionStorage.getItem(TOKEN) ?? "",
  set: (value) => (value ? sessionStorage.setItem(TOKEN, value) : sessionStorage.removeItem(TOKEN)),
};

/** The response, if it is a good one. Raises ApiError, or AbortError where `signal` says so. */
export async function request(path, { headers = {}, ...options } = {}) {
  const credentials = token.get() ? { Authorization: `Bearer ${token.get()}` } : {};
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...headers, ...credentials } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "Away", "The server does not answer. It may be stopped, or your network is down.");
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

export async function getJson(path, options) {
  return (await request(path, options)).json();
}

export function postJson(path, body, options = {}) {
  const headers = { "Content-Type": "application/json" };
  return getJson(path, { ...options, method: "POST", headers, body: JSON.stringify(body) });
}

async function errorOf(response) {
  const after = Number(response.headers.get("Retry-After")) || null;
  let said = {};
  try {
    said = (await response.json()).error ?? {};
  } catch {
    // a proxy between here and the server answers in its own way
  }
  return new ApiError(response.status, said.type ?? "Error",
    said.message ?? `The server answered ${response.status} ${response.statusText}.`, after);
}

export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException("stopped", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

/**
 * Do `action` again while the server is busy, and with `evenAway` while it does not answer.
 * `onWait(reason, seconds)` is called each second of waiting.
 */
export async function patiently(action, { signal, onWait, evenAway = false }) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await action();
    } catch (error) {
      const isBusy = [423, 429, 503].includes(error.status);
      if (!isBusy && !(evenAway && error.status === 0)) throw error;
      const seconds = Math.min(MAX_WAIT_S, Math.ceil(error.retryAfterS ?? Math.min(30, 2 ** tries)));
      for (let left = seconds; left > 0; left -= 1) {
        onWait(isBusy ? "busy" : "away", left);
        await pause(1, signal);
      }
    }
  }
}

/** Show a picture that may need the token, which an <img> cannot send. */
export async function showPicture(img, path) {
  if (!token.get()) {
    img.src = path;
    return;
  }
  const url = URL.createObjectURL(await (await request(path)).blob());
  img.onload = () => URL.revokeObjectURL(url);
  img.src = url;
}

/** What is in a file: one that is here as `blob`, or lies at `url`. */
export async function contentOf({ blob, url }, options) {
  return blob ?? (await request(url, options)).blob();
}

/** Let the browser save a file; with a token it is fetched first. */
export async function save(file, name) {
  const isHere = file.blob || token.get();
  const link = document.createElement("a");
  link.download = name;
  link.href = isHere ? URL.createObjectURL(await contentOf(file)) : file.url;
  link.click();
  if (link.href.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
