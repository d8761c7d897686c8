import { stemUrls } from "./api.js";
import { formatTime } from "./format.js";
import { text } from "./language.js";
import { relativeHeight } from "./spectrum.js";
import { cssColour, rgb } from "./theme_colours.js";

const TILE_S = 4;
const RETRY_MS = 500;
const VIEW_S = 8;
const STEP_S = 6;
const COLUMNS = 256;
const ROWS = 192;
const MAX_TILES = 12;
const MIN_GROWTH_S = 0.5;
const LABELS_HZ = [100, 200, 500, 1000, 2000, 5000, 10000];
const REDUCED_MOTION = matchMedia("(prefers-reduced-motion: reduce)");

/** The spectrogram of the mixture around the playhead: brightness is the level, colour the share of the vocals. */
export class Spectrogram {
  #canvas;
  #worker = null;
  #song = null;
  #version = null;
  #tiles = new Map();
  #requestId = 0;
  #pending = null;
  #view = { position: 0, ready: 0, complete: false };

  /** `onError(message)` is called when a part cannot be computed. */
  constructor(canvas, onError) {
    this.#canvas = canvas;
    this.onError = onError;
    new ResizeObserver(() => this.#draw()).observe(canvas);
  }

  /** Show `song`, or its `version` ({key, tempo}); null for none. */
  open(song, version = null) {
    this.#song = song;
    this.#version = version;
    this.refresh();
  }

  /** Compute everything again, in other colours. */
  refresh() {
    this.#tiles.clear();
    this.#pending = null;
    this.#draw();
  }

  /** Show the part around `position`, as far as it is `ready` (seconds); `complete`: no more will become ready. */
  update(view) {
    this.#view = view;
    this.#requestNext();
    this.#draw();
  }

  // With reduced motion the picture stands still, and the playhead moves over it.
  get #left() {
    const { position } = this.#view;
    return REDUCED_MOTION.matches ? Math.floor(position / STEP_S) * STEP_S - 1 : position - VIEW_S / 2;
  }

  #requestNext() {
    if (!this.#song || this.#pending) return;
    const first = Math.max(0, Math.floor(this.#left / TILE_S));
    const last = Math.floor((this.#left + VIEW_S) / TILE_S);
    const current = Math.floor(this.#view.position / TILE_S);
    // The tile under the playhead first, and one ahead last.
    const order = [current];
    for (let index = first; index <= last + 1; index += 1) if (index !== current) order.push(index);
    const index = order.find((candidate) => this.#isNeeded(candidate));
    if (index !== undefined) this.#request(index);
  }

  #isNeeded(index) {
    const { ready, complete } = this.#view;
    const available = Math.min(ready, (index + 1) * TILE_S) - index * TILE_S;
    const tile = this.#tiles.get(index);
    const missing = available - (tile?.seconds ?? 0);
    const becameComplete = complete && tile && !tile.complete;
    const isLastPart = missing > 0 && (complete || available === TILE_S);
    return available > 0 && (missing >= MIN_GROWTH_S || isLastPart || becameComplete);
  }

  #request(index) {
    const song = this.#song;
    const { ready, complete } = this.#view;
    const rate = song.sample_rate;
    this.#worker ??= this.#createWorker();
    this.#requestId += 1;
    const seconds = Math.min(ready, (index + 1) * TILE_S) - index * TILE_S;
    this.#pending = { requestId: this.#requestId, index, seconds, complete };
    this.#worker.postMessage({
      requestId: this.#requestId,
      urls: stemUrls(song.id, this.#version),
      format: { rate, channels: song.channels, bits: song.bits },
      start: index * TILE_S * rate,
      length: TILE_S * rate,
      ready: Math.round(ready * rate),
      width: COLUMNS,
      height: ROWS,
      colours: { vocals: rgb("--vocals"), accompaniment: rgb("--accompaniment") },
    });
  }

  #createWorker() {
    const worker = new Worker(new URL("./spectrum_worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }) => this.#receive(data));
    worker.addEventListener("error", () => this.onError(text("error_no_spectrogram")));
    return worker;
  }

  #receive({ requestId, pixels, whole, error }) {
    const request = this.#pending;
    if (requestId !== request?.requestId) return;
    this.#pending = null;
    if (error) this.onError(text("error_spectrogram", { reason: text(error) }));
    const { index, seconds, complete } = whole || error ? request : { index: request.index, seconds: 0, complete: false };
    const image = document.createElement("canvas");
    Object.assign(image, { width: COLUMNS, height: ROWS });
    if (pixels) image.getContext("2d").putImageData(new ImageData(pixels, COLUMNS, ROWS), 0, 0);
    this.#tiles.delete(index);
    this.#tiles.set(index, { image, seconds, complete });
    if (this.#tiles.size > MAX_TILES) this.#tiles.delete(this.#tiles.keys().next().value);
    if (whole || error) this.#requestNext();
    else setTimeout(() => this.#requestNext(), RETRY_MS);
    this.#draw();
  }

  #draw() {
    const scale = devicePixelRatio || 1;
    const width = Math.round(this.#canvas.clientWidth * scale);
    const height = Math.round(this.#canvas.clientHeight * scale);
    if (width === 0 || height === 0) return;
    if (this.#canvas.width !== width || this.#canvas.height !== height) Object.assign(this.#canvas, { width, height });
    const context = this.#canvas.getContext("2d");
    const x = (seconds) => ((seconds - this.#left) / VIEW_S) * width;
    context.fillStyle = cssColour("--spectrogram");
    context.fillRect(0, 0, width, height);
    for (const [index, { image }] of this.#tiles) {
      // On whole pixels: otherwise the background would be visible between two tiles.
      const left = Math.round(x(index * TILE_S));
      const right = Math.round(x((index + 1) * TILE_S));
      if (right > 0 && left < width) context.drawImage(image, left, 0, right - left, height);
    }
    this.#drawLabels(context, x, width, height, scale);
    context.fillStyle = cssColour("--spectrogram-text");
    context.fillRect(x(this.#view.position) - scale / 2, 0, scale, height);
  }

  #drawLabels(context, x, width, height, scale) {
    context.font = `${12 * scale}px system-ui, sans-serif`;
    const label = (text, left, top) => {
      context.fillStyle = cssColour("--spectrogram");
      context.fillRect(left - 2 * scale, top - 11 * scale, context.measureText(text).width + 4 * scale, 15 * scale);
      context.fillStyle = cssColour("--spectrogram-text");
      context.fillText(text, left, top);
    };
    const rate = this.#song?.sample_rate ?? 44100;
    for (const hertz of LABELS_HZ.filter((label) => label <= rate / 2)) {
      const y = height * (1 - relativeHeight(hertz, rate));
      label(hertz < 1000 ? `${hertz} Hz` : `${hertz / 1000} kHz`, 4 * scale, Math.max(13 * scale, y + 4 * scale));
    }
    for (let second = Math.max(0, 2 * Math.ceil(this.#left / 2)); second < this.#left + VIEW_S; second += 2) {
      const left = x(second);
      if (left > 60 * scale && left < width - 30 * scale) label(formatTime(second), left, height - 5 * scale);
    }
  }
}
