import { STEMS } from "./stems.js";

const GAIN_TIME_CONSTANT_S = 0.01;
const FADE_S = 0.005;
const CLICK_S = 0.04;
const CLICK_LEVEL = 0.5;
const CLICK_HZ = { plain: 1000, accented: 1500 };

/** The Web Audio graph: stem gains -> fade -> master gain -> analyser -> speakers. */
export class AudioGraph {
  /** `rate` is the song's, in Hz: without resampling, segments join seamlessly. */
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
    this.stems[stem].gain.setTargetAtTime(value, this.now, GAIN_TIME_CONSTANT_S);
  }

  /** Set the linear gain of the master. */
  setVolume(value) {
    this.master.gain.setTargetAtTime(value, this.now, GAIN_TIME_CONSTANT_S);
  }

  /** Play `channels` (Float32Arrays at the song's rate) as `stem` from context time `when` on; return the source. */
  start(stem, channels, when) {
    const options = { numberOfChannels: channels.length, length: channels[0].length, sampleRate: this.songRate };
    const buffer = new AudioBuffer(options);
    channels.forEach((samples, index) => buffer.copyToChannel(samples, index));
    const node = new AudioBufferSourceNode(this.context, { buffer });
    node.connect(this.stems[stem]);
    node.start(when);
    return node;
  }

  /** Play a click, such as a metronome's, at context time `when`, with the master gain only; return the source. */
  click(when, accented = false) {
    const length = Math.round(CLICK_S * this.rate);
    const samples = Float32Array.from({ length }, (_, i) => {
      const time = i / this.rate;
      const decay = Math.exp((-6 * time) / CLICK_S);
      return CLICK_LEVEL * decay * Math.sin(2 * Math.PI * (accented ? CLICK_HZ.accented : CLICK_HZ.plain) * time);
    });
    const buffer = new AudioBuffer({ numberOfChannels: 1, length, sampleRate: this.rate });
    buffer.copyToChannel(samples, 0);
    const node = new AudioBufferSourceNode(this.context, { buffer });
    node.connect(this.master);
    node.start(when);
    return node;
  }

  /** Fade in at context time `when`, because audio that starts in the middle of a wave would click. */
  fadeIn(when) {
    this.fade.gain.setValueAtTime(0, when);
    this.fade.gain.linearRampToValueAtTime(1, when + FADE_S);
  }

  /** Fade out now; return the context time at which the output is silent. */
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
