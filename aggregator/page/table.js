// Tables, which scroll by themselves where they are too wide.

import { html } from "./plot.js";

/** A table with these headings. A line is its cells, or `{ kind, cells }` with a class of its own. */
export function table(head, lines) {
  const row = (line) => {
    const { kind, cells } = Array.isArray(line) ? { cells: line } : line;
    return html("tr", { class: kind || null }, cells.map((content) => html("td", {}, content)));
  };
  return html("div", { class: "wide", tabindex: "0", role: "region", "aria-label": head.join(", ") },
    html("table", {}, html("thead", {}, html("tr", {}, head.map((text) => html("th", { scope: "col" }, text)))), html("tbody", {}, lines.map(row))));
}
