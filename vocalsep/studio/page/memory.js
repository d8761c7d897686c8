const PREFIX = "vocalsep.studio.";

/** What was remembered under `name`, or `fallback`. */
export function recall(name, fallback) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name)) ?? fallback;
  } catch {
    return fallback;
  }
}

/** Keep `value` under `name` for the next visit, where the browser allows it. */
export function remember(name, value) {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Storage can be full or forbidden; the page works without.
  }
}
