import { forget } from "./colours.js";
import { recall, remember } from "./memory.js";

const THEMES = ["auto", "light", "dark"];

/** Let `button` step through the themes; `recolour()` follows whenever colours change, by the system's choice too. */
export function offerThemes(button, recolour) {
  let theme = THEMES.includes(recall("theme")) ? recall("theme") : "auto";

  const show = () => {
    document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    forget();
    recolour();
  };
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    remember("theme", theme);
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  show();
}
