const PREFIX = "vocalsep.studio.";

/** The preference stored under `name`, or `fallback`. */
export function loadPreference(name, fallback) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name)) ?? fallback;
  } catch {
    return fallback;
  }
}

/** Store a preference for the next visit, where the browser allows it. */
export function savePreference(name, value) {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Storage can be full or forbidden; the page works without.
  }
}
