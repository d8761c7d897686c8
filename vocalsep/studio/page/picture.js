import { originalUrl } from "./api.js";
import { byId } from "./dom.js";

const OFF_S = 0.1;

/** The picture of a video, which follows the player. */
export class Picture {
  #video = byId("picture");
  #note = byId("picture-note");
  #source = null;

  constructor() {
    this.#video.muted = true;
    this.#video.addEventListener("error", () => {
      if (this.#source) this.#failed();
    });
  }

  /** Show the picture of `song`, if it has one; null for none. */
  open(song) {
    this.#source = song?.video ? originalUrl(song.id) : null;
    this.#note.hidden = true;
    this.#video.hidden = !this.#source;
    if (this.#source) this.#video.src = this.#source;
    else this.#video.removeAttribute("src");
    this.#video.load();
  }

  /** Be at `position` (seconds) and move or stand still; at a `tempo` other than 100 percent there is no picture. */
  follow(position, moving, tempo) {
    if (!this.#source) return;
    const video = this.#video;
    video.hidden = tempo !== 100;
    const runs = moving && !video.hidden && position < (video.duration || Infinity);
    // A play() that is cut short by the next pause() is nothing to report.
    if (runs && video.paused) video.play().catch(() => {});
    if (!runs && !video.paused) video.pause();
    if (!video.hidden && !video.seeking && Math.abs(video.currentTime - position) > OFF_S) {
      video.currentTime = Math.min(position, video.duration || position);
    }
  }

  #failed() {
    this.#source = null;
    this.#video.hidden = true;
    this.#note.hidden = false;
  }
}
