// What figures and states are called, and how a figure is written. Unknown is written as unknown.

export const UNKNOWN = "–";

/** States, the most endangered first, each with a glyph, so that colour is never the only sign. */
export const STATES = [
  ["NOT_READY", "✕", "Ready is not True"],
  ["OVERDUE", "▲", "the gap running now is unusually long"],
  ["FLIPPING", "◆", "flips are expected weekly, or one was seen today"],
  ["NEAR", "●", "gaps come near the grace period"],
  ["STALE", "◌", "no report lately"],
  ["NO_AGENT", "○", "no agent reports"],
  ["LEARNING", "…", "too few heartbeats to judge"],
  ["OK", "✓", "gaps stay well below the grace period"],
].map(([name, glyph, meaning], rank) => ({ name, glyph, meaning, rank }));

const BY_NAME = new Map(STATES.map((state) => [state.name, state]));

export const stateOf = (name) =>
  BY_NAME.get(name.replace(/^STATE_/, "")) ?? { name, glyph: "?", meaning: "", rank: STATES.length };

/** "CPU_STARVED" as people say it. */
export const plain = (name) => name.replace(/^[A-Z]+_(?=UNSPECIFIED$)/, "").replaceAll("_", " ").toLowerCase();
export const cause = (name) => plain(name.replace(/^CAUSE_KIND_/, ""));

/** Seconds of a protobuf duration such as "3.500s"; null when it is absent. */
export const seconds = (text) => (text == null ? null : Number.parseFloat(text));

export function duration(value) {
  if (value == null || Number.isNaN(value)) return UNKNOWN;
  if (value === 0) return "0 s";
  const size = Math.abs(value);
  if (size >= 2 * 86400) return `${(value / 86400).toFixed(1)} d`;
  if (size >= 2 * 3600) return `${(value / 3600).toFixed(1)} h`;
  if (size >= 600) return `${(value / 60).toFixed(0)} min`;
  if (size > 0 && size < 0.1) return `${(value * 1000).toFixed(size < 0.01 ? 1 : 0)} ms`;
  return `${value.toFixed(1)} s`;
}

export function rate(value) {
  if (value == null) return UNKNOWN;
  if (value === 0) return "0";
  if (value < 0.001) return value.toExponential(1);
  return value.toPrecision(value >= 100 ? 3 : 2).replace(/^(\d+(\.\d+)?)e\+(\d+)$/, (all) => String(Number(all)));
}

/** "1.2 (0.8–1.9)": a rate with its 95 % interval. */
export const interval = (flips) =>
  flips ? `${rate(flips.perDay)} (${rate(flips.perDayLower)}–${rate(flips.perDayUpper)})` : UNKNOWN;

export const percent = (ratio) => (ratio == null ? UNKNOWN : `${(ratio * 100).toFixed(ratio < 0.1 ? 1 : 0)} %`);

export const clock = (text) => (text ? new Date(text).toLocaleTimeString([], { hour12: false }) : UNKNOWN);
