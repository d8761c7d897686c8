import * as api from "./api.js";
import { byId, createElement } from "./dom.js";
import { formatKeyTempo, songLabel } from "./format.js";
import { text } from "./language.js";
import { showMessage } from "./messages.js";
import { loadPreference, savePreference } from "./preferences.js";

/** The line of singers: who sings which song, and in which order; changed here and on phones. */
export class Party {
  #party = { entries: [], current: null };
  #song = null;

  /** `getSong(id)` returns a song, or undefined. */
  constructor(getSong) {
    this.getSong = getSong;
    byId("open-party").addEventListener("click", () => byId("party").showModal());
    byId("party-close").addEventListener("click", () => byId("party").close());
    byId("party-start").addEventListener("click", () => this.#try(api.nextEntry));
    byId("sing-form").addEventListener("submit", () => this.#add());
    byId("sing-cancel").addEventListener("click", () => byId("sing").close());
  }

  /** Ask who sings `song`, and add it to the line in this `version` ({key, tempo}). */
  openForm(song, version) {
    this.#song = { song: song.id, ...version };
    byId("sing-song").textContent = songLabel(song);
    byId("sing-name").value = loadPreference("singer", "");
    byId("sing-next").checked = false;
    byId("sing").showModal();
    byId("sing-name").select();
  }

  /** Show the party as the studio describes it: {entries, current}. */
  show(party) {
    this.#party = party;
    const current = this.#current;
    byId("open-party").hidden = party.entries.length === 0;
    byId("open-party").textContent = text("party_button", { count: this.#waiting.length });
    byId("party-now").textContent = current ? this.#describe(current) : text("party_nobody");
    byId("party-start").textContent = text(current ? "party_next" : "party_start");
    byId("party-start").disabled = this.#waiting.length === 0 && !current;
    byId("party-line").replaceChildren(...this.#waiting.map((entry, place) => this.#row(entry, place)));
  }

  get #current() {
    return this.#party.entries.find((entry) => entry.id === this.#party.current);
  }

  get #waiting() {
    return this.#party.entries.filter((entry) => entry.id !== this.#party.current);
  }

  #describe({ song, singer, key, tempo }) {
    const known = this.getSong(song);
    const title = known ? songLabel(known) : text("song_gone");
    const version = key || tempo !== 100 ? formatKeyTempo(key, tempo) : "";
    return [singer, title, version].filter(Boolean).join(" · ");
  }

  #row(entry, place) {
    const name = this.#describe(entry);
    const button = (key, sign, style, action) => {
      const element = createElement("button", { type: "button", className: style, textContent: sign });
      element.setAttribute("aria-label", `${text(key)}: ${name}`);
      element.addEventListener("click", () => this.#try(action));
      return element;
    };
    const label = createElement("span", { className: "name", translate: false, textContent: name });
    const earlier = button("party_earlier", "↑", "plain", () => api.changeEntry(entry.id, { place: place - 1 }));
    earlier.disabled = place === 0;
    const start = button("party_sing_now", "▶", "plain", () => api.playEntry(entry.id));
    const remove = button("delete", "✕", "plain danger", () => api.removeEntry(entry.id));
    const line = createElement("li", { className: "job" }, label, start, earlier, remove);
    line.dataset.id = entry.id;
    return line;
  }

  #add() {
    const singer = byId("sing-name").value.trim();
    savePreference("singer", singer);
    this.#try(() => api.addToParty({ ...this.#song, singer, next: byId("sing-next").checked }));
  }

  async #try(action) {
    try {
      await action();
      this.show(await api.party());
    } catch (error) {
      showMessage(error.message, { retry: () => this.#try(action) });
    }
  }
}
