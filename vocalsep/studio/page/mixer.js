import { byId } from "./dom.js";
import { formatGain } from "./format.js";
import { text } from "./language.js";
import { loadPreference, savePreference } from "./preferences.js";
import { STEMS } from "./stems.js";

const VOICES = {
  karaoke: { vocals: 0, accompaniment: 1 },
  guide: { vocals: 0.25, accompaniment: 1 },
  original: { vocals: 1, accompaniment: 1 },
  voice: { vocals: 1, accompaniment: 0 },
};

/** Which voice is heard: four choices, sliders, mute and solo, which set the player's gains. Event: "change". */
export class Mixer extends EventTarget {
  #levels = { vocals: 0, accompaniment: 1 };
  #muted = new Set();
  #soloed = new Set();

  constructor(player) {
    super();
    this.player = player;
    for (const stem of STEMS) {
      byId(stem).addEventListener("input", () => this.setLevel(stem, byId(stem).value / 100));
      byId(`mute-${stem}`).addEventListener("click", () => this.toggleMute(stem));
      byId(`solo-${stem}`).addEventListener("click", () => this.toggleSolo(stem));
      const name = text(stem);
      byId(`mute-${stem}`).setAttribute("aria-label", `${text("mute")}: ${name}`);
      byId(`solo-${stem}`).setAttribute("aria-label", `${text("solo")}: ${name}`);
    }
    byId("bar-voice").addEventListener("input", () => this.setLevel("vocals", byId("bar-voice").value / 100));
    for (const choice of this.#choices()) {
      choice.addEventListener("change", () => this.restore({ ...VOICES[choice.value] }));
    }
    byId("volume").value = loadPreference("volume", 100);
    byId("volume").addEventListener("input", () => this.#setVolume());
    this.#setVolume();
    this.#apply();
  }

  /** The linear gain of each stem, 0 to 1, with mute and solo applied. */
  gains() {
    return Object.fromEntries(STEMS.map((stem) => [stem, this.#isSilent(stem) ? 0 : this.#levels[stem]]));
  }

  /** What is kept for a song: {vocals, accompaniment, muted, solo}. */
  get settings() {
    return { ...this.#levels, muted: [...this.#muted], solo: [...this.#soloed] };
  }

  /** Set everything as it was kept for a song; what is not named is reset. */
  restore({ vocals = 0, accompaniment = 1, muted = [], solo = [] }) {
    this.#levels = { vocals, accompaniment };
    this.#muted = new Set(muted);
    this.#soloed = new Set(solo);
    this.#apply();
  }

  /** Set the level of a stem, 0 to 1. */
  setLevel(stem, level) {
    this.#levels[stem] = Math.min(1, Math.max(0, level));
    this.#apply();
  }

  /** Mute a stem, or unmute it. */
  toggleMute(stem) {
    this.#toggle(this.#muted, stem);
  }

  /** Play a stem solo, or not. */
  toggleSolo(stem) {
    this.#toggle(this.#soloed, stem);
  }

  #choices() {
    return document.querySelectorAll("input[name=voice]");
  }

  #isSilent(stem) {
    return this.#muted.has(stem) || (this.#soloed.size > 0 && !this.#soloed.has(stem));
  }

  #toggle(set, stem) {
    if (!set.delete(stem)) set.add(stem);
    this.#apply();
  }

  #setVolume() {
    const percent = Number(byId("volume").value);
    savePreference("volume", percent);
    this.#showSlider("volume", percent / 100);
    this.player.setVolume(percent / 100);
  }

  #showSlider(id, level) {
    const percent = Math.round(100 * level);
    const slider = byId(id);
    if (Number(slider.value) !== percent) slider.value = percent;
    slider.setAttribute("aria-valuetext", formatGain(level));
    byId(`${id}-value`).textContent = formatGain(level);
  }

  #apply() {
    const gains = this.gains();
    for (const stem of STEMS) {
      this.player.setGain(stem, gains[stem]);
      this.#showSlider(stem, this.#levels[stem]);
      byId(`mute-${stem}`).setAttribute("aria-pressed", this.#muted.has(stem));
      byId(`solo-${stem}`).setAttribute("aria-pressed", this.#soloed.has(stem));
      byId(stem).closest(".stem").classList.toggle("silent", this.#isSilent(stem));
    }
    this.#showSlider("bar-voice", this.#levels.vocals);
    byId("bar").classList.toggle("silent", this.#isSilent("vocals"));
    for (const choice of this.#choices()) {
      const voice = VOICES[choice.value];
      choice.checked = STEMS.every((stem) => Math.abs(voice[stem] - gains[stem]) < 0.005);
    }
    this.dispatchEvent(new Event("change"));
  }
}
