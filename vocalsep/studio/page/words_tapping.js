import * as api from "./api.js";
import { byId } from "./dom.js";
import { text } from "./language.js";
import { showMessage } from "./messages.js";

/** The lines and words of pasted text: empty lines are left out. */
function parse(content) {
  const lines = content
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter(Boolean);
  return lines.map((line) => ({ text: line, words: line.match(/\S+\s*/g) }));
}

/** The dialog in which pasted words are tapped in time, line by line or word by word, while the song plays. */
export class WordsTapping {
  #song = null;
  #lines = [];
  #steps = [];
  #times = [];

  /** `view` is the song view; `onSaved()` is called once the words are saved. */
  constructor(view, onSaved) {
    this.view = view;
    this.onSaved = onSaved;
    byId("tap-start").addEventListener("click", () => this.#start());
    byId("tap-plain").addEventListener("click", () =>
      this.#save(api.saveLyricsText(this.#song.id, byId("tap-text").value, "user")),
    );
    byId("tap-now").addEventListener("click", () => this.#tap());
    byId("tap-undo").addEventListener("click", () => this.#undo());
    byId("tap-save").addEventListener("click", () => this.#save(api.saveLyrics(this.#song.id, this.#lyrics())));
    byId("tap-cancel").addEventListener("click", () => byId("tap").close());
    byId("tap").addEventListener("close", () => this.view.player.pause());
    byId("tap").addEventListener("keydown", (event) => {
      if (event.key !== " " || byId("tap-run").hidden || event.target.closest("button:not(#tap-now)")) return;
      event.preventDefault();
      if (!event.repeat) this.#tap();
    });
  }

  /** Open the dialog for `song`, with the words that it has. */
  open(song, words) {
    this.#song = song;
    this.view.player.pause();
    byId("tap-text").value = words;
    byId("tap-write").hidden = false;
    byId("tap-run").hidden = true;
    byId("tap").showModal();
  }

  #start() {
    this.#lines = parse(byId("tap-text").value);
    if (this.#lines.length === 0) {
      byId("tap-text").focus();
      return;
    }
    const byWord = byId("tap-words").checked;
    this.#steps = this.#lines.flatMap((line, index) =>
      byWord ? line.words.map((_, word) => ({ line: index, word })) : [{ line: index, word: 0 }],
    );
    this.#times = [];
    byId("tap-write").hidden = true;
    byId("tap-run").hidden = false;
    this.#render();
    byId("tap-now").focus();
    this.view.loopRegion.clear();
    this.view.player.seek(0);
    this.view.player.play();
  }

  #tap() {
    if (this.#times.length >= this.#steps.length) return;
    this.#times.push(Math.round(100 * this.view.songPosition) / 100);
    this.#render();
  }

  // A few seconds back, to hear where the step belongs.
  #undo() {
    const time = this.#times.pop();
    if (time !== undefined) this.view.seekSong(time - 3);
    this.#render();
  }

  #render() {
    const step = this.#steps[this.#times.length];
    const line = step && this.#lines[step.line];
    const word = step && byId("tap-words").checked ? line.words[step.word] : line?.text;
    byId("tap-line").textContent = word ?? text("tap_done");
    byId("tap-next").textContent = step ? (this.#lines[step.line + 1]?.text ?? "") : "";
    byId("tap-count").textContent = text("tap_count", { count: this.#times.length, all: this.#steps.length });
    byId("tap-now").disabled = !step;
    byId("tap-undo").disabled = this.#times.length === 0;
    byId("tap-save").disabled = this.#times.length === 0;
    if (!step) byId("tap-save").focus();
  }

  // What was not tapped is left out: it has no time.
  #lyrics() {
    const lines = [];
    this.#times.forEach((start, index) => {
      const { line, word } = this.#steps[index];
      const { text: content, words } = this.#lines[line];
      if (word === 0) lines.push({ start, end: null, text: content, words: [] });
      if (byId("tap-words").checked) lines.at(-1).words.push({ start, text: words[word] });
    });
    return { timed: true, lines };
  }

  async #save(request) {
    try {
      await request;
      byId("tap").close();
      this.onSaved();
    } catch (error) {
      showMessage(error.message);
    }
  }
}
