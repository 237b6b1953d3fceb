// What a node was like over the last hours, on one time axis: its gaps and their causes, and below them what was measured meanwhile.

import { chart, html, steps, svg, timeTicks } from "./plot.js";
import { cause, counted, duration, moment, seconds, tick } from "./words.js";

/** Plotted of each step: a title, a unit, the least that the axis reaches to, and its lines with how to read them; null is unknown. */
const PLOTS = [
  ["Longest period", "s", 15, [["Lease", "cpu", (step) => seconds(step.leasePeriod)], ["Node status", "io", (step) => seconds(step.statusPeriod)]]],
  ["Slowest runtime call", "s", 0.1, [["", "cpu", (step) => seconds(step.runtimeCall)]]],
  ["Stalled", "share of 10s", 0.1, [["cpu", "cpu", (step) => step.cpuPressureRatio], ["io", "io", (step) => step.ioPressureRatio], ["memory", "memory", (step) => step.memoryPressureRatio]]],
  ["Kubelet CPU", "cores", 0.1, [["", "cpu", (step) => step.kubeletCpuCores]]],
];
const COLOURS = 6;

/** Room that the names of some lines take beside each other. */
const widths = (lines) => lines.reduce((sum, [name]) => sum + name.length * 7 + 36, 0);
const at = (text) => Date.parse(text) / 1000;

/** The plots, from GetNodeCourse and ListGaps, until `now` in seconds. */
export function course({ startTime, step, steps: kept }, gaps, grace, now) {
  const length = seconds(step);
  const begin = startTime ? at(startTime) : gaps.length ? Math.min(...gaps.map((gap) => at(gap.startTime))) : null;
  if (begin == null) return html("p", { class: "empty" }, "Nothing was measured yet.");
  const range = [begin, Math.max(begin + Math.max(kept.length, 1) * length, now)];
  const shown = gaps.filter((gap) => at(gap.endTime) >= range[0]);
  const kinds = [...new Set(shown.map((gap) => gap.causes[0]?.kind).filter(Boolean))];
  const colour = (gap) => (gap.causes[0] ? `c${kinds.indexOf(gap.causes[0].kind) % COLOURS}` : "cnone");
  const axis = { x: range, columns: timeTicks(...range, innerWidth < 600 ? 4 : 10), named: (value) => tick(value * 1000, range[1] - range[0]) };
  // Behind every plot stands when a late gap was running, in the colour of its cause.
  const shades = (x, y, top) => shown.filter((gap) => gap.causes.length).map((gap) => svg("rect", {
    x: x(Math.max(at(gap.startTime), range[0])), width: Math.max(x(at(gap.endTime)) - x(Math.max(at(gap.startTime), range[0])), 1.5), y: y(top), height: y(0) - y(top), class: `shade ${colour(gap)}` }));
  const plots = PLOTS.map(([title, unit, least, lines]) => {
    const values = lines.map(([, , read]) => kept.map((one) => read(one) ?? null));
    const known = values.flat().filter((value) => value != null);
    if (!known.length) return html("p", { class: "empty" }, `${title}: not known of this node`);
    const top = Math.max(...known, least) * 1.05;
    return chart({
      ...axis, height: 100, y: [0, top], unit, title,
      draw: (x, y) => [shades(x, y, top), lines.map(([, kind], line) => steps(values[line], begin, length, range[1], x, y, `line ${kind}`)),
        lines.map(([name, kind], line) => name && svg("text", { x: x(range[1]) - widths(lines.slice(line + 1)), y: 11, class: `tick end line-key ${kind}` }, `— ${name}`))],
    });
  });
  return html("figure", { class: "stack" }, gapPlot(shown, grace, axis, colour, shades, [kept.map((one) => seconds(one.gap)), begin, length]), legend(kinds, gaps.length - shown.length), plots);
}

/**
 * Each gap kept exactly stands where it ended, as high as it was long; the colour is its first cause. Behind them is the longest of
 * every step, which is known of those too that made room for longer ones.
 */
function gapPlot(gaps, grace, axis, colour, shades, [longest, begin, length]) {
  const top = Math.max(...gaps.map((gap) => seconds(gap.duration)), ...longest.map(Number), (grace ?? 30) * 1.15) * 1.06;
  return chart({
    ...axis, y: [0, top], unit: "s", title: "Long gaps",
    draw: (x, y) => [
      shades(x, y, top),
      steps(longest, begin, length, axis.x[1], x, y, "line longest"),
      grace && svg("line", { x1: x(axis.x[0]), x2: x(axis.x[1]), y1: y(grace), y2: y(grace), class: "grace" }),
      gaps.map((gap) => {
        const length = seconds(gap.duration);
        return svg("g", { class: `gap ${gap.uncounted ? "uncounted" : ""} ${colour(gap)}` },
          svg("title", {}, `${moment(gap.endTime)}: ${duration(length)}${gap.flipSeen ? ", flipped" : ""}${gap.uncounted ? ", not counted: the agent was blind at its ends" : ""}. ${gap.causes[0]?.sentence ?? "Not judged."}`),
          svg("line", { x1: x(at(gap.endTime)), x2: x(at(gap.endTime)), y1: y(0), y2: y(length) }),
          svg("circle", { cx: x(at(gap.endTime)), cy: y(length), r: gap.flipSeen ? 5 : 3 }));
      }),
    ],
  });
}

/** Says that not every long gap is listed, where that is so. */
export const madeRoom = (dropped) => (Number(dropped) > 0 ? html("p", { class: "note" }, `${counted(dropped, "shorter gap")} made room for longer ones and ${Number(dropped) === 1 ? "is" : "are"} not listed.`) : "");

const legend = (kinds, older) => html("figcaption", { class: "legend" },
  kinds.map((kind, place) => html("span", { class: `cause-key c${place % COLOURS}` }, `● ${cause(kind)}`)),
  html("span", {}, "● grey: not judged"), html("span", {}, "○ not counted (blind at its ends)"), html("span", {}, "large: flipped"),
  html("span", { class: "key longest" }), "longest of every two minutes",
  html("span", { class: "key grace" }), "grace period", older ? html("span", {}, `${older} older below`) : "");

/** First causes of a node's late gaps, with the latest one's sentence and what acts on it. */
export function causes(totals, gaps) {
  if (!totals.length) return html("p", { class: "empty" }, "None was late beyond the usual.");
  return html("ul", { class: "causes" }, totals.map((total) => {
    const latest = gaps.find((gap) => gap.causes[0]?.kind === total.kind)?.causes[0];
    return html("li", {}, html("b", {}, cause(total.kind)), ` first cause of ${counted(total.gaps, "late heartbeat")}, ${duration(seconds(total.accountsFor))} in all.`,
      latest && html("p", { class: "note" }, `Latest: ${latest.sentence}`),
      latest?.knobs.length ? html("ul", {}, latest.knobs.map((knob) => html("li", {}, html("code", {}, knob.setting), ` ${knob.advice}`))) : null);
  }));
}
