import { fetchSamples } from "./pcm.js";
import { drawSpectrogram, WINDOW } from "./spectrum.js";
import { STEMS } from "./stems.js";

const HALF = WINDOW / 2;

// Fetches a stem as mono, with zeros before the song's first sample and, by `drawSpectrogram`, after what is ready.
async function fetchMono(url, format, start, end) {
  const from = Math.max(0, start);
  const channels = await fetchSamples(url, format, from, end);
  if (!channels) return null;
  const out = new Float32Array(from - start + channels[0].length);
  for (const channel of channels) {
    for (let i = 0; i < channel.length; i += 1) out[from - start + i] += channel[i] / channels.length;
  }
  return out;
}

// `whole` tells whether all samples were there: a version in another key is drawn while it is made.
async function drawTile({ urls, format, start, length, ready, width, height, colours }) {
  const end = Math.min(ready, start + length + HALF);
  const [vocals, accompaniment] = await Promise.all(
    STEMS.map((stem) => fetchMono(urls[stem], format, start - HALF, end)),
  );
  if (!vocals || !accompaniment) return { pixels: null, whole: false };
  const pixels = drawSpectrogram({ vocals, accompaniment, length, rate: format.rate, width, height, colours });
  return { pixels, whole: Math.min(vocals.length, accompaniment.length) === end - start + HALF };
}

self.addEventListener("message", async ({ data }) => {
  try {
    self.postMessage({ requestId: data.requestId, ...(await drawTile(data)) });
  } catch (error) {
    self.postMessage({ requestId: data.requestId, pixels: null, error: error.message });
  }
});
