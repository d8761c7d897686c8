import { byId } from "./dom.js";
import { Downloads } from "./downloads.js";
import { clock } from "./format.js";
import { report } from "./messages.js";
import { Mixer } from "./mixer.js";
import { Passage } from "./passage.js";
import { Peaks } from "./peaks.js";
import { Picture } from "./picture.js";
import { Player } from "./player.js";
import { Practice } from "./practice.js";
import { Spectrogram } from "./spectrogram.js";
import { Waveform } from "./waveform.js";

const SLOW_MS = 400;
const KNOWN_LATER = ["sample_rate", "channels", "bits", "video"];

// Less ready than before: it was restarted, and what is shown and kept is of the earlier run. The other things the
// studio knows only once it has looked into the file.
function isAnother(song, before) {
  return song.ready < before.ready || KNOWN_LATER.some((name) => song[name] !== before[name]);
}

/** The song in the player, and all that shows or changes how it is played. */
export class Stage {
  #song = null;
  #drawing = 0;
  #waiting = 0;

  constructor() {
    this.player = new Player();
    this.mixer = new Mixer(this.player);
    this.passage = new Passage(this.player);
    this.practice = new Practice(report);
    this.waveform = new Waveform(byId("waveform"));
    this.spectrogram = new Spectrogram(byId("spectrogram"), report);
    this.picture = new Picture();
    this.peaks = new Peaks((peaks) => this.waveform.setPeaks(peaks), report);
    this.downloads = new Downloads(
      () => this.mixer.gains(),
      () => this.practice.current,
    );
    this.#connect();
  }

  /** The id of the song in the player, or null. */
  get id() {
    return this.#song?.id ?? null;
  }

  /** Put `song` into the player; null to clear it. */
  open(song) {
    this.#song = song;
    byId("stage").hidden = !song;
    byId("nothing").hidden = Boolean(song);
    byId("title").textContent = song?.name ?? "";
    this.player.load(song);
    this.passage.clear();
    this.practice.open(song);
    this.spectrogram.open(song);
    this.picture.open(song);
    this.peaks.follow(song);
    this.downloads.follow(song);
    this.#place();
  }

  /** Hear that the song in the player has got on. */
  update(song) {
    if (isAnother(song, this.#song)) {
      this.open(song);
      return;
    }
    this.#song = song;
    this.player.update(song);
    this.practice.update(song);
    this.peaks.follow(song);
    this.downloads.follow(song);
  }

  /** Draw in the colours of another theme. */
  recolour() {
    this.waveform.refresh();
    this.spectrogram.refresh();
    this.#place();
  }

  togglePlay() {
    if (this.player.playing) this.player.pause();
    else this.player.play();
  }

  /** Go `seconds` on, or back where negative. */
  skip(seconds) {
    this.player.seek(this.player.position + seconds);
  }

  #connect() {
    const { player, mixer, passage, practice, waveform } = this;
    byId("play").addEventListener("click", () => this.togglePlay());
    player.addEventListener("change", () => this.#changed());
    player.addEventListener("problem", (event) => report(event.detail));
    mixer.addEventListener("change", () => this.downloads.refresh());
    passage.addEventListener("change", () => this.#place());
    practice.addEventListener("version", (event) => this.#version(event.detail));
    waveform.addEventListener("seek", (event) => player.seek(event.detail));
    waveform.addEventListener("passage", ({ detail }) => passage.set(detail.start, detail.end));
    byId("spectrogram-toggle").addEventListener("click", () => this.#toggleSpectrogram());
  }

  #version(version) {
    const { player, passage } = this;
    const before = player.duration;
    const { position } = player;
    const length = (version?.samples ?? this.#song.ready) / this.#song.sample_rate;
    const ratio = before > 0 ? length / before : 1;
    player.load(this.#song, version, position * ratio);
    passage.scale(ratio);
    this.spectrogram.open(this.#song, version);
    this.downloads.refresh();
    this.#place();
  }

  #toggleSpectrogram() {
    const shown = byId("spectrogram-view").hidden;
    byId("spectrogram-view").hidden = !shown;
    byId("spectrogram-toggle").setAttribute("aria-expanded", shown);
    byId("spectrogram-toggle").textContent = shown ? "Hide spectrogram" : "Show spectrogram";
    this.#place();
  }

  #changed() {
    const { playing } = this.player;
    byId("play").setAttribute("aria-label", playing ? "Pause" : "Play");
    byId("play").dataset.state = playing ? "playing" : "paused";
    this.#sayWaiting();
    this.#place();
    if (playing && !this.#drawing) this.#drawing = requestAnimationFrame(() => this.#frame());
  }

  // Every seek waits for a moment: only a wait that can be noticed is worth words.
  #sayWaiting() {
    const { player } = this;
    if (!player.buffering) {
      clearTimeout(this.#waiting);
      this.#waiting = 0;
      byId("player-state").textContent = "";
    } else if (!this.#waiting) {
      this.#waiting = setTimeout(() => {
        byId("player-state").textContent = player.complete ? "Buffering" : "Buffering: waits for the separation";
      }, SLOW_MS);
    }
  }

  #frame() {
    this.#place();
    this.#drawing = this.player.playing ? requestAnimationFrame(() => this.#frame()) : 0;
  }

  #place() {
    const { position, duration, ready, complete, playing, buffering } = this.player;
    const song = this.#song;
    const whole = song ? (song.state === "done" ? song.ready : Math.max(song.ready, song.samples ?? 0)) : 0;
    const time = `${clock(position)} / ${clock(duration)}`;
    // Even the same text would be laid out again, at every frame.
    if (byId("time").textContent !== time) byId("time").textContent = time;
    this.waveform.place({ position, duration, ready, whole, passage: this.passage.range });
    if (!byId("spectrogram-view").hidden) this.spectrogram.place({ position, ready, complete });
    this.picture.follow(position, playing && !buffering, this.practice.current.tempo);
  }
}
