import { createElement } from "./dom.js";
import { formatTime, songLabel, songSeconds, songTitle } from "./format.js";
import { text } from "./language.js";

/** A song's state in words, or its length once it is done. */
export function stateText(song) {
  switch (song.state) {
    case "queued":
      return song.position > 1 ? text("state_waiting", { position: song.position }) : text("state_next");
    case "running":
      return text("state_separating", { percent: song.samples ? Math.floor((100 * song.ready) / song.samples) : 0 });
    case "failed":
      return text("state_failed");
    case "cancelled":
      return text("state_cancelled");
    case "interrupted":
      return text("state_interrupted");
    default:
      return formatTime(songSeconds(song) ?? 0);
  }
}

/** One line of the list: title and artist, state or length, and a menu. */
export class SongRow {
  /** `actions` are functions: select(id), openMenu(song, button), check(id, on). */
  constructor(song, actions) {
    this.check = createElement("input", { type: "checkbox", hidden: true });
    this.check.addEventListener("change", () => actions.check(song.id, this.check.checked));
    this.title = createElement("span", { className: "song-title" });
    this.artist = createElement("span", { className: "song-artist quiet" });
    this.name = createElement(
      "button",
      { type: "button", className: "name", translate: false },
      this.title,
      this.artist,
    );
    this.name.addEventListener("click", () => {
      if (this.check.hidden) actions.select(song.id);
      else this.check.click();
    });
    this.state = createElement("span", { className: "song-state quiet small" });
    this.menu = createElement("button", { type: "button", className: "plain menu", textContent: "⋯" });
    this.menu.setAttribute("aria-haspopup", "menu");
    this.menu.addEventListener("click", () => actions.openMenu(this.song, this.menu));
    this.bar = createElement("progress", { max: 1 });
    this.line = createElement("li", { className: "song" }, this.check, this.name, this.state, this.menu, this.bar);
    this.line.dataset.id = song.id;
    this.update(song);
  }

  /** Show `song` as it is now. */
  update(song) {
    this.song = song;
    const label = songLabel(song);
    this.line.dataset.state = song.state;
    this.title.textContent = songTitle(song);
    this.artist.textContent = song.artist ?? "";
    this.state.textContent = stateText(song);
    this.name.title = song.duplicate_of ? `${label}\n${text("duplicate")}` : label;
    this.line.classList.toggle("duplicate", Boolean(song.duplicate_of));
    this.check.setAttribute("aria-label", text("select_song", { name: label }));
    this.menu.setAttribute("aria-label", text("menu_of", { name: label }));
    this.bar.setAttribute("aria-label", text("separation_of", { name: label }));
    this.bar.hidden = song.state !== "running";
    this.bar.value = song.samples ? Math.min(1, song.ready / song.samples) : 0;
  }

  /** Mark the row as the one in the player, or not. */
  select(on) {
    if (on) this.name.setAttribute("aria-current", "true");
    else this.name.removeAttribute("aria-current");
    this.line.classList.toggle("selected", on);
  }

  /** Offer a checkbox in front of the song, or not. */
  offerCheck(on) {
    this.check.hidden = !on;
    if (!on) this.check.checked = false;
  }
}
