import { byId } from "./dom.js";
import { formatBytes, songLabel, songSeconds, songTitle } from "./format.js";
import { language, text } from "./language.js";
import { loadPreference, savePreference } from "./preferences.js";
import { SongRow } from "./song_row.js";

const collator = () => new Intl.Collator(language(), { numeric: true, sensitivity: "base" });

function orderBy(name) {
  const { compare } = collator();
  const older = (one, other) => one.created - other.created;
  const orders = {
    newest: (one, other) => older(other, one),
    oldest: older,
    title: (one, other) => compare(songTitle(one), songTitle(other)) || older(one, other),
    artist: (one, other) =>
      compare(one.artist ?? "", other.artist ?? "") ||
      compare(one.album ?? "", other.album ?? "") ||
      compare(one.track ?? "", other.track ?? "") ||
      older(one, other),
    length: (one, other) => (songSeconds(one) ?? 0) - (songSeconds(other) ?? 0) || older(one, other),
    size: (one, other) => other.bytes - one.bytes || older(one, other),
  };
  return orders[name] ?? orders.newest;
}

/** The list of songs: searched, sorted, and several deleted at once. */
export class SongList {
  #rows = new Map();
  #selectedId = null;
  #checked = new Set();
  #order = loadPreference("sort", "newest");
  #sortFrame = 0;

  /** `actions` are functions: select(id), openMenu(song, button), removeSeveral(ids). */
  constructor(actions) {
    this.actions = { ...actions, check: (id, on) => this.#check(id, on) };
    this.list = byId("songs");
    byId("search").addEventListener("input", () => this.#filter());
    byId("sort").value = this.#order;
    byId("sort").addEventListener("change", () => {
      this.#order = byId("sort").value;
      savePreference("sort", this.#order);
      this.#sort();
    });
    byId("select-songs").addEventListener("click", () => this.#offerChecks(byId("delete-selected").hidden));
    byId("delete-selected").addEventListener("click", () => actions.removeSeveral([...this.#checked]));
  }

  /** The song with this id as last shown, or undefined. */
  get(id) {
    return this.#rows.get(id)?.song;
  }

  /** The id of the song that was added last, or null. */
  get first() {
    const newest = [...this.#rows.values()].sort((one, other) => other.song.created - one.song.created)[0];
    return newest?.song.id ?? null;
  }

  /** The ids of all songs shown. */
  get ids() {
    return [...this.#rows.keys()];
  }

  /** Add `song`, or update its row. */
  show(song) {
    const row = this.#rows.get(song.id);
    if (row) {
      const before = row.song;
      row.update(song);
      const moved = songLabel(song) !== songLabel(before) || this.#order === "size" || this.#order === "length";
      if (moved) this.#sortSoon();
    } else {
      const added = new SongRow(song, this.actions);
      this.#rows.set(song.id, added);
      added.select(song.id === this.#selectedId);
      added.offerCheck(!byId("delete-selected").hidden);
      this.list.prepend(added.line);
      this.#sortSoon();
    }
    this.#showSize();
  }

  /** Remove a song from the list; the focus moves to its neighbour. */
  remove(id) {
    const line = this.#rows.get(id)?.line;
    if (!line) return;
    const hadFocus = line.contains(document.activeElement);
    const neighbour = line.nextElementSibling ?? line.previousElementSibling;
    line.remove();
    this.#rows.delete(id);
    if (hadFocus) (neighbour?.querySelector("button") ?? byId("main")).focus();
    this.#check(id, false);
    if (this.#rows.size === 0) this.#offerChecks(false);
    this.#showSize();
  }

  /** Mark the song that is in the player; null for none. */
  select(id) {
    this.#rows.get(this.#selectedId)?.select(false);
    this.#selectedId = id;
    this.#rows.get(id)?.select(true);
  }

  #check(id, on) {
    if (on) this.#checked.add(id);
    else this.#checked.delete(id);
    byId("delete-selected").textContent = text("delete_selected", { count: this.#checked.size });
    byId("delete-selected").disabled = this.#checked.size === 0;
  }

  #offerChecks(on) {
    this.#checked.clear();
    for (const row of this.#rows.values()) row.offerCheck(on);
    byId("select-songs").setAttribute("aria-pressed", on);
    byId("delete-selected").hidden = !on;
    this.#check(null, false);
  }

  // Many songs come at once when the page is opened: they are sorted once.
  #sortSoon() {
    this.#sortFrame ||= requestAnimationFrame(() => {
      this.#sortFrame = 0;
      this.#sort();
    });
  }

  // Moving only what is out of place keeps the focus and the scroll position.
  #sort() {
    const order = orderBy(this.#order);
    const rows = [...this.#rows.values()].sort((one, other) => order(one.song, other.song));
    let place = this.list.firstElementChild;
    for (const { line } of rows) {
      if (line === place) place = place.nextElementSibling;
      else this.list.insertBefore(line, place);
    }
    this.#filter();
  }

  #filter() {
    const wanted = byId("search").value.trim().toLowerCase();
    let found = 0;
    for (const { song, line } of this.#rows.values()) {
      const words = [song.title, song.artist, song.album, song.name].filter(Boolean).join(" ").toLowerCase();
      line.hidden = !wanted.split(/\s+/).every((word) => words.includes(word));
      if (!line.hidden) found += 1;
    }
    byId("no-match").hidden = found > 0 || this.#rows.size === 0;
  }

  #showSize() {
    const count = this.#rows.size;
    let bytes = 0;
    for (const { song } of this.#rows.values()) bytes += song.bytes ?? 0;
    byId("library-size").textContent = text("library_size", { count, size: formatBytes(bytes) });
    byId("library-tools").hidden = count === 0;
    byId("library-foot").hidden = count === 0;
  }
}
