import * as api from "./api.js";
import { byId } from "./dom.js";
import { songLabel, songTitle } from "./format.js";
import { language, text } from "./language.js";
import { showMessage } from "./messages.js";
import { onOtherTab, tellOtherTabs } from "./other_tabs.js";
import { WordsStage } from "./words_stage.js";

const OFFSET_STEP_S = 0.1;
const REPORT_MS = 100;
// What files of words were often written in before UTF-8.
const OLD_ENCODINGS = { zh: "gb18030", ja: "shift_jis" };

/** The text of a file, in UTF-8 or UTF-16, or else in the usual old encoding of the page's language. */
export async function readTextFile(file, code = language()) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const mark = (bytes[0] << 8) | bytes[1];
  if (mark === 0xfffe || mark === 0xfeff)
    return new TextDecoder(mark === 0xfffe ? "utf-16le" : "utf-16be").decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder(OLD_ENCODINGS[code] ?? "windows-1252").decode(bytes);
  }
}

/** The words of a song: shown with the player, in full screen and in a second window; added, moved and removed. */
export class Words extends EventTarget {
  #song = null;
  #lyrics = null;
  #offset = 0;
  #position = { song: null, seconds: 0, playing: false, rate: 1 };
  #reported = 0;

  /** `onTap(song, text)` opens the dialog in which words are tapped in time. */
  constructor(onTap) {
    super();
    this.stage = new WordsStage(byId("words-lines"));
    byId("words-add").addEventListener("click", () => byId("words-file").click());
    byId("words-file").addEventListener("change", () => this.#addFile());
    byId("words-tap").addEventListener("click", () => {
      onTap(this.#song, this.#lyrics?.lines.map((line) => line.text).join("\n") ?? "");
    });
    byId("words-remove").addEventListener("click", () => this.#try(() => api.removeLyrics(this.#song.id)));
    byId("words-earlier").addEventListener("click", () => this.setOffset(this.#offset - OFFSET_STEP_S));
    byId("words-later").addEventListener("click", () => this.setOffset(this.#offset + OFFSET_STEP_S));
    byId("words-full").addEventListener("click", () => this.#toggleFullScreen());
    byId("words-window").addEventListener("click", () => window.open("/static/stage.html", "vocalsep-words", "popup"));
    onOtherTab("words-window", () => tellOtherTabs("words-position", this.#position));
  }

  /** By how many seconds the words are shown later than they say. */
  get offset() {
    return this.#offset;
  }

  /** Whether the song has words with times. */
  get timed() {
    return Boolean(this.#lyrics?.timed);
  }

  /** Show the words of `song`, `offset` seconds later than they say; null for none. */
  open(song, offset) {
    this.#song = song;
    this.setOffset(offset);
    this.#fetch(Boolean(song?.lyrics));
  }

  /** Show the words by so many seconds later; earlier where negative. */
  setOffset(seconds) {
    this.#offset = Math.round(10 * seconds) / 10;
    const sign = this.#offset > 0 ? "+" : "";
    byId("words-offset").textContent = text("seconds", { seconds: `${sign}${this.#offset.toFixed(1)}` });
    this.dispatchEvent(new Event("change"));
  }

  /** Fetch the song's words again. */
  reload() {
    return this.#fetch(Boolean(this.#song));
  }

  async #fetch(hasWords) {
    const song = this.#song;
    let lyrics = null;
    try {
      lyrics = hasWords ? await api.lyrics(song.id) : null;
    } catch (error) {
      if (error.status !== 404) showMessage(error.message);
    }
    if (song !== this.#song) return;
    this.#lyrics = lyrics;
    this.stage.setLyrics(lyrics, song ? songTitle(song) : "");
    byId("words").hidden = !lyrics;
    byId("words-none").hidden = Boolean(lyrics);
    byId("words-remove").hidden = !lyrics;
    byId("words-save").hidden = !lyrics;
    byId("words-move").hidden = !lyrics?.timed;
    if (song) {
      byId("words-save").href = api.lyricsFileUrl(song.id);
      byId("words-save").download = `${songLabel(song)}.lrc`;
    }
    this.#reported = 0;
    tellOtherTabs("words-changed");
    this.dispatchEvent(new Event("change"));
  }

  /** Show what is sung at `seconds` of the song, also in the second window. */
  update(seconds, playing, rate) {
    this.stage.update(seconds - this.#offset);
    const song = this.#song && { id: this.#song.id, label: songLabel(this.#song), title: songTitle(this.#song) };
    this.#position = { song, seconds: seconds - this.#offset, playing, rate };
    const now = performance.now();
    if (playing && now - this.#reported < REPORT_MS) return;
    this.#reported = now;
    tellOtherTabs("words-position", this.#position);
  }

  async #addFile() {
    const [file] = byId("words-file").files;
    byId("words-file").value = "";
    if (!file) return;
    const content = await readTextFile(file);
    await this.#try(async () => {
      const { problems = [] } = await api.saveLyricsText(this.#song.id, content, "file");
      for (const problem of problems) showMessage(`${file.name}: ${problem}`);
    });
  }

  async #try(action) {
    try {
      await action();
      await this.reload();
    } catch (error) {
      showMessage(error.message, { retry: () => this.#try(action) });
    }
  }

  #toggleFullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else byId("words").requestFullscreen();
  }
}
