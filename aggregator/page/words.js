// What figures and states are called, and how a figure is written: as kubectl nodegrace does (aggregator/cli/src/show/figure.rs), so
// that a number found here is found there. Unknown is a dash, and never a zero.

export const UNKNOWN = "-";

/** States, the most endangered first, each with a glyph, so that colour is never the only sign. */
export const STATES = [
  ["NOT_READY", "✕", "Ready is not True"],
  ["OVERDUE", "▲", "the gap running now is unusually long"],
  ["FLIPPING", "◆", "flips are expected weekly, or one was seen today"],
  ["NEAR", "●", "gaps come near the grace period"],
  ["STALE", "◌", "no report lately"],
  ["NO_AGENT", "○", "no agent has reported"],
  ["LEARNING", "…", "too few heartbeats to judge"],
  ["OK", "✓", "gaps stay well below the grace period"],
].map(([name, glyph, meaning], rank) => ({ name, glyph, meaning, rank }));

const BY_NAME = new Map(STATES.map((state) => [state.name, state]));

/** A value of an enum without its prefix. */
export const named = (value, prefix) => {
  const name = value?.replace(prefix, "");
  return !name || name === "UNSPECIFIED" ? UNKNOWN : name;
};
export const cause = (kind) => named(kind, "CAUSE_KIND_");

export const stateOf = (name) =>
  BY_NAME.get(name.replace(/^STATE_/, "")) ?? { name, glyph: "?", meaning: "", rank: STATES.length };

/** Seconds of a protobuf duration such as "3.500s"; null when it is absent. */
export const seconds = (text) => (text == null ? null : Number.parseFloat(text));

/** So many decimals. A tie goes to the even digit, as in the terminal; only odd multiples of a power of two can be one. */
function fixed(value, digits) {
  const size = Math.abs(value);
  const tie = (size * 2 ** (digits + 1)) % 2 === 1;
  const below = Math.floor(size * 10 ** digits);
  return (tie && below % 2 === 0 ? Math.sign(value) * below / 10 ** digits : value).toFixed(digits);
}

/** A length of time in the unit that suits it: "24.5s", "12.5min", "3.5h", "2.1d". */
export function duration(value) {
  if (value == null || Number.isNaN(value)) return UNKNOWN;
  const size = Math.abs(value);
  const [unit, name] = size < 600 ? [1, "s"] : size < 7200 ? [60, "min"] : size < 172800 ? [3600, "h"] : [86400, "d"];
  return fixed(value / unit, 1) + name;
}

/** A setting, which has no digits that say nothing: "40s". */
export const setting = (value) => (value == null ? UNKNOWN : `${value}s`);

/** A figure per day: three digits where there are as many, "<0.01" where there is hardly any. */
export function rate(value) {
  if (value == null) return UNKNOWN;
  if (value === 0) return "0";
  return value < 0.01 ? "<0.01" : fixed(value, value < 1 ? 2 : value < 100 ? 1 : 0);
}

/** "1.2 (0.80..1.9)": a rate with its 95 % interval. */
export const interval = (flips) =>
  flips ? `${rate(flips.perDay)} (${rate(flips.perDayLower)}..${rate(flips.perDayUpper)})` : UNKNOWN;

/** Where an estimate comes from, in words. */
export const BASES = { ESTIMATE_BASIS_REPLAYED: "replay", ESTIMATE_BASIS_EXTRAPOLATED: "tail of the gaps", ESTIMATE_BASIS_HARDLY_SEEN: "replay of too few gaps" };

/** A share of one: "13%". */
export function share(ratio) {
  if (ratio == null) return UNKNOWN;
  if (ratio === 0) return "0%";
  if (ratio > 0 && ratio < 0.01) return "<1%";
  return ratio > 0.99 && ratio < 1 ? ">99%" : `${fixed(ratio * 100, 0)}%`;
}

/** A moment in UTC to the second, as logs have it: "2026-11-25T07:12:33Z". Of a text, or of milliseconds. */
export function moment(time) {
  const at = time == null || time === "" ? NaN : new Date(time).getTime();
  return Number.isNaN(at) ? UNKNOWN : `${new Date(at).toISOString().slice(0, 19)}Z`;
}

/** The same on an axis that spans so many seconds: as much of it as tells two ticks apart. */
export function tick(milliseconds, span) {
  const text = moment(milliseconds);
  if (span > 2 * 86400) return text.slice(5, 10);
  if (span > 86400 / 2) return `${text.slice(8, 10)}. ${text.slice(11, 16)}`;
  return text.slice(11, span > 1800 ? 16 : 19);
}

/** "1 node", "2 nodes". */
export const counted = (number, one, many = `${one}s`) => `${number} ${Number(number) === 1 ? one : many}`;
