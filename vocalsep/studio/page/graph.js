import { STEMS } from "./stems.js";

const SMOOTH_S = 0.01;
const FADE_S = 0.005;

/** Stem gains -> fade -> master gain -> analyser -> speakers. */
export class Graph {
  /** `rate` is the song's, in Hz: at the same rate nothing is resampled, so that segments join without a seam. */
  constructor(rate) {
    this.songRate = rate;
    this.context = openContext(rate);
    this.rate = this.context.sampleRate;
    this.fade = this.context.createGain();
    this.master = this.context.createGain();
    this.analyser = this.context.createAnalyser();
    this.fade.connect(this.master).connect(this.analyser).connect(this.context.destination);
    this.stems = {};
    for (const stem of STEMS) {
      this.stems[stem] = this.context.createGain();
      this.stems[stem].connect(this.fade);
    }
  }

  /** Seconds on the context's clock. */
  get now() {
    return this.context.currentTime;
  }

  /** Set the linear gain of a stem. */
  setGain(stem, value) {
    this.stems[stem].gain.setTargetAtTime(value, this.now, SMOOTH_S);
  }

  /** Set the linear gain of the whole. */
  setVolume(value) {
    this.master.gain.setTargetAtTime(value, this.now, SMOOTH_S);
  }

  /** A source that plays `channels` (Float32Arrays at the song's rate) as `stem`, from context time `when` on. */
  start(stem, channels, when) {
    const options = { numberOfChannels: channels.length, length: channels[0].length, sampleRate: this.songRate };
    const buffer = new AudioBuffer(options);
    channels.forEach((samples, index) => buffer.copyToChannel(samples, index));
    const node = new AudioBufferSourceNode(this.context, { buffer });
    node.connect(this.stems[stem]);
    node.start(when);
    return node;
  }

  /** Rise from silence at context time `when`: sound that starts in the middle of a wave would click. */
  fadeIn(when) {
    this.fade.gain.setValueAtTime(0, when);
    this.fade.gain.linearRampToValueAtTime(1, when + FADE_S);
  }

  /** Fall to silence now; the context time at which nothing is heard any more. */
  fadeOut() {
    this.fade.gain.cancelScheduledValues(this.now);
    this.fade.gain.setTargetAtTime(0, this.now, FADE_S / 2);
    return this.now + 4 * FADE_S;
  }
}

function openContext(sampleRate) {
  try {
    return new AudioContext({ sampleRate, latencyHint: "balanced" });
  } catch {
    return new AudioContext({ latencyHint: "balanced" });
  }
}
