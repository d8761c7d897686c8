import { openEventStream } from "./event_stream.js";
import { loadPreference, savePreference } from "./preferences.js";

/** A text of this browser's own, the same for all its tabs, which tells the studio whose exports are whose. */
export const CLIENT = loadPreference("client") ?? newClient();

// Not crypto.randomUUID: a page that came over a network without encryption has none.
function newClient() {
  const client = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
  savePreference("client", client);
  return client;
}

/**
 * The studio's events, one stream for all tabs, closed while no tab needs it: while all are hidden and none has work.
 * Each event of the studio is dispatched with its data as `detail`, and "connection" with whether there is one.
 */
export class StudioEvents extends EventTarget {
  #port = null;
  #stream = null;

  /**
   * `isBusy()` tells whether the page needs events also while it is hidden; a page that `plays` gets the commands of
   * remote controls.
   */
  constructor(isBusy, { plays = true } = {}) {
    super();
    this.plays = plays;
    this.isBusy = isBusy;
    if ("SharedWorker" in globalThis) {
      const worker = new SharedWorker(new URL("./event_worker.js", import.meta.url), { type: "module" });
      this.#port = worker.port;
      this.#port.addEventListener("message", ({ data }) => this.#dispatch(data.name, data.data));
      this.#port.start();
    }
    document.addEventListener("visibilitychange", () => this.update());
    window.addEventListener("focus", () => this.update());
    window.addEventListener("pagehide", () => this.#leave());
    window.addEventListener("pageshow", () => this.update());
    this.update();
  }

  /** Open or close the stream, after the page was hidden or shown or has become busy. */
  update() {
    const active = document.hasFocus();
    const wanted = document.visibilityState === "visible" || this.isBusy();
    if (this.#port) {
      this.#port.postMessage({ wanted, active, plays: this.plays, client: CLIENT });
    } else if (wanted && !this.#stream) {
      this.#stream = openEventStream(CLIENT, (name, data) => this.#dispatch(name, data));
    } else if (!wanted) {
      this.#stream?.close();
      this.#stream = null;
    }
  }

  #leave() {
    this.#port?.postMessage({ leave: true, client: CLIENT });
    this.#stream?.close();
    this.#stream = null;
  }

  #dispatch(name, detail) {
    // The worker tells one page only.
    if (name === "party" && !this.#port) this.#dispatch("party_turn", detail);
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
