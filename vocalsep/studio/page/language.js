import { byId, createElement } from "./dom.js";
import { loadPreference, savePreference } from "./preferences.js";

const NAMES = { en: "English", de: "Deutsch", es: "Español", zh: "中文", ja: "日本語" };
const ATTRIBUTES = { label: "aria-label", placeholder: "placeholder", alt: "alt" };

let table = {};
let plurals = new Intl.PluralRules("en");

/** The language of the page, as a code of two letters. */
export const language = () => document.documentElement.lang;

/**
 * The text of `key` in the page's language, with `{name}` replaced by `values.name`. Of a key with a text for each
 * plural form it is the one for `values.count`.
 */
export function text(key, values = {}) {
  const entry = table[key] ?? key;
  const pattern = typeof entry === "string" ? entry : (entry[plurals.select(values.count)] ?? entry.other);
  return pattern.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/**
 * What went wrong, in the page's language, from its code and values as the studio tells them; the studio's English
 * sentence for a code that this page does not know.
 */
export function problemText(code, values, english) {
  const key = `problem_${code}`;
  return key in table ? text(key, values) : english;
}

/** Load the texts of the user's language, or else of the browser's, and translate the page. */
export async function loadLanguage() {
  const chosen =
    loadPreference("language") ?? navigator.languages.map((code) => code.slice(0, 2)).find((code) => code in NAMES);
  const code = chosen in NAMES ? chosen : "en";
  const response = await fetch(new URL(`./languages/${code}.json`, import.meta.url));
  table = await response.json();
  plurals = new Intl.PluralRules(code);
  document.documentElement.lang = code;
  translate(document);
  if (byId("language")) setupMenu(code);
}

function translate(root) {
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const [name, attribute] of Object.entries(ATTRIBUTES)) {
    for (const element of root.querySelectorAll(`[data-${name}]`)) {
      element.setAttribute(attribute, text(element.dataset[name]));
    }
  }
}

// Another language needs the whole page again; what plays and how is kept for each song.
function setupMenu(code) {
  const options = Object.entries(NAMES).map(([value, name]) =>
    createElement("option", { value, textContent: name, lang: value }),
  );
  byId("language").replaceChildren(...options);
  byId("language").value = code;
  byId("language").addEventListener("change", () => {
    savePreference("language", byId("language").value);
    location.reload();
  });
}
