import * as api from "./api.js";
import { byId } from "./dom.js";
import { formatKeyTempo } from "./format.js";

const ORIGINAL = { key: 0, tempo: 100 };

/** The form for key and tempo. Event: "version" (detail: {key, tempo, samples}, or null for the original). */
export class KeyTempoForm extends EventTarget {
  #song = null;
  #version = null;
  #busy = false;
  #status = "";

  /** `onError(message)` is called when a version cannot be made. */
  constructor(onError) {
    super();
    this.onError = onError;
    byId("practice").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#apply({ key: byId("key").valueAsNumber, tempo: byId("tempo").valueAsNumber });
    });
    byId("reset-version").addEventListener("click", () => {
      this.#resetInputs();
      this.#apply(ORIGINAL);
    });
  }

  /** The key (semitones) and tempo (percent) that are playing. */
  get current() {
    return this.#version ?? ORIGINAL;
  }

  /** Start with another song, in its original key and tempo; null for none. */
  open(song) {
    this.#song = song;
    this.#version = null;
    this.#busy = false;
    this.#resetInputs();
    this.#render("");
  }

  /** Update the same song. */
  update(song) {
    this.#song = song;
    this.#render(this.#status);
  }

  async #apply({ key, tempo }) {
    const song = this.#song;
    if (key === ORIGINAL.key && tempo === ORIGINAL.tempo) {
      this.#play(null);
      return;
    }
    this.#busy = true;
    this.#render(`Preparing ${formatKeyTempo(key, tempo)} …`);
    try {
      const version = await api.makeVersion(song.id, key, tempo);
      if (song.id === this.#song?.id) this.#play(version);
    } catch (error) {
      this.onError(`${song.name}: ${error.message}`);
      if (song.id === this.#song?.id) this.#play(this.#version);
    }
  }

  #play(version) {
    this.#busy = false;
    const changed = version !== this.#version;
    this.#version = version;
    const { key, tempo } = this.current;
    this.#render(version ? `Playing ${formatKeyTempo(key, tempo)}` : "Playing the song's own key and tempo");
    if (changed) this.dispatchEvent(new CustomEvent("version", { detail: version }));
  }

  #resetInputs() {
    byId("key").value = ORIGINAL.key;
    byId("tempo").value = ORIGINAL.tempo;
  }

  #render(status) {
    this.#status = status;
    const done = this.#song?.state === "done";
    byId("apply-version").disabled = !done || this.#busy;
    byId("reset-version").disabled = !done || this.#busy;
    byId("practice").setAttribute("aria-busy", this.#busy);
    const text = done ? status : "Key and tempo can be changed once the song is separated.";
    // A screen reader would read even the same words again, at every step of the separation.
    if (byId("practice-state").textContent !== text) byId("practice-state").textContent = text;
  }
}
