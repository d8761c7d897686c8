import * as api from "./api.js";
import { byId } from "./dom.js";
import { text } from "./language.js";
import { loadPreference, savePreference } from "./preferences.js";

const COUNT_IN_BEATS = 4;
const DEFAULT_INTERVAL_S = 0.5;
const PITCHES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const NATURAL = { C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 };

/** A key such as "F# minor" `semitones` higher, as {pitch, mode}; null where it is not understood. */
export function transposeKey(key, semitones) {
  const match = /^([A-G])([#♯b♭]?)\s*(major|minor)$/i.exec(key ?? "");
  if (!match) return null;
  const [, letter, accidental, mode] = match;
  const shift = { "#": 1, "♯": 1, b: -1, "♭": -1 }[accidental] ?? 0;
  const pitch = NATURAL[letter.toUpperCase()] + shift + Math.round(semitones);
  return { pitch: PITCHES[((pitch % 12) + 12) % 12], mode: mode.toLowerCase() };
}

/** The key and tempo that were found in a song, and the count-in and clicks at its beats. */
export class Practice {
  #song = null;
  #analysis = null;

  /** `getVersion()` returns the {key, tempo} that play. */
  constructor(player, getVersion) {
    this.player = player;
    this.getVersion = getVersion;
    for (const id of ["count-in", "click"]) {
      byId(id).checked = loadPreference(id, false);
      byId(id).addEventListener("change", () => {
        savePreference(id, byId(id).checked);
        this.#applyClicks();
      });
    }
  }

  /** What is counted before the song begins; null for nothing. */
  get countIn() {
    if (!byId("count-in").checked) return null;
    const tempo = this.#analysis?.tempo;
    const interval = (tempo ? 60 / tempo : DEFAULT_INTERVAL_S) / (this.getVersion().tempo / 100);
    return { beats: COUNT_IN_BEATS, interval };
  }

  /** Show what is known of `song`, once it is separated; null for none. */
  update(song) {
    const isOther = song?.id !== this.#song?.id;
    const isNew = isOther || (song?.state === "done" && this.#song?.state !== "done");
    this.#song = song;
    if (isOther) {
      this.#analysis = null;
      this.render();
    }
    if (isNew) this.reload();
  }

  /** Ask the studio for the analysis of the song; where it is still at work, an event will tell. */
  async reload() {
    const song = this.#song;
    let analysis = null;
    if (song?.state === "done") analysis = await api.analysis(song.id).catch(() => null);
    if (song?.id !== this.#song?.id) return;
    this.#analysis = analysis?.state === "done" ? analysis : null;
    this.render();
  }

  /** Show key and tempo as they play now. */
  render() {
    const version = this.getVersion();
    const analysis = this.#analysis;
    const key = transposeKey(analysis?.key, version.key);
    const parts = [];
    if (key) {
      const name = text(key.mode === "major" ? "key_major" : "key_minor", { pitch: key.pitch });
      parts.push(text("analysis_sure", { what: name, percent: Math.round(100 * analysis.key_confidence) }));
    }
    if (analysis?.tempo) {
      const beats = text("beats_per_minute", { beats: Math.round((analysis.tempo * version.tempo) / 100) });
      parts.push(text("analysis_sure", { what: beats, percent: Math.round(100 * analysis.tempo_confidence) }));
    }
    byId("analysis").textContent = parts.join(" · ");
    byId("analysis").hidden = parts.length === 0;
    byId("click").disabled = !analysis?.beats?.length;
    this.#applyClicks();
  }

  #applyClicks() {
    const ratio = this.getVersion().tempo / 100;
    const on = byId("click").checked && this.#analysis?.beats;
    this.player.setClicks(on ? this.#analysis.beats.map((beat) => beat / ratio) : []);
  }
}
