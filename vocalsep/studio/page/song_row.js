import { element } from "./dom.js";
import { clock } from "./format.js";

const ACTIVE = ["queued", "running"];

/** What a song's state is, in words. */
export function stateText(song) {
  const share = song.samples ? ` ${Math.floor((100 * song.ready) / song.samples)} %` : "";
  switch (song.state) {
    case "queued":
      return song.position > 1 ? `Waiting: number ${song.position} in the queue` : "Waiting: next in the queue";
    case "running":
      return `Separating${share}`;
    case "done":
      return `Done, ${clock(song.ready / song.sample_rate)}`;
    case "failed":
      return song.error ? `Failed: ${song.error}` : "Failed";
    case "cancelled":
      return "Cancelled";
    default:
      return song.error ? `Interrupted: ${song.error}` : "Interrupted";
  }
}

/** One song of the list: its state, its progress and what can be done with it. */
export class SongRow {
  /** `actions` are functions of the id: select, cancel, restart, remove. */
  constructor(song, actions) {
    const button = (action, label, run) => {
      const made = element("button", { type: "button", textContent: label });
      made.dataset.testid = action;
      made.setAttribute("aria-label", `${label} ${song.name}`);
      made.addEventListener("click", run);
      return made;
    };
    this.name = element("button", { type: "button", className: "name", textContent: song.name });
    this.state = element("span", { className: "quiet" });
    this.bar = element("progress", { max: 1 });
    this.bar.setAttribute("aria-label", `Separation of ${song.name}`);
    this.cancel = button("cancel", "Cancel", () => actions.cancel(song.id));
    this.restart = button("restart", "Restart", () => actions.restart(song.id));
    this.remove = button("delete", "Delete", () => this.#ask(true));
    this.sure = button("confirm-delete", "Delete", () => actions.remove(song.id));
    this.keep = button("keep", "Keep", () => this.#ask(false));
    this.actions = element("div", { className: "actions" }, this.cancel, this.restart, this.remove);
    const question = element("span", { textContent: "Delete the song and its stems?" });
    this.confirm = element("div", { className: "actions", hidden: true }, question, this.sure, this.keep);
    this.confirm.setAttribute("role", "group");
    this.confirm.setAttribute("aria-label", `Delete ${song.name}?`);
    this.confirm.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#ask(false);
    });
    this.line = element("li", { className: "song" }, this.name, this.state, this.bar, this.actions, this.confirm);
    this.line.dataset.id = song.id;
    this.line.addEventListener("click", (event) => {
      if (event.target === this.name || !event.target.closest("button")) actions.select(song.id);
    });
    this.update(song);
  }

  /** Show `song` as it is now. */
  update(song) {
    this.song = song;
    this.line.dataset.state = song.state;
    this.state.textContent = stateText(song);
    this.bar.hidden = !ACTIVE.includes(song.state);
    if (song.samples) this.bar.value = Math.min(1, song.ready / song.samples);
    else if (song.state === "running") this.bar.removeAttribute("value");
    else this.bar.value = 0;
    this.cancel.hidden = !ACTIVE.includes(song.state);
    this.restart.hidden = song.state === "done" || ACTIVE.includes(song.state);
    this.#keepFocus();
  }

  /** Mark the row as the one in the player, or not. */
  select(on) {
    if (on) this.name.setAttribute("aria-current", "true");
    else this.name.removeAttribute("aria-current");
    this.line.classList.toggle("selected", on);
  }

  #ask(on) {
    this.actions.hidden = on;
    this.confirm.hidden = !on;
    (on ? this.keep : this.remove).focus();
  }

  // A button that had the focus can have gone: the keyboard would start again at the top of the page.
  #keepFocus() {
    const focused = document.activeElement;
    if (this.line.contains(focused) && focused.closest("[hidden]")) this.name.focus();
  }
}
