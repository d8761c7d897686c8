import { byId } from "./dom.js";
import { loadPreference, savePreference } from "./preferences.js";
import { clearColourCache } from "./theme_colours.js";

const THEMES = ["auto", "light", "dark"];

/** Let the user choose the theme; `onChange()` is called when colours change, also by the system's setting. */
export function setupTheme(onChange) {
  const stored = loadPreference("theme");
  const choice = byId("theme");
  choice.value = THEMES.includes(stored) ? stored : "auto";

  const apply = () => {
    document.documentElement.dataset.theme = choice.value;
    clearColourCache();
    onChange();
  };
  choice.addEventListener("change", () => {
    savePreference("theme", choice.value);
    apply();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  apply();
}
