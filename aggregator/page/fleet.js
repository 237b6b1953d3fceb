// The fleet at a glance: totals, and every node as one strip of its gaps against the grace line, worst first.

import { get, repeat } from "./api.js";
import { html, strip } from "./plot.js";
import { keep, place } from "./place.js";
import { STATES, UNKNOWN, cause, duration, interval, plain, rate, seconds, stateOf } from "./words.js";

/** Pause between two looks, in ms: agents report every few seconds. */
const PAUSE = 2000;
/** Totals are computed over the whole fleet, so they are asked for less often: every so many looks. */
const TOTALS_EVERY = 5;
/** Rows drawn above and below what is seen, so that scrolling and tabbing find them there. */
const SPARE = 12;

const SORTS = [
  ["risk", "Risk", (node) => node.risk],
  ["p99", "p99 gap", (node) => node.p99],
  ["max", "Longest gap", (node) => node.max],
  ["running", "Running gap", (node) => node.running],
  ["flips", "Expected flips", (node) => node.flips_per_day],
  ["name", "Name", null],
];
const GROUPS = [["state", "State"], ["prefix", "Name prefix"], ["none", "Nothing"]];

/** Words that only an expression has: it goes to the aggregator; plain text is looked for here. */
const EXPRESSION = /[=<>:]|\b(AND|OR|NOT)\b/;

const prefixOf = (name) => name.replace(/[-.]?\d+$|[-.][^-.]*$/, "") || name;

export function fleet(main, signal) {
  const nodes = new Map();
  const closed = new Set();
  const { parameters } = place();
  let [cursor, asked, grace, looks] = ["", null, null, 0];
  let rows = [];

  const totals = html("section", { class: "totals", "aria-label": "Fleet" });
  const filter = html("input", {
    id: "filter", type: "search", placeholder: "name, cause… or state = NEAR AND margin < 20s",
    value: parameters.get("q") ?? "", spellcheck: "false", "aria-describedby": "filter-error",
  });
  const pick = (id, entries, fallback) => {
    const chosen = entries.some(([key]) => key === parameters.get(id)) ? parameters.get(id) : fallback;
    return html("select", { id }, entries.map(([key, text]) => html("option", { value: key, selected: key === chosen }, text)));
  };
  const sort = pick("sort", SORTS, "risk");
  const group = pick("group", GROUPS, "state");
  const problem = html("p", { id: "filter-error", class: "problem", role: "alert" });
  const count = html("p", { class: "count", role: "status" });
  const legend = html("p", { class: "legend" },
    html("span", { class: "key body" }), "p50–p99 gap ", html("span", { class: "key max" }), "longest ",
    html("span", { class: "key recent" }), "latest long gaps ", html("span", { class: "key running" }), "running now ",
    html("span", { class: "key grace" }), "grace period");
  const space = html("div", { class: "space", role: "rowgroup" });
  const head = html("div", { class: "row head", role: "row" },
    [["State", "state-cell"], ["Node", "name"], ["Gaps", "gaps"], ["p99", "p99"], ["Longest", "longest"], ["Margin", "margin"], ["Flips/day", "flips"], ["Main cause", "cause"]]
      .map(([text, kind]) => html("span", { role: "columnheader", class: kind }, text)));
  const table = html("div", { class: "nodes", role: "table", "aria-label": "Nodes, the most endangered first" }, head, space);
  main.append(html("h1", { class: "quiet" }, "Fleet"), totals,
    html("form", { class: "tools", role: "search" },
      html("label", { class: "grow" }, "Filter ", filter), html("label", {}, "Sort by ", sort), html("label", {}, "Group by ", group)),
    problem, legend, count, table);
  main.querySelector("form").addEventListener("submit", (event) => event.preventDefault());

  /** The rows to show, in order: headings of groups, and the nodes of those that are open. */
  function arrange() {
    const text = EXPRESSION.test(filter.value) ? "" : filter.value.trim().toLowerCase();
    const shown = [...nodes.values()].filter((node) => !text ||
      node.name.toLowerCase().includes(text) || plain(node.state).includes(text) || (node.cause && cause(node.cause).includes(text)));
    const [, , figure] = SORTS.find(([key]) => key === sort.value);
    const key = (node) => figure(node) ?? -Infinity;
    const byName = (one, other) => (one.name < other.name ? -1 : 1);
    shown.sort(figure ? (one, other) => key(other) - key(one) || byName(one, other) : byName);
    const groups = new Map();
    for (const node of shown) {
      const of = group.value === "state" ? node.state : group.value === "prefix" ? prefixOf(node.name) : "";
      if (!groups.has(of)) groups.set(of, []);
      groups.get(of).push(node);
    }
    let order = [...groups];
    if (group.value === "state") order.sort(([one], [other]) => stateOf(one).rank - stateOf(other).rank);
    rows = order.flatMap(([of, members]) => {
      const open = !closed.has(of);
      return group.value === "none" ? members : [{ group: of, members, open }, ...(open ? members : [])];
    });
    const known = nodes.size === 0 && cursor === "" ? "" : shown.length === nodes.size ? `${nodes.size} nodes` : `${shown.length} of ${nodes.size} nodes`;
    if (count.textContent !== known) count.textContent = known;
    if (cursor && shown.length === 0) count.textContent = nodes.size || filter.value ? "No node matches the filter." : "No agent has reported yet.";
    draw();
  }

  function groupRow({ group: of, members, open }, index) {
    const state = group.value === "state" ? stateOf(of) : null;
    const mix = STATES.map((each) => [each, members.filter((node) => node.state === each.name).length]).filter(([, size]) => size);
    return html("div", { class: "row group", role: "row", "aria-rowindex": index + 2 },
      html("span", { role: "cell" }, html("button", {
        type: "button", "aria-expanded": String(open),
        onclick: () => { if (!closed.delete(of)) closed.add(of); arrange(); },
      }, state ? html("span", { class: `state ${state.name}` }, `${state.glyph} ${plain(state.name)}`) : of, ` ${members.length}`),
      state ? html("span", { class: "meaning" }, state.meaning)
        : mix.map(([each, size]) => html("span", { class: `state ${each.name}` }, `${each.glyph} ${size}`))));
  }

  function nodeRow(node, index) {
    const state = stateOf(node.state);
    const cell = (kind, ...content) => html("span", { role: "cell", class: kind }, ...content);
    const over = node.p99 != null && grace != null ? grace - node.p99 : null;
    const label = `gaps of ${node.name}: p99 ${duration(node.p99)}, longest ${duration(node.max)}, grace ${duration(grace)}`;
    return html("div", { class: "row", role: "row", "aria-rowindex": index + 2, "data-node": node.name },
      cell("state-cell", html("span", { class: `state ${state.name}`, title: state.meaning }, `${state.glyph} ${plain(state.name)}`)),
      cell("name", html("a", { href: `#/node/${encodeURIComponent(node.name)}` }, node.name)),
      cell(`gaps ${state.name}`, grace ? strip(node, grace, label) : ""),
      cell("p99 number", duration(node.p99)), cell("longest number", duration(node.max)),
      cell("margin number", duration(over)), cell("flips number", rate(node.flips_per_day)),
      cell("cause", node.cause ? cause(node.cause) : UNKNOWN));
  }

  /** Draws the rows that are seen; the space has the height of all. */
  function draw() {
    const height = Number.parseFloat(getComputedStyle(table).getPropertyValue("--row"));
    const top = -space.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / height) - SPARE);
    const last = Math.min(rows.length, Math.ceil((top + innerHeight) / height) + SPARE);
    const focused = document.activeElement?.closest?.(".row");
    const held = focused?.dataset.node;
    const heldGroup = focused?.classList.contains("group") ? focused.getAttribute("aria-rowindex") : null;
    table.setAttribute("aria-rowcount", rows.length + 1);
    space.style.height = `${rows.length * height}px`;
    const drawn = rows.slice(first, last).map((row, at) => {
      const element = row.members ? groupRow(row, first + at) : nodeRow(row, first + at);
      element.style.top = `${(first + at) * height}px`;
      return element;
    });
    space.replaceChildren(...drawn);
    // Whoever walks by keyboard stays where they are.
    if (held) space.querySelector(`[data-node="${CSS.escape(held)}"] a`)?.focus({ preventScroll: true });
    else if (heldGroup) space.querySelector(`[aria-rowindex="${heldGroup}"] button`)?.focus({ preventScroll: true });
  }

  async function look() {
    const expression = EXPRESSION.test(filter.value) ? filter.value : "";
    if (expression !== asked) { asked = expression; cursor = ""; }
    if (looks++ % TOTALS_EVERY === 0 || grace == null) {
      // Where others compute at the same time they may be refused: the strips do not wait for them.
      const known = grace != null;
      const unless = (error) => { if (!known || signal.aborted) throw error; return null; };
      const [sums, advice] = await Promise.all([
        get("fleet.json", {}, signal).catch(unless),
        get("recommend.json", {}, signal).catch(() => null),
      ]);
      if (sums) {
        grace = seconds(sums.controller.gracePeriod);
        sum(totals, sums, advice, (state) => { filter.value = `state = ${state}`; changed(); });
      }
    }
    try {
      const news = await get("strips.json", { filter: expression, cursor }, signal);
      if (expression !== asked) return;
      take(news);
      problem.textContent = "";
    } catch (error) {
      if (error.code !== 3) throw error;
      problem.textContent = error.message;
    }
    arrange();
  }

  function take(news) {
    const of = (row) => Object.fromEntries(news.columns.map((column, at) => [column, row[at]]));
    if (news.full) nodes.clear();
    for (const row of news.nodes) {
      const node = of(row);
      for (const figure of ["p50", "p90", "p99", "p999", "max", "running"]) if (node[figure] != null) node[figure] /= 1000;
      node.recent = node.recent.map((gap) => gap / 1000);
      nodes.set(node.name, node);
    }
    for (const name of news.gone) nodes.delete(name);
    cursor = news.cursor;
  }

  let timer = null;
  function changed() {
    keep(new Map([["q", filter.value], ["sort", sort.value === "risk" ? "" : sort.value], ["group", group.value === "state" ? "" : group.value]]));
    arrange();
    clearTimeout(timer);
    // A pause in typing: half an expression is no question.
    timer = setTimeout(() => look().catch((error) => { problem.textContent = error.message; }), 250);
  }
  filter.addEventListener("input", changed);
  sort.addEventListener("change", changed);
  group.addEventListener("change", changed);
  window.addEventListener("scroll", draw, { passive: true, signal });
  window.addEventListener("resize", draw, { passive: true, signal });
  repeat(look, PAUSE, signal);
}

/** The totals: who is in danger, how many flips to expect, what is recommended, what it all rests on. */
function sum(section, fleet, advice, choose) {
  const of = new Map(fleet.states.map((entry) => [stateOf(entry.state).name, Number(entry.nodes)]));
  const shown = STATES.filter((state) => of.get(state.name));
  const counts = shown.map((state) => html("button", {
    type: "button", class: `state big ${state.name}`, title: `${state.meaning}: show only these`, onclick: () => choose(state.name),
  }, html("b", {}, String(of.get(state.name))), ` ${state.glyph} ${plain(state.name)}`));
  const tile = (title, figure, note, kind = "") => html("div", { class: `tile ${kind}` }, html("h2", {}, title), html("p", { class: "figure" }, figure), html("p", { class: "note" }, note));
  const { history } = fleet;
  const quality = [
    history.durable ? "on disk" : "in memory only",
    fleet.losses ? "agents lost records" : "no record lost",
    history.storeError && `cannot be written: ${history.storeError}`,
    Number(history.rejectedRecords) > 0 && `${history.rejectedRecords} records refused`,
  ].filter(Boolean).join(" · ");
  const grace = seconds(fleet.controller.gracePeriod);
  section.replaceChildren(
    html("div", { class: "counts", role: "group", "aria-label": "Nodes by state" }, counts.length ? counts : "No agent has reported yet."),
    html("div", { class: "tiles" },
      tile("Expected flips per day", interval(fleet.expectedFlips), `95 % interval; ${fleet.flipsSeen} seen`),
      tile("Grace period", duration(grace), fleet.controller.warning || fleet.controller.basis, fleet.controller.warning ? "warned" : ""),
      tile("Recommended", advice?.recommended ? duration(seconds(advice.recommended.gracePeriod)) : UNKNOWN, advice?.summary ?? "not computed", "wide"),
      tile("Coverage", `${fleet.connectedAgents} of ${fleet.nodes} agents`, `${Number(fleet.heartbeats).toLocaleString()} heartbeats, ${quality}`)));
}
