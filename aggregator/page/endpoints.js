// Why did my endpoint disappear? The story of one Service, the Services at risk, and the flips there were.

import { get, repeat } from "./api.js";
import { filled, html } from "./plot.js";
import { keep, place } from "./place.js";
import { pictures, sentences } from "./story.js";
import { table } from "./table.js";
import { UNKNOWN, cause, counted, duration, moment, named, seconds, share } from "./words.js";

/** Pause between two looks, in ms. */
const PAUSE = 5000;
/** Rows of either list: what comes first is what matters. */
const MOST = 50;

const nodeLink = (name) => html("a", { href: `#/node/${encodeURIComponent(name)}` }, name);
const serviceLink = ({ namespace, service }) => html("a", { href: `#/endpoints?${new URLSearchParams({ service: `${namespace}/${service}` })}` }, `${namespace}/${service}`);

export function endpoints(main, signal) {
  const wanted = place().parameters.get("service") ?? "";
  const input = html("input", { id: "service", value: wanted, placeholder: "namespace/service", list: "services", spellcheck: "false", autocomplete: "off", "aria-describedby": "service-error" });
  const services = html("datalist", { id: "services" });
  const form = html("form", { class: "tools", role: "search" }, html("label", { class: "grow" }, "Service ", input), services, html("button", { type: "submit" }, "Explain"));
  const problem = html("p", { id: "service-error", class: "problem", role: "alert" });
  const [story, risk, flips] = ["Story", "Services at risk", "Flips"].map((label) => html("section", { "aria-label": label }));
  main.append(html("h1", {}, "Why did my endpoint disappear?"), form, problem, story, risk, flips);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (text && !/^[^/\s]+\/[^/\s]+$/.test(text)) { problem.textContent = "A Service is written namespace/service."; return; }
    // Another Service is another place: the way back leads to the one before.
    location.hash = `#/endpoints${text ? `?${new URLSearchParams({ service: text })}` : ""}`;
  });
  if (!wanted) keep(new Map());

  const showStory = filled(story, (isWatched, answer, grace, offered) => (!isWatched ? unwatched() : wanted ? theStory(wanted, answer, grace)
    : [html("p", { class: "empty" }, offered ? "Pick a Service: those that lost an address, or may, are offered." : "Type the name of a Service.")]));
  const [showRisk, showFlips] = [filled(risk, atRisk), filled(flips, theFlips)];
  let fleet = null;
  repeat(async () => {
    const unless = (error) => { if (error.code == null || signal.aborted) throw error; return { error: { code: error.code, message: error.message } }; };
    const [namespace, service] = wanted.split("/");
    // The settings stay as they are while the aggregator runs.
    fleet ??= await get("fleet.json", {}, signal);
    const isWatched = fleet.clusterWatch?.endpointSlices?.phase !== "WATCH_PHASE_OFF";
    const [listed, at, explained] = await Promise.all([
      get("flips.json", { page_size: MOST }, signal),
      isWatched ? get("services-at-risk.json", { page_size: MOST }, signal).catch(unless) : { isOff: true },
      isWatched && wanted ? get("explain-endpoint.json", { namespace, service }, signal).catch(unless) : null,
    ]);
    const known = new Set([...(at.services ?? []).map((one) => one.share), ...listed.flips.flatMap((flip) => flip.services)].map((one) => `${one.namespace}/${one.service}`));
    services.replaceChildren(...[...known].sort().map((name) => html("option", { value: name })));
    showStory(isWatched, explained, seconds(fleet.controller.gracePeriod), known.size > 0);
    showRisk(at);
    showFlips(listed);
  }, PAUSE, signal);
}

/** What there is in place of what only a watched cluster tells. */
function unwatched() {
  return html("div", { class: "notice" },
    html("p", {}, html("b", {}, "The cluster is not watched"), ", so nothing is known of Services and their addresses. Only flips that agents saw are listed below."),
    html("p", {}, "To turn it on, start the aggregator with ", html("code", {}, "--watch-cluster=on"), " and let it list and watch Nodes and EndpointSlices: ",
      html("code", {}, "deploy/components/endpoints"), " does both."));
}

function theStory(name, answer, grace) {
  if (answer.error) return [html("p", { class: "problem" }, answer.error.message)];
  const { summary, warning, entries, flips, droppedEntries } = answer;
  return [
    html("h2", {}, name),
    html("p", { class: "verdict" }, summary),
    warning ? html("p", { class: "problem" }, warning) : "",
    pictures(flips, grace),
    entries.length ? sentences(entries) : html("p", { class: "empty" }, "No address of it left lately."),
    Number(droppedEntries) > 0 ? html("p", { class: "note" }, `${counted(droppedEntries, "older entry", "older entries")} left out`) : "",
  ];
}

function atRisk(answer) {
  const heading = html("h2", {}, "Services at risk");
  if (answer.isOff) return [];
  if (answer.error) return [heading, html("p", { class: "problem" }, answer.error.message)];
  if (!answer.services.length) return [heading, html("p", { class: "empty" }, `No Service has a ready address on an endangered node (${answer.endangeredNodes} are).`)];
  const whole = answer.services.filter(({ share: of }) => of.loses >= of.ready).length;
  return [heading,
    html("p", { class: "note" }, `${counted(answer.endangeredNodes, "node")} endangered. ${whole ? `${counted(whole, "Service")} would lose every address` : "No Service would lose every address"} if they flipped together.`),
    table(["Service", "Would lose", "Share", "Endangered nodes"], answer.services.map(({ share: of, nodeNames }) => ({
      kind: of.loses >= of.ready ? "bad" : "",
      cells: [serviceLink(of), `${of.loses} of ${of.ready}${of.loses >= of.ready ? ": all" : ""}`, share(of.loses / of.ready),
        nodeNames.flatMap((name, at) => [at ? ", " : "", nodeLink(name)])],
    }))),
    answer.nextPageToken ? html("p", { class: "note" }, `The ${MOST} hit hardest are shown.`) : ""];
}

function theFlips({ flips, droppedFlips, nextPageToken }) {
  const heading = html("h2", {}, "Flips");
  if (!flips.length) return [heading, html("p", { class: "empty" }, "No node was seen to leave Ready.")];
  const lost = (flip) => {
    if (!Number(flip.lostAddresses)) return flip.seenByWatch ? "none" : UNKNOWN;
    return [`${flip.lostAddresses}: `, flip.services.slice(0, 3).flatMap((one, at) => [at ? ", " : "", serviceLink(one)]), flip.services.length > 3 ? `, ${flip.services.length - 3} more` : ""];
  };
  return [heading,
    table(["Seen", "Node", "Kind", "Unheard for", "Not Ready for", "Addresses lost", "First cause", "Kept by"], flips.map((flip) => ({
      kind: flip.readyAgainTime || flip.deletedTime ? "" : "bad",
      cells: [moment(flip.seenTime), nodeLink(flip.nodeName), named(flip.kind, "FLIP_KIND_"), duration(seconds(flip.unheardFor)),
        flip.readyAgainTime ? duration(seconds(flip.unreadyFor)) : flip.deletedTime ? "deleted" : flip.seenByWatch ? "not back" : UNKNOWN,
        lost(flip), cause(flip.causes[0]?.kind), flip.gap && flip.kind === "FLIP_KIND_HEARTBEAT_LOST" ? `a grace of ${duration(seconds(flip.gap.sufficientGracePeriod)).replace(".0s", "s")}` : UNKNOWN],
    }))),
    nextPageToken ? html("p", { class: "note" }, `The latest ${flips.length} are shown.`) : "",
    Number(droppedFlips) > 0 ? html("p", { class: "note" }, `${counted(droppedFlips, "older flip")} made room for newer ones.`) : ""];
}
