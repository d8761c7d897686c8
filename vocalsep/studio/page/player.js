import { stemUrls } from "./api.js";
import { AudioGraph } from "./audio_graph.js";
import { text } from "./language.js";
import { SegmentCache } from "./segment_cache.js";
import { STEMS } from "./stems.js";

// How far ahead pieces are scheduled.
const SCHEDULE_AHEAD_S = 6;
// From a change to the first piece that follows it.
const LEAD_S = 0.1;
// A piece must be scheduled so long before it starts.
const MIN_LEAD_S = 0.05;
// What must be ready before playback starts, and the shortest piece.
const MIN_READY_S = 2;
const MIN_PIECE_S = 1;
const SCHEDULE_INTERVAL_MS = 100;
const SUSPEND_DELAY_MS = 300;
// Opening the loudspeakers can take seconds.
const MAX_SILENCE_MS = 8000;

/**
 * Plays both stems of a song in exact sync, also while the song is being separated.
 *
 * Audio is scheduled in pieces that join without gaps. All start times are computed from one count of samples, and both
 * stems of a piece start at the same time. Events: "change" (any state), "error" (detail: a message), "start" (detail:
 * {when, position}, the time on the audio clock at which the sound begins, and the position there, both in seconds).
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
  #nextStart = { frame: 0, count: 0 };
  #playing = false;
  #buffering = false;
  #timer = 0;
  #suspendTimer = 0;
  #silenceTimer = 0;
  #beats = [];
  #countIn = null;
  // The clicks before the first piece.
  #counting = [];

  /** The loaded song, or null. */
  get song() {
    return this.#song;
  }

  /** The AnalyserNode of the output; null before the first play. */
  get analyser() {
    return this.#graph?.analyser ?? null;
  }

  /** Whether it plays or buffers. */
  get playing() {
    return this.#playing;
  }

  /** Whether it waits for audio that is not ready yet. */
  get buffering() {
    return this.#buffering;
  }

  /** The position in seconds. */
  get position() {
    return this.#rate ? this.#sample() / this.#rate : 0;
  }

  /** The length in seconds, as far as it is known. */
  get duration() {
    return this.#rate ? this.#total / this.#rate : 0;
  }

  /** Seconds from the start that can be played now. */
  get ready() {
    return this.#rate ? this.#ready / this.#rate : 0;
  }

  /** Whether all of the song is ready. */
  get complete() {
    return this.#version !== null || !["queued", "running"].includes(this.#song?.state);
  }

  /** The position of each stem in seconds, from its scheduled sources; null where none plays. */
  stemPositions() {
    const now = this.#graph?.now ?? 0;
    const position = (stem) => {
      for (const piece of this.#pieces) {
        const { when } = piece.sources[stem];
        if (when <= now && now < when + piece.length / this.#rate) return piece.sample / this.#rate + now - when;
      }
      return null;
    };
    return Object.fromEntries(STEMS.map((stem) => [stem, position(stem)]));
  }

  /** Load `song`, or its `version` ({key, tempo, samples}), at `position` seconds; null to unload. */
  load(song, version = null, position = 0) {
    const resume = this.#playing && song?.id === this.#song?.id;
    this.pause();
    this.#song = song;
    this.#version = version;
    this.#loop = null;
    this.#start = 0;
    this.#segments = null;
    if (this.#rate) {
      const format = { rate: this.#rate, channels: song.channels, bits: song.bits };
      this.#segments = new SegmentCache(stemUrls(song.id, version), format);
      this.#start = this.#toSample(position);
      if (this.#graph && this.#graph.songRate !== this.#rate) {
        this.#graph.context.close();
        this.#graph = null;
      }
    }
    if (resume) this.play();
    this.#changed();
  }

  /** Update the same song; one that was restarted must be loaded again. */
  update(song) {
    this.#song = song;
    this.#scheduleAhead();
    this.#changed();
  }

  /** The graph that plays, opened if it is not yet; null before the format of the song is known. */
  openGraph() {
    if (!this.#rate) return null;
    clearTimeout(this.#suspendTimer);
    this.#openGraph();
    return this.#graph;
  }

  /**
   * Play from the current position, or from the start at the end of the song; buffers where not enough is ready.
   * `countIn`, {beats, interval}, are clicks before it, `interval` seconds apart.
   */
  play(countIn = null) {
    if (!this.#song || this.#playing) return;
    this.openGraph();
    this.#countIn = countIn;
    if (this.#ended(this.#start)) this.#start = this.#loop?.start ?? 0;
    this.#playing = true;
    this.#timer = setInterval(() => this.#scheduleAhead(), SCHEDULE_INTERVAL_MS);
    clearTimeout(this.#silenceTimer);
    this.#silenceTimer = setTimeout(() => this.#checkClock(), MAX_SILENCE_MS);
    this.#scheduleAhead();
    this.#changed();
  }

  /** Pause at the current position. */
  pause() {
    if (!this.#playing) return;
    this.#fadeOut();
    this.#stop();
  }

  /** Seek to `seconds`. */
  seek(seconds) {
    if (!this.#song) return;
    if (this.#playing) this.#fadeOut();
    this.#start = this.#toSample(seconds);
    this.#scheduleAhead();
    this.#changed();
  }

  /** Set the linear gain of a stem, 0 to 1. */
  setGain(stem, value) {
    this.#gains[stem] = value;
    this.#graph?.setGain(stem, value);
  }

  /** Set the linear master gain, 0 to 1. */
  setVolume(value) {
    this.#volume = value;
    this.#graph?.setVolume(value);
  }

  /** Click at `beats`, positions in seconds; none to be silent. */
  setClicks(beats) {
    this.#beats = beats;
    if (!this.#playing) return;
    this.#cancelScheduled();
    this.#scheduleAhead();
  }

  /** Repeat the region between `start` and `end` (seconds); null to stop repeating. */
  setLoop(region) {
    if (!this.#song) return;
    this.#loop = region && { start: this.#toSample(region.start), end: this.#toSample(region.end) };
    if (!this.#playing) return;
    if (region && this.position >= region.end - LEAD_S) {
      this.seek(region.start);
    } else {
      this.#cancelScheduled();
      this.#scheduleAhead();
    }
  }

  // 0 until the studio has opened the file.
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
      this.#graph = new AudioGraph(this.#rate);
      for (const stem of STEMS) this.#graph.setGain(stem, this.#gains[stem]);
      this.#graph.setVolume(this.#volume);
    }
    this.#graph.context.resume();
  }

  #toSample(seconds) {
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
    const atLoopEnd = this.#loop && (sample === this.#loop.end || this.#ended(sample));
    return atLoopEnd ? this.#loop.start : sample;
  }

  #scheduleAhead() {
    if (!this.#playing) return;
    const now = this.#graph?.now ?? 0;
    while (this.#pieces.length > 0 && this.#endOf(this.#pieces[0]) <= now) {
      const piece = this.#pieces.shift();
      this.#start = piece.sample + piece.length;
    }
    while (this.#playing && this.#addPiece(now));
    if (!this.#playing) return;
    if (this.#pieces.length === 0 && this.#ended(this.#next())) this.#stop();
    else this.#setBuffering(this.#pieces.length === 0);
  }

  #addPiece(now) {
    const last = this.#pieces.at(-1);
    const ahead = last ? this.#endOf(last) - now : Infinity;
    // A piece that is scheduled too late would start at once, each stem at a different time: wait, and start again.
    if (last && (ahead > SCHEDULE_AHEAD_S || ahead < MIN_LEAD_S)) return false;
    const sample = this.#next();
    if (!this.#rate || this.#ended(sample)) return false;
    const loopEnd = this.#loop && sample < this.#loop.end ? this.#loop.end : Infinity;
    const until = Math.min(this.#segments.endOf(sample), loopEnd);
    const isReady = this.complete || this.#ready >= Math.min(until, sample + MIN_READY_S * this.#rate);
    if (!isReady) return false;
    const segment = this.#segments.find(sample, Math.min(until, this.#ready, sample + MIN_PIECE_S * this.#rate));
    if (!segment) {
      this.#load(sample);
      return false;
    }
    this.#schedule(segment, sample, Math.min(until, segment.start + segment.length) - sample);
    return true;
  }

  #load(sample) {
    const segments = this.#segments;
    if (segments.isLoading(sample)) return;
    segments.load(sample, this.#ready).then(
      () => this.#scheduleAhead(),
      (error) => {
        if (segments === this.#segments) this.#fail(error);
      },
    );
  }

  #schedule(segment, sample, length) {
    const clicks = [];
    const starts = this.#pieces.length === 0 && !this.#isCounting();
    if (starts) {
      const { beats = 0, interval = 0 } = this.#countIn ?? {};
      const begin = this.#graph.now + LEAD_S;
      this.#counting = Array.from({ length: beats }, (_, beat) => this.#graph.click(begin + beat * interval, beat === 0));
      this.#countIn = null;
      this.#nextStart = { frame: Math.ceil((begin + beats * interval) * this.#graph.rate), count: 0 };
      this.#graph.fadeIn(this.#timeOf(this.#nextStart));
    }
    const when = this.#timeOf(this.#nextStart);
    for (const beat of this.#beats) {
      const after = beat * this.#rate - sample;
      if (after >= 0 && after < length) clicks.push(this.#graph.click(when + after / this.#rate));
    }
    const from = sample - segment.start;
    const sources = {};
    for (const stem of STEMS) {
      const channels = segment.stems[stem].map((channel) => channel.subarray(from, from + length));
      sources[stem] = { when, node: this.#graph.start(stem, channels, when) };
    }
    this.#pieces.push({ when, sample, length, sources, clicks });
    this.#nextStart.count += length;
    // Last: a listener may pause.
    if (starts) this.dispatchEvent(new CustomEvent("start", { detail: { when, position: sample / this.#rate } }));
  }

  #isCounting() {
    return this.#counting.length > 0 && this.#timeOf(this.#nextStart) > this.#graph.now + LEAD_S;
  }

  // Cancels what is scheduled after LEAD_S, so that other pieces can join there without a gap.
  #cancelScheduled() {
    const now = this.#graph?.now ?? 0;
    while (this.#pieces.length > 0) {
      const piece = this.#pieces.at(-1);
      const kept = Math.ceil((now + LEAD_S - piece.when) * this.#rate);
      if (kept >= piece.length) return;
      this.#nextStart.count -= piece.length - Math.max(0, kept);
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
    for (const click of piece.clicks) click.stop(when);
  }

  #fadeOut() {
    this.#start = this.#sample();
    const silentAt = this.#graph?.fadeOut() ?? 0;
    for (const piece of this.#pieces) this.#stopSources(piece, silentAt);
    for (const click of this.#counting) click.stop(silentAt);
    this.#pieces = [];
    this.#counting = [];
  }

  #stop() {
    this.#playing = false;
    this.#buffering = false;
    clearInterval(this.#timer);
    // A running context uses processor time even when it is silent.
    const context = this.#graph?.context;
    this.#suspendTimer = setTimeout(() => context?.state === "running" && context.suspend(), SUSPEND_DELAY_MS);
    this.#changed();
  }

  // Without loudspeakers, or before a first click on the page, a browser may hold the audio clock.
  #checkClock() {
    if (!this.#playing || !this.#graph || this.#graph.context.state === "running") return;
    this.pause();
    this.dispatchEvent(new CustomEvent("error", { detail: text("error_silent") }));
  }

  #fail(error) {
    this.pause();
    this.dispatchEvent(new CustomEvent("error", { detail: text("error_audio", { reason: error.message }) }));
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
