// The frame: which view is shown, the theme.

import { endpoints } from "./endpoints.js";
import { fleet } from "./fleet.js";
import { node } from "./node.js";
import { place } from "./place.js";
import { whatIf } from "./what-if.js";

const main = document.getElementById("main");
let stop = null;

/** Each view by the first part of its path: what to draw, and the title. Anything else is the fleet. */
const VIEWS = {
  node: { draw: (name, signal) => node(main, name, signal), title: (name) => `${name} – nodegrace` },
  endpoints: { draw: (_, signal) => endpoints(main, signal), title: () => "Endpoints – nodegrace" },
  "what-if": { draw: (_, signal) => whatIf(main, signal), title: () => "What if – nodegrace" },
  fleet: { draw: (_, signal) => fleet(main, signal), title: () => "nodegrace" },
};

function show() {
  stop?.abort();
  stop = new AbortController();
  const [, asked, rest] = place().path.split("/");
  const name = Object.hasOwn(VIEWS, asked) ? asked : "fleet";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  main.replaceChildren();
  const [view, shown] = [VIEWS[name], plain(rest)];
  document.title = view.title(shown);
  view.draw(shown, stop.signal);
}

/** A name as it stands in the URL, or as it was typed there. */
function plain(text = "") {
  try { return decodeURIComponent(text); } catch { return text; }
}

const THEMES = ["system", "light", "dark"];
const button = document.getElementById("theme");

function wear(theme) {
  document.documentElement.dataset.theme = theme;
  button.lastChild.textContent = `Theme: ${theme}`;
  localStorage.setItem("nodegrace-theme", theme);
}

button.addEventListener("click", () => {
  wear(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]);
});
// The address says what is shown, so that the skip link must not change it.
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
wear(THEMES.find((theme) => theme === localStorage.getItem("nodegrace-theme")) ?? "system");
window.addEventListener("hashchange", show);
show();
