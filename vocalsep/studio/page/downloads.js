import { mixUrl, stemsZipUrl } from "./api.js";
import { byId } from "./dom.js";
import { formatKeyTempo } from "./format.js";

const STEM_FILE = "stem.mp4";

/** The two download links, for the current song and mix. */
export class Downloads {
  #song = null;

  /** `getGains()` returns the linear gains of the stems, `getVersion()` {key, tempo}. */
  constructor(getGains, getVersion) {
    this.getGains = getGains;
    this.getVersion = getVersion;
    byId("download-format").addEventListener("change", () => this.refresh());
    byId("stems-format").addEventListener("change", () => this.refresh());
  }

  /** Offer downloads of `song` as it is now; null for none. */
  update(song) {
    this.#song = song;
    this.refresh();
  }

  /** Update the links and their description. */
  refresh() {
    const format = byId("download-format").value;
    const gains = this.getGains();
    const done = this.#song?.state === "done";
    const silent = gains.vocals === 0 && gains.accompaniment === 0 && format !== STEM_FILE;
    this.#setLink("download-mix", done && !silent && mixUrl(this.#song.id, gains, this.getVersion(), format));
    this.#setLink("download-stems", done && stemsZipUrl(this.#song.id, byId("stems-format").value));
    byId("download-what").textContent = this.#description(done, silent, format, gains);
  }

  #description(done, silent, format, gains) {
    if (!done) return "Downloads are available once the song is separated.";
    if (silent) return "Both stems are silent: turn one up to download a mix.";
    if (format === STEM_FILE) return "The mixture and both stems in one file, whatever the sliders, key and tempo.";
    const percent = (gain) => `${Math.round(100 * gain)} %`;
    const { key, tempo } = this.getVersion();
    const levels = `vocals ${percent(gains.vocals)}, accompaniment ${percent(gains.accompaniment)}`;
    return `One ${format} file: ${levels}, ${formatKeyTempo(key, tempo)}.`;
  }

  #setLink(id, url) {
    const link = byId(id);
    if (url) link.href = url;
    else link.removeAttribute("href");
    link.setAttribute("aria-disabled", !url);
  }
}
