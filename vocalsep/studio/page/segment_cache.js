import { fetchSamples } from "./pcm.js";
import { STEMS } from "./stems.js";

/** Length of what is fetched at once, in seconds. */
export const SEGMENT_S = 4;
const MAX_CACHED_S = 60;
const MAX_CACHED_BYTES = 96 * 2 ** 20;
const RETRY_MS = 500;

/** The decoded segments of one song or version around the playhead, with the least recently used evicted. */
export class SegmentCache {
  #segments = new Map();
  #loading = new Set();

  /** `urls` has the WAV address of each stem; `format` is {rate, channels, bits}. */
  constructor(urls, format) {
    this.urls = urls;
    this.format = format;
    this.length = SEGMENT_S * format.rate;
    const bytes = this.length * Math.min(2, format.channels) * 4 * STEMS.length;
    this.capacity = Math.max(4, Math.min(MAX_CACHED_S / SEGMENT_S, Math.floor(MAX_CACHED_BYTES / bytes)));
  }

  /** The sample at which the segment that holds `sample` ends. */
  endOf(sample) {
    return (Math.floor(sample / this.length) + 1) * this.length;
  }

  /** The segment that holds `sample`, {start, length, stems}, if it is decoded up to `until` (samples); else null. */
  find(sample, until) {
    const index = Math.floor(sample / this.length);
    const segment = this.#segments.get(index);
    if (!segment || segment.start + segment.length < until) return null;
    this.#store(index, segment);
    return segment;
  }

  /** Whether the segment that holds `sample` is being fetched. */
  isLoading(sample) {
    return this.#loading.has(Math.floor(sample / this.length));
  }

  /** Fetch the segment that holds `sample`, as far as it is `ready` (samples). */
  async load(sample, ready) {
    const index = Math.floor(sample / this.length);
    const start = index * this.length;
    const end = Math.min(ready, start + this.length);
    this.#loading.add(index);
    try {
      const parts = await Promise.all(STEMS.map((stem) => fetchSamples(this.urls[stem], this.format, start, end)));
      const length = Math.min(...parts.map((part) => (part ? part[0].length : 0)));
      if (length > 0) this.#store(index, { start, length, stems: { vocals: parts[0], accompaniment: parts[1] } });
      // Less than requested: the song is being restarted, and another request at once would fail too.
      if (length < end - start) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    } finally {
      this.#loading.delete(index);
    }
  }

  // A Map keeps the order of insertion: what was used last is at the end.
  #store(index, segment) {
    this.#segments.delete(index);
    this.#segments.set(index, segment);
    if (this.#segments.size > this.capacity) this.#segments.delete(this.#segments.keys().next().value);
  }
}
