// The page's frame: which view is shown, theme, token.

import { ApiError, getJson, token } from "./api.js";
import { announce, h, problem } from "./dom.js";
import { showCard } from "./card.js";
import { showDataset } from "./dataset.js";
import { showDatasets } from "./datasets.js";
import { showGallery } from "./gallery.js";
import { showTry } from "./try/view.js";

const VIEWS = [
  [/^\/$/, showGallery],
  [/^\/model\/([^/]+)$/, showCard],
  [/^\/model\/([^/]+)\/try$/, showTry],
  [/^\/datasets$/, showDatasets],
  [/^\/dataset\/([^/]+)$/, showDataset],
];

const main = document.getElementById("main");
let leave = () => {};
let shown = null;
let isFirst = true;

/** `#/model/ID/try?…` as a path with its parts decoded, and its query. */
function place() {
  const [path, query = ""] = (location.hash.slice(1) || "/").split("?");
  return { path, query: new URLSearchParams(query) };
}

async function route() {
  const { path, query } = place();
  const [pattern, view] = VIEWS.find(([one]) => one.test(path)) ?? [null, null];
  const leaving = new AbortController();
  leave();
  leave = () => leaving.abort();
  shown = path;
  main.replaceChildren(h("p", { class: "loading" }, "Loading…"));
  window.scrollTo(0, 0);
  try {
    if (!view) throw new ApiError(404, "NotFound", "There is no such page here.");
    const info = await getJson("/api/v1/info", { signal: leaving.signal });
    showFrame(info);
    const parts = pattern.exec(path).slice(1).map(decodeURIComponent);
    const content = await view({ parts, query, info, signal: leaving.signal });
    if (leaving.signal.aborted) return;
    main.replaceChildren(content);
    arrive(content);
  } catch (error) {
    if (!leaving.signal.aborted) main.replaceChildren(failure(error));
  }
}

/** Readers of the screen go on at the new view's title. */
function arrive(content) {
  const title = content.querySelector("h1");
  document.title = title ? `${title.textContent} · scopezoo` : "scopezoo";
  if (!isFirst && title) {
    title.tabIndex = -1;
    title.focus({ preventScroll: true });
  }
  isFirst = false;
}

function failure(error) {
  document.title = "scopezoo";
  const again = h("button", { type: "button", onclick: route }, "Try again");
  if (error.status === 401) {
    openTokenDialog();
    const enter = h("button", { type: "button", class: "primary", onclick: openTokenDialog }, "Enter a token");
    return problem("A token is needed", token.get()
      ? "The server does not know the token that you gave." : "This server asks who you are.", enter);
  }
  if (error.status === 0) return problem("The server is away", error.message, again);
  if (error.status === 404) {
    return problem("Not found", error.message, h("a", { class: "button", href: "#/" }, "All models"));
  }
  if (error instanceof ApiError) return problem("This did not work", error.message, again);
  console.error(error);
  return problem("Something on this page broke", error.message, again);
}

function showFrame(info) {
  document.getElementById("datasets-link").hidden = !info.datasets;
  document.getElementById("imagej-link").hidden = !info.imagej;
  document.getElementById("token-button").hidden = !info.auth;
}

const dialog = document.getElementById("token-dialog");
const tokenField = document.getElementById("token-field");

function openTokenDialog() {
  tokenField.value = token.get();
  if (!dialog.open) dialog.showModal();
}

dialog.querySelector("form").addEventListener("submit", () => {
  token.set(tokenField.value.trim());
  route();
});
document.getElementById("token-cancel").addEventListener("click", () => dialog.close());
document.getElementById("token-button").addEventListener("click", openTokenDialog);

const THEMES = { auto: "As the system", light: "Light", dark: "Dark" };
const themeButton = document.getElementById("theme-button");

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  themeButton.textContent = { auto: "◐", light: "☀", dark: "☾" }[theme];
  themeButton.setAttribute("aria-label", `Theme: ${THEMES[theme]}`);
  themeButton.title = `Theme: ${THEMES[theme]}`;
}

themeButton.addEventListener("click", () => {
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length];
  localStorage.setItem("scopezoo-theme", next);
  setTheme(next);
  announce(`Theme: ${THEMES[next]}`);
});

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

window.addEventListener("hashchange", () => {
  if (place().path !== shown) route();
});
setTheme(document.documentElement.dataset.theme in THEMES ? document.documentElement.dataset.theme : "auto");
route();
