import { fetchSamples } from "./pcm.js";
import { paint, WINDOW } from "./spectrum.js";
import { STEMS } from "./stems.js";

const HALF = WINDOW / 2;

// Mono, with zeros before the song's first sample and, by `paint`, after what is ready.
async function mono(url, format, start, end) {
  const from = Math.max(0, start);
  const channels = await fetchSamples(url, format, from, end);
  if (!channels) return null;
  const out = new Float32Array(from - start + channels[0].length);
  for (const channel of channels) {
    for (let i = 0; i < channel.length; i += 1) out[from - start + i] += channel[i] / channels.length;
  }
  return out;
}

async function tile({ urls, format, start, length, ready, width, height, colours }) {
  const end = Math.min(ready, start + length + HALF);
  const [vocals, accompaniment] = await Promise.all(
    STEMS.map((stem) => mono(urls[stem], format, start - HALF, end)),
  );
  if (!vocals || !accompaniment) return null;
  return paint({ vocals, accompaniment, length, rate: format.rate, width, height, colours });
}

self.addEventListener("message", async ({ data }) => {
  try {
    self.postMessage({ ticket: data.ticket, pixels: await tile(data) });
  } catch (error) {
    self.postMessage({ ticket: data.ticket, pixels: null, problem: error.message });
  }
});
