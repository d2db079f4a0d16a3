// The lines that give the same result elsewhere, in tabs, to copy.

import { copyButton } from "../copy.js";
import { h } from "../dom.js";
import { recipes } from "./recipes.js";

/** Tabs as WAI-ARIA describes them: arrow keys go from one to the next. */
export function recipesView(made) {
  const all = recipes(made);
  const panels = all.map((one) => h("div", {
    role: "tabpanel", id: `recipe-${one.id}`, "aria-labelledby": `recipe-tab-${one.id}`, hidden: true,
  }, h("pre", { tabindex: 0, "aria-label": one.title }, h("code", {}, one.text)), one.note ? h("p", { class: "hint" }, one.note) : null, copyButton(one.title, one.text)));
  const tabs = all.map((one, i) => h("button", {
    type: "button", role: "tab", id: `recipe-tab-${one.id}`, "aria-controls": `recipe-${one.id}`, onclick: () => choose(i),
  }, one.title));

  function choose(chosen) {
    tabs.forEach((tab, i) => {
      tab.setAttribute("aria-selected", i === chosen);
      tab.tabIndex = i === chosen ? 0 : -1;
      panels[i].hidden = i !== chosen;
    });
  }

  const list = h("div", { role: "tablist", "aria-label": "The same result elsewhere", class: "tabs" }, tabs);
  list.addEventListener("keydown", (event) => {
    const now = tabs.indexOf(document.activeElement);
    const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const index = (to + tabs.length) % tabs.length;
    choose(index);
    tabs[index].focus();
  });
  choose(0);
  return h("div", { class: "recipes" }, list, panels);
}
