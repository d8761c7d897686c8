import { byId } from "./dom.js";
import { recall, remember } from "./memory.js";
import { STEMS } from "./stems.js";

/** The sliders, mutes and solos; they set the player's gains. Event: "change". */
export class Mixer extends EventTarget {
  #muted = new Set();
  #solo = new Set();

  constructor(player) {
    super();
    this.player = player;
    for (const stem of STEMS) {
      this.#slider(stem, () => this.#apply());
      byId(`mute-${stem}`).addEventListener("click", () => this.toggleMute(stem));
      byId(`solo-${stem}`).addEventListener("click", () => this.toggleSolo(stem));
    }
    this.#slider("volume", () => player.setVolume(byId("volume").value / 100));
    player.setVolume(byId("volume").value / 100);
    this.#apply();
  }

  /** What is heard of each stem, mute and solo included: linear gains, 0 to 1. */
  gains() {
    return Object.fromEntries(STEMS.map((stem) => [stem, this.#silent(stem) ? 0 : byId(stem).value / 100]));
  }

  /** Move the slider of a stem by `percent`. */
  nudge(stem, percent) {
    const slider = byId(stem);
    slider.value = Number(slider.value) + percent;
    slider.dispatchEvent(new Event("input"));
  }

  toggleMute(stem) {
    this.#toggle(this.#muted, stem);
  }

  toggleSolo(stem) {
    this.#toggle(this.#solo, stem);
  }

  #silent(stem) {
    return this.#muted.has(stem) || (this.#solo.size > 0 && !this.#solo.has(stem));
  }

  #toggle(set, stem) {
    if (!set.delete(stem)) set.add(stem);
    this.#apply();
  }

  #slider(id, changed) {
    const slider = byId(id);
    const show = () => {
      slider.setAttribute("aria-valuetext", `${slider.value} percent`);
      byId(`${id}-value`).textContent = `${slider.value} %`;
    };
    slider.value = recall(id, 100);
    show();
    slider.addEventListener("input", () => {
      show();
      remember(id, Number(slider.value));
      changed();
    });
  }

  #apply() {
    const gains = this.gains();
    for (const stem of STEMS) {
      this.player.setGain(stem, gains[stem]);
      byId(`mute-${stem}`).setAttribute("aria-pressed", this.#muted.has(stem));
      byId(`solo-${stem}`).setAttribute("aria-pressed", this.#solo.has(stem));
      byId(stem).closest(".stem").classList.toggle("silent", this.#silent(stem));
    }
    this.dispatchEvent(new Event("change"));
  }
}
