import { byId } from "./dom.js";
import { formatTime } from "./format.js";
import { text } from "./language.js";

const MIN_LENGTH_S = 0.25;

/** The region that is looped, with its buttons. Event: "change". */
export class LoopRegion extends EventTarget {
  #start = null;
  #end = null;
  #enabled = false;

  constructor(player) {
    super();
    this.player = player;
    byId("loop").addEventListener("click", () => this.toggle());
    byId("loop-start").addEventListener("click", () => this.#mark(player.position, this.#end));
    byId("loop-end").addEventListener("click", () => this.#mark(this.#start, player.position));
    byId("loop-clear").addEventListener("click", () => this.clear());
    this.#render();
  }

  /** The region in seconds, {start, end, enabled}; null where none is set and the loop is off. */
  get range() {
    if (!this.isSet && !this.#enabled) return null;
    return { start: this.#start ?? 0, end: this.#end ?? this.player.duration, enabled: this.#enabled };
  }

  /** Whether a passage is set. */
  get isSet() {
    return this.#start !== null || this.#end !== null;
  }

  /** Loop from `start` to `end` (seconds, in either order). */
  set(start, end) {
    const first = Math.min(start, end);
    this.#mark(first, Math.max(start, end, first + MIN_LENGTH_S));
  }

  /** Set a region as it was kept for a song: `region` is {start, end} in seconds or null. */
  restore(region, enabled) {
    this.#start = region?.start ?? null;
    this.#end = region?.end ?? null;
    this.#enabled = enabled;
    this.#apply();
  }

  /** Turn the loop on or off; where no region is set, the whole song is looped. */
  toggle() {
    this.#enabled = !this.#enabled;
    this.#apply();
  }

  /** Remove the region, and turn the loop off. */
  clear() {
    this.restore(null, false);
  }

  /** Move the region to the same part of a version that is `ratio` times as long. */
  scale(ratio) {
    if (this.#start !== null) this.#start *= ratio;
    if (this.#end !== null) this.#end *= ratio;
    this.#apply();
  }

  // An end before the start removes the start, and a start behind the end removes the end: the newer mark counts.
  #mark(start, end) {
    const valid = start === null || end === null || end - start >= MIN_LENGTH_S;
    const startIsNew = start !== this.#start;
    this.#start = valid || startIsNew ? start : null;
    this.#end = valid || !startIsNew ? end : null;
    this.#enabled = true;
    this.#apply();
  }

  #apply() {
    const range = this.range;
    this.player.setLoop(range?.enabled ? range : null);
    this.#render();
    this.dispatchEvent(new Event("change"));
  }

  #render() {
    byId("loop").setAttribute("aria-pressed", this.#enabled);
    byId("loop-clear").disabled = !this.isSet && !this.#enabled;
    const start = formatTime(this.#start ?? 0, 1);
    const end = this.#end === null ? text("loop_song_end") : formatTime(this.#end, 1);
    const whole = this.#enabled ? text("loop_whole") : text("loop_none");
    byId("loop-text").textContent = this.isSet ? text("loop_range", { start, end }) : whole;
  }
}
