import { loadPreference, savePreference } from "./preferences.js";
import { clearColourCache } from "./theme_colours.js";

const THEMES = ["auto", "light", "dark"];

/** Let `button` step through the themes; `onChange()` is called when colours change, also by the system's setting. */
export function setupThemeButton(button, onChange) {
  const stored = loadPreference("theme");
  let theme = THEMES.includes(stored) ? stored : "auto";

  const apply = () => {
    document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    clearColourCache();
    onChange();
  };
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    savePreference("theme", theme);
    apply();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  apply();
}
