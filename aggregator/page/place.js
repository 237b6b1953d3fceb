// The address after the hash: which view, and what it is asked to show.

/** The address after the hash: a path and its parameters. */
export function place() {
  const [path, query = ""] = location.hash.replace(/^#/, "").split("?");
  return { path: path || "/", parameters: new URLSearchParams(query) };
}

/** Keeps `parameters` in the address without a step in the history. */
export function keep(parameters) {
  const query = new URLSearchParams([...parameters].filter(([, value]) => value)).toString();
  history.replaceState(null, "", `#${place().path}${query ? `?${query}` : ""}`);
}
