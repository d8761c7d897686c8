import { fetchSamples } from "./pcm.js";
import { STEMS } from "./stems.js";

const SEGMENT_S = 4;
const KEPT_S = 60;
const KEPT_BYTES = 96 * 2 ** 20;
const RETRY_MS = 500;

/** The decoded segments of one song (or version) around the playhead; those used longest ago are let go. */
export class Segments {
  #kept = new Map();
  #loading = new Set();

  /** `urls` has one WAV address for each stem; `format` is {rate, channels, bits}. */
  constructor(urls, format) {
    this.urls = urls;
    this.format = format;
    this.length = SEGMENT_S * format.rate;
    const bytes = this.length * Math.min(2, format.channels) * 4 * STEMS.length;
    this.capacity = Math.max(4, Math.min(KEPT_S / SEGMENT_S, Math.floor(KEPT_BYTES / bytes)));
  }

  /** The sample with which the segment of `sample` ends, and the next one begins. */
  endOf(sample) {
    return (Math.floor(sample / this.length) + 1) * this.length;
  }

  /** The segment of `sample`, if what is decoded of it reaches up to `until` (samples): {start, length, stems}. */
  find(sample, until) {
    const index = Math.floor(sample / this.length);
    const segment = this.#kept.get(index);
    if (!segment || segment.start + segment.length < until) return null;
    this.#keep(index, segment);
    return segment;
  }

  /** Whether the segment of `sample` is on its way. */
  loading(sample) {
    return this.#loading.has(Math.floor(sample / this.length));
  }

  /** Fetch the segment of `sample`, as far as it is `ready` (samples). */
  async load(sample, ready) {
    const index = Math.floor(sample / this.length);
    const start = index * this.length;
    const end = Math.min(ready, start + this.length);
    this.#loading.add(index);
    try {
      const parts = await Promise.all(STEMS.map((stem) => fetchSamples(this.urls[stem], this.format, start, end)));
      const length = Math.min(...parts.map((part) => (part ? part[0].length : 0)));
      if (length > 0) this.#keep(index, { start, length, stems: { vocals: parts[0], accompaniment: parts[1] } });
      // Less than was asked for: the studio is restarting the song; asking at once would only keep it busy.
      if (length < end - start) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    } finally {
      this.#loading.delete(index);
    }
  }

  #keep(index, segment) {
    this.#kept.delete(index);
    this.#kept.set(index, segment);
    if (this.#kept.size > this.capacity) this.#kept.delete(this.#kept.keys().next().value);
  }
}
