import { css } from "./colours.js";
import { clock } from "./format.js";

const BAR_PX = 3;
const GAP_PX = 1;
const PAGE_S = 30;
const DRAG_PX = 4;

/**
 * Both stems over the whole song: vocals above the middle, accompaniment below.
 * Events: "seek" (detail: seconds), "passage" (detail: {start, end} in seconds).
 */
export class Waveform extends EventTarget {
  #canvas;
  #layer = document.createElement("canvas");
  #peaks = null;
  #state = { position: 0, duration: 0, ready: 0, whole: 0, passage: null };
  #drag = null;
  #stale = true;
  #described = "";

  constructor(canvas) {
    super();
    this.#canvas = canvas;
    new ResizeObserver(() => this.refresh()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", () => this.#letGo());
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("focus", () => this.#describe());
  }

  /** Show peaks as the studio gives them, {samples_per_peak, vocals, accompaniment}; null for none. */
  setPeaks(peaks) {
    this.#peaks = peaks;
    this.refresh();
  }

  /**
   * Where things are: `position`, `duration` and `ready` in seconds, `whole` in samples of the song at its own tempo,
   * `passage` as {start, end, on} in seconds or null.
   */
  place(state) {
    const before = this.#state;
    this.#state = state;
    if (state.whole !== before.whole || state.ready !== before.ready || state.duration !== before.duration) {
      this.#stale = true;
    }
    // A focused slider that changes by itself would make a screen reader talk all the time.
    const jumped = Math.abs(state.position - before.position) > 1;
    if (document.activeElement !== this.#canvas || jumped || state.duration !== before.duration) this.#describe();
    this.#draw();
  }

  /** Draw anew, in new colours or at a new size. */
  refresh() {
    this.#stale = true;
    this.#draw();
  }

  #describe() {
    const { position, duration } = this.#state;
    const text = `${clock(position)} of ${clock(duration)}`;
    if (text === this.#described) return;
    this.#described = text;
    this.#canvas.setAttribute("aria-valuemax", Math.floor(duration));
    this.#canvas.setAttribute("aria-valuenow", Math.floor(position));
    this.#canvas.setAttribute("aria-valuetext", text);
  }

  #secondsAt(event) {
    const box = this.#canvas.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * this.#state.duration;
  }

  #down(event) {
    if (event.button !== 0 || this.#state.duration === 0) return;
    const at = this.#secondsAt(event);
    this.#drag = { from: at, to: at, x: event.clientX, marks: event.shiftKey };
    this.#canvas.setPointerCapture(event.pointerId);
    this.#draw();
  }

  #move(event) {
    if (!this.#drag) return;
    this.#drag.to = this.#secondsAt(event);
    this.#draw();
  }

  #up(event) {
    if (!this.#drag) return;
    const { from, x, marks } = this.#drag;
    const to = this.#secondsAt(event);
    this.#letGo();
    if (!marks) this.#emit("seek", to);
    else if (Math.abs(event.clientX - x) >= DRAG_PX) {
      this.#emit("passage", { start: Math.min(from, to), end: Math.max(from, to) });
    }
  }

  #letGo() {
    this.#drag = null;
    this.#draw();
  }

  // Left, right and Home are shortcuts of the whole page.
  #key(event) {
    const { position, duration } = this.#state;
    const targets = { PageUp: position + PAGE_S, PageDown: position - PAGE_S, End: duration };
    if (!(event.key in targets)) return;
    event.preventDefault();
    this.#emit("seek", targets[event.key]);
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #fit() {
    const scale = devicePixelRatio || 1;
    const width = Math.round(this.#canvas.clientWidth * scale);
    const height = Math.round(this.#canvas.clientHeight * scale);
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      for (const canvas of [this.#canvas, this.#layer]) Object.assign(canvas, { width, height });
      this.#stale = true;
    }
    return { width, height, scale };
  }

  #draw() {
    const { width, height, scale } = this.#fit();
    if (width === 0 || height === 0) return;
    if (this.#stale) this.#drawLayer(width, height, scale);
    const pen = this.#canvas.getContext("2d");
    const { duration, passage, position } = this.#state;
    const x = (seconds) => (duration > 0 ? (seconds / duration) * width : 0);
    const seeking = this.#drag && !this.#drag.marks;
    const head = x(seeking ? this.#drag.to : position);

    pen.clearRect(0, 0, width, height);
    const marked = this.#drag?.marks ? { start: this.#drag.from, end: this.#drag.to, on: true } : passage;
    if (marked) this.#drawPassage(pen, x(marked.start), x(marked.end), marked.on, height, scale);
    pen.globalAlpha = 0.5;
    pen.drawImage(this.#layer, 0, 0);
    pen.globalAlpha = 1;
    const heard = Math.round(head);
    if (heard > 0) pen.drawImage(this.#layer, 0, 0, heard, height, 0, 0, heard, height);
    pen.fillStyle = css("--text");
    pen.fillRect(Math.min(width - 2 * scale, Math.max(0, head - scale)), 0, 2 * scale, height);
  }

  #drawPassage(pen, from, to, on, height, scale) {
    const left = Math.min(from, to);
    pen.fillStyle = css("--focus");
    pen.globalAlpha = on ? 0.22 : 0.1;
    pen.fillRect(left, 0, Math.abs(to - from), height);
    pen.globalAlpha = on ? 1 : 0.5;
    for (const edge of [from, to]) pen.fillRect(edge - scale, 0, 2 * scale, height);
    pen.globalAlpha = 1;
  }

  #drawLayer(width, height, scale) {
    const pen = this.#layer.getContext("2d");
    const middle = Math.round(height / 2);
    const { duration, ready, whole } = this.#state;
    const readyX = duration > 0 ? Math.round((ready / duration) * width) : 0;
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = css("--unready");
    pen.fillRect(readyX, 0, width - readyX, height);
    pen.fillStyle = css("--control-line");
    pen.fillRect(0, middle, width, Math.max(1, Math.round(scale / 2)));
    if (this.#peaks && whole > 0) {
      const perBar = ((BAR_PX + GAP_PX) * scale * whole) / width / this.#peaks.samples_per_peak;
      this.#drawBars(pen, this.#peaks.vocals, css("--vocals"), perBar, middle, -1, scale);
      this.#drawBars(pen, this.#peaks.accompaniment, css("--accompaniment"), perBar, middle, 1, scale);
    }
    this.#stale = false;
  }

  #drawBars(pen, peaks, colour, perBar, middle, direction, scale) {
    pen.fillStyle = colour;
    for (let bar = 0; Math.floor(bar * perBar) < peaks.length; bar += 1) {
      let most = 0;
      const end = Math.max(Math.floor(bar * perBar) + 1, Math.ceil((bar + 1) * perBar));
      for (let i = Math.floor(bar * perBar); i < end && i < peaks.length; i += 1) most = Math.max(most, peaks[i]);
      const tall = Math.min(1, most) * (middle - 2 * scale);
      pen.fillRect(bar * (BAR_PX + GAP_PX) * scale, middle, BAR_PX * scale, direction * tall);
    }
  }
}
