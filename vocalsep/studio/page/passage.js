import { byId } from "./dom.js";
import { clock } from "./format.js";

const SHORTEST_S = 0.25;

/** The passage that is looped, with its buttons. Event: "change". */
export class Passage extends EventTarget {
  #start = null;
  #end = null;
  #on = false;

  constructor(player) {
    super();
    this.player = player;
    byId("loop").addEventListener("click", () => this.toggle());
    byId("loop-start").addEventListener("click", () => this.#mark(player.position, this.#end));
    byId("loop-end").addEventListener("click", () => this.#mark(this.#start, player.position));
    byId("loop-clear").addEventListener("click", () => this.clear());
    this.#show();
  }

  /** The passage in seconds and whether it repeats, {start, end, on}; null where none is set and nothing repeats. */
  get range() {
    if (this.#start === null && this.#end === null && !this.#on) return null;
    return { start: this.#start ?? 0, end: this.#end ?? this.player.duration, on: this.#on };
  }

  /** Loop from `start` to `end` (seconds, in either order). */
  set(start, end) {
    const first = Math.min(start, end);
    this.#mark(first, Math.max(start, end, first + SHORTEST_S));
  }

  /** Loop, or play on; where no passage is set, the whole song is looped. */
  toggle() {
    this.#on = !this.#on;
    this.#apply();
  }

  clear() {
    this.#start = null;
    this.#end = null;
    this.#on = false;
    this.#apply();
  }

  /** Keep to the same passage of a version that is `ratio` times as long. */
  scale(ratio) {
    if (this.#start !== null) this.#start *= ratio;
    if (this.#end !== null) this.#end *= ratio;
    this.#apply();
  }

  // The newer mark counts: an end before the start begins anew at the song's start, and the other way round.
  #mark(start, end) {
    const apart = start === null || end === null || end - start >= SHORTEST_S;
    const newStart = start !== this.#start;
    this.#start = apart || newStart ? start : null;
    this.#end = apart || !newStart ? end : null;
    this.#on = true;
    this.#apply();
  }

  #apply() {
    const range = this.range;
    this.player.setLoop(range?.on ? range : null);
    this.#show();
    this.dispatchEvent(new Event("change"));
  }

  #show() {
    const set = this.#start !== null || this.#end !== null;
    byId("loop").setAttribute("aria-pressed", this.#on);
    byId("loop-clear").disabled = !set && !this.#on;
    const from = clock(this.#start ?? 0);
    const to = this.#end === null ? "the end" : clock(this.#end);
    byId("loop-text").textContent = set ? `${from} to ${to}` : this.#on ? "Whole song" : "No passage set";
  }
}
