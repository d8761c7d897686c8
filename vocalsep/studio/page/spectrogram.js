import { stemUrls } from "./api.js";
import { css, rgb } from "./colours.js";
import { clock } from "./format.js";
import { heightOf } from "./spectrum.js";

const TILE_S = 4;
const VIEW_S = 8;
const STEP_S = 6;
const COLUMNS = 256;
const ROWS = 192;
const KEPT = 12;
const GROWTH_S = 0.5;
const MARKS_HZ = [100, 200, 500, 1000, 2000, 5000, 10000];
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

/** The mixture around the playhead: brightness is the level, colour the share of the vocals. */
export class Spectrogram {
  #canvas;
  #worker = null;
  #song = null;
  #version = null;
  #tiles = new Map();
  #ticket = 0;
  #pending = null;
  #view = { position: 0, ready: 0, complete: false };

  /** `problem(sentence)` is told when a part cannot be had. */
  constructor(canvas, problem) {
    this.#canvas = canvas;
    this.problem = problem;
    new ResizeObserver(() => this.#draw()).observe(canvas);
  }

  /** Show `song`, or its `version` ({key, tempo}); null for none. */
  open(song, version = null) {
    this.#song = song;
    this.#version = version;
    this.refresh();
  }

  /** Compute everything anew, in other colours. */
  refresh() {
    this.#tiles.clear();
    this.#pending = null;
    this.#draw();
  }

  /** Show what is around `position`, as far as it is `ready` (both in seconds); `complete`: no more will follow. */
  place(view) {
    this.#view = view;
    this.#ask();
    this.#draw();
  }

  // With reduced motion the picture stands still and the playhead walks over it.
  get #left() {
    const { position } = this.#view;
    return STILL.matches ? Math.floor(position / STEP_S) * STEP_S - 1 : position - VIEW_S / 2;
  }

  #ask() {
    if (!this.#song || this.#pending) return;
    const first = Math.max(0, Math.floor(this.#left / TILE_S));
    const last = Math.floor((this.#left + VIEW_S) / TILE_S);
    const here = Math.floor(this.#view.position / TILE_S);
    // The tile under the playhead first, and one ahead last.
    const order = [here];
    for (let index = first; index <= last + 1; index += 1) if (index !== here) order.push(index);
    const index = order.find((candidate) => this.#wanting(candidate));
    if (index !== undefined) this.#request(index);
  }

  #wanting(index) {
    const { ready, complete } = this.#view;
    const there = Math.min(ready, (index + 1) * TILE_S) - index * TILE_S;
    const tile = this.#tiles.get(index);
    const missing = there - (tile?.seconds ?? 0);
    const closed = complete && tile && !tile.complete;
    return there > 0 && (missing >= GROWTH_S || (missing > 0 && (complete || there === TILE_S)) || closed);
  }

  #request(index) {
    const song = this.#song;
    const { ready, complete } = this.#view;
    const rate = song.sample_rate;
    this.#worker ??= this.#employ();
    this.#ticket += 1;
    const seconds = Math.min(ready, (index + 1) * TILE_S) - index * TILE_S;
    this.#pending = { ticket: this.#ticket, index, seconds, complete };
    this.#worker.postMessage({
      ticket: this.#ticket,
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

  #employ() {
    const worker = new Worker(new URL("./spectrum_worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }) => this.#receive(data));
    worker.addEventListener("error", () => this.problem("This browser cannot draw the spectrogram."));
    return worker;
  }

  #receive({ ticket, pixels, problem }) {
    const asked = this.#pending;
    if (ticket !== asked?.ticket) return;
    this.#pending = null;
    if (problem) this.problem(`The spectrogram could not be drawn: ${problem}`);
    const { index, seconds, complete } = asked;
    const picture = document.createElement("canvas");
    Object.assign(picture, { width: COLUMNS, height: ROWS });
    if (pixels) picture.getContext("2d").putImageData(new ImageData(pixels, COLUMNS, ROWS), 0, 0);
    this.#tiles.delete(index);
    this.#tiles.set(index, { picture, seconds, complete });
    if (this.#tiles.size > KEPT) this.#tiles.delete(this.#tiles.keys().next().value);
    this.#ask();
    this.#draw();
  }

  #draw() {
    const scale = devicePixelRatio || 1;
    const width = Math.round(this.#canvas.clientWidth * scale);
    const height = Math.round(this.#canvas.clientHeight * scale);
    if (width === 0 || height === 0) return;
    if (this.#canvas.width !== width || this.#canvas.height !== height) Object.assign(this.#canvas, { width, height });
    const pen = this.#canvas.getContext("2d");
    const x = (seconds) => ((seconds - this.#left) / VIEW_S) * width;
    pen.fillStyle = css("--spectrogram");
    pen.fillRect(0, 0, width, height);
    for (const [index, { picture }] of this.#tiles) {
      // On whole pixels, or the ground would shine through between two tiles.
      const left = Math.round(x(index * TILE_S));
      const right = Math.round(x((index + 1) * TILE_S));
      if (right > 0 && left < width) pen.drawImage(picture, left, 0, right - left, height);
    }
    this.#drawMarks(pen, x, width, height, scale);
    pen.fillStyle = css("--spectrogram-text");
    pen.fillRect(x(this.#view.position) - scale / 2, 0, scale, height);
  }

  #drawMarks(pen, x, width, height, scale) {
    pen.font = `${12 * scale}px system-ui, sans-serif`;
    const label = (text, left, top) => {
      pen.fillStyle = css("--spectrogram");
      pen.fillRect(left - 2 * scale, top - 11 * scale, pen.measureText(text).width + 4 * scale, 15 * scale);
      pen.fillStyle = css("--spectrogram-text");
      pen.fillText(text, left, top);
    };
    const rate = this.#song?.sample_rate ?? 44100;
    for (const hertz of MARKS_HZ.filter((mark) => mark <= rate / 2)) {
      const y = height * (1 - heightOf(hertz, rate));
      label(hertz < 1000 ? `${hertz} Hz` : `${hertz / 1000} kHz`, 4 * scale, Math.max(13 * scale, y + 4 * scale));
    }
    for (let second = Math.max(0, 2 * Math.ceil(this.#left / 2)); second < this.#left + VIEW_S; second += 2) {
      const left = x(second);
      if (left > 60 * scale && left < width - 30 * scale) label(clock(second), left, height - 5 * scale);
    }
  }
}
