import * as api from "./api.js";
import { byId } from "./dom.js";
import { formatKeyTempo, songLabel } from "./format.js";
import { text } from "./language.js";
import { SEGMENT_S } from "./segment_cache.js";

const ORIGINAL = { key: 0, tempo: 100 };
const TEMPO_STEP = 5;
// A few quick steps become one request.
const DELAY_MS = 350;

/**
 * The steppers for key and tempo. Events: "version" (detail: {key, tempo, samples}, or null for the original), and
 * "settled" once what was chosen plays, or could not be made.
 */
export class KeyTempo extends EventTarget {
  #song = null;
  #version = null;
  #wanted = ORIGINAL;
  #timer = 0;
  #request = null;

  /** `getPosition()` tells where in the song it plays; `onError(message)` is called when a version cannot be made. */
  constructor(getPosition, onError) {
    super();
    this.getPosition = getPosition;
    this.onError = onError;
    for (const name of ["key", "tempo"]) {
      const step = name === "key" ? 1 : TEMPO_STEP;
      byId(`${name}-down`).addEventListener("click", () => this.#step(name, -step));
      byId(`${name}-up`).addEventListener("click", () => this.#step(name, step));
      byId(name).addEventListener("change", () => this.#readInput(name));
    }
  }

  /** The key (semitones) and tempo (percent) that are playing. */
  get current() {
    return this.#version ?? ORIGINAL;
  }

  /** The key and tempo that the user chose, which may still be in preparation. */
  get wanted() {
    return this.#wanted;
  }

  /** Start with another song, in its original key and tempo; null for none. */
  open(song) {
    this.#abort();
    this.#song = song;
    this.#version = null;
    this.#wanted = ORIGINAL;
    this.#settle();
  }

  /** Update the same song. */
  update(song) {
    const wasDone = this.#song?.state === "done";
    this.#song = song;
    this.#render();
    if (!wasDone && song?.state === "done") this.set(this.#wanted);
  }

  /** Choose a key (semitones, -12 to 12) and a tempo (percent, 50 to 200); they are applied a moment later. */
  set({ key, tempo }, delay = 0) {
    this.#wanted = { key: Math.min(12, Math.max(-12, key)), tempo: Math.min(200, Math.max(50, tempo)) };
    this.#abort();
    this.#render();
    if (this.#song?.state === "done") this.#timer = setTimeout(() => this.#apply(), delay);
  }

  #step(name, amount) {
    this.set({ ...this.#wanted, [name]: this.#wanted[name] + amount }, DELAY_MS);
  }

  #readInput(name) {
    const value = byId(name).valueAsNumber;
    if (Number.isFinite(value)) this.set({ ...this.#wanted, [name]: Math.round(value) });
    else this.#render();
  }

  #abort() {
    clearTimeout(this.#timer);
    this.#request?.abort();
    this.#request = null;
  }

  async #apply() {
    const song = this.#song;
    const { key, tempo } = this.#wanted;
    const { current } = this;
    if (key === current.key && tempo === current.tempo) {
      this.#settle();
      return;
    }
    if (key === ORIGINAL.key && tempo === ORIGINAL.tempo) {
      this.#play(null);
      return;
    }
    const request = new AbortController();
    this.#request = request;
    this.#render();
    try {
      const version = await api.makeVersion(song.id, key, tempo, this.#start(tempo), request.signal);
      if (request === this.#request) this.#play(version);
    } catch (error) {
      if (error.name === "AbortError" || request !== this.#request) return;
      this.onError(`${songLabel(song)}: ${error.message}`);
      this.#wanted = this.current;
      this.#request = null;
      this.#settle();
    }
  }

  // The player fetches whole segments, which may begin a little earlier.
  #start(tempo) {
    return Math.max(0, this.getPosition() - (SEGMENT_S * tempo) / 100).toFixed(1);
  }

  #settle() {
    this.#render();
    this.dispatchEvent(new Event("settled"));
  }

  #play(version) {
    this.#request = null;
    this.#version = version;
    this.dispatchEvent(new CustomEvent("version", { detail: version }));
    this.#settle();
  }

  #status() {
    if (this.#song?.state !== "done") return text("practice_later");
    const { key, tempo } = this.#wanted;
    return this.#request ? text("practice_preparing", { version: formatKeyTempo(key, tempo) }) : "";
  }

  #render() {
    const done = this.#song?.state === "done";
    const limits = { key: [-12, 12], tempo: [50, 200] };
    for (const [name, [least, most]] of Object.entries(limits)) {
      if (byId(name).valueAsNumber !== this.#wanted[name]) byId(name).value = this.#wanted[name];
      byId(name).disabled = !done;
      byId(`${name}-down`).disabled = !done || this.#wanted[name] <= least;
      byId(`${name}-up`).disabled = !done || this.#wanted[name] >= most;
    }
    byId("practice").setAttribute("aria-busy", this.#request !== null);
    const status = this.#status();
    // A screen reader would read even the same words again, at every step of the separation.
    if (byId("practice-state").textContent !== status) byId("practice-state").textContent = status;
    byId("practice-state").hidden = !status;
  }
}
