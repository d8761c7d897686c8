import { byId } from "./dom.js";
import { SongRow } from "./song_row.js";

/** The list of songs, newest first. */
export class SongList {
  #rows = new Map();
  #selectedId = null;

  /** `list` and `emptyNote` are elements; `actions` as for `SongRow`. */
  constructor(list, emptyNote, actions) {
    this.list = list;
    this.emptyNote = emptyNote;
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

  /** Add `song`, or update its row. */
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
    added.select(song.id === this.#selectedId);
    this.updateEmptyNote();
  }

  /** Remove a song from the list; the focus moves to its neighbour. */
  remove(id) {
    const line = this.#rows.get(id)?.line;
    if (!line) return;
    const hadFocus = line.contains(document.activeElement);
    const neighbour = line.nextElementSibling ?? line.previousElementSibling;
    line.remove();
    this.#rows.delete(id);
    if (hadFocus) (neighbour?.querySelector("button") ?? byId("file")).focus();
    this.updateEmptyNote();
  }

  /** Mark the song that is in the player; null for none. */
  select(id) {
    this.#rows.get(this.#selectedId)?.select(false);
    this.#selectedId = id;
    this.#rows.get(id)?.select(true);
  }

  /** Show the note for an empty list; call it only after the studio has answered, or it would flash at each visit. */
  updateEmptyNote() {
    this.emptyNote.hidden = this.#rows.size > 0;
  }
}
