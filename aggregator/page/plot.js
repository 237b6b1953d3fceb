// Elements and plots: everything is SVG of the page's own, coloured by classes in style.css.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

export const html = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
export const svg = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

/** Draws into `element` what `draw` makes of its input, when that changed, or the room for it, and nobody stands in there: focus and selection stay. */
export function filled(element, draw) {
  let told = "";
  return (...input) => {
    const text = JSON.stringify([room(), input]);
    if (text === told || element.contains(document.activeElement) || element.querySelector(":active")) return;
    told = text;
    element.replaceChildren(...[draw(...input)].flat(Infinity).filter((child) => child != null && child !== false));
  };
}

/** Share of a strip's width at which the grace period stands: what is longer still has room to show by how much. */
const GRACE_AT = 0.72;

/** A node's gaps against the grace line: band p50 to p99, line to the longest, recent long ones as ticks, running one as a wedge. */
export function strip(node, grace, label) {
  const [width, height] = [400, 24];
  const middle = height / 2;
  const x = (value) => Math.min(value / grace * GRACE_AT, 0.995) * width;
  const line = (value, top, kind) =>
    svg("line", { x1: x(value), x2: x(value), y1: top, y2: height - top, class: kind });
  const parts = [svg("rect", { x: GRACE_AT * width, y: 0, width: (1 - GRACE_AT) * width, height, class: "beyond" })];
  if (node.p50 != null) {
    parts.push(
      svg("line", { x1: x(node.p50), x2: x(node.max), y1: middle, y2: middle, class: "whisker" }),
      svg("rect", { x: x(node.p50), y: middle - 5, width: Math.max(x(node.p99) - x(node.p50), 2), height: 10, rx: 2, class: "body" }),
      node.recent.map((gap) => line(gap, 4, "recent")),
      line(node.max, 7, "max"),
    );
  }
  parts.push(line(grace, 0, "grace"));
  if (node.running != null) {
    const at = x(node.running);
    parts.push(svg("path", { d: `M${at - 5} 0h10l-5 8z`, class: "running" }));
  }
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", class: "strip", role: "img", "aria-label": label }, parts);
}

/** Round numbers between two bounds, about `count` of them. */
export function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high; at += step) found.push(Number(at.toPrecision(12)));
  return found;
}

/** Steps between ticks of time, in seconds. */
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

/** Round moments between two, about `count` of them, in seconds. */
export function timeTicks(low, high, count) {
  const step = TIME_STEPS.find((size) => (high - low) / size <= count) ?? Math.ceil((high - low) / count / 86400) * 86400;
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high; at += step) found.push(at);
  return found;
}

/** Width there is for a plot, in pixels, so that text in it is as large as elsewhere. */
export const room = () => document.getElementById("main").clientWidth - (innerWidth <= 760 ? 24 : 40);

/** A label of the x axis, which stays within the frame. */
export function label(x, y, text, [left, right]) {
  const half = text.length * 3.4;
  const kind = x + half > right ? "end" : x - half < left ? "" : "middle";
  return svg("text", { x: kind === "end" ? Math.min(x + half, right) : kind ? x : Math.max(x - half, left), y, class: `tick ${kind}` }, text);
}

/** Room that a frame leaves to the left and right of what is in it. */
export const [LEFT, RIGHT] = [52, 10];

/** A frame with axes. `draw(x, y)` returns what is in it. The x axis has `columns`, or round numbers, written by `named`. */
export function chart({ width = room(), height = 180, x: [x0, x1], y: [y0, y1], log = false, columns, named, unit, title, draw }) {
  const [left, right, top, bottom] = [LEFT, RIGHT, 18, 22];
  const x = (value) => left + (value - x0) / (x1 - x0 || 1) * (width - left - right);
  const scale = log ? Math.log10 : (value) => value;
  const y = (value) => {
    const share = (scale(Math.max(value, log ? y0 : value)) - scale(y0)) / (scale(y1) - scale(y0) || 1);
    return height - bottom - Math.min(share, 1) * (height - top - bottom);
  };
  const rows = log
    ? Array.from({ length: Math.round(scale(y1) - scale(y0)) + 1 }, (_, power) => y0 * 10 ** power)
    : ticks(y0, y1, 4);
  const grid = rows.map((value) => [
    svg("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "grid" }),
    svg("text", { x: left - 6, y: y(value) + 4, class: "tick end" }, String(Number(value.toPrecision(3)))),
  ]);
  const marks = columns ?? ticks(x0, x1, width < 600 ? 4 : 8);
  const labels = marks.map((value) => label(x(value), height - 6, named(value), [0, width]));
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": title },
    grid, labels, svg("text", { x: left, y: 11, class: "axis" }, `${title}, ${unit}`), draw(x, y));
}

/** A path through points, broken where a value is unknown: a gap in what is known is never bridged. */
export function path(points, x, y, kind) {
  let pen = "M";
  let d = "";
  for (const [at, value] of points) {
    if (value == null) { pen = "M"; continue; }
    d += `${pen}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = "L";
  }
  return svg("path", { d, class: kind });
}

/** Values of consecutive steps of `length` from `begin` on, each as a level until `end` at most; where one is unknown there is a hole. */
export function steps(values, begin, length, end, x, y, kind) {
  let [d, open] = ["", false];
  values.forEach((value, place) => {
    if (value == null) { open = false; return; }
    const [from, to] = [begin + place * length, Math.min(begin + (place + 1) * length, end)];
    d += `${open ? "V" : `M${x(from).toFixed(1)} `}${y(value).toFixed(1)}H${x(to).toFixed(1)}`;
    open = true;
  });
  return svg("path", { d, class: kind });
}
