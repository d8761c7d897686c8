import { responseError } from "./api.js";
import { text } from "./language.js";

const HEADER_BYTES = 44;

/**
 * Fetch samples `start` to `end` (per channel) of the WAV file at `url`, as one Float32Array per output channel.
 * `format` is {channels, bits}. Null where they are not ready yet.
 */
export async function fetchSamples(url, { channels, bits }, start, end) {
  const frame = (channels * bits) / 8;
  const range = `bytes=${HEADER_BYTES + start * frame}-${HEADER_BYTES + end * frame - 1}`;
  // The file grows while the song is separated, and is replaced by a restart: it must not be cached.
  const response = await fetch(url, { headers: { Range: range }, cache: "no-store" });
  if (response.status === 416) return null;
  if (!response.ok) throw await responseError(response);
  if (response.status !== 206) throw new Error(text("error_whole_file"));
  return decode(await response.arrayBuffer(), channels, bits);
}

/**
 * Decode interleaved little-endian PCM of 16 or 24 bits to Float32Arrays between -1 and 1. Mono stays mono; of more
 * channels, the first, third, ... are averaged to the left and the second, fourth, ... to the right.
 */
function decode(bytes, channels, bits) {
  const frames = Math.floor(bytes.byteLength / ((channels * bits) / 8));
  const readSample = bits === 16 ? reader16(bytes) : reader24(bytes);
  const sides = Math.min(2, channels);
  return Array.from({ length: sides }, (_, side) => {
    const out = new Float32Array(frames);
    const weight = 1 / Math.ceil((channels - side) / sides);
    for (let channel = side; channel < channels; channel += sides) {
      for (let i = 0, index = channel; i < frames; i += 1, index += channels) out[i] += readSample(index) * weight;
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
    const offset = 3 * index;
    // Shifted up to 32 bits, so that the sign bit is that of the integer.
    return ((raw[offset] << 8) | (raw[offset + 1] << 16) | (raw[offset + 2] << 24)) / 0x80000000;
  };
}
