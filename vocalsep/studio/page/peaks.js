import * as api from "./api.js";

const PAUSE_MS = 1000;

/** Fetches the peaks of the song in the player, again and again while it is being separated. */
export class Peaks {
  #song = null;
  #shown = "";
  #busy = false;

  /** `show(peaks)` gets them; `problem(sentence)` is told when they cannot be had. */
  constructor(show, problem) {
    this.show = show;
    this.problem = problem;
  }

  /** Keep to `song` as it is now; null for none. */
  follow(song) {
    if (song?.id !== this.#song?.id || song?.ready === 0) {
      this.#shown = "";
      this.show(null);
    }
    this.#song = song;
    this.#fetch();
  }

  async #fetch() {
    const song = this.#song;
    const stage = song && `${song.id} ${song.ready}`;
    if (!song || this.#busy || song.ready === 0 || stage === this.#shown) return;
    this.#busy = true;
    this.#shown = stage;
    const began = performance.now();
    try {
      const peaks = await api.peaks(song.id);
      if (song.id === this.#song?.id) this.show(peaks);
    } catch (error) {
      if (song.id === this.#song?.id) this.problem(`The waveform could not be fetched: ${error.message}`);
    }
    // Long songs have long answers: asking for them takes a tenth of the time at most.
    const pause = song.state === "running" ? PAUSE_MS + 10 * (performance.now() - began) : 0;
    setTimeout(() => {
      this.#busy = false;
      this.#fetch();
    }, pause);
  }
}
