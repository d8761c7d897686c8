import { FFT } from "./fft.js";

export const WINDOW = 2048;
const LOW_HZ = 60;
const HIGH_HZ = 10000;
const FLOOR_DB = -85;
const TOP_DB = -15;

const fft = new FFT(WINDOW);
const hann = Float64Array.from({ length: WINDOW }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / WINDOW));
const re = new Float64Array(WINDOW);
const im = new Float64Array(WINDOW);

/** Frequency in Hz at `share` of the height, 0 (bottom) to 1 (top), at this rate in Hz; logarithmic. */
function frequencyAt(share, rate) {
  return LOW_HZ * (Math.min(HIGH_HZ, rate / 2) / LOW_HZ) ** share;
}

/** The share of the height, 0 to 1, at which a frequency in Hz is. */
export function heightOf(frequency, rate) {
  return Math.log(frequency / LOW_HZ) / Math.log(Math.min(HIGH_HZ, rate / 2) / LOW_HZ);
}

/** Magnitudes per bin of the window of both stems from sample `start` on: full-scale sines have 1. */
function magnitudes(vocals, accompaniment, start) {
  // Both stems are real: one transform does for both, and the symmetric parts tell them apart.
  for (let i = 0; i < WINDOW; i += 1) {
    re[i] = (vocals[start + i] ?? 0) * hann[i];
    im[i] = (accompaniment[start + i] ?? 0) * hann[i];
  }
  fft.transform(re, im);
  const bins = WINDOW / 2;
  const found = {
    mixture: new Float32Array(bins),
    vocals: new Float32Array(bins),
    accompaniment: new Float32Array(bins),
  };
  const scale = 2 / WINDOW;
  for (let k = 1; k < bins; k += 1) {
    const mirror = WINDOW - k;
    const vocalsRe = re[k] + re[mirror];
    const vocalsIm = im[k] - im[mirror];
    const accompanimentRe = im[k] + im[mirror];
    const accompanimentIm = re[mirror] - re[k];
    found.vocals[k] = scale * Math.hypot(vocalsRe, vocalsIm);
    found.accompaniment[k] = scale * Math.hypot(accompanimentRe, accompanimentIm);
    found.mixture[k] = scale * Math.hypot(vocalsRe + accompanimentRe, vocalsIm + accompanimentIm);
  }
  return found;
}

// Between the bins at low frequencies, the loudest of several bins at high ones.
function pick(values, from, to) {
  if (to - from < 1) {
    const below = Math.floor(from);
    return values[below] + (from - below) * ((values[below + 1] ?? 0) - values[below]);
  }
  let most = 0;
  for (let k = Math.ceil(from); k < to && k < values.length; k += 1) most = Math.max(most, values[k]);
  return most;
}

/**
 * RGBA pixels, `width` columns of `height` rows, of `length` samples: brightness is the level of the mixture in dB,
 * colour the share of the vocals. `vocals` and `accompaniment` are mono, and begin half a window before the first of
 * these samples; `colours` has an [r, g, b] for each stem; `rate` is in Hz.
 */
export function paint({ vocals, accompaniment, length, rate, width, height, colours }) {
  const pixels = new Uint8ClampedArray(4 * width * height);
  const edges = Float64Array.from({ length: height + 1 }, (_, i) => (frequencyAt(i / height, rate) * WINDOW) / rate);
  for (let x = 0; x < width; x += 1) {
    const found = magnitudes(vocals, accompaniment, Math.round(((x + 0.5) / width) * length));
    for (let row = 0; row < height; row += 1) {
      const level = pick(found.mixture, edges[row], edges[row + 1]);
      const sung = pick(found.vocals, edges[row], edges[row + 1]);
      const played = pick(found.accompaniment, edges[row], edges[row + 1]);
      const decibels = 20 * Math.log10(level + 1e-9);
      const brightness = Math.min(1, Math.max(0, (decibels - FLOOR_DB) / (TOP_DB - FLOOR_DB)));
      const share = sung / (sung + played + 1e-9);
      shade(pixels, 4 * ((height - 1 - row) * width + x), brightness, share, colours);
    }
  }
  return pixels;
}

// Black to the colour over the lower three quarters of the levels, and on towards white.
function shade(pixels, at, brightness, share, colours) {
  const dark = Math.min(1, brightness / 0.75);
  const light = Math.max(0, (brightness - 0.75) / 0.5);
  for (let i = 0; i < 3; i += 1) {
    const colour = share * colours.vocals[i] + (1 - share) * colours.accompaniment[i];
    pixels[at + i] = dark * (colour + light * (255 - colour));
  }
  pixels[at + 3] = 255;
}
