// A Service's story in picture and words: for each flip the silence of the node, when it was marked, and how long addresses were away.

import { html, label, room, svg, timeTicks } from "./plot.js";
import { cause, duration, moment, named, seconds, setting, tick } from "./words.js";

/** Flips drawn, the latest: the words tell of all. */
const MOST_PICTURES = 3;
/** Addresses drawn of a flip. */
const MOST_LANES = 8;
const LANE = 26;

/** What an entry's kind is marked with. */
const MARKS = {
  LAST_HEARTBEAT: "♥", FLIP: "✕", ADDRESS_LEFT: "−", ADDRESS_DRAINED: "−", ADDRESS_REMOVED: "−", ADDRESS_RETURNED: "+", ADDRESS_ADDED: "+",
  HEARTBEAT_BACK: "♥", NODE_READY: "✓", CAUSE: "?", REMEDY: "→",
};

/** What happened, in the order in which it did. */
export function sentences(entries) {
  return html("ol", { class: "story" }, entries.map((entry) => {
    const kind = named(entry.kind, "TIMELINE_KIND_");
    return html("li", { class: kind }, html("time", { datetime: entry.time }, moment(entry.time)),
      html("span", { class: "mark", "aria-hidden": "true" }, MARKS[kind] ?? "·"), html("span", {}, entry.sentence));
  }));
}

/** A picture of each of the latest flips, the latest first. */
export const pictures = (flips, grace) => flips.slice(-MOST_PICTURES).reverse().map((flip) => picture(flip, grace));

const at = (text) => (text ? Date.parse(text) / 1000 : null);

function picture(flip, grace) {
  const seen = at(flip.seenTime);
  const unheard = seconds(flip.unheardFor);
  // Counted back by what the node measured: its clock may be another than the aggregator's.
  const silent = unheard == null ? null : seen - unheard;
  const back = flip.gap && silent != null ? silent + seconds(flip.gap.duration) : null;
  const ready = at(flip.readyAgainTime ?? flip.deletedTime);
  const enough = flip.kind === "FLIP_KIND_HEARTBEAT_LOST" && flip.gap ? seconds(flip.gap.sufficientGracePeriod) : null;
  const lanes = flip.addresses.slice(0, MOST_LANES);
  const ends = [silent, seen, back, ready, silent != null && enough != null ? silent + enough : null, ...lanes.flatMap((lost) => [at(lost.leftTime), at(lost.returnedTime ?? lost.goneTime)])].filter((time) => time != null);
  const spare = Math.max((Math.max(...ends) - Math.min(...ends)) * 0.04, 1);
  const [x0, x1] = [Math.min(...ends) - spare, Math.max(...ends) + spare];
  const width = room();
  const [left, right, top] = [width < 600 ? 96 : 150, 12, 34];
  const bottom = top + (2 + lanes.length) * LANE;
  const x = (time) => left + (time - x0) / (x1 - x0) * (width - left - right);
  const y = (lane) => top + lane * LANE;
  const bar = (from, to, number, kind, title) => svg("g", {}, svg("title", {}, title),
    svg("rect", { x: x(from), width: Math.max(x(to ?? x1) - x(from), 2), y: y(number) + 5, height: LANE - 10, rx: 3, class: `spell ${kind} ${to == null ? "open" : ""}` }));
  const line = (time, kind, text, level) => [svg("line", { x1: x(time), x2: x(time), y1: top - 4, y2: bottom, class: kind }),
    svg("text", { x: Math.min(Math.max(x(time), left), width - right), y: level, class: `tick ${x(time) > width * 0.7 ? "end" : ""}` }, text)];
  const lane = (number, text) => svg("text", { x: 0, y: y(number) + LANE / 2 + 4, class: "lane" }, svg("title", {}, text), short(text, left));
  const why = flip.causes[0];
  return html("figure", { class: "picture" },
    html("figcaption", {}, html("b", {}, `${flip.nodeName}, ${moment(flip.seenTime)}`), ` ${named(flip.kind, "FLIP_KIND_")}`,
      unheard != null ? `: unheard for ${duration(unheard)}` : "", enough != null ? `; a grace period of ${setting(enough)} would have kept it` : "", why ? `; ${cause(why.kind)}` : ""),
    svg("svg", { viewBox: `0 0 ${width} ${bottom + 20}`, class: "chart", role: "img", "aria-label": `What happened around the flip of ${flip.nodeName}` },
      timeTicks(x0, x1, width < 600 ? 4 : 8).map((time) => [svg("line", { x1: x(time), x2: x(time), y1: top, y2: bottom, class: "grid" }),
        label(x(time), bottom + 14, tick(time * 1000, x1 - x0), [0, width])]),
      lane(0, "no heartbeat"), silent != null && bar(silent, back, 0, "silence", `no heartbeat for ${duration(back == null ? unheard : back - silent)}${back == null ? " and more" : ""}`),
      lane(1, "not Ready"), bar(seen, ready, 1, "unready", ready == null ? "not back yet" : `not Ready for ${duration(ready - seen)}`),
      lanes.map((lost, number) => {
        const [gone, returned] = [at(lost.leftTime), at(lost.returnedTime ?? lost.goneTime)];
        const how = returned == null ? "not back yet" : lost.returnedTime && lost.late ? "back, after a time that nobody saw" : lost.returnedTime ? `away for ${duration(returned - gone)}` : `taken off the list after ${duration(returned - gone)}`;
        return [lane(number + 2, lost.address), bar(gone, returned, number + 2, "away", `${lost.address} (${lost.podName || "no pod"}): ${how}`)];
      }),
      silent != null && grace != null && line(silent + grace, "grace", `grace ${setting(grace)}`, 12),
      silent != null && enough != null && line(silent + enough, "chosen", `kept by ${setting(enough)}`, 26)),
    flip.addresses.length > MOST_LANES ? html("p", { class: "note" }, `${MOST_LANES} of the ${flip.addresses.length} addresses that left are drawn.`) : "");
}

/** As much of a label as there is room for. */
const short = (text, width) => { const most = Math.floor((width - 8) / 6.8); return text.length > most ? `${text.slice(0, most - 1)}…` : text; };
