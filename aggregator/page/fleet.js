// The fleet at a glance: who is in danger, totals, and every node as one strip of its gaps against the grace line, worst first.

import { get, repeat } from "./api.js";
import { glance, verdict } from "./glance.js";
import { html } from "./plot.js";
import { keep, place } from "./place.js";
import { scroller } from "./rows.js";
import { STATES, cause, counted, seconds, stateOf } from "./words.js";

/** Pause between two looks, in ms: agents report every few seconds. */
const PAUSE = 2000;
/** Totals are computed over the whole fleet, so they are asked for less often: every so many looks. */
const TOTALS_EVERY = 5;
/** A group of more nodes that are well is closed until somebody opens it or looks for something. */
const MANY = 100;

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
  /** Nodes that agents report for, and those of which the cluster's watch alone tells that none does. */
  const [nodes, bare] = [new Map(), new Map()];
  const opened = new Map();
  const { parameters } = place();
  let [cursor, asked, grace, looks, totals] = ["", null, null, 0, null];
  let wanted = STATES.find((state) => state.name === parameters.get("state"))?.name ?? "";

  const [heading, tiles] = [html("div", {}), html("div", { class: "tiles" })];
  const section = html("section", { "aria-label": "The fleet at a glance" }, heading, tiles);
  const filter = html("input", {
    id: "filter", type: "search", placeholder: "name, cause… or margin < 20s AND NOT connected",
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
  const legend = html("p", { class: "legend" }, [["body", "p50 to p99 gap"], ["max", "longest"], ["recent", "latest long gaps"], ["running", "running now"], ["grace", "grace period"]]
    .map(([kind, text]) => html("span", { class: "pair" }, html("span", { class: `key ${kind}` }), ` ${text}`)));
  const list = scroller("Nodes", signal, (of) => { opened.set(of.name, !of.open); arrange(); });
  const form = html("form", { class: "tools", role: "search" },
    html("label", { class: "grow" }, "Filter ", filter), html("label", {}, "Sort by ", sort), html("label", {}, "Group by ", group));
  main.append(section, form, problem, legend, count, list.table);
  form.addEventListener("submit", (event) => event.preventDefault());

  function shown() {
    const text = EXPRESSION.test(filter.value) ? "" : filter.value.trim().toLowerCase();
    const said = (node) => `${node.name} ${node.state} ${node.cause ? cause(node.cause) : ""}`.toLowerCase();
    // What an expression asks of figures is unknown of a node without an agent, and so false.
    const all = asked ? [...nodes.values()] : [...nodes.values(), ...bare.values()];
    return all.filter((node) => (!wanted || node.state === wanted) && said(node).includes(text));
  }

  /** The rows to show, in order: headings of groups, and the nodes of those that are open. */
  function arrange() {
    const found = shown();
    const [, , figure] = SORTS.find(([key]) => key === sort.value);
    const key = (node) => figure(node) ?? -Infinity;
    const byName = (one, other) => (one.name < other.name ? -1 : 1);
    found.sort(figure ? (one, other) => key(other) - key(one) || byName(one, other) : byName);
    const groups = new Map();
    for (const node of found) {
      const of = group.value === "state" ? node.state : group.value === "prefix" ? prefixOf(node.name) : "";
      if (!groups.has(of)) groups.set(of, []);
      groups.get(of).push(node);
    }
    const order = [...groups];
    if (group.value === "state") order.sort(([one], [other]) => stateOf(one).rank - stateOf(other).rank);
    const narrowed = wanted !== "" || filter.value.trim() !== "";
    list.show(order.flatMap(([name, members]) => {
      if (group.value === "none") return members;
      const state = group.value === "state" ? stateOf(name) : null;
      const open = opened.get(name) ?? (narrowed || state?.name !== "OK" || members.length <= MANY);
      return [{ group: { name, state, members, open } }, ...(open ? members : [])];
    }), grace);
    judge();
    const all = nodes.size + bare.size;
    const unnamed = Number(totals?.agentCoverage?.withoutAgent ?? 0) - (totals?.agentCoverage?.withoutAgentNames.length ?? 0);
    const more = unnamed > 0 ? `, and ${unnamed} without an agent that are not named` : "";
    const text = !cursor ? "" : found.length ? (found.length === all ? counted(all, "node") : `${found.length} of ${counted(all, "node")}`) + more
      : all || narrowed ? "No node matches." : "No agent has reported yet.";
    if (count.textContent !== text) count.textContent = text;
  }

  async function look() {
    const expression = EXPRESSION.test(filter.value) ? filter.value : "";
    if (expression !== asked) { asked = expression; cursor = ""; }
    if (looks++ % TOTALS_EVERY === 0 || grace == null) await sum();
    try {
      const begun = performance.now();
      const news = await get("strips.json", { filter: expression, cursor }, signal);
      if (expression !== asked) return;
      const came = performance.now();
      take(news);
      arrange();
      // For whoever looks how fast this is: the latest look alone.
      performance.clearMeasures();
      performance.measure("nodegrace:ask", { start: begun, end: came });
      performance.measure("nodegrace:draw", { start: came });
      problem.textContent = "";
    } catch (error) {
      if (error.code !== 3) throw error;
      problem.textContent = error.message;
    }
  }

  async function sum() {
    // Where others compute at the same time they may be refused: the strips do not wait for them.
    const known = grace != null;
    const unless = (error) => { if (!known || signal.aborted) throw error; return null; };
    const [sums, advice] = await Promise.all([
      get("fleet.json", {}, signal).catch(unless),
      get("recommend.json", {}, signal).catch(() => null),
    ]);
    if (!sums) return;
    grace = seconds(sums.controller.gracePeriod);
    bare.clear();
    for (const name of sums.agentCoverage?.withoutAgentNames ?? []) bare.set(name, { name, state: "NO_AGENT", recent: [] });
    totals = sums;
    glance(tiles, sums, advice);
  }

  /** Who is in danger, as the list has it, unless an expression keeps nodes from it. */
  function judge() {
    if (!totals) return;
    const told = new Map(totals.states.map((entry) => [stateOf(entry.state).name, Number(entry.nodes)]));
    const listed = new Map();
    for (const { state } of nodes.values()) listed.set(state, (listed.get(state) ?? 0) + 1);
    // Of nodes without an agent not every name is told.
    if (told.get("NO_AGENT")) listed.set("NO_AGENT", told.get("NO_AGENT"));
    verdict(heading, asked ? told : listed, wanted, (state) => { wanted = wanted === state ? "" : state; changed(); });
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
    for (const name of nodes.keys()) bare.delete(name);
    cursor = news.cursor;
  }

  let timer = null;
  function changed() {
    keep(new Map([["q", filter.value], ["state", wanted], ["sort", sort.value === "risk" ? "" : sort.value], ["group", group.value === "state" ? "" : group.value]]));
    arrange();
    clearTimeout(timer);
    // A pause in typing: half an expression is no question.
    timer = setTimeout(() => look().catch((error) => { if (!signal.aborted) problem.textContent = error.message; }), 250);
  }
  filter.addEventListener("input", changed);
  sort.addEventListener("change", changed);
  group.addEventListener("change", changed);
  repeat(look, PAUSE, signal);
}
