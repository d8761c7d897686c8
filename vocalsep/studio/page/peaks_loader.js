import * as api from "./api.js";
import { text } from "./language.js";

const MIN_INTERVAL_MS = 1000;

/** Fetches the waveform peaks of the song in the player, repeatedly while it is being separated. */
export class PeaksLoader {
  #song = null;
  #loadedState = "";
  #busy = false;

  /** `onPeaks(peaks)` gets them, or null for none; `onError(message)` is called when they cannot be fetched. */
  constructor(onPeaks, onError) {
    this.onPeaks = onPeaks;
    this.onError = onError;
  }

  /** Load the peaks of `song` as it is now; null for none. */
  update(song) {
    if (song?.id !== this.#song?.id || song?.ready === 0) {
      this.#loadedState = "";
      this.onPeaks(null);
    }
    this.#song = song;
    this.#fetch();
  }

  async #fetch() {
    const song = this.#song;
    const state = song && `${song.id} ${song.ready}`;
    if (!song || this.#busy || song.ready === 0 || state === this.#loadedState) return;
    this.#busy = true;
    this.#loadedState = state;
    const started = performance.now();
    try {
      const peaks = await api.peaks(song.id);
      if (song.id === this.#song?.id) this.onPeaks(peaks);
    } catch (error) {
      if (song.id === this.#song?.id) this.onError(text("error_waveform", { reason: error.message }));
    }
    // Long songs have large answers: at most a tenth of the time is spent on fetching them.
    const pause = song.state === "running" ? MIN_INTERVAL_MS + 10 * (performance.now() - started) : 0;
    setTimeout(() => {
      this.#busy = false;
      this.#fetch();
    }, pause);
  }
}
