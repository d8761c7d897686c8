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

/** The frequency in Hz at a height of the logarithmic axis, 0 (bottom) to 1 (top). */
function frequencyAt(height, rate) {
  return LOW_HZ * (Math.min(HIGH_HZ, rate / 2) / LOW_HZ) ** height;
}

/** The height of a frequency in Hz on the logarithmic axis, 0 (bottom) to 1 (top). */
export function relativeHeight(frequency, rate) {
  return Math.log(frequency / LOW_HZ) / Math.log(Math.min(HIGH_HZ, rate / 2) / LOW_HZ);
}

/** The magnitude spectra of both stems and the mixture in the window at sample `start`; a full-scale sine has 1. */
function magnitudes(vocals, accompaniment, start) {
  // Both stems are real, so one complex transform computes both spectra: they are its symmetric parts.
  for (let i = 0; i < WINDOW; i += 1) {
    re[i] = (vocals[start + i] ?? 0) * hann[i];
    im[i] = (accompaniment[start + i] ?? 0) * hann[i];
  }
  fft.transform(re, im);
  const bins = WINDOW / 2;
  const spectra = {
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
    spectra.vocals[k] = scale * Math.hypot(vocalsRe, vocalsIm);
    spectra.accompaniment[k] = scale * Math.hypot(accompanimentRe, accompanimentIm);
    spectra.mixture[k] = scale * Math.hypot(vocalsRe + accompanimentRe, vocalsIm + accompanimentIm);
  }
  return spectra;
}

// Interpolates between bins at low frequencies, and takes the largest of several bins at high ones.
function magnitudeBetween(values, from, to) {
  if (to - from < 1) {
    const below = Math.floor(from);
    return values[below] + (from - below) * ((values[below + 1] ?? 0) - values[below]);
  }
  let largest = 0;
  for (let k = Math.ceil(from); k < to && k < values.length; k += 1) largest = Math.max(largest, values[k]);
  return largest;
}

/**
 * Draw the spectrogram of `length` samples as RGBA pixels, `width` columns of `height` rows: brightness is the level of
 * the mixture in dB, colour the share of the vocals. `vocals` and `accompaniment` are mono, and begin half a window
 * before the first of these samples; `colours` has an [r, g, b] for each stem; `rate` is in Hz.
 */
export function drawSpectrogram({ vocals, accompaniment, length, rate, width, height, colours }) {
  const pixels = new Uint8ClampedArray(4 * width * height);
  const edges = Float64Array.from({ length: height + 1 }, (_, i) => (frequencyAt(i / height, rate) * WINDOW) / rate);
  for (let x = 0; x < width; x += 1) {
    const spectra = magnitudes(vocals, accompaniment, Math.round(((x + 0.5) / width) * length));
    for (let row = 0; row < height; row += 1) {
      const level = magnitudeBetween(spectra.mixture, edges[row], edges[row + 1]);
      const vocalsLevel = magnitudeBetween(spectra.vocals, edges[row], edges[row + 1]);
      const accompanimentLevel = magnitudeBetween(spectra.accompaniment, edges[row], edges[row + 1]);
      const decibels = 20 * Math.log10(level + 1e-9);
      const brightness = Math.min(1, Math.max(0, (decibels - FLOOR_DB) / (TOP_DB - FLOOR_DB)));
      const share = vocalsLevel / (vocalsLevel + accompanimentLevel + 1e-9);
      setPixel(pixels, 4 * ((height - 1 - row) * width + x), brightness, share, colours);
    }
  }
  return pixels;
}

// From black to the colour over the lower three quarters of the range, then towards white.
function setPixel(pixels, offset, brightness, share, colours) {
  const dark = Math.min(1, brightness / 0.75);
  const light = Math.max(0, (brightness - 0.75) / 0.5);
  for (let i = 0; i < 3; i += 1) {
    const colour = share * colours.vocals[i] + (1 - share) * colours.accompaniment[i];
    pixels[offset + i] = dark * (colour + light * (255 - colour));
  }
  pixels[offset + 3] = 255;
}
