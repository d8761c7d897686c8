import * as api from "./api.js";
import { byId, createElement } from "./dom.js";
import { formatTime } from "./format.js";
import { text } from "./language.js";
import { showMessage } from "./messages.js";
import { loadPreference, savePreference } from "./preferences.js";
import { encodeWav, measureDelay, Recorder } from "./recorder.js";

const TEST_CLICKS = 8;
const TEST_INTERVAL_S = 0.6;
const TEST_LEAD_S = 0.5;
const MIN_RECORDING_S = 0.5;

/** Records the user's voice over the track, and lists what was recorded with the song. */
export class Recordings {
  #song = null;
  #recorder = null;
  #recordedSong = null;
  #version = null;
  #start = null;

  /** `view` is the song view; `onDownload(song, request)` asks for a mix with a recording. */
  constructor(view, onDownload) {
    this.view = view;
    this.onDownload = onDownload;
    byId("record-possible").hidden = !Recorder.isPossible;
    byId("record-impossible").hidden = Recorder.isPossible;
    byId("record-latency").value = loadPreference("latency", 0);
    byId("record-latency").addEventListener("change", () => savePreference("latency", this.#latency));
    byId("record").addEventListener("click", () => (this.#recorder ? this.#stop() : this.#record()));
    byId("record-test").addEventListener("click", () => this.#test());
    view.player.addEventListener("start", ({ detail }) => this.#onStart(detail));
    view.player.addEventListener("change", () => {
      if (this.#recorder && this.#start && !view.player.playing) this.#stop();
    });
  }

  /** List the recordings of `song`; null for none. */
  open(song) {
    if (this.#recorder) this.#stop();
    this.#song = song;
    this.reload();
  }

  /** List the song's recordings again. */
  async reload() {
    const song = this.#song;
    const list = song ? await api.recordings(song.id).catch(() => []) : [];
    if (song?.id !== this.#song?.id) return;
    byId("recordings").replaceChildren(...list.map((recording) => this.#row(recording)));
  }

  get #latency() {
    const milliseconds = byId("record-latency").valueAsNumber;
    return Number.isFinite(milliseconds) ? Math.min(2000, Math.max(0, Math.round(milliseconds))) : 0;
  }

  #setStatus(key, values) {
    byId("record-state").textContent = key ? text(key, values) : "";
  }

  // Opens the microphone on the player's clock; null where that fails.
  async #openMicrophone(graph) {
    const recorder = new Recorder();
    try {
      await recorder.start(graph.context);
      return recorder;
    } catch (error) {
      showMessage(text("error_microphone", { reason: error.message }));
      return null;
    }
  }

  async #record() {
    const { player, loopRegion } = this.view;
    player.pause();
    const graph = player.openGraph();
    const recorder = graph && (await this.#openMicrophone(graph));
    if (!recorder) return;
    this.#recorder = recorder;
    this.#start = null;
    this.#recordedSong = this.#song;
    this.#version = this.view.keyTempo.current;
    // A take is one passage from beginning to end.
    if (loopRegion.range?.enabled) loopRegion.toggle();
    this.#showRecording(true);
    this.view.togglePlay();
  }

  // A second start while it records is a seek: the take ends there. One that was still to come is only moved.
  #onStart(start) {
    if (!this.#recorder) return;
    if (this.#start && this.#start.when <= this.view.player.openGraph().now) this.#stop();
    else this.#start = start;
  }

  #showRecording(on) {
    byId("record").textContent = text(on ? "record_stop" : "record");
    byId("record").setAttribute("aria-pressed", on);
    byId("record-test").disabled = on;
    this.#setStatus(on ? "record_running" : null);
  }

  async #stop() {
    const recorder = this.#recorder;
    const start = this.#start;
    const song = this.#recordedSong;
    const { player } = this.view;
    const graph = player.openGraph();
    this.#recorder = null;
    player.pause();
    this.#showRecording(false);
    const samples = recorder.stop(start ? Math.round(start.when * graph.rate) : 0);
    if (!start || samples.length < MIN_RECORDING_S * graph.rate) return;
    const { key, tempo } = this.#version;
    const name = text("take", { number: byId("recordings").children.length + 1 });
    const about = { name, start: start.position, latency_ms: this.#latency, level: 1, key, tempo };
    await this.#send(song, encodeWav(samples, graph.rate), about);
  }

  async #send(song, wav, about) {
    try {
      await api.sendRecording(song.id, wav, about);
      this.reload();
    } catch (error) {
      showMessage(error.message, { retry: () => this.#send(song, wav, about) });
    }
  }

  async #test() {
    const { player } = this.view;
    player.pause();
    const graph = player.openGraph();
    const recorder = graph && (await this.#openMicrophone(graph));
    if (!recorder) return;
    byId("record-test").disabled = true;
    byId("record").disabled = true;
    this.#setStatus("record_testing");
    const begin = graph.now + TEST_LEAD_S;
    const times = Array.from({ length: TEST_CLICKS }, (_, index) => TEST_LEAD_S + index * TEST_INTERVAL_S);
    for (const time of times) graph.click(begin - TEST_LEAD_S + time);
    await new Promise((resolve) => setTimeout(resolve, 1000 * (TEST_LEAD_S + TEST_CLICKS * TEST_INTERVAL_S)));
    const samples = recorder.stop(Math.round((begin - TEST_LEAD_S) * graph.rate));
    graph.context.suspend();
    byId("record-test").disabled = false;
    byId("record").disabled = false;
    const delay = measureDelay(samples, graph.rate, times);
    if (delay === null) {
      this.#setStatus("record_not_heard");
      return;
    }
    const milliseconds = Math.round(1000 * delay);
    byId("record-latency").value = milliseconds;
    savePreference("latency", milliseconds);
    this.#setStatus("record_measured", { milliseconds });
  }

  #row(recording) {
    const { id, name } = recording;
    const song = this.#song;
    const button = (key, style, action) => {
      const element = createElement("button", { type: "button", className: style, textContent: text(key) });
      element.setAttribute("aria-label", `${text(key)}: ${name}`);
      element.dataset.action = key;
      element.addEventListener("click", () => action().catch((error) => showMessage(error.message)));
      return element;
    };
    const label = createElement("span", { className: "name", translate: false, textContent: name });
    const length = createElement("span", { className: "quiet small", textContent: formatTime(recording.duration) });
    const listen = createElement("audio", { controls: true, preload: "none", src: api.recordingUrl(song.id, id) });
    listen.setAttribute("aria-label", name);
    const level = createElement("input", { type: "range", min: 0, max: 200, step: 5, value: 100 * recording.level });
    level.addEventListener("change", () => {
      api.changeRecording(song.id, id, { level: level.value / 100 }).catch((error) => showMessage(error.message));
    });
    const levelField = createElement("label", { className: "field vocals small" }, text("voice_level"), level);
    const download = button("download_mix", "", async () => {
      const { key, tempo } = recording;
      const format = byId("karaoke-format").value;
      this.onDownload(song, { kind: "recording", recording: id, format, ...this.view.mixer.gains(), key, tempo });
    });
    const remove = button("delete", "plain danger", async () => {
      await api.removeRecording(song.id, id);
      this.reload();
    });
    const line = createElement(
      "li",
      { className: "job recording" },
      label,
      length,
      download,
      remove,
      levelField,
      listen,
    );
    line.dataset.id = id;
    return line;
  }
}
