import { failure } from "./api.js";

const HEADER_BYTES = 44;

/**
 * Samples `start` to `end` (per channel) of the WAV file at `url`, as one Float32Array for each channel of the output.
 * `format` is {channels, bits}. Null where they cannot be had yet.
 */
export async function fetchSamples(url, { channels, bits }, start, end) {
  const frame = (channels * bits) / 8;
  const range = `bytes=${HEADER_BYTES + start * frame}-${HEADER_BYTES + end * frame - 1}`;
  // The file grows while the song is separated, and is another one after a restart: nothing of it may be cached.
  const response = await fetch(url, { headers: { Range: range }, cache: "no-store" });
  if (response.status === 416) return null;
  if (response.status !== 206) {
    throw response.ok ? new Error("The studio sent a whole file where a part was asked for.") : await failure(response);
  }
  return decode(await response.arrayBuffer(), channels, bits);
}

/**
 * Little-endian PCM of 16 or 24 bits, interleaved, to Float32Arrays between -1 and 1: one channel stays one;
 * of more, the first, third, ... are averaged to the left and the second, fourth, ... to the right.
 */
function decode(bytes, channels, bits) {
  const frames = Math.floor(bytes.byteLength / ((channels * bits) / 8));
  const sample = bits === 16 ? reader16(bytes) : reader24(bytes);
  const sides = Math.min(2, channels);
  return Array.from({ length: sides }, (_, side) => {
    const out = new Float32Array(frames);
    const share = 1 / Math.ceil((channels - side) / sides);
    for (let channel = side; channel < channels; channel += sides) {
      for (let i = 0, at = channel; i < frames; i += 1, at += channels) out[i] += sample(at) * share;
    }
    return out;
  });
}

function reader16(bytes) {
  const view = new DataView(bytes);
  return (index) => view.getInt16(2 * index, true) / 0x8000;
}

function reader24(bytes) {
  const raw = new Uint8Array(bytes);
  return (index) => {
    const at = 3 * index;
    // Shifted up to 32 bits so that the sign comes along.
    return ((raw[at] << 8) | (raw[at + 1] << 16) | (raw[at + 2] << 24)) / 0x80000000;
  };
}
