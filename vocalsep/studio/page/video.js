import { originalUrl } from "./api.js";
import { byId } from "./dom.js";

const MAX_DRIFT_S = 0.1;

/** The picture of a video, kept in sync with the player. */
export class Video {
  #element = byId("picture");
  #note = byId("picture-note");
  #url = null;

  constructor() {
    this.#element.muted = true;
    this.#element.addEventListener("error", () => {
      if (this.#url) this.#showNote();
    });
  }

  /** Show the picture of `song`, if it has one; null for none. */
  open(song) {
    this.#url = song?.video ? originalUrl(song.id) : null;
    this.#note.hidden = true;
    this.#element.hidden = !this.#url;
    if (this.#url) this.#element.src = this.#url;
    else this.#element.removeAttribute("src");
    this.#element.load();
  }

  /** Go to `position` (seconds), and play or pause; the picture is hidden at a `tempo` other than 100 percent. */
  synchronize(position, playing, tempo) {
    if (!this.#url) return;
    const video = this.#element;
    video.hidden = tempo !== 100;
    const shouldPlay = playing && !video.hidden && position < (video.duration || Infinity);
    // A play() that is interrupted by the next pause() rejects; that is no error.
    if (shouldPlay && video.paused) video.play().catch(() => {});
    if (!shouldPlay && !video.paused) video.pause();
    if (!video.hidden && !video.seeking && Math.abs(video.currentTime - position) > MAX_DRIFT_S) {
      video.currentTime = Math.min(position, video.duration || position);
    }
  }

  #showNote() {
    this.#url = null;
    this.#element.hidden = true;
    this.#note.hidden = false;
  }
}
