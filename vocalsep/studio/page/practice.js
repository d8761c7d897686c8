import * as api from "./api.js";
import { byId } from "./dom.js";
import { keyAndTempo } from "./format.js";

const OWN = { key: 0, tempo: 100 };

/** Key and tempo for practice. Event: "version" (detail: {key, tempo, samples}, or null for the song as it is). */
export class Practice extends EventTarget {
  #song = null;
  #version = null;
  #busy = false;
  #text = "";

  constructor(problem) {
    super();
    this.problem = problem;
    byId("practice").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#apply({ key: byId("key").valueAsNumber, tempo: byId("tempo").valueAsNumber });
    });
    byId("reset-version").addEventListener("click", () => {
      this.#fill();
      this.#apply(OWN);
    });
  }

  /** The key (semitones) and tempo (percent) that are playing. */
  get current() {
    return this.#version ?? OWN;
  }

  /** Take another song, as it is; null for none. */
  open(song) {
    this.#song = song;
    this.#version = null;
    this.#busy = false;
    this.#fill();
    this.#show("");
  }

  /** Hear that the song has got on. */
  update(song) {
    this.#song = song;
    this.#show(this.#text);
  }

  async #apply({ key, tempo }) {
    const song = this.#song;
    if (key === OWN.key && tempo === OWN.tempo) {
      this.#play(null);
      return;
    }
    this.#busy = true;
    this.#show(`Preparing ${keyAndTempo(key, tempo)} …`);
    try {
      const version = await api.makeVersion(song.id, key, tempo);
      if (song.id === this.#song?.id) this.#play(version);
    } catch (error) {
      this.problem(`${song.name}: ${error.message}`);
      if (song.id === this.#song?.id) this.#play(this.#version);
    }
  }

  #play(version) {
    this.#busy = false;
    const other = version !== this.#version;
    this.#version = version;
    const { key, tempo } = this.current;
    this.#show(version ? `Playing ${keyAndTempo(key, tempo)}` : "Playing the song's own key and tempo");
    if (other) this.dispatchEvent(new CustomEvent("version", { detail: version }));
  }

  #fill() {
    byId("key").value = OWN.key;
    byId("tempo").value = OWN.tempo;
  }

  #show(text) {
    this.#text = text;
    const done = this.#song?.state === "done";
    byId("apply-version").disabled = !done || this.#busy;
    byId("reset-version").disabled = !done || this.#busy;
    byId("practice").setAttribute("aria-busy", this.#busy);
    const said = done ? text : "Key and tempo can be changed once the song is separated.";
    // A screen reader would read even the same words again, at every step of the separation.
    if (byId("practice-state").textContent !== said) byId("practice-state").textContent = said;
  }
}
