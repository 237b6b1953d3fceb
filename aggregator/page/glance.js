// The top of the fleet view: who is in danger, how many flips to expect, what is recommended, what it all rests on, and how far the
// figures came true so far.

import { html, svg } from "./plot.js";
import { BASES, STATES, UNKNOWN, counted, duration, interval, moment, rate, seconds, setting, stateOf } from "./words.js";

/** States that say that a node is in danger, or gone already. */
const DANGER = new Set(["NOT_READY", "OVERDUE", "FLIPPING", "NEAR"]);
/** What nodes share is told in sentences: so many are read. */
const MOST_SHARED = 2;
/** Days of calibration drawn: more would be too narrow. */
const MOST_DAYS = 30;

/** Says in `heading` how many nodes of each state there are; the one that is picked goes to `choose`. */
export function verdict(heading, of, wanted, choose) {
  // A press that began on a button has to end on it.
  if (heading.querySelector(":active")) return;
  const held = heading.contains(document.activeElement) ? document.activeElement.dataset.state : null;
  const count = (states) => states.reduce((sum, [, nodes]) => sum + nodes, 0);
  const all = count([...of]);
  const danger = count([...of].filter(([state]) => DANGER.has(state)));
  const says = !all ? "No agent has reported yet" : danger ? `${danger} of ${counted(all, "node")} in danger` : all === 1 ? "The node is not in danger" : `None of ${all} nodes is in danger`;
  heading.replaceChildren(
    html("h1", { class: danger ? "endangered" : null }, says),
    html("div", { class: "counts", role: "group", "aria-label": "Show only one state" },
      STATES.filter((state) => of.get(state.name)).map((state) => html("button", {
        type: "button", class: `state big ${state.name}`, title: `${state.meaning}: show only these`, "data-state": state.name,
        "aria-pressed": String(state.name === wanted), onclick: () => choose(state.name),
      }, html("b", {}, String(of.get(state.name))), ` ${state.glyph} ${state.name}`))));
  // Whoever stands on a state stays there while figures change.
  if (held) heading.querySelector(`[data-state="${held}"]`)?.focus({ preventScroll: true });
}

/** Fills `tiles` from GetFleet and, where it came, Recommend. */
export function glance(tiles, fleet, advice) {
  tiles.replaceChildren(
    tile("Expected flips per day", interval(fleet.expectedFlips), `by replay, 95 % interval; ${fleet.flipsSeen} seen`),
    tile("Grace period", setting(seconds(fleet.controller.gracePeriod)), fleet.controller.warning || fleet.controller.basis, fleet.controller.warning ? "warned" : ""),
    recommended(advice), coverage(fleet), calibration(fleet.calibration));
  const shared = fleet.sharedCauses.filter((cause) => Number(cause.nodes) > 1).slice(0, MOST_SHARED);
  if (shared.length) tiles.append(html("div", { class: "tile shared" }, html("h2", {}, "What nodes share, in the last hour"), shared.map((cause) => html("p", { class: "note" }, cause.sentence))));
}

const tile = (title, figure, note, kind = "") =>
  html("div", { class: `tile ${kind}` }, html("h2", {}, title), html("p", { class: "figure" }, figure), html("p", { class: "note" }, note));

/** One line of what Recommend says in a paragraph; the whole is a view of its own. */
function recommended(advice) {
  const figure = advice?.recommended ? setting(seconds(advice.recommended.gracePeriod)) : UNKNOWN;
  return tile("Recommended", figure, [`${inShort(advice)} `, html("a", { href: "#/what-if" }, "What if?")]);
}

function inShort(advice) {
  if (!advice) return "not computed: others compute now.";
  const { present, recommended, shortage } = advice;
  // What they rest on: the rate of the fleet beside this is replayed, and may be another.
  const by = (...outcomes) => [...new Set(outcomes.map((outcome) => BASES[outcome?.estimate?.basis]).filter(Boolean))].join(" and ");
  const flips = (outcome) => rate(outcome?.estimate?.perDay);
  if (recommended) {
    return present?.gracePeriod === recommended.gracePeriod ? `as it is: ${flips(present)} flips a day, by ${by(present)}.`
      : `${flips(recommended)} flips a day, not ${flips(present)}, by ${by(recommended, present)}.`;
  }
  return {
    SHORTAGE_KIND_NOTHING_MEASURED: "no gap was measured yet.",
    SHORTAGE_KIND_NOT_ENOUGH_DATA: `${duration(seconds(shortage?.observed))} seen, ${duration(seconds(shortage?.needed))} needed.`,
    SHORTAGE_KIND_OUT_OF_REACH: "no grace period meets the goal.",
  }[shortage?.kind] ?? "nothing.";
}

function coverage({ agentCoverage, connectedAgents, nodes, heartbeats, losses, history }) {
  const inCluster = agentCoverage ? Number(agentCoverage.nodes) : Number(nodes);
  const notes = [
    `${Number(heartbeats).toLocaleString("en")} heartbeats`,
    history.durable ? "on disk" : "in memory only",
    losses ? "agents lost records" : "no record lost",
    history.storeError && `cannot be written: ${history.storeError}`,
    Number(history.rejectedRecords) > 0 && `${history.rejectedRecords} records refused`,
    Number(agentCoverage?.withoutAgent) > 0 && `${agentCoverage.withoutAgent} without an agent`,
    Number(agentCoverage?.silentAgents) > 0 && `${counted(agentCoverage.silentAgents, "agent")} silent`,
    Number(agentCoverage?.withoutNode) > 0 && `${counted(agentCoverage.withoutNode, "agent")} without a Node`,
  ];
  return tile("Agents that report", `${connectedAgents} of ${inCluster}`, notes.filter(Boolean).join(", "), history.storeError || losses ? "warned" : "");
}

/** Flips predicted against those seen, day by day: whether the other figures can be trusted. */
function calibration(days) {
  const predicted = days.reduce((sum, day) => sum + day.predicted, 0);
  const seen = days.reduce((sum, day) => sum + Number(day.seen), 0);
  const within = days.filter((day) => Number(day.likelyLower) <= Number(day.seen) && Number(day.seen) <= Number(day.likelyUpper)).length;
  if (!days.length) return tile("Flips predicted / seen", UNKNOWN, "no gap came near enough to flip a node yet");
  return tile("Flips predicted / seen", `${rate(predicted)} / ${seen}`, [
    days.length > 1 ? bars(days.slice(0, MOST_DAYS).reverse()) : "",
    `within the prediction on ${within} of ${counted(days.length, "day")}`,
  ]);
}

/** Each day's likely range as a bar, what was seen as a point. */
function bars(days) {
  const [width, height] = [days.length * 10, 30];
  const top = Math.max(1, ...days.flatMap((day) => [Number(day.likelyUpper), Number(day.seen)]));
  const y = (value) => height - 3 - Number(value) / top * (height - 6);
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "bars", role: "img", "aria-label": "flips seen within the predicted range, day by day" },
    days.map((day, at) => {
      const off = Number(day.seen) < Number(day.likelyLower) || Number(day.seen) > Number(day.likelyUpper);
      return svg("g", { class: off ? "off" : "" },
        svg("title", {}, `${moment(day.startTime).slice(0, 10)}: ${rate(day.predicted)} predicted (${day.likelyLower}..${day.likelyUpper}), ${day.seen} seen`),
        svg("rect", { x: at * 10 + 2, width: 6, y: y(day.likelyUpper) - 1, height: y(day.likelyLower) - y(day.likelyUpper) + 2, rx: 1 }),
        svg("circle", { cx: at * 10 + 5, cy: y(day.seen), r: 2.5 }));
    }));
}
