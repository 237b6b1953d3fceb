// Asks the aggregator. A token, where one is needed, lives in this tab alone and is sent as a header.

const KEY = "nodegrace-token";

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
  return fetch(path, { headers, signal, credentials: "omit" });
}

/** The JSON at `path` under /api/v1/ with these parameters; empty ones are left out. */
export async function get(path, parameters = {}, signal) {
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

/** Calls `step` until `signal` aborts: `pause` ms after each end, longer and longer while it fails. */
export async function repeat(step, pause, signal) {
  const live = document.getElementById("live");
  for (let failures = 0; !signal.aborted; ) {
    try {
      if (!document.hidden) await step(signal);
      if (signal.aborted) return;
      failures = 0;
      live.textContent = "live";
      live.dataset.state = "live";
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      live.textContent = error instanceof Refused ? error.message : "offline – trying again; figures are old";
      live.dataset.state = "lost";
    }
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, pause * Math.min(1 + failures, 8));
      signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
    });
  }
}
