import { originalUrl } from "./api.js";
import { byId } from "./dom.js";
import { formatBytes, formatGain, formatKeyTempo, formatTime } from "./format.js";
import { text } from "./language.js";
import { loadPreference, savePreference } from "./preferences.js";

const KARAOKE = { vocals: 0, accompaniment: 1 };
const HELP = {
  stems: "help_stems",
  vocals: "help_stem",
  accompaniment: "help_stem",
  "stem.mp4": "help_stem_file",
  burnt: "help_video_burnt",
  subtitles: "help_video_subtitles",
  none: "help_video",
};
const VIDEOS = ["burnt", "subtitles", "none"];
// These have no choice of format, tempo or passage.
const WHOLE = ["stem.mp4", ...VIDEOS];

/** The download of the karaoke version, and all others. */
export class Downloads {
  #song = null;

  /**
   * `getGains()` returns the linear gains of the stems, `getVersion()` {key, tempo}, `getPassage()` the looped passage,
   * {start, end} in seconds of the song at its own tempo, or null; `hasTimedWords()` whether the song has words with
   * times; `onStart(song, request)` asks for a file.
   */
  constructor({ getGains, getVersion, getPassage, hasTimedWords, onStart }) {
    this.getGains = getGains;
    this.getVersion = getVersion;
    this.getPassage = getPassage;
    this.hasTimedWords = hasTimedWords;
    this.onStart = onStart;
    for (const id of ["karaoke-format", "download-format", "download-what"]) {
      byId(id).value = loadPreference(id, byId(id).value);
      byId(id).addEventListener("change", () => {
        savePreference(id, byId(id).value);
        this.refresh();
      });
    }
    byId("download-loop").addEventListener("change", () => this.refresh());
    byId("download-karaoke").addEventListener("click", () => {
      const format = byId("karaoke-format").value;
      this.onStart(this.#song, { kind: "mix", format, ...KARAOKE, ...this.getVersion() });
    });
    byId("download").addEventListener("click", () => this.onStart(this.#song, this.#request()));
  }

  /** Offer downloads of `song` as it is now; null for none. */
  update(song) {
    this.#song = song;
    if (song) {
      byId("download-original").href = originalUrl(song.id);
      byId("song-size").textContent = text("size_on_disk", { size: formatBytes(song.bytes) });
    }
    this.refresh();
  }

  /** Show what would be downloaded. */
  refresh() {
    const what = byId("download-what").value;
    const gains = this.getGains();
    const passage = this.getPassage();
    const done = this.#song?.state === "done";
    const possible = this.#isPossible(what);
    const silent = (what === "mix" || VIDEOS.includes(what)) && gains.vocals === 0 && gains.accompaniment === 0;
    byId("download-karaoke").disabled = !done;
    byId("download").disabled = !done || silent || !possible;
    byId("download-format").disabled = WHOLE.includes(what);
    byId("download-loop").disabled = !passage || WHOLE.includes(what);
    if (byId("download-loop").disabled) byId("download-loop").checked = false;
    byId("download-text").textContent = this.#description(what, gains, passage, { done, silent, possible });
  }

  // Words in a video need words with times, and a video without them a picture.
  #isPossible(what) {
    if (what === "none") return Boolean(this.#song?.video);
    return !VIDEOS.includes(what) || this.hasTimedWords();
  }

  #request() {
    const what = byId("download-what").value;
    const passage = byId("download-loop").checked ? this.getPassage() : null;
    const common = { format: byId("download-format").value, ...this.getVersion(), ...passage };
    if (what === "stem.mp4") return { kind: "stem_file" };
    if (VIDEOS.includes(what)) return { kind: "video", words: what, ...this.getGains(), key: this.getVersion().key };
    if (what === "stems") return { kind: "stems", ...common };
    if (what === "mix") return { kind: "mix", ...this.getGains(), ...common };
    return { kind: "stem", stem: what, ...common };
  }

  #description(what, gains, passage, { done, silent, possible }) {
    if (!done) return text("download_later");
    if (!possible) return text(what === "none" ? "video_needs_picture" : "video_needs_words");
    if (silent) return text("download_silent");
    const levels = { vocals: formatGain(gains.vocals), accompaniment: formatGain(gains.accompaniment) };
    if (WHOLE.includes(what)) return text(HELP[what], levels);
    const { key, tempo } = this.getVersion();
    const parts = [what === "mix" ? text("help_mix", levels) : text(HELP[what]), formatKeyTempo(key, tempo)];
    if (byId("download-loop").checked) {
      parts.push(text("loop_range", { start: formatTime(passage.start, 1), end: formatTime(passage.end, 1) }));
    }
    return parts.join(" · ");
  }
}
