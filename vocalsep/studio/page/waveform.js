import { formatTime } from "./format.js";
import { cssColour } from "./theme_colours.js";

const BAR_PX = 3;
const GAP_PX = 1;
const PAGE_S = 30;
const DRAG_PX = 4;

/**
 * The waveform of the whole song: vocals above the middle, accompaniment below.
 * Events: "seek" (detail: seconds), "region" (detail: {start, end} in seconds).
 */
export class Waveform extends EventTarget {
  #canvas;
  #layer = document.createElement("canvas");
  #peaks = null;
  #state = { position: 0, duration: 0, ready: 0, totalSamples: 0, region: null };
  #drag = null;
  #stale = true;
  #ariaText = "";

  constructor(canvas) {
    super();
    this.#canvas = canvas;
    new ResizeObserver(() => this.refresh()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.#onPointerDown(event));
    canvas.addEventListener("pointermove", (event) => this.#onPointerMove(event));
    canvas.addEventListener("pointerup", (event) => this.#onPointerUp(event));
    canvas.addEventListener("pointercancel", () => this.#endDrag());
    canvas.addEventListener("keydown", (event) => this.#onKeyDown(event));
    canvas.addEventListener("focus", () => this.#updateAria());
  }

  /** Show the studio's peaks, {samples_per_peak, vocals, accompaniment}; null for none. */
  setPeaks(peaks) {
    this.#peaks = peaks;
    this.refresh();
  }

  /**
   * Show the player's state: `position`, `duration` and `ready` in seconds, `totalSamples` at the original tempo,
   * `region` as {start, end, enabled} in seconds, or null.
   */
  update(state) {
    const before = this.#state;
    this.#state = state;
    if (["totalSamples", "ready", "duration"].some((name) => state[name] !== before[name])) this.#stale = true;
    // A screen reader would read every change of a focused slider.
    const jumped = Math.abs(state.position - before.position) > 1;
    if (document.activeElement !== this.#canvas || jumped || state.duration !== before.duration) this.#updateAria();
    this.#draw();
  }

  /** Draw again, in new colours or at a new size. */
  refresh() {
    this.#stale = true;
    this.#draw();
  }

  #updateAria() {
    const { position, duration } = this.#state;
    const text = `${formatTime(position)} of ${formatTime(duration)}`;
    if (text === this.#ariaText) return;
    this.#ariaText = text;
    this.#canvas.setAttribute("aria-valuemax", Math.floor(duration));
    this.#canvas.setAttribute("aria-valuenow", Math.floor(position));
    this.#canvas.setAttribute("aria-valuetext", text);
  }

  #secondsAt(event) {
    const box = this.#canvas.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * this.#state.duration;
  }

  #onPointerDown(event) {
    if (event.button !== 0 || this.#state.duration === 0) return;
    const seconds = this.#secondsAt(event);
    this.#drag = { from: seconds, to: seconds, x: event.clientX, isRegion: event.shiftKey };
    this.#canvas.setPointerCapture(event.pointerId);
    this.#draw();
  }

  #onPointerMove(event) {
    if (!this.#drag) return;
    this.#drag.to = this.#secondsAt(event);
    this.#draw();
  }

  #onPointerUp(event) {
    if (!this.#drag) return;
    const { from, x, isRegion } = this.#drag;
    const to = this.#secondsAt(event);
    this.#endDrag();
    if (!isRegion) this.#emit("seek", to);
    else if (Math.abs(event.clientX - x) >= DRAG_PX) {
      this.#emit("region", { start: Math.min(from, to), end: Math.max(from, to) });
    }
  }

  #endDrag() {
    this.#drag = null;
    this.#draw();
  }

  // The left and right arrow keys and Home are shortcuts of the whole page.
  #onKeyDown(event) {
    const { position, duration } = this.#state;
    const targets = { PageUp: position + PAGE_S, PageDown: position - PAGE_S, End: duration };
    if (!(event.key in targets)) return;
    event.preventDefault();
    this.#emit("seek", targets[event.key]);
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #fitCanvas() {
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
    const { width, height, scale } = this.#fitCanvas();
    if (width === 0 || height === 0) return;
    if (this.#stale) this.#drawLayer(width, height, scale);
    const context = this.#canvas.getContext("2d");
    const { duration, region, position } = this.#state;
    const x = (seconds) => (duration > 0 ? (seconds / duration) * width : 0);
    const seeking = this.#drag && !this.#drag.isRegion;
    const playhead = x(seeking ? this.#drag.to : position);

    context.clearRect(0, 0, width, height);
    const shown = this.#drag?.isRegion ? { start: this.#drag.from, end: this.#drag.to, enabled: true } : region;
    if (shown) this.#drawRegion(context, x(shown.start), x(shown.end), shown.enabled, height, scale);
    context.globalAlpha = 0.5;
    context.drawImage(this.#layer, 0, 0);
    context.globalAlpha = 1;
    const played = Math.round(playhead);
    if (played > 0) context.drawImage(this.#layer, 0, 0, played, height, 0, 0, played, height);
    context.fillStyle = cssColour("--text");
    context.fillRect(Math.min(width - 2 * scale, Math.max(0, playhead - scale)), 0, 2 * scale, height);
  }

  #drawRegion(context, from, to, enabled, height, scale) {
    const left = Math.min(from, to);
    context.fillStyle = cssColour("--focus");
    context.globalAlpha = enabled ? 0.22 : 0.1;
    context.fillRect(left, 0, Math.abs(to - from), height);
    context.globalAlpha = enabled ? 1 : 0.5;
    for (const edge of [from, to]) context.fillRect(edge - scale, 0, 2 * scale, height);
    context.globalAlpha = 1;
  }

  #drawLayer(width, height, scale) {
    const context = this.#layer.getContext("2d");
    const middle = Math.round(height / 2);
    const { duration, ready, totalSamples } = this.#state;
    const readyX = duration > 0 ? Math.round((ready / duration) * width) : 0;
    context.clearRect(0, 0, width, height);
    context.fillStyle = cssColour("--unready");
    context.fillRect(readyX, 0, width - readyX, height);
    context.fillStyle = cssColour("--control-line");
    context.fillRect(0, middle, width, Math.max(1, Math.round(scale / 2)));
    if (this.#peaks && totalSamples > 0) {
      const perBar = ((BAR_PX + GAP_PX) * scale * totalSamples) / width / this.#peaks.samples_per_peak;
      this.#drawBars(context, this.#peaks.vocals, cssColour("--vocals"), perBar, middle, -1, scale);
      this.#drawBars(context, this.#peaks.accompaniment, cssColour("--accompaniment"), perBar, middle, 1, scale);
    }
    this.#stale = false;
  }

  #drawBars(context, peaks, colour, perBar, middle, direction, scale) {
    context.fillStyle = colour;
    for (let bar = 0; Math.floor(bar * perBar) < peaks.length; bar += 1) {
      let highest = 0;
      const end = Math.max(Math.floor(bar * perBar) + 1, Math.ceil((bar + 1) * perBar));
      for (let i = Math.floor(bar * perBar); i < end && i < peaks.length; i += 1) highest = Math.max(highest, peaks[i]);
      const barHeight = Math.min(1, highest) * (middle - 2 * scale);
      context.fillRect(bar * (BAR_PX + GAP_PX) * scale, middle, BAR_PX * scale, direction * barHeight);
    }
  }
}
