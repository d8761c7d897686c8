import { byId } from "./dom.js";
import { loadPreference, savePreference } from "./preferences.js";
import { STEMS } from "./stems.js";

/** The sliders and the mute and solo buttons, which set the player's gains. Event: "change". */
export class Mixer extends EventTarget {
  #muted = new Set();
  #soloed = new Set();

  constructor(player) {
    super();
    this.player = player;
    for (const stem of STEMS) {
      this.#setupSlider(stem, () => this.#apply());
      byId(`mute-${stem}`).addEventListener("click", () => this.toggleMute(stem));
      byId(`solo-${stem}`).addEventListener("click", () => this.toggleSolo(stem));
    }
    this.#setupSlider("volume", () => player.setVolume(byId("volume").value / 100));
    player.setVolume(byId("volume").value / 100);
    this.#apply();
  }

  /** The linear gain of each stem, 0 to 1, with mute and solo applied. */
  gains() {
    return Object.fromEntries(STEMS.map((stem) => [stem, this.#isSilent(stem) ? 0 : byId(stem).value / 100]));
  }

  /** Move the slider of a stem by `percent`. */
  nudge(stem, percent) {
    const slider = byId(stem);
    slider.value = Number(slider.value) + percent;
    slider.dispatchEvent(new Event("input"));
  }

  /** Mute a stem, or unmute it. */
  toggleMute(stem) {
    this.#toggle(this.#muted, stem);
  }

  /** Play a stem solo, or not. */
  toggleSolo(stem) {
    this.#toggle(this.#soloed, stem);
  }

  #isSilent(stem) {
    return this.#muted.has(stem) || (this.#soloed.size > 0 && !this.#soloed.has(stem));
  }

  #toggle(set, stem) {
    if (!set.delete(stem)) set.add(stem);
    this.#apply();
  }

  #setupSlider(id, onChange) {
    const slider = byId(id);
    const render = () => {
      slider.setAttribute("aria-valuetext", `${slider.value} percent`);
      byId(`${id}-value`).textContent = `${slider.value} %`;
    };
    slider.value = loadPreference(id, 100);
    render();
    slider.addEventListener("input", () => {
      render();
      savePreference(id, Number(slider.value));
      onChange();
    });
  }

  #apply() {
    const gains = this.gains();
    for (const stem of STEMS) {
      this.player.setGain(stem, gains[stem]);
      byId(`mute-${stem}`).setAttribute("aria-pressed", this.#muted.has(stem));
      byId(`solo-${stem}`).setAttribute("aria-pressed", this.#soloed.has(stem));
      byId(stem).closest(".stem").classList.toggle("silent", this.#isSilent(stem));
    }
    this.dispatchEvent(new Event("change"));
  }
}
