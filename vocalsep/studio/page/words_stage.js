import { createElement } from "./dom.js";

// So long before a line begins, it is shown as the current one.
const EARLY_S = 1.5;
// After so long a pause, dots count down to the next line.
const PAUSE_S = 4;
const DOTS = 3;

// Where a line's end is not known: how long its last word takes, or else each letter, and the shortest line.
const LAST_WORD_S = 1.5;
const LETTER_S = 0.12;
const MIN_LINE_S = 2;

/** Where a line ends, as far as that is known, but not after the next one begins. */
function endOf(lines, index) {
  const { start, end, text, words } = lines[index];
  const last = words?.at(-1);
  const guess = last ? last.start + LAST_WORD_S : start + Math.max(MIN_LINE_S, LETTER_S * text.length);
  return Math.min(end ?? guess, lines[index + 1]?.start ?? Infinity);
}

/** Shows the words of a song as it is sung: the current line, word by word where that is known, and the next one. */
export class WordsStage {
  #lyrics = null;
  #title = "";
  #index = null;
  #spans = [];
  #sung = -1;
  #dots = -1;

  constructor(container) {
    this.container = container;
    this.pause = createElement("p", { className: "words-pause" });
    this.now = createElement("p", { className: "words-now" });
    this.next = createElement("p", { className: "words-next" });
    this.pause.setAttribute("aria-hidden", "true");
    container.translate = false;
    container.replaceChildren(this.pause, this.now, this.next);
  }

  /** Show `lyrics`, as the studio describes them, of a song with this title; null for none. */
  setLyrics(lyrics, title) {
    this.#lyrics = lyrics;
    this.#title = title;
    this.#index = null;
    this.container.classList.toggle("untimed", Boolean(lyrics) && !lyrics.timed);
    this.now.removeAttribute("tabindex");
    if (lyrics && !lyrics.timed) {
      // Long text scrolls, also with the keyboard.
      this.now.tabIndex = 0;
      this.now.replaceChildren(lyrics.lines.map((line) => line.text).join("\n"));
      this.next.textContent = "";
      this.pause.textContent = "";
    }
  }

  /** Show what is sung at `seconds`. */
  update(seconds) {
    if (!this.#lyrics?.timed) return;
    const { lines } = this.#lyrics;
    let index = -1;
    while (index + 1 < lines.length && lines[index + 1].start <= seconds + this.#earliness(index, seconds)) index += 1;
    if (index !== this.#index) this.#showLine(index);
    this.#markSung(seconds);
    this.#countDown(seconds);
  }

  // The next line comes up early only where the current one has ended.
  #earliness(index, seconds) {
    if (index < 0) return EARLY_S;
    return seconds >= endOf(this.#lyrics.lines, index) ? EARLY_S : 0;
  }

  #showLine(index) {
    const { lines } = this.#lyrics;
    this.#index = index;
    this.#sung = -1;
    const line = lines[index];
    const words = line?.words?.length ? line.words : line ? [{ start: line.start, text: line.text }] : [];
    this.#spans = words.map((word) => ({
      start: word.start,
      element: createElement("span", { textContent: word.text }),
    }));
    this.now.replaceChildren(...(line ? this.#spans.map((span) => span.element) : [this.#title]));
    this.next.textContent = lines[index + 1]?.text ?? "";
  }

  #markSung(seconds) {
    let sung = -1;
    while (sung + 1 < this.#spans.length && this.#spans[sung + 1].start <= seconds) sung += 1;
    if (sung === this.#sung) return;
    this.#sung = sung;
    this.#spans.forEach(({ element }, index) => element.classList.toggle("sung", index <= sung));
  }

  #countDown(seconds) {
    const { lines } = this.#lyrics;
    const index = this.#index;
    const current = lines[index];
    const waitsForCurrent = current && seconds < current.start;
    const upcoming = waitsForCurrent ? current : lines[index + 1];
    const before = waitsForCurrent ? index - 1 : index;
    const pauseStart = before < 0 ? 0 : endOf(lines, before);
    let dots = 0;
    if (upcoming && seconds >= pauseStart && upcoming.start - pauseStart >= PAUSE_S) {
      const left = Math.ceil(upcoming.start - seconds);
      dots = left > 0 && left <= DOTS ? left : 0;
    }
    if (dots === this.#dots) return;
    this.#dots = dots;
    this.pause.textContent = "●".repeat(dots);
  }
}
