import { byId, createElement } from "./dom.js";
import { formatAudioStream } from "./format.js";
import { text } from "./language.js";

const IN_PROGRESS = ["queued", "running"];

/**
 * What the song's file is: remarks about it, and a choice of its audio stream where it has several.
 * Event: "stream" (detail: the number of the chosen stream, as text).
 */
export class AudioSource extends EventTarget {
  #select = byId("audio-stream");
  #rendered = "";

  constructor() {
    super();
    this.#select.addEventListener("change", () => {
      this.dispatchEvent(new CustomEvent("stream", { detail: this.#select.value }));
    });
  }

  /** Show the remarks and streams of `song`; null for none. */
  update(song) {
    const remarks = [...(song?.remarks ?? []), ...(song?.duplicate_of ? [text("duplicate")] : [])];
    const streams = song?.audio_streams ?? [];
    const busy = IN_PROGRESS.includes(song?.state);
    // Rebuilding the options would close a list that is open.
    const state = JSON.stringify([song?.id, remarks, streams, song?.audio_taken, busy]);
    if (state === this.#rendered) return;
    this.#rendered = state;
    byId("remarks").replaceChildren(...remarks.map((remark) => createElement("li", { textContent: remark })));
    byId("remarks").hidden = remarks.length === 0;
    byId("audio-stream-field").hidden = streams.length < 2;
    const options = streams.map((stream) =>
      createElement("option", { value: String(stream.number), textContent: formatAudioStream(stream) }),
    );
    this.#select.replaceChildren(...options);
    this.#select.value = String(song?.audio_taken ?? "");
    if (busy && document.activeElement === this.#select) byId("play").focus();
    this.#select.disabled = busy;
  }

  /** Show the stream that is separated again, after another could not be chosen. */
  reset(song) {
    this.#rendered = "";
    this.update(song);
  }
}
