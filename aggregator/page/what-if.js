// What other grace periods would have led to: the curve, and a slider along it.

import { get, repeat } from "./api.js";
import { chart, filled, html, path, svg } from "./plot.js";
import { keep, place } from "./place.js";
import { BASES, UNKNOWN, duration, interval, rate, seconds, setting } from "./words.js";

/** Grace periods asked for besides the present one. */
const MOST = 40;
/** How far they reach at least: in seconds, and in present grace periods. */
const [FAR, FURTHER] = [205, 2];

/** Grace periods to ask for, in seconds: multiples of the monitor period, which is how the controller's polls fall, and the present one. */
function graces({ gracePeriod, monitorPeriod }) {
  const [present, monitor] = [seconds(gracePeriod), seconds(monitorPeriod)];
  const step = monitor * Math.ceil(Math.max(FAR, FURTHER * present) / monitor / (MOST + 1));
  // From two looks of the controller on; sums of the step would not be what is written there.
  const asked = Array.from({ length: MOST }, (_, index) => Number((step * (index + 1)).toFixed(3))).filter((grace) => grace >= 2 * monitor);
  return [...new Set([...asked, present])].sort((one, other) => one - other);
}
/** Pause between two replays, in ms: each looks at every gap of the fleet. */
const PAUSE = 15000;

export function whatIf(main, signal) {
  const wanted = Number(place().parameters.get("g"));
  const plot = html("figure", {});
  const slider = html("input", { id: "grace", type: "range", min: 0, max: 0, step: 1, value: 0 });
  const now = html("output", { for: "grace" });
  const figures = html("div", { "aria-live": "polite" });
  const advice = html("section", { "aria-label": "Recommendation" });
  const showAdvice = filled(advice, recommendation);
  main.append(html("h1", {}, "What if the grace period were different?"), plot,
    html("label", { class: "slider", for: "grace" }, html("span", {}, "node-monitor-grace-period ", now), slider), figures, advice);
  let [known, asked, moved] = [null, [], false];

  function show() {
    const outcome = known?.outcomes[Number(slider.value)];
    if (!outcome) return;
    const grace = seconds(outcome.gracePeriod);
    now.textContent = setting(grace);
    slider.setAttribute("aria-valuetext", `${grace} seconds`);
    plot.replaceChildren(curve(known, grace));
    const { estimate, meanDetection, latestDetection, affectedNodes, affectedNodeCount, notReadyPerDay, savedPerDay, lostPodsPerDay } = outcome;
    const facts = [
      ["Flips per day", interval(estimate)],
      ["By", estimate ? BASES[estimate.basis] ?? UNKNOWN : UNKNOWN],
      ["A dead node is marked after", `${duration(seconds(meanDetection))} on average, ${duration(seconds(latestDetection))} at most`],
      ["Nodes with a gap at risk", estimate ? affectedNodeCount : UNKNOWN],
      ["Not ready though alive, per day", duration(seconds(notReadyPerDay))],
      ["Saved against now, per day", duration(seconds(savedPerDay))],
      ["Pods marked not ready, per day", rate(lostPodsPerDay)],
    ];
    figures.replaceChildren(
      html("dl", { class: "facts" }, facts.map(([term, value]) => html("div", {}, html("dt", {}, term), html("dd", {}, value)))),
      affectedNodes.length ? html("p", {}, "Worst: ", affectedNodes.flatMap((each, at) => [at ? ", " : "",
        html("a", { href: `#/node/${encodeURIComponent(each.nodeName)}` }, each.nodeName), ` ${rate(each.flips?.perDay)}/day`])) : "",
      html("h2", {}, "To set it"), html("pre", { tabindex: "0" }, `kube-controller-manager --node-monitor-grace-period=${grace}s`));
  }
  window.addEventListener("resize", show, { signal });
  slider.addEventListener("input", () => {
    moved = true;
    keep(new Map([["g", String(asked[Number(slider.value)])]]));
    show();
  });

  repeat(async () => {
    if (!asked.length) {
      // The settings stay as they are while the aggregator runs.
      asked = graces((await get("fleet.json", {}, signal)).controller);
      slider.max = asked.length - 1;
    }
    const [replayed, advised] = await Promise.all([
      get("what-if.json", { grace_period: asked.map((grace) => `${grace}s`).join(",") }, signal),
      get("recommend.json", {}, signal),
    ]);
    known = replayed;
    if (!moved) {
      const start = wanted || seconds(replayed.present.gracePeriod);
      slider.value = asked.reduce((best, grace, at) => (Math.abs(grace - start) < Math.abs(asked[best] - start) ? at : best), 0);
    }
    show();
    showAdvice(advised);
  }, PAUSE, signal);
}

function curve({ outcomes, present }, chosen) {
  const points = outcomes.map(({ gracePeriod, estimate }) => [seconds(gracePeriod), estimate]);
  const rates = points.flatMap(([, estimate]) => (estimate ? [estimate.perDay, estimate.perDayLower, estimate.perDayUpper] : [])).filter((value) => value > 0);
  if (!rates.length) return html("p", { class: "empty" }, "No gap was measured yet: nothing can be replayed.");
  const high = 10 ** Math.ceil(Math.log10(Math.max(...rates)));
  const low = Math.max(10 ** Math.floor(Math.log10(Math.min(...rates))), high / 1e8);
  const known = points.filter(([, estimate]) => estimate);
  const now = seconds(present.gracePeriod);
  return chart({
    height: 320, x: [points[0][0], points.at(-1)[0]], y: [low, high], log: true, unit: "log scale, 95 % interval",
    title: "Flips per day", named: setting,
    draw: (x, y) => {
      const edge = (of) => known.map(([at, estimate]) => `${x(at).toFixed(1)} ${y(of(estimate)).toFixed(1)}`);
      const area = [...edge((estimate) => estimate.perDayUpper), ...edge((estimate) => estimate.perDayLower).reverse()];
      const mark = (at, kind, text, line) => [
        svg("line", { x1: x(at), x2: x(at), y1: 18, y2: 298, class: kind }), svg("text", { x: x(at) + 5, y: line, class: "tick" }, text)];
      return [svg("path", { d: `M${area.join("L")}Z`, class: "area" }),
        // Below the scale the curve ends: drawn along its edge it would claim a rate.
        path(known.map(([at, estimate]) => [at, estimate.perDay >= low ? estimate.perDay : null]), x, y, "line gap"),
        mark(now, "grace", `now ${setting(now)}`, 30), chosen === now ? null : mark(chosen, "chosen", setting(chosen), 46)];
    },
  });
}

function recommendation(advice) {
  const marks = { HOLDS: "✓", FAILS: "✕", UNKNOWN: "?" };
  return [html("h2", {}, "Recommendation"), html("p", { class: "verdict" }, advice.summary),
    html("ul", { class: "checks" }, advice.checks.map((check) => {
      const outcome = check.outcome.replace("CHECK_OUTCOME_", "");
      return html("li", { class: outcome }, html("b", {}, `${marks[outcome] ?? "?"} ${outcome} `), check.rule, html("span", { class: "note" }, ` ${check.reason}`));
    })),
    advice.settings.map((settings) => [html("h3", {}, settings.place), html("pre", { tabindex: "0" }, settings.text)])];
}
