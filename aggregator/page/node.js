// One node: its verdict, its long gaps on a time axis with their causes, what was measured around them, and its settings.

import { get, repeat } from "./api.js";
import { causes, course, madeRoom } from "./course.js";
import { filled, html, strip } from "./plot.js";
import { table } from "./table.js";
import { UNKNOWN, counted, duration, interval, moment, named, seconds, setting, share, stateOf } from "./words.js";

/** Pause between two looks, in ms. */
const PAUSE = 2000;
/** The course of hours changes slowly: it is asked for every so many looks. */
const COURSE_EVERY = 5;
/** Longest gaps told one by one below the plot. */
const GAPS_SHOWN = 50;

export function node(main, name, signal) {
  const part = (draw, kind = "div") => { const element = html(kind, {}); return [element, filled(element, draw)]; };
  const fold = (title, draw) => { const [element, fill] = part(draw); return [html("details", {}, html("summary", {}, title), element), fill]; };
  const problem = html("p", { class: "problem", role: "status" }, "asking…");
  const [top, showTop] = part((known, listed) => verdict(known, listed));
  const [hours, showHours] = part((past, gaps, grace, until, dropped) => [html("h2", {}, "The last hours"), course(past, gaps, grace, until), madeRoom(dropped)]);
  const [why, showWhy] = part((known, gaps) => [html("h2", {}, "Why heartbeats were late"), causes(known, gaps)]);
  const [latest, showLatest] = fold(`Latest gaps, at most ${GAPS_SHOWN}`, gapTable);
  const [both, showBoth] = fold("Channels", channels);
  const [facts, showFacts] = fold("Kubelet settings and node facts", settings);
  main.append(html("p", {}, html("a", { href: "#/" }, "← Fleet")), html("h1", {}, name), problem, html("div", { class: "node" }, top, hours, why, latest, both, facts));

  let [looks, past] = [0, null];
  repeat(async () => {
    let known, listed;
    try {
      [known, listed, past] = await Promise.all([
        get(`nodes/${encodeURIComponent(name)}.json`, {}, signal),
        get("gaps.json", { node_name: name, page_size: 1000 }, signal),
        past && ++looks % COURSE_EVERY ? past : get("course.json", { node_name: name }, signal),
      ]);
    } catch (error) {
      if (error.http !== 404) throw error;
      problem.textContent = error.message;
      return;
    }
    problem.textContent = "";
    showTop(known, listed);
    showHours(past, listed.gaps, seconds(known.margin?.gracePeriod), now(known), listed.droppedGaps);
    showWhy(known.causes, listed.gaps);
    showLatest(listed.gaps, listed.droppedGaps);
    showBoth(known.channels);
    showFacts(known.kubeletSettings, known.facts, known.agent);
  }, PAUSE, signal);
}

function verdict(node, listed) {
  const [state, grace] = [stateOf(node.state), seconds(node.margin?.gracePeriod)];
  return [
    html("p", { class: "verdict" }, html("span", { class: `state ${state.name}` }, `${state.glyph} ${state.name}`), ` ${node.stateReason}`),
    html("div", { class: `gaps big ${state.name}` }, grace ? strip(striped(node, listed), grace, `gaps of ${node.name} against the grace period`) : ""),
    figures(node),
  ];
}

/** When the node was heard of last, in seconds: its own clock may be another than this browser's, and faster where it is simulated. */
const now = (node) => Math.max(0, ...[node.latestSample?.sampleTime, ...node.channels.map((channel) => channel.lastArrivalTime)].filter(Boolean).map((time) => Date.parse(time) / 1000));

const striped = (node, { gaps }) => ({
  p50: seconds(node.gap.p50), p99: seconds(node.gap.p99), max: seconds(node.gap.max),
  running: seconds(node.runningGap?.duration), recent: gaps.slice(0, 8).map((gap) => seconds(gap.duration)),
});

function list(entries) {
  return html("dl", { class: "facts" }, entries.map(([term, value]) => html("div", {}, html("dt", {}, term), html("dd", {}, value ?? UNKNOWN))));
}

function figures({ gap, margin, expectedFlips, flipsSeen, runningGap, observation, losses, ready, blastRadius }) {
  return list([
    ["Gap p50 / p99 / p99.9", [gap.p50, gap.p99, gap.p999].map((value) => duration(seconds(value))).join(" / ")],
    ["Longest gap", duration(seconds(gap.max))],
    ["Margin at p99", margin ? `${duration(seconds(margin.p99))} (grace ${setting(seconds(margin.gracePeriod))})` : UNKNOWN],
    ["Expected flips per day", interval(expectedFlips)],
    ["Flips seen", flipsSeen],
    ["Running gap", runningGap ? `${duration(seconds(runningGap.duration))}, can flip in ${duration(seconds(runningGap.earliestFlipIn))}` : UNKNOWN],
    ["Goes with it", blastRadius ? `${counted(blastRadius.addresses, "address", "addresses")} of ${counted(blastRadius.totalServices, "Service")}, ${blastRadius.withoutAnyLeft} left without any` : UNKNOWN],
    ["Measured for", duration(seconds(observation.measured))],
    ["Blind", `${duration(seconds(observation.blind))} in ${counted(observation.blindSpells, "spell")}`],
    ["Ready", ready ? `${named(ready.status, "CONDITION_STATUS_")} (${ready.reason})` : UNKNOWN],
    ["Records lost", losses ? lost(losses) : "none"],
  ]);
}

/** Everything that is missing, in one number; what the aggregator refused is no less lost than what the agent dropped. */
function lost(losses) {
  const dropped = ["droppedHeartbeats", "droppedSamples", "droppedOthers"].reduce((sum, kind) => sum + Number(losses[kind]), 0);
  const refused = Number(losses.rejectedRecords);
  return refused ? `${dropped + refused}, ${refused} of them refused` : String(dropped);
}

const gapTable = (gaps, dropped) => [table(["Ended", "Length", "Flip probability", "Late", "First cause"], gaps.slice(0, GAPS_SHOWN).map((gap) => [
  moment(gap.endTime), duration(seconds(gap.duration)) + (gap.uncertainty ? ` ± ${duration(seconds(gap.uncertainty))}` : ""),
  gap.uncounted ? "not counted" : share(gap.flipProbability) + (gap.flipSeen ? ", flipped" : ""),
  duration(seconds(gap.lateness)), gap.causes[0]?.sentence ?? "not judged",
])), madeRoom(dropped)];

const channels = (both) => table(["Channel", "Seen", "Heartbeats", "Period p50", "Period p99", "Delivery p50", "Delivery p99"], both.map((channel) => [
  named(channel.channel, "CHANNEL_"), channel.view ? named(channel.view.visibility, "VISIBILITY_") : UNKNOWN, channel.heartbeats,
  ...[channel.period, channel.deliveryDelay].flatMap((spread) => [spread?.p50, spread?.p99].map((value) => duration(seconds(value)))),
]));

function settings(set, facts, agent) {
  return list([
    ["nodeStatusUpdateFrequency", duration(seconds(set?.nodeStatusUpdateFrequency))],
    ["nodeStatusReportFrequency", duration(seconds(set?.nodeStatusReportFrequency))],
    ["nodeLeaseDuration", duration(seconds(set?.nodeLeaseDuration))],
    ["Kubelet", facts?.kubeletVersion || UNKNOWN], ["Runtime", facts?.containerRuntimeVersion || UNKNOWN],
    ["Kernel", facts?.kernelVersion || UNKNOWN], ["Zone", facts?.zone || UNKNOWN], ["Agent", agent?.version || UNKNOWN],
  ]);
}
