import * as api from "./api.js";

const SAVE_DELAY_MS = 800;
const POSITION_INTERVAL_MS = 4000;

/** What is kept for each song by the studio: position, loop, levels, key and tempo. */
export class SongSettings {
  #id = null;
  #saved = {};
  #timer = 0;

  /** `read()` returns the settings as they are in the player now. */
  constructor(read) {
    this.read = read;
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.flush();
    });
    window.addEventListener("pagehide", () => this.flush());
    setInterval(() => this.flush(), POSITION_INTERVAL_MS);
  }

  /** Load the settings of a song; an empty object where there are none. */
  async load(id) {
    try {
      return await api.settings(id);
    } catch {
      // The song still plays without them.
      return {};
    }
  }

  /** Keep what changes from now on for the song `id`; null for none. */
  watch(id) {
    this.#id = id;
    this.#saved = id ? this.read() : {};
  }

  /** Save what has changed, a moment later: a slider sends many changes. */
  save() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), SAVE_DELAY_MS);
  }

  /** Save what has changed now. */
  flush() {
    clearTimeout(this.#timer);
    if (!this.#id) return;
    const now = this.read();
    const changed = Object.entries(now).filter(
      ([name, value]) => JSON.stringify(value) !== JSON.stringify(this.#saved[name]),
    );
    if (changed.length === 0) return;
    this.#saved = now;
    const id = this.#id;
    api.saveSettings(id, Object.fromEntries(changed)).catch(() => {
      // A song that was deleted meanwhile needs no settings. Those of another are sent again with the next ones.
      if (this.#id !== id) return;
      const names = changed.map(([name]) => name);
      this.#saved = Object.fromEntries(Object.entries(this.#saved).filter(([name]) => !names.includes(name)));
    });
  }
}
