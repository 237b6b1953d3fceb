// One node: its verdict, its long gaps on a time axis with their causes, what was measured around them, and its settings.

import { get, repeat } from "./api.js";
import { chart, html, path, strip, svg } from "./plot.js";
import { UNKNOWN, cause, clock, duration, interval, percent, plain, seconds, stateOf } from "./words.js";

/** Pause between two looks, in ms. */
const PAUSE = 2000;
/** Looks kept for the plots of what is measured: half an hour at one every two seconds. */
const MOST = 900;
/** Longest gaps told one by one below the plot. */
const GAPS_SHOWN = 50;

/** Plotted from each sample, with how to read it; null is unknown. */
const SERIES = [
  ["Running gap", "s", (node) => [["gap", seconds(node.runningGap?.duration)]]],
  ["Stalled on pressure (some, 10 s)", "share", ({ latestSample: sample }) => [
    ["cpu", sample?.pressure?.cpu?.someAvg10Ratio], ["io", sample?.pressure?.io?.someAvg10Ratio], ["memory", sample?.pressure?.memory?.someAvg10Ratio]]],
  ["Kubelet CPU", "cores", ({ latestSample: sample }) => [["cpu", sample?.kubeletProcess?.cpuCores ?? sample?.kubeletMetrics?.cpuCores]]],
  ["Slowest runtime call", "s", ({ latestSample: sample }) => [["io", slowest(sample)]]],
];

function slowest(sample) {
  const calls = sample?.runtime?.calls?.map((call) => seconds(call.took)) ?? [];
  const told = sample?.kubeletMetrics?.runtimeOperations?.map((operation) => seconds(operation.mean)) ?? [];
  const known = (calls.length ? calls : told).filter((took) => took != null);
  return known.length ? Math.max(...known) : null;
}

export function node(main, name, signal) {
  const body = html("div", { class: "node" });
  const looks = [];
  main.append(html("p", {}, html("a", { href: "#/" }, "← Fleet")), html("h1", {}, name), body);
  body.append(html("p", { role: "status" }, "asking…"));

  repeat(async () => {
    let known, listed;
    try {
      [known, listed] = await Promise.all([
        get(`nodes/${encodeURIComponent(name)}.json`, {}, signal),
        get("gaps.json", { node_name: name, page_size: 1000 }, signal),
      ]);
    } catch (error) {
      if (error.http !== 404) throw error;
      body.replaceChildren(html("p", { class: "problem" }, error.message));
      return;
    }
    const at = Date.parse(known.latestSample?.sampleTime ?? known.channels[0]?.lastArrivalTime ?? "") / 1000;
    if (at && looks.at(-1)?.at !== at) looks.push({ at, node: known });
    if (looks.length > MOST) looks.shift();
    // What is open or selected stays so: only whole answers that changed are drawn.
    if (!body.contains(document.activeElement) || document.activeElement.tagName !== "SUMMARY") show(body, known, listed, looks);
  }, PAUSE, signal);
}

function show(body, node, listed, looks) {
  const grace = seconds(node.margin?.gracePeriod);
  const state = stateOf(node.state);
  const open = new Set([...body.querySelectorAll("details[open]")].map((details) => details.id));
  const fold = (id, title, ...content) => html("details", { id, open: open.has(id) }, html("summary", {}, title), ...content);
  body.replaceChildren(
    html("p", { class: "verdict" }, html("span", { class: `state ${state.name}` }, `${state.glyph} ${plain(state.name)}`), ` ${node.stateReason}`),
    html("div", { class: `gaps big ${state.name}` }, grace ? strip(striped(node, listed), grace, `gaps of ${node.name} against the grace period`) : ""),
    figures(node),
    html("h2", {}, "Long gaps"), gapPlot(listed.gaps, grace),
    html("h2", {}, "Measured while this page is open"), live(looks),
    html("h2", {}, "Why heartbeats were late"), causes(node, listed.gaps),
    fold("gaps", `Latest gaps (${Math.min(listed.gaps.length, GAPS_SHOWN)} of ${listed.gaps.length} kept)`, gapTable(listed.gaps)),
    fold("channels", "Channels", channels(node)),
    fold("settings", "Kubelet settings and node facts", settings(node)));
}

const striped = (node, { gaps }) => ({
  p50: seconds(node.gap.p50), p99: seconds(node.gap.p99), max: seconds(node.gap.max),
  running: seconds(node.runningGap?.duration), recent: gaps.slice(0, 8).map((gap) => seconds(gap.duration)),
});

function list(entries) {
  return html("dl", { class: "facts" }, entries.map(([term, value]) => html("div", {}, html("dt", {}, term), html("dd", {}, value ?? UNKNOWN))));
}

function figures({ gap, margin, expectedFlips, flipsSeen, runningGap, observation, losses, ready }) {
  return list([
    ["Gap p50 / p99 / p99.9", [gap.p50, gap.p99, gap.p999].map((value) => duration(seconds(value))).join(" / ")],
    ["Longest gap", duration(seconds(gap.max))],
    ["Margin of p99", margin ? `${duration(seconds(margin.p99))} (${percent(margin.p99Ratio)})` : UNKNOWN],
    ["Expected flips per day", interval(expectedFlips)],
    ["Flips seen", flipsSeen],
    ["Running gap", duration(seconds(runningGap?.duration))],
    ["Measured for", duration(seconds(observation.measured))],
    ["Blind", `${duration(seconds(observation.blind))} in ${observation.blindSpells} spells`],
    ["Ready", ready ? `${plain(ready.status.replace("CONDITION_STATUS_", ""))} (${ready.reason})` : UNKNOWN],
    ["Records lost", losses ? String(Number(losses.droppedHeartbeats) + Number(losses.droppedSamples) + Number(losses.droppedOthers)) : "none"],
  ]);
}

/** Each gap kept exactly stands where it ended, as high as it was long; the colour is its first cause. */
function gapPlot(gaps, grace) {
  if (!gaps.length) return html("p", { class: "empty" }, "No gap was long enough to be kept one by one.");
  const at = (text) => Date.parse(text) / 1000;
  const ends = gaps.map((gap) => at(gap.endTime));
  const [x0, x1] = [Math.min(...gaps.map((gap) => at(gap.startTime))), Math.max(...ends)];
  const top = Math.max(...gaps.map((gap) => seconds(gap.duration)), (grace ?? 0) * 1.15);
  const kinds = [...new Set(gaps.map((gap) => gap.causes[0]?.kind).filter(Boolean))];
  const plot = chart({
    x: [x0, x1], y: [0, top], unit: "s", title: "Gap length", named: (value) => clock(value * 1000),
    draw: (x, y) => [
      grace && svg("line", { x1: x(x0), x2: x(x1), y1: y(grace), y2: y(grace), class: "grace" }),
      gaps.map((gap) => {
        const length = seconds(gap.duration);
        const why = gap.causes[0]?.sentence ?? "not judged";
        const kind = gap.uncounted ? "uncounted" : `c${gap.causes[0] ? kinds.indexOf(gap.causes[0].kind) % 6 : "none"}`;
        return svg("g", { class: `gap ${kind}` },
          svg("title", {}, `${clock(gap.endTime)}: ${duration(length)}${gap.flipSeen ? ", flipped" : ""}${gap.uncounted ? ", not counted: the agent was blind at its ends" : ""}. ${why}`),
          svg("line", { x1: x(at(gap.endTime)), x2: x(at(gap.endTime)), y1: y(0), y2: y(length) }),
          svg("circle", { cx: x(at(gap.endTime)), cy: y(length), r: gap.flipSeen ? 5 : 3 }));
      }),
    ],
  });
  return html("figure", {}, plot, html("figcaption", { class: "legend" },
    kinds.map((kind, at) => html("span", { class: `cause-key c${at % 6}` }, `● ${cause(kind)}`)),
    html("span", {}, "● grey: not judged"), html("span", {}, "○ not counted (blind at its ends)"), html("span", {}, "large: flipped"), html("span", { class: "key grace" }), "grace period"));
}

function live(looks) {
  if (looks.length < 2) return html("p", { class: "empty" }, "Waiting for the next samples: agents take one every few seconds.");
  const [x0, x1] = [looks[0].at, looks.at(-1).at];
  const plots = SERIES.map(([title, unit, read]) => {
    const points = looks.map(({ at, node }) => [at, read(node)]);
    const lines = points[0][1].map(([kind], index) => [kind, points.map(([at, values]) => [at, values[index][1]])]);
    const values = lines.flatMap(([, line]) => line.map(([, value]) => value)).filter((value) => value != null);
    if (!values.length) return html("p", { class: "empty" }, `${title}: unknown on this node`);
    return chart({
      height: 100, x: [x0, x1], y: [0, Math.max(...values, unit === "share" ? 0.1 : 0.01)], unit, title,
      named: (value) => clock(value * 1000), draw: (x, y) => lines.map(([kind, line]) => path(line, x, y, `line ${kind}`)),
    });
  });
  return html("figure", { class: "stack" }, plots, html("figcaption", { class: "legend" },
    ["cpu", "io", "memory"].map((kind) => html("span", { class: `line-key ${kind}` }, `— ${kind}`))));
}

function causes(node, gaps) {
  if (!node.causes.length) return html("p", { class: "empty" }, "None was late beyond the usual.");
  return html("ul", { class: "causes" }, node.causes.map((total) => {
    const latest = gaps.find((gap) => gap.causes[0]?.kind === total.kind)?.causes[0];
    return html("li", {}, html("b", {}, cause(total.kind)), ` first cause of ${total.gaps} late heartbeats, ${duration(seconds(total.accountsFor))} in all.`,
      latest && html("p", { class: "note" }, `Latest: ${latest.sentence}`),
      latest?.knobs.length ? html("ul", {}, latest.knobs.map((knob) => html("li", {}, html("code", {}, knob.setting), ` ${knob.advice}`))) : null);
  }));
}

function table(head, lines) {
  return html("div", { class: "wide", tabindex: "0", role: "region", "aria-label": head.join(", ") },
    html("table", {}, html("thead", {}, html("tr", {}, head.map((text) => html("th", { scope: "col" }, text)))),
      html("tbody", {}, lines.map((line) => html("tr", {}, line.map((text) => html("td", {}, text)))))));
}

const gapTable = (gaps) => table(["Ended", "Length", "Flip probability", "Late", "First cause"], gaps.slice(0, GAPS_SHOWN).map((gap) => [
  clock(gap.endTime), duration(seconds(gap.duration)) + (gap.uncertainty ? ` ± ${duration(seconds(gap.uncertainty))}` : ""),
  gap.uncounted ? "not counted" : percent(gap.flipProbability) + (gap.flipSeen ? ", flipped" : ""),
  duration(seconds(gap.lateness)), gap.causes[0]?.sentence ?? "not judged",
]));

const channels = (node) => table(["Channel", "Seen", "Heartbeats", "Period p50", "Period p99", "Delivery p50", "Delivery p99"], node.channels.map((channel) => [
  plain(channel.channel.replace("CHANNEL_", "")), channel.view ? plain(channel.view.visibility.replace("VISIBILITY_", "")) : UNKNOWN, channel.heartbeats,
  ...[channel.period, channel.deliveryDelay].flatMap((spread) => [spread?.p50, spread?.p99].map((value) => duration(seconds(value)))),
]));

function settings({ kubeletSettings: set, facts, agent }) {
  return list([
    ["nodeStatusUpdateFrequency", duration(seconds(set?.nodeStatusUpdateFrequency))],
    ["nodeStatusReportFrequency", duration(seconds(set?.nodeStatusReportFrequency))],
    ["nodeLeaseDuration", duration(seconds(set?.nodeLeaseDuration))],
    ["Kubelet", facts?.kubeletVersion || UNKNOWN], ["Runtime", facts?.containerRuntimeVersion || UNKNOWN],
    ["Kernel", facts?.kernelVersion || UNKNOWN], ["Zone", facts?.zone || UNKNOWN], ["Agent", agent?.version || UNKNOWN],
  ]);
}
