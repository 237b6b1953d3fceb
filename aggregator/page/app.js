// The frame: which view is shown, the theme.

import { fleet } from "./fleet.js";
import { node } from "./node.js";
import { place } from "./place.js";
import { whatIf } from "./what-if.js";

const main = document.getElementById("main");
let stop = null;

function show() {
  // The skip link's target is no view.
  if (location.hash === "#main") { main.focus(); return; }
  stop?.abort();
  stop = new AbortController();
  const { path } = place();
  const [, name, rest] = path.split("/");
  const view = name === "node" ? "node" : name === "what-if" ? "what-if" : "fleet";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  main.replaceChildren();
  const shown = view === "node" ? plain(rest) : "";
  document.title = view === "node" ? `${shown} – nodegrace` : view === "what-if" ? "What if – nodegrace" : "nodegrace";
  if (view === "node") node(main, shown, stop.signal);
  else if (view === "what-if") whatIf(main, stop.signal);
  else fleet(main, stop.signal);
}

/** A name as it stands in the URL, or as it was typed there. */
function plain(text = "") {
  try { return decodeURIComponent(text); } catch { return text; }
}

const THEMES = ["system", "light", "dark"];
const button = document.getElementById("theme");

function wear(theme) {
  document.documentElement.dataset.theme = theme;
  button.textContent = `Theme: ${theme}`;
  localStorage.setItem("nodegrace-theme", theme);
}

button.addEventListener("click", () => {
  wear(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]);
});
wear(THEMES.find((theme) => theme === localStorage.getItem("nodegrace-theme")) ?? "system");
window.addEventListener("hashchange", show);
show();
