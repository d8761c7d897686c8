import { stemUrls } from "./api.js";
import { Graph } from "./graph.js";
import { Segments } from "./segments.js";
import { STEMS } from "./stems.js";

const AHEAD_S = 6;
const LEAD_S = 0.1;
const LATE_S = 0.05;
const ENOUGH_S = 2;
const SHORTEST_S = 1;
const TICK_MS = 100;
const REST_MS = 300;

/**
 * Plays both stems of a song in exact sync, while the song is still being separated too.
 *
 * What sounds is a row of pieces that join without gaps. All times come from one count of samples, and both stems of a
 * piece get the very same time. Events: "change" (any state), "problem" (detail: a sentence).
 */
export class Player extends EventTarget {
  #song = null;
  #version = null;
  #graph = null;
  #segments = null;
  #gains = { vocals: 1, accompaniment: 1 };
  #volume = 1;
  #loop = null;
  #start = 0;
  #pieces = [];
  #anchor = { frame: 0, count: 0 };
  #playing = false;
  #buffering = false;
  #timer = 0;
  #rest = 0;

  /** The song that was loaded, or null. */
  get song() {
    return this.#song;
  }

  /** The AnalyserNode of the output; null before the first play. */
  get analyser() {
    return this.#graph?.analyser ?? null;
  }

  /** Whether it plays, or would if it were not waiting. */
  get playing() {
    return this.#playing;
  }

  /** Whether it waits for what is to be played next. */
  get buffering() {
    return this.#buffering;
  }

  /** Where the song is, in seconds. */
  get position() {
    return this.#rate ? this.#sample() / this.#rate : 0;
  }

  /** The whole length in seconds, as far as it is known. */
  get duration() {
    return this.#rate ? this.#total / this.#rate : 0;
  }

  /** Seconds from the start that can be played now. */
  get ready() {
    return this.#rate ? this.#ready / this.#rate : 0;
  }

  /** Whether no more will become ready. */
  get complete() {
    return this.#version !== null || !["queued", "running"].includes(this.#song?.state);
  }

  /** Seconds at which the source of each stem is that sounds now, from what was scheduled; null where none sounds. */
  stemPositions() {
    const now = this.#graph?.now ?? 0;
    const heard = (stem) => {
      for (const piece of this.#pieces) {
        const { when } = piece.sources[stem];
        if (when <= now && now < when + piece.length / this.#rate) return piece.sample / this.#rate + now - when;
      }
      return null;
    };
    return Object.fromEntries(STEMS.map((stem) => [stem, heard(stem)]));
  }

  /** Take `song`, or its `version` ({key, tempo, samples}), at `position` seconds; null to take nothing. */
  load(song, version = null, position = 0) {
    const goOn = this.#playing && song?.id === this.#song?.id;
    this.pause();
    this.#song = song;
    this.#version = version;
    this.#loop = null;
    this.#start = 0;
    this.#segments = null;
    if (this.#rate) {
      const format = { rate: this.#rate, channels: song.channels, bits: song.bits };
      this.#segments = new Segments(stemUrls(song.id, version), format);
      this.#start = this.#within(position);
      if (this.#graph && this.#graph.songRate !== this.#rate) {
        this.#graph.context.close();
        this.#graph = null;
      }
    }
    if (goOn) this.play();
    this.#changed();
  }

  /** Hear that the song has got on; one that was restarted is to be loaded anew. */
  update(song) {
    this.#song = song;
    this.#pump();
    this.#changed();
  }

  /** Play on, from the start again where the song is over; waits where not enough is ready. */
  play() {
    if (!this.#song || this.#playing) return;
    clearTimeout(this.#rest);
    if (this.#rate) this.#openGraph();
    if (this.#ended(this.#start)) this.#start = this.#loop?.start ?? 0;
    this.#playing = true;
    this.#timer = setInterval(() => this.#pump(), TICK_MS);
    this.#pump();
    this.#changed();
  }

  /** Stop where it is. */
  pause() {
    if (!this.#playing) return;
    this.#silence();
    this.#stop();
  }

  /** Go to `seconds`. */
  seek(seconds) {
    if (!this.#song) return;
    if (this.#playing) this.#silence();
    this.#start = this.#within(seconds);
    this.#pump();
    this.#changed();
  }

  /** Set the linear gain of a stem, 0 to 1. */
  setGain(stem, value) {
    this.#gains[stem] = value;
    this.#graph?.setGain(stem, value);
  }

  /** Set the linear gain of the whole, 0 to 1. */
  setVolume(value) {
    this.#volume = value;
    this.#graph?.setVolume(value);
  }

  /** Repeat what lies between `start` and `end` (seconds); null to play on. */
  setLoop(passage) {
    if (!this.#song) return;
    this.#loop = passage && { start: this.#within(passage.start), end: this.#within(passage.end) };
    if (!this.#playing) return;
    if (passage && this.position >= passage.end - LEAD_S) {
      this.seek(passage.start);
    } else {
      this.#cut();
      this.#pump();
    }
  }

  // 0 until the studio has looked into the file.
  get #rate() {
    return this.#song?.sample_rate ?? 0;
  }

  get #ready() {
    return this.#version ? this.#version.samples : this.#song.ready;
  }

  get #total() {
    return this.complete ? this.#ready : Math.max(this.#ready, this.#song.samples ?? 0);
  }

  #openGraph() {
    if (!this.#graph) {
      this.#graph = new Graph(this.#rate);
      for (const stem of STEMS) this.#graph.setGain(stem, this.#gains[stem]);
      this.#graph.setVolume(this.#volume);
    }
    this.#graph.context.resume();
  }

  #within(seconds) {
    return Math.round(Math.min(this.#total, Math.max(0, seconds * this.#rate)));
  }

  #ended(sample) {
    return this.complete && sample >= this.#ready;
  }

  #timeOf({ frame, count }) {
    const { rate } = this.#graph;
    return (frame * this.#rate + count * rate) / (rate * this.#rate);
  }

  #endOf(piece) {
    return piece.when + piece.length / this.#rate;
  }

  #sample() {
    let sample = this.#start;
    for (const piece of this.#pieces) {
      const elapsed = this.#graph.now - piece.when;
      if (elapsed < 0) break;
      sample = piece.sample + Math.min(piece.length, Math.floor(elapsed * this.#rate));
    }
    return sample;
  }

  #next() {
    const last = this.#pieces.at(-1);
    const sample = last ? last.sample + last.length : this.#start;
    const wraps = this.#loop && (sample === this.#loop.end || this.#ended(sample));
    return wraps ? this.#loop.start : sample;
  }

  #pump() {
    if (!this.#playing) return;
    const now = this.#graph?.now ?? 0;
    while (this.#pieces.length > 0 && this.#endOf(this.#pieces[0]) <= now) {
      const piece = this.#pieces.shift();
      this.#start = piece.sample + piece.length;
    }
    while (this.#addPiece(now));
    if (this.#pieces.length === 0 && this.#ended(this.#next())) this.#stop();
    else this.#setBuffering(this.#pieces.length === 0);
  }

  #addPiece(now) {
    const last = this.#pieces.at(-1);
    const ahead = last ? this.#endOf(last) - now : Infinity;
    // A piece that came too late would start at once, each stem at its own moment: better to run dry and start anew.
    if (last && (ahead > AHEAD_S || ahead < LATE_S)) return false;
    const sample = this.#next();
    if (!this.#rate || this.#ended(sample)) return false;
    const turn = this.#loop && sample < this.#loop.end ? this.#loop.end : Infinity;
    const until = Math.min(this.#segments.endOf(sample), turn);
    const enough = this.complete || this.#ready >= Math.min(until, sample + ENOUGH_S * this.#rate);
    if (!enough) return false;
    const segment = this.#segments.find(sample, Math.min(until, this.#ready, sample + SHORTEST_S * this.#rate));
    if (!segment) {
      this.#load(sample);
      return false;
    }
    this.#schedule(segment, sample, Math.min(until, segment.start + segment.length) - sample);
    return true;
  }

  #load(sample) {
    const segments = this.#segments;
    if (segments.loading(sample)) return;
    segments.load(sample, this.#ready).then(
      () => this.#pump(),
      (error) => {
        if (segments === this.#segments) this.#fail(error);
      },
    );
  }

  #schedule(segment, sample, length) {
    if (this.#pieces.length === 0) {
      this.#anchor = { frame: Math.ceil((this.#graph.now + LEAD_S) * this.#graph.rate), count: 0 };
      this.#graph.fadeIn(this.#timeOf(this.#anchor));
    }
    const when = this.#timeOf(this.#anchor);
    const from = sample - segment.start;
    const sources = {};
    for (const stem of STEMS) {
      const channels = segment.stems[stem].map((channel) => channel.subarray(from, from + length));
      sources[stem] = { when, node: this.#graph.start(stem, channels, when) };
    }
    this.#pieces.push({ when, sample, length, sources });
    this.#anchor.count += length;
  }

  // Takes back what is scheduled from a moment ahead on; what comes instead joins there without a gap.
  #cut() {
    const now = this.#graph?.now ?? 0;
    while (this.#pieces.length > 0) {
      const piece = this.#pieces.at(-1);
      const kept = Math.ceil((now + LEAD_S - piece.when) * this.#rate);
      if (kept >= piece.length) return;
      this.#anchor.count -= piece.length - Math.max(0, kept);
      if (kept > 0) {
        piece.length = kept;
        this.#stopSources(piece, this.#endOf(piece));
        return;
      }
      this.#stopSources(piece, now);
      this.#pieces.pop();
    }
  }

  #stopSources(piece, when) {
    for (const stem of STEMS) piece.sources[stem].node.stop(when);
  }

  #silence() {
    this.#start = this.#sample();
    const silent = this.#graph?.fadeOut() ?? 0;
    for (const piece of this.#pieces) this.#stopSources(piece, silent);
    this.#pieces = [];
  }

  #stop() {
    this.#playing = false;
    this.#buffering = false;
    clearInterval(this.#timer);
    // The context takes processor time even when silent.
    const context = this.#graph?.context;
    this.#rest = setTimeout(() => context?.state === "running" && context.suspend(), REST_MS);
    this.#changed();
  }

  #fail(error) {
    this.pause();
    this.dispatchEvent(new CustomEvent("problem", { detail: `The sound could not be fetched: ${error.message}` }));
  }

  #setBuffering(on) {
    if (on === this.#buffering) return;
    this.#buffering = on;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
