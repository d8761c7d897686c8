import { AudioSource } from "./audio_source.js";
import { byId } from "./dom.js";
import { Downloads } from "./downloads.js";
import { formatTime } from "./format.js";
import { KeyTempoForm } from "./key_tempo.js";
import { LoopRegion } from "./loop_region.js";
import { showMessage } from "./messages.js";
import { Mixer } from "./mixer.js";
import { PeaksLoader } from "./peaks_loader.js";
import { Player } from "./player.js";
import { Spectrogram } from "./spectrogram.js";
import { Video } from "./video.js";
import { Waveform } from "./waveform.js";

const BUFFERING_NOTE_MS = 400;
// What the studio knows only once it has opened the file.
const FORMAT_FIELDS = ["sample_rate", "channels", "bits", "video"];

// Where less is ready than before, the song was restarted, and what is shown and cached is outdated.
function mustReopen(song, before) {
  return song.ready < before.ready || FORMAT_FIELDS.some((name) => song[name] !== before[name]);
}

/** The view of one song: its player, and everything that shows or changes how it is played. */
export class SongView {
  #song = null;
  #animationFrame = 0;
  #bufferingTimer = 0;

  /** `onStream(id, stream)` is called when the user chooses another audio stream of the song's file. */
  constructor({ onStream }) {
    this.onStream = onStream;
    this.player = new Player();
    this.mixer = new Mixer(this.player);
    this.loopRegion = new LoopRegion(this.player);
    this.keyTempo = new KeyTempoForm(showMessage);
    this.waveform = new Waveform(byId("waveform"));
    this.spectrogram = new Spectrogram(byId("spectrogram"), showMessage);
    this.video = new Video();
    this.audioSource = new AudioSource();
    this.peaksLoader = new PeaksLoader((peaks) => this.waveform.setPeaks(peaks), showMessage);
    this.downloads = new Downloads(
      () => this.mixer.gains(),
      () => this.keyTempo.current,
    );
    this.#addListeners();
  }

  /** The id of the song, or null. */
  get id() {
    return this.#song?.id ?? null;
  }

  /** Open `song`; null to close the view. */
  open(song) {
    this.#song = song;
    byId("song-view").hidden = !song;
    byId("no-song").hidden = Boolean(song);
    byId("title").textContent = song?.name ?? "";
    this.player.load(song);
    this.loopRegion.clear();
    this.keyTempo.open(song);
    this.spectrogram.open(song);
    this.video.open(song);
    this.audioSource.update(song);
    this.peaksLoader.update(song);
    this.downloads.update(song);
    this.#render();
  }

  /** Show the song's new state. */
  update(song) {
    if (mustReopen(song, this.#song)) {
      this.open(song);
      return;
    }
    this.#song = song;
    this.player.update(song);
    this.keyTempo.update(song);
    this.audioSource.update(song);
    this.peaksLoader.update(song);
    this.downloads.update(song);
  }

  /** Select the audio stream of the song's stems again, after another could not be chosen. */
  resetStream() {
    this.audioSource.reset(this.#song);
  }

  /** Draw in the colours of another theme. */
  recolour() {
    this.waveform.refresh();
    this.spectrogram.refresh();
    this.#render();
  }

  /** Play or pause. */
  togglePlay() {
    if (this.player.playing) this.player.pause();
    else this.player.play();
  }

  /** Seek by `seconds`, backwards where negative. */
  skip(seconds) {
    this.player.seek(this.player.position + seconds);
  }

  #addListeners() {
    const { player, mixer, loopRegion, keyTempo, waveform, audioSource } = this;
    byId("play").addEventListener("click", () => this.togglePlay());
    player.addEventListener("change", () => this.#onPlayerChange());
    player.addEventListener("error", (event) => showMessage(event.detail));
    mixer.addEventListener("change", () => this.downloads.refresh());
    loopRegion.addEventListener("change", () => this.#render());
    keyTempo.addEventListener("version", (event) => this.#loadVersion(event.detail));
    waveform.addEventListener("seek", (event) => player.seek(event.detail));
    waveform.addEventListener("region", ({ detail }) => loopRegion.set(detail.start, detail.end));
    audioSource.addEventListener("stream", ({ detail }) => this.onStream(this.id, detail));
    byId("spectrogram-toggle").addEventListener("click", () => this.#toggleSpectrogram());
  }

  #loadVersion(version) {
    const { player, loopRegion } = this;
    const durationBefore = player.duration;
    const { position } = player;
    const duration = (version?.samples ?? this.#song.ready) / this.#song.sample_rate;
    const ratio = durationBefore > 0 ? duration / durationBefore : 1;
    player.load(this.#song, version, position * ratio);
    loopRegion.scale(ratio);
    this.spectrogram.open(this.#song, version);
    this.downloads.refresh();
    this.#render();
  }

  #toggleSpectrogram() {
    const shown = byId("spectrogram-view").hidden;
    byId("spectrogram-view").hidden = !shown;
    byId("spectrogram-toggle").setAttribute("aria-expanded", shown);
    byId("spectrogram-toggle").textContent = shown ? "Hide spectrogram" : "Show spectrogram";
    this.#render();
  }

  #onPlayerChange() {
    const { playing } = this.player;
    byId("play").setAttribute("aria-label", playing ? "Pause" : "Play");
    byId("play").dataset.state = playing ? "playing" : "paused";
    this.#renderBuffering();
    this.#render();
    if (playing && !this.#animationFrame) this.#animationFrame = requestAnimationFrame(() => this.#animate());
  }

  // Every seek buffers for a moment: a note is shown only after a noticeable wait.
  #renderBuffering() {
    const { player } = this;
    if (!player.buffering) {
      clearTimeout(this.#bufferingTimer);
      this.#bufferingTimer = 0;
      byId("player-state").textContent = "";
    } else if (!this.#bufferingTimer) {
      this.#bufferingTimer = setTimeout(() => {
        byId("player-state").textContent = player.complete ? "Buffering" : "Buffering: waits for the separation";
      }, BUFFERING_NOTE_MS);
    }
  }

  #animate() {
    this.#render();
    this.#animationFrame = this.player.playing ? requestAnimationFrame(() => this.#animate()) : 0;
  }

  #render() {
    const { position, duration, ready, complete, playing, buffering } = this.player;
    const song = this.#song;
    const totalSamples = song ? (song.state === "done" ? song.ready : Math.max(song.ready, song.samples ?? 0)) : 0;
    const time = `${formatTime(position)} / ${formatTime(duration)}`;
    // Setting the same text would make the browser lay it out again at every frame.
    if (byId("time").textContent !== time) byId("time").textContent = time;
    this.waveform.update({ position, duration, ready, totalSamples, region: this.loopRegion.range });
    if (!byId("spectrogram-view").hidden) this.spectrogram.update({ position, ready, complete });
    this.video.synchronize(position, playing && !buffering, this.keyTempo.current.tempo);
  }
}
