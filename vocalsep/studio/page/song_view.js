import { AudioSource } from "./audio_source.js";
import { byId } from "./dom.js";
import { Downloads } from "./downloads.js";
import { formatTime, songTitle } from "./format.js";
import { KeyTempo } from "./key_tempo.js";
import { text } from "./language.js";
import { LoopRegion } from "./loop_region.js";
import { showMessage } from "./messages.js";
import { Mixer } from "./mixer.js";
import { NowPlaying } from "./now_playing.js";
import { onOtherTab, tellOtherTabs } from "./other_tabs.js";
import { PeaksLoader } from "./peaks_loader.js";
import { Player } from "./player.js";
import { Practice } from "./practice.js";
import { loadPreference, savePreference } from "./preferences.js";
import { Recordings } from "./recordings.js";
import { SongSettings } from "./song_settings.js";
import { isPlayable, SongStatus } from "./song_status.js";
import { Spectrogram } from "./spectrogram.js";
import { Video } from "./video.js";
import { Waveform } from "./waveform.js";
import { Words } from "./words.js";
import { WordsTapping } from "./words_tapping.js";

const BUFFERING_NOTE_MS = 400;
const WIDE = matchMedia("(min-width: 980px)");
const OPEN_AT_FIRST = ["levels", "loop-section", "more-downloads"];
// What the studio knows only once it has opened the file.
const FORMAT_FIELDS = ["sample_rate", "channels", "bits", "video"];

// Where less is ready than before, the song was restarted, and what is shown and cached is outdated.
function mustReopen(song, before) {
  return song.ready < before.ready || FORMAT_FIELDS.some((name) => song[name] !== before[name]);
}

/** The view of one song: its player, and everything that shows or changes how it is played. */
export class SongView {
  #song = null;
  #opening = 0;
  #animationFrame = 0;
  #bufferingTimer = 0;

  /**
   * `onStream(id, stream)` is called when the user chooses another audio stream, `onDownload(song, request)` for a file
   * to be made; `songActions` are functions of a song: restart, cancel, remove.
   */
  constructor({ onStream, onDownload, songActions }) {
    this.onStream = onStream;
    this.player = new Player();
    this.mixer = new Mixer(this.player);
    this.loopRegion = new LoopRegion(this.player);
    this.keyTempo = new KeyTempo(() => this.songPosition, showMessage);
    this.waveform = new Waveform(byId("waveform"));
    this.spectrogram = new Spectrogram(byId("spectrogram"), showMessage);
    this.video = new Video();
    this.audioSource = new AudioSource();
    this.status = new SongStatus(songActions);
    this.nowPlaying = new NowPlaying(this.player);
    this.settings = new SongSettings(() => this.#readSettings());
    this.peaksLoader = new PeaksLoader((peaks) => this.waveform.setPeaks(peaks), showMessage);
    this.practice = new Practice(this.player, () => this.keyTempo.current);
    this.tapping = new WordsTapping(this, () => this.words.reload());
    this.words = new Words((song, words) => this.tapping.open(song, words));
    this.recordings = new Recordings(this, onDownload);
    this.downloads = new Downloads({
      getGains: () => this.mixer.gains(),
      getVersion: () => this.keyTempo.wanted,
      getPassage: () => (this.loopRegion.isSet ? this.#songRange() : null),
      hasTimedWords: () => this.words.timed,
      onStart: onDownload,
    });
    this.#setupSections();
    this.#addListeners();
  }

  /** The id of the song, or null. */
  get id() {
    return this.#song?.id ?? null;
  }

  /** The song, or null. */
  get song() {
    return this.#song;
  }

  /** The position in seconds of the song at its own tempo. */
  get songPosition() {
    return this.player.position * this.#tempoRatio;
  }

  /** Open `song` as it was left; null to close the view. Resolves once its settings are loaded. */
  async open(song) {
    this.settings.flush();
    this.settings.watch(null);
    const opening = ++this.#opening;
    const kept = song ? await this.settings.load(song.id) : {};
    // Another song was opened meanwhile.
    if (opening !== this.#opening) return;
    this.#load(song, kept);
    this.words.open(song, kept.words_offset ?? 0);
    this.recordings.open(song);
    if (song) this.settings.watch(song.id);
  }

  /** Show the song's new state. */
  update(song) {
    if (mustReopen(song, this.#song)) {
      this.#load(song, this.#readSettings());
      return;
    }
    const becamePlayable = isPlayable(song) && !isPlayable(this.#song);
    this.#song = song;
    this.#showNames();
    this.player.update(song);
    this.keyTempo.update(song);
    this.audioSource.update(song);
    this.status.update(song);
    this.peaksLoader.update(song);
    this.downloads.update(song);
    this.practice.update(song);
    if (becamePlayable) this.#render();
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
    else this.play();
  }

  /** Play, after the count-in where the user wants one. */
  play() {
    if (isPlayable(this.#song)) this.player.play(this.practice.countIn);
  }

  /** Seek to `seconds` of the song at its own tempo. */
  seekSong(seconds) {
    this.player.seek(seconds / this.#tempoRatio);
  }

  // Seconds of the song for each second that is played.
  get #tempoRatio() {
    return this.keyTempo.current.tempo / 100;
  }

  #songRange() {
    const range = this.loopRegion.range;
    return range && { start: range.start * this.#tempoRatio, end: range.end * this.#tempoRatio };
  }

  #readSettings() {
    return {
      position: Math.round(1000 * this.songPosition) / 1000,
      loop: this.loopRegion.isSet ? this.#songRange() : null,
      looping: this.loopRegion.range?.enabled ?? false,
      ...this.mixer.settings,
      ...this.keyTempo.wanted,
      words_offset: this.words.offset,
    };
  }

  #load(song, kept) {
    this.#song = song;
    byId("song-view").hidden = !song;
    this.#showNames();
    this.player.load(song, null, kept.position ?? 0);
    this.mixer.restore(kept);
    this.loopRegion.restore(kept.loop ?? null, kept.looping ?? false);
    this.keyTempo.open(song);
    if (song) this.keyTempo.set({ key: kept.key ?? 0, tempo: kept.tempo ?? 100 });
    this.waveform.resetZoom();
    this.spectrogram.open(song);
    this.video.open(song);
    this.audioSource.update(song);
    this.status.update(song);
    this.peaksLoader.update(song);
    this.downloads.update(song);
    this.practice.update(song);
    this.#render();
  }

  #showNames() {
    byId("title").textContent = this.#song ? songTitle(this.#song) : "";
    byId("artist").textContent = this.#song?.artist ?? "";
    byId("artist").hidden = !this.#song?.artist;
    this.nowPlaying.update(this.#song);
  }

  #setupSections() {
    for (const section of document.querySelectorAll("details.card")) {
      section.open = loadPreference(`open-${section.id}`, WIDE.matches && OPEN_AT_FIRST.includes(section.id));
      section.addEventListener("toggle", () => {
        savePreference(`open-${section.id}`, section.open);
        this.#render();
      });
    }
  }

  #addListeners() {
    const { player, mixer, loopRegion, keyTempo, waveform, audioSource } = this;
    byId("play").addEventListener("click", () => this.togglePlay());
    byId("play").addEventListener("keydown", (event) => {
      const skip = { ArrowLeft: -5, ArrowRight: 5 }[event.key];
      if (!skip) return;
      event.preventDefault();
      player.seek(player.position + skip);
    });
    player.addEventListener("change", () => this.#onPlayerChange());
    player.addEventListener("error", (event) => showMessage(event.detail, { retry: () => player.play() }));
    mixer.addEventListener("change", () => {
      this.downloads.refresh();
      this.settings.save();
    });
    loopRegion.addEventListener("change", () => {
      this.downloads.refresh();
      this.settings.save();
      this.#render();
    });
    this.words.addEventListener("change", () => {
      this.downloads.refresh();
      this.settings.save();
      this.#render();
    });
    keyTempo.addEventListener("version", (event) => this.#loadVersion(event.detail));
    waveform.addEventListener("seek", (event) => player.seek(event.detail));
    waveform.addEventListener("region", ({ detail }) => loopRegion.set(detail.start, detail.end));
    audioSource.addEventListener("stream", ({ detail }) => this.onStream(this.id, detail));
    onOtherTab("playing", () => player.pause());
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
    this.practice.render();
    this.#render();
  }

  #onPlayerChange() {
    const { playing } = this.player;
    const label = text(playing ? "pause" : "play");
    if (byId("play").ariaLabel !== label) byId("play").ariaLabel = label;
    byId("play").dataset.state = playing ? "playing" : "paused";
    this.nowPlaying.update(this.#song);
    this.#renderBuffering();
    this.#render();
    if (playing && !this.#animationFrame) {
      tellOtherTabs("playing");
      this.#animationFrame = requestAnimationFrame(() => this.#animate());
    }
    if (!playing) this.settings.save();
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
        byId("player-state").textContent = text(player.complete ? "buffering" : "buffering_separation");
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
    if (byId("spectrogram-section").open) this.spectrogram.update({ position, ready, complete });
    this.video.synchronize(position, playing && !buffering, this.keyTempo.current.tempo);
    this.words.update(this.songPosition, playing && !buffering, this.#tempoRatio);
  }
}
