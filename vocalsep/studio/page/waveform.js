import { byId } from "./dom.js";
import { formatTime } from "./format.js";
import { text } from "./language.js";
import { cssColour } from "./theme_colours.js";

const BAR_PX = 3;
const GAP_PX = 1;
const RULER_PX = 18;
const LABEL_PX = 64;
const TICKS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
const SKIP_S = 5;
const PAGE_S = 30;
const DRAG_PX = 4;
const EDGE_PX = { mouse: 7, pen: 12, touch: 20 };
const ZOOM_STEP = 2;
const MIN_VIEW_S = 2;

/**
 * The waveform of the song, vocals above the middle and accompaniment below, with a ruler of times; all of it, or a
 * part that follows the playhead.
 * Events: "seek" (detail: seconds), "region" (detail: {start, end} in seconds).
 */
export class Waveform extends EventTarget {
  #canvas;
  #layer = document.createElement("canvas");
  #peaks = null;
  #state = { position: 0, duration: 0, ready: 0, totalSamples: 0, region: null };
  #zoom = 1;
  #left = 0;
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
    canvas.addEventListener("pointerleave", () => this.#showHover(null));
    canvas.addEventListener("keydown", (event) => this.#onKeyDown(event));
    canvas.addEventListener("focus", () => this.#updateAria());
    canvas.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
    byId("zoom-in").addEventListener("click", () => this.zoomBy(ZOOM_STEP));
    byId("zoom-out").addEventListener("click", () => this.zoomBy(1 / ZOOM_STEP));
  }

  /** The part that is shown, {start, end} in seconds. */
  get shown() {
    return { start: this.#left, end: this.#left + this.#viewSeconds };
  }

  /** Show the studio's peaks, {samples_per_peak, vocals, accompaniment}; null for none. */
  setPeaks(peaks) {
    this.#peaks = peaks;
    this.refresh();
  }

  /** Show all of the song again. */
  resetZoom() {
    this.#zoom = 1;
    this.#left = 0;
    this.refresh();
  }

  /** Show a part `factor` times as short, around `seconds` (the playhead unless given). */
  zoomBy(factor, seconds = this.#state.position) {
    const { duration } = this.#state;
    const before = this.#viewSeconds;
    this.#zoom = Math.min(Math.max(1, duration / MIN_VIEW_S), Math.max(1, this.#zoom * factor));
    const relative = before > 0 ? (seconds - this.#left) / before : 0.5;
    this.#moveTo(seconds - Math.min(1, Math.max(0, relative)) * this.#viewSeconds);
  }

  /**
   * Show the player's state: `position`, `duration` and `ready` in seconds, `totalSamples` at the original tempo,
   * `region` as {start, end, enabled} in seconds, or null.
   */
  update(state) {
    const before = this.#state;
    this.#state = state;
    if (["totalSamples", "ready", "duration"].some((name) => state[name] !== before[name])) this.#stale = true;
    this.#follow(before.position);
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

  get #viewSeconds() {
    return this.#state.duration / this.#zoom;
  }

  // Page by page, because moving with the playhead would draw everything again for each frame.
  #follow(before) {
    const { position } = this.#state;
    if (this.#zoom === 1 || this.#drag || position === before) return;
    if (position < this.#left || position > this.#left + 0.95 * this.#viewSeconds) {
      this.#moveTo(position - 0.05 * this.#viewSeconds);
    }
  }

  #moveTo(left) {
    this.#left = Math.max(0, Math.min(left, this.#state.duration - this.#viewSeconds));
    byId("zoom-out").disabled = this.#zoom === 1;
    byId("zoom-in").disabled = this.#viewSeconds <= MIN_VIEW_S;
    this.refresh();
  }

  #updateAria() {
    const { position, duration } = this.#state;
    const value = text("position_value", { position: formatTime(position), duration: formatTime(duration) });
    if (value === this.#ariaText) return;
    this.#ariaText = value;
    this.#canvas.setAttribute("aria-valuemax", Math.floor(duration));
    this.#canvas.setAttribute("aria-valuenow", Math.floor(position));
    this.#canvas.setAttribute("aria-valuetext", value);
  }

  #secondsAt(event) {
    const box = this.#canvas.getBoundingClientRect();
    const relative = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return this.#left + relative * this.#viewSeconds;
  }

  // The edge of the region at the pointer: "start", "end" or null.
  #edgeAt(event) {
    const { region } = this.#state;
    if (!region || this.#viewSeconds === 0) return null;
    const { width } = this.#canvas.getBoundingClientRect();
    const seconds = this.#secondsAt(event);
    const distance = (edge) => (Math.abs(region[edge] - seconds) / this.#viewSeconds) * width;
    const nearest = distance("start") < distance("end") ? "start" : "end";
    return distance(nearest) <= (EDGE_PX[event.pointerType] ?? EDGE_PX.mouse) ? nearest : null;
  }

  #onPointerDown(event) {
    if (event.button !== 0 || this.#state.duration === 0) return;
    const seconds = this.#secondsAt(event);
    const edge = event.shiftKey ? null : this.#edgeAt(event);
    const { region } = this.#state;
    const from = edge ? region[edge === "start" ? "end" : "start"] : seconds;
    this.#drag = { from, to: seconds, x: event.clientX, isRegion: event.shiftKey || edge !== null };
    this.#canvas.setPointerCapture(event.pointerId);
    this.#draw();
  }

  #onPointerMove(event) {
    if (event.pointerType === "mouse" || this.#drag) this.#showHover(event);
    if (!this.#drag) {
      this.#canvas.classList.toggle("edge", this.#edgeAt(event) !== null);
      return;
    }
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
    if (event.pointerType !== "mouse") this.#showHover(null);
  }

  #endDrag() {
    this.#drag = null;
    this.#draw();
  }

  #showHover(event) {
    const label = byId("hover-time");
    label.hidden = !event || this.#state.duration === 0;
    if (label.hidden) return;
    const box = this.#canvas.getBoundingClientRect();
    label.textContent = formatTime(this.#secondsAt(event), 1);
    const half = label.offsetWidth / 2;
    label.style.left = `${Math.min(box.width - half, Math.max(half, event.clientX - box.left))}px`;
  }

  #onWheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    this.zoomBy(event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP, this.#secondsAt(event));
  }

  #onKeyDown(event) {
    const { position, duration } = this.#state;
    const targets = {
      ArrowLeft: position - SKIP_S,
      ArrowDown: position - SKIP_S,
      ArrowRight: position + SKIP_S,
      ArrowUp: position + SKIP_S,
      PageUp: position + PAGE_S,
      PageDown: position - PAGE_S,
      Home: 0,
      End: duration,
    };
    const zooms = { "+": ZOOM_STEP, "=": ZOOM_STEP, "-": 1 / ZOOM_STEP };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in targets) this.#emit("seek", Math.min(duration, Math.max(0, targets[event.key])));
    else if (event.key in zooms) this.zoomBy(zooms[event.key]);
    else return;
    event.preventDefault();
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
    const ruler = RULER_PX * scale;
    const x = (seconds) => (this.#viewSeconds > 0 ? ((seconds - this.#left) / this.#viewSeconds) * width : 0);
    if (this.#stale) this.#drawLayer(x, width, height, ruler, scale);
    const context = this.#canvas.getContext("2d");
    const { region, position } = this.#state;
    const seeking = this.#drag && !this.#drag.isRegion;
    const playhead = x(seeking ? this.#drag.to : position);

    context.clearRect(0, 0, width, height);
    const shown = this.#drag?.isRegion ? { start: this.#drag.from, end: this.#drag.to, enabled: true } : region;
    if (shown) this.#drawRegion(context, x(shown.start), x(shown.end), shown.enabled, height, scale);
    const draw = (left, top, right, bottom) => {
      if (right <= left || bottom <= top) return;
      const box = [left, top, right - left, bottom - top];
      context.drawImage(this.#layer, ...box, ...box);
    };
    const played = Math.max(0, Math.min(width, Math.round(playhead)));
    draw(0, 0, width, ruler);
    draw(0, ruler, played, height);
    context.globalAlpha = 0.5;
    draw(played, ruler, width, height);
    context.globalAlpha = 1;
    if (playhead < -scale || playhead > width + scale) return;
    context.fillStyle = cssColour("--text");
    context.fillRect(Math.min(width - 2 * scale, Math.max(0, playhead - scale)), ruler, 2 * scale, height - ruler);
  }

  #drawRegion(context, from, to, enabled, height, scale) {
    const left = Math.min(from, to);
    context.fillStyle = cssColour("--focus");
    context.globalAlpha = enabled ? 0.22 : 0.1;
    context.fillRect(left, 0, Math.abs(to - from), height);
    context.globalAlpha = enabled ? 1 : 0.6;
    // Each edge has a handle that shows that it can be dragged.
    for (const edge of [from, to]) {
      context.fillRect(edge - scale, 0, 2 * scale, height);
      context.beginPath();
      context.arc(edge, height - 8 * scale, 5 * scale, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  #drawLayer(x, width, height, ruler, scale) {
    const context = this.#layer.getContext("2d");
    const middle = ruler + Math.round((height - ruler) / 2);
    const { duration, ready, totalSamples } = this.#state;
    const readyX = duration > 0 ? Math.min(width, Math.max(0, Math.round(x(ready)))) : 0;
    context.clearRect(0, 0, width, height);
    this.#drawRuler(context, x, width, ruler, scale);
    context.fillStyle = cssColour("--unready");
    context.fillRect(readyX, ruler, width - readyX, height - ruler);
    context.fillStyle = cssColour("--control-line");
    context.fillRect(0, middle, width, Math.max(1, Math.round(scale / 2)));
    if (this.#peaks && totalSamples > 0 && duration > 0) {
      const perSecond = totalSamples / duration / this.#peaks.samples_per_peak;
      const bars = {
        first: this.#left * perSecond,
        step: (this.#viewSeconds * perSecond * (BAR_PX + GAP_PX) * scale) / width,
      };
      const most = height - middle - 2 * scale;
      this.#drawBars(context, this.#peaks.vocals, cssColour("--vocals"), bars, { width, middle, most: -most, scale });
      this.#drawBars(context, this.#peaks.accompaniment, cssColour("--accompaniment"), bars, {
        width,
        middle,
        most,
        scale,
      });
    }
    this.#stale = false;
  }

  #drawRuler(context, x, width, ruler, scale) {
    if (this.#viewSeconds <= 0) return;
    const perLabel = (LABEL_PX * scale * this.#viewSeconds) / width;
    const step = TICKS_S.find((seconds) => seconds >= perLabel) ?? TICKS_S.at(-1);
    context.font = `${11 * scale}px system-ui, sans-serif`;
    for (let tick = Math.ceil(this.#left / step); tick * step <= this.#left + this.#viewSeconds; tick += 1) {
      const left = x(tick * step);
      context.fillStyle = cssColour("--control-line");
      context.fillRect(left, ruler - 5 * scale, scale, 5 * scale);
      const label = formatTime(tick * step, step < 1 ? 1 : 0);
      if (left + context.measureText(label).width + 4 * scale > width) continue;
      context.fillStyle = cssColour("--quiet");
      context.fillText(label, left + 4 * scale, 12 * scale);
    }
  }

  #drawBars(context, peaks, colour, { first, step }, { width, middle, most, scale }) {
    context.fillStyle = colour;
    const count = Math.ceil(width / ((BAR_PX + GAP_PX) * scale));
    for (let bar = 0; bar < count; bar += 1) {
      const begin = Math.floor(first + bar * step);
      if (begin >= peaks.length) return;
      const end = Math.max(begin + 1, Math.ceil(first + (bar + 1) * step));
      let highest = 0;
      for (let i = begin; i < end && i < peaks.length; i += 1) highest = Math.max(highest, peaks[i]);
      context.fillRect(bar * (BAR_PX + GAP_PX) * scale, middle, BAR_PX * scale, Math.min(1, highest) * most);
    }
  }
}
