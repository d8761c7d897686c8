import { mixUrl, stemsZipUrl } from "./api.js";
import { byId } from "./dom.js";
import { keyAndTempo } from "./format.js";

const BOTH = "stem.mp4";

/** The two download links, for the song and the mix as they are when clicked. */
export class Downloads {
  #song = null;

  /** `gains()` gives the linear gains of the stems, `version()` {key, tempo}. */
  constructor(gains, version) {
    this.gains = gains;
    this.version = version;
    byId("download-format").addEventListener("change", () => this.refresh());
    byId("stems-format").addEventListener("change", () => this.refresh());
  }

  /** Offer `song` as it is now; null for none. */
  follow(song) {
    this.#song = song;
    this.refresh();
  }

  /** Show what would be downloaded now. */
  refresh() {
    const format = byId("download-format").value;
    const gains = this.gains();
    const done = this.#song?.state === "done";
    const silent = gains.vocals === 0 && gains.accompaniment === 0 && format !== BOTH;
    this.#link("download-mix", done && !silent && mixUrl(this.#song.id, gains, this.version(), format));
    this.#link("download-stems", done && stemsZipUrl(this.#song.id, byId("stems-format").value));
    byId("download-what").textContent = this.#text(done, silent, format, gains);
  }

  #text(done, silent, format, gains) {
    if (!done) return "Downloads are there once the song is separated.";
    if (silent) return "Both stems are silent: turn one up to download a mix.";
    if (format === BOTH) return "The mixture and both stems in one file, whatever the sliders, key and tempo.";
    const percent = (gain) => `${Math.round(100 * gain)} %`;
    const { key, tempo } = this.version();
    const levels = `vocals ${percent(gains.vocals)}, accompaniment ${percent(gains.accompaniment)}`;
    return `One ${format} file: ${levels}, ${keyAndTempo(key, tempo)}.`;
  }

  #link(id, url) {
    const link = byId(id);
    if (url) link.href = url;
    else link.removeAttribute("href");
    link.setAttribute("aria-disabled", !url);
  }
}
