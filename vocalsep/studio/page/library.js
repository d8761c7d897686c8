import { byId } from "./dom.js";
import { SongRow } from "./song_row.js";

/** The list of songs, newest first. */
export class Library {
  #rows = new Map();
  #selected = null;

  constructor(list, empty, actions) {
    this.list = list;
    this.empty = empty;
    this.actions = actions;
  }

  /** The song with this id as last shown, or undefined. */
  get(id) {
    return this.#rows.get(id)?.song;
  }

  /** The ids of all songs shown. */
  get ids() {
    return [...this.#rows.keys()];
  }

  /** Add `song`, or show its new state. */
  show(song) {
    const row = this.#rows.get(song.id);
    if (row) {
      row.update(song);
      return;
    }
    const added = new SongRow(song, this.actions);
    this.#rows.set(song.id, added);
    const older = [...this.list.children].find((line) => this.get(line.dataset.id).created <= song.created);
    this.list.insertBefore(added.line, older ?? null);
    added.select(song.id === this.#selected);
    this.settle();
  }

  /** Take a song off the list; the focus goes to its neighbour. */
  drop(id) {
    const line = this.#rows.get(id)?.line;
    if (!line) return;
    const held = line.contains(document.activeElement);
    const neighbour = line.nextElementSibling ?? line.previousElementSibling;
    line.remove();
    this.#rows.delete(id);
    if (held) (neighbour?.querySelector("button") ?? byId("file")).focus();
    this.settle();
  }

  /** Mark the song that is in the player; null for none. */
  select(id) {
    this.#rows.get(this.#selected)?.select(false);
    this.#selected = id;
    this.#rows.get(id)?.select(true);
  }

  /** Show the welcome where there is no song; not before the studio has answered, or it would flash at each visit. */
  settle() {
    this.empty.hidden = this.#rows.size > 0;
  }
}
