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

  /** Go to `position` (seconds as played), and play at `tempo` (percent) or pause. */
  synchronize(position, playing, tempo) {
    if (!this.#url) return;
    const video = this.#element;
    const rate = tempo / 100;
    const wanted = position * rate;
    if (video.playbackRate !== rate) video.playbackRate = rate;
    const shouldPlay = playing && wanted < (video.duration || Infinity);
    // A play() that is interrupted by the next pause() rejects; that is no error.
    if (shouldPlay && video.paused) video.play().catch(() => {});
    if (!shouldPlay && !video.paused) video.pause();
    if (!video.seeking && Math.abs(video.currentTime - wanted) > MAX_DRIFT_S * Math.max(1, rate)) {
      video.currentTime = Math.min(wanted, video.duration || wanted);
    }
  }

  #showNote() {
    this.#url = null;
    this.#element.hidden = true;
    this.#note.hidden = false;
  }
}
