// Text that people take elsewhere.

import { announce, h } from "./dom.js";

/** A button that copies `text`; `title` says to listeners what it is. */
export function copyButton(title, text, label = "Copy") {
  const button = h("button", { type: "button", class: "small copy", "aria-label": `${label}: ${title}` }, label);
  button.addEventListener("click", async () => {
    const isDone = await copy(text);
    button.textContent = isDone ? "Copied" : "Select and copy by hand";
    announce(isDone ? `${title}: copied` : "The browser does not let this page copy");
    setTimeout(() => { button.textContent = label; }, 2000);
  });
  return button;
}

/** The clipboard of browsers is there over https and on localhost; elsewhere a selection is copied. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea", { class: "only-spoken" }, text);
    document.body.append(area);
    area.select();
    const isDone = document.execCommand("copy");
    area.remove();
    return isDone;
  }
}
