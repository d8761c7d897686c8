const MICROPHONE = {
  audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 },
};
const HEADER_BYTES = 44;

/** Records the microphone as mono samples on the clock of an AudioContext. */
export class Recorder {
  #blocks = [];
  #stream = null;
  #node = null;

  /** Whether this browser lets this page record: only on this machine's own address, or with encryption. */
  static get isPossible() {
    return Boolean(navigator.mediaDevices?.getUserMedia && globalThis.AudioWorkletNode);
  }

  /** Begin to record on the clock of `context`; rejects where the user does not allow it. */
  async start(context) {
    this.#stream = await navigator.mediaDevices.getUserMedia(MICROPHONE);
    await context.audioWorklet.addModule(new URL("./recorder_worklet.js", import.meta.url));
    this.#blocks = [];
    this.#node = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
    this.#node.port.addEventListener("message", ({ data }) => this.#blocks.push(data));
    this.#node.port.start();
    context.createMediaStreamSource(this.#stream).connect(this.#node);
  }

  /** End the recording; return its samples from the audio clock's frame `from` on. */
  stop(from = 0) {
    this.#node.disconnect();
    this.#node.port.close();
    for (const track of this.#stream.getTracks()) track.stop();
    const blocks = this.#blocks.filter(({ frame, samples }) => frame + samples.length > from);
    if (blocks.length === 0) return new Float32Array(0);
    const { frame, samples } = blocks.at(-1);
    // By the clock, so that a block that was lost leaves silence and moves nothing.
    const recording = new Float32Array(frame + samples.length - from);
    for (const block of blocks) {
      const skipped = Math.max(0, from - block.frame);
      recording.set(block.samples.subarray(skipped), block.frame + skipped - from);
    }
    this.#blocks = [];
    return recording;
  }
}

/** A WAV file, as Blob, of mono samples at `rate` Hz: 16 bits. */
export function encodeWav(samples, rate) {
  const view = new DataView(new ArrayBuffer(HEADER_BYTES + 2 * samples.length));
  const writeText = (offset, letters) =>
    [...letters].forEach((letter, i) => view.setUint8(offset + i, letter.charCodeAt(0)));
  writeText(0, "RIFF");
  view.setUint32(4, view.byteLength - 8, true);
  writeText(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  writeText(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, i) => {
    view.setInt16(HEADER_BYTES + 2 * i, Math.round(Math.min(1, Math.max(-1, sample)) * 0x7fff), true);
  });
  return new Blob([view], { type: "audio/wav" });
}

/**
 * How late, in seconds, clicks that were played at `times` (seconds) are heard in `samples`, or null where they are not
 * heard clearly. The delay is the median of all, and most of them must agree on it.
 */
export function measureDelay(samples, rate, times) {
  const longest = Math.round(rate * Math.min(...times.slice(1).map((time, index) => time - times[index])));
  const delays = [];
  for (const time of times) {
    const start = Math.round(time * rate);
    const heard = samples.subarray(start, start + longest);
    let peak = 0;
    let sum = 0;
    for (const sample of heard) {
      peak = Math.max(peak, Math.abs(sample));
      sum += sample * sample;
    }
    const level = Math.sqrt(sum / Math.max(1, heard.length));
    const onset = heard.findIndex((sample) => Math.abs(sample) >= peak / 2);
    if (onset >= 0 && peak > 4 * level && peak > 1e-3) delays.push(onset / rate);
  }
  delays.sort((one, other) => one - other);
  const median = delays[Math.floor(delays.length / 2)];
  const agreeing = delays.filter((delay) => Math.abs(delay - median) < 0.015);
  return agreeing.length > times.length / 2 ? median : null;
}
