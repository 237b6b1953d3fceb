// Asks the aggregator. A token, where one is needed, lives in this tab alone and is sent as a header.

import { duration } from "./words.js";

const KEY = "nodegrace-token";
/** Longest wait for an answer, in ms: what computes over a large fleet takes seconds, and a connection that is dead says nothing at all. */
const PATIENCE = 20_000;
/** An answer that is later than this is told of, in ms. */
const LATE = 5000;
/** Steps in which the age of the figures is told, in ms: every change of it is read out. */
const AGE_STEP = 10_000;

/** An answer that is an error: with the gRPC code, the field and the reason where the aggregator named them. */
export class Refused extends Error {
  constructor(http, text) {
    const status = parsed(text);
    super(status?.message ?? (text.trim() || `HTTP ${http}`));
    this.http = http;
    this.code = status?.code;
    this.field = status?.details?.[0]?.fieldViolations?.[0]?.field;
  }
}

/** The error as google.rpc.Status, where it is one: a proxy in between speaks its own tongue. */
function parsed(text) {
  try { return JSON.parse(text); } catch { return null; }
}

async function ask(path, signal) {
  const token = sessionStorage.getItem(KEY);
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const tired = AbortSignal.timeout(PATIENCE);
  return fetch(path, { headers, signal: signal ? AbortSignal.any([signal, tired]) : tired, credentials: "omit" });
}

/** The JSON at `path` under /api/v1/ with these parameters; empty ones are left out. */
export async function get(path, parameters = {}, signal) {
  try {
    return await answered(path, parameters, signal);
  } catch (error) {
    // Its code is none of gRPC's.
    if (error.name === "TimeoutError") throw new Error("no answer came in time", { cause: error });
    throw error;
  }
}

async function answered(path, parameters, signal) {
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value != null);
  const query = new URLSearchParams(given).toString();
  const url = `/api/v1/${path}${query ? `?${query}` : ""}`;
  let answer = await ask(url, signal);
  if (answer.status === 401 || answer.status === 403) {
    who.hidden = false;
    const refused = new Refused(answer.status, await answer.text());
    document.getElementById("why").textContent = `It says: ${refused.message}`;
    if (declined || !await tokenGiven()) throw refused;
    signal?.throwIfAborted();
    answer = await ask(url, signal);
  }
  if (answer.ok) return answer.json();
  throw new Refused(answer.status, await answer.text());
}

const who = document.getElementById("who");
let asking = null;
// Whoever has closed the dialog is not asked again, but by that button.
let declined = false;

who.addEventListener("click", tokenGiven);
document.getElementById("here").textContent = `${location.protocol}//localhost:4851`;

/** Asks for a token once, however many requests wait for it; true when one was given. */
function tokenGiven() {
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById("ask");
    dialog.returnValue = "";
    dialog.addEventListener("close", () => {
      const input = document.getElementById("token");
      const given = dialog.returnValue === "use";
      if (given) sessionStorage.setItem(KEY, input.value.trim());
      input.value = "";
      declined = !given;
      asking = null;
      resolve(given);
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}

/**
 * Calls `step` until `signal` aborts: `pause` ms after each end, longer and longer while it fails, and not while nobody can see it.
 * Says for how long no answer came, whether that is refused, lost or just not there yet.
 */
export async function repeat(step, pause, signal) {
  const live = document.getElementById("live");
  let [latest, failure, ever] = [performance.now(), null, false];
  const tell = () => {
    if (signal.aborted) return;
    const silent = performance.now() - latest;
    const lost = failure != null || silent > pause + LATE;
    if (!lost && !ever) return;
    const since = duration(Math.floor(silent / AGE_STEP) * AGE_STEP / 1000).replace(".0", "");
    const text = !lost ? "live" : failure instanceof Refused ? failure.message
      : `${failure ? "offline – trying again" : "waiting for an answer"}; ${silent < AGE_STEP ? "figures are old" : `none for ${since}: figures are old`}`;
    if (live.textContent !== text) live.textContent = text;
    live.dataset.state = lost ? "lost" : "live";
  };
  const watch = setInterval(tell, 1000);
  signal.addEventListener("abort", () => clearInterval(watch), { once: true });
  for (let failures = 0; !signal.aborted; ) {
    // Nothing is asked for a tab that is hidden, so that nothing is known anew either.
    if (!document.hidden) {
      try {
        await step(signal);
        [latest, failure, failures, ever] = [performance.now(), null, 0, true];
      } catch (error) {
        failure = error;
        failures += 1;
      }
      tell();
    }
    if (signal.aborted) return;
    await rest(pause * Math.min(1 + failures, 8), signal);
  }
}

/** Waits for so many ms, or until the tab is hidden or seen again, or `signal` aborts. */
function rest(pause, signal) {
  return new Promise((resolve) => {
    const woken = new AbortController();
    const done = () => { woken.abort(); clearTimeout(timer); resolve(); };
    const timer = setTimeout(done, pause);
    document.addEventListener("visibilitychange", done, { signal: woken.signal });
    signal.addEventListener("abort", done, { signal: woken.signal });
  });
}
