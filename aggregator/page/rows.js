// The list of nodes: only the rows that are seen are drawn, so that it is as quick for 5,000 nodes as for five.

import { html, strip } from "./plot.js";
import { STATES, UNKNOWN, cause, duration, rate, setting, stateOf } from "./words.js";

/** Rows drawn above and below what is seen, so that scrolling and tabbing find them there. */
const SPARE = 12;

const HEAD = [["State", "state-cell"], ["Node", "name"], ["Gaps against the grace period", "gaps"], ["p99", "p99"], ["Longest", "longest"],
  ["Margin", "margin"], ["Flips/day", "flips"], ["Main cause", "cause"]];

/** A list called `label` that lives until `signal`; `toggle` is told which group somebody opens or closes. */
export function scroller(label, signal, toggle) {
  const space = html("div", { class: "space", role: "rowgroup" });
  const head = html("div", { class: "row head", role: "row" }, HEAD.map(([text, kind]) => html("span", { role: "columnheader", class: kind }, text)));
  const table = html("div", { class: "nodes", role: "table", "aria-label": label }, html("div", { role: "rowgroup" }, head), space);
  let [rows, grace] = [[], null];

  /** Draws the rows that are seen; the space has the height of all. */
  function draw() {
    // A press that began on a row has to end on it; the next look draws.
    if (space.querySelector(":active")) return;
    const style = getComputedStyle(table);
    const [high, low] = ["--row", "--heading"].map((name) => Number.parseFloat(style.getPropertyValue(name)));
    const tops = [0];
    for (const row of rows) tops.push(tops.at(-1) + (row.group ? low : high));
    const above = -space.getBoundingClientRect().top;
    const first = Math.max(0, tops.findIndex((top) => top > above) - 1 - SPARE);
    const below = tops.findIndex((top) => top > above + innerHeight);
    const last = Math.min(rows.length, (below < 0 ? rows.length : below) + SPARE);
    const focused = space.contains(document.activeElement) ? document.activeElement.closest(".row").dataset.key : null;
    table.setAttribute("aria-rowcount", rows.length + 1);
    space.style.height = `${tops.at(-1)}px`;
    space.replaceChildren(...rows.slice(first, last).map((row, at) => {
      const element = row.group ? groupRow(row.group, toggle) : nodeRow(row, grace);
      element.setAttribute("aria-rowindex", first + at + 2);
      element.style.top = `${tops[first + at]}px`;
      return element;
    }));
    // Whoever walks by keyboard stays where they are.
    if (focused) space.querySelector(`[data-key="${CSS.escape(focused)}"] :is(a, button)`)?.focus({ preventScroll: true });
  }
  window.addEventListener("scroll", draw, { passive: true, signal });
  window.addEventListener("resize", draw, { passive: true, signal });
  return { table, show(wanted, under) { [rows, grace] = [wanted, under]; draw(); } };
}

const badge = (state, ...more) => html("span", { class: `state ${state.name}`, title: state.meaning }, `${state.glyph} `, ...more);

function groupRow(group, toggle) {
  const { name, state, members, open } = group;
  const mix = STATES.map((each) => [each, members.filter((node) => node.state === each.name).length]).filter(([, size]) => size);
  return html("div", { class: "row group", role: "row", "data-key": `group ${name}` },
    html("span", { role: "cell", "aria-colspan": HEAD.length },
      html("button", { type: "button", "aria-expanded": String(open), onclick: () => toggle(group) }, state ? badge(state, name) : name, ` ${members.length}`),
      state ? html("span", { class: "meaning" }, state.meaning) : mix.map(([each, size]) => badge(each, String(size)))));
}

function nodeRow(node, grace) {
  const state = stateOf(node.state);
  const cell = (kind, ...content) => html("span", { role: "cell", class: kind }, ...content);
  // In whole microseconds, as it is told, so that it is rounded as elsewhere.
  const margin = node.p99 != null && grace != null ? Math.round((grace - node.p99) * 1e6) / 1e6 : null;
  const measured = node.p99 != null || node.running != null;
  const label = `gaps of ${node.name}: p99 ${duration(node.p99)}, longest ${duration(node.max)}, running ${duration(node.running)}, grace period ${setting(grace)}`;
  return html("div", { class: "row", role: "row", "data-key": node.name },
    cell("state-cell", badge(state, state.name)),
    // Of a node without an agent there is nothing to tell.
    cell("name", node.state === "NO_AGENT" ? node.name : html("a", { href: `#/node/${encodeURIComponent(node.name)}` }, node.name)),
    cell(`gaps ${state.name}`, grace && measured ? strip(node, grace, label) : ""),
    cell("p99 number", duration(node.p99)), cell("longest number", duration(node.max)),
    cell(`margin number ${margin < 0 ? "below" : ""}`, duration(margin)), cell("flips number", rate(node.flips_per_day)),
    cell("cause", node.cause ? cause(node.cause) : UNKNOWN));
}
