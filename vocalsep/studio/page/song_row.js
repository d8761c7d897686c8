import { createElement } from "./dom.js";
import { formatTime } from "./format.js";

const IN_PROGRESS = ["queued", "running"];

/** A song's state in words. */
export function stateText(song) {
  const progress = song.samples ? ` ${Math.floor((100 * song.ready) / song.samples)} %` : "";
  switch (song.state) {
    case "queued":
      return song.position > 1 ? `Waiting: number ${song.position} in the queue` : "Waiting: next in the queue";
    case "running":
      return `Separating${progress}`;
    case "done":
      return `Done, ${formatTime(song.ready / song.sample_rate)}`;
    case "failed":
      return song.error ? `Failed: ${song.error}` : "Failed";
    case "cancelled":
      return "Cancelled";
    default:
      return song.error ? `Interrupted: ${song.error}` : "Interrupted";
  }
}

/** One row of the list: a song's name, state, progress and buttons. */
export class SongRow {
  /** `actions` are functions of the id: select, cancel, restart, remove. */
  constructor(song, actions) {
    const button = (action, label, onClick) => {
      const element = createElement("button", { type: "button", textContent: label });
      element.dataset.testid = action;
      element.setAttribute("aria-label", `${label} ${song.name}`);
      element.addEventListener("click", onClick);
      return element;
    };
    this.name = createElement("button", { type: "button", className: "name", textContent: song.name });
    this.state = createElement("span", { className: "quiet" });
    this.bar = createElement("progress", { max: 1 });
    this.bar.setAttribute("aria-label", `Separation of ${song.name}`);
    this.cancel = button("cancel", "Cancel", () => actions.cancel(song.id));
    this.restart = button("restart", "Restart", () => actions.restart(song.id));
    this.remove = button("delete", "Delete", () => this.#confirmDelete(true));
    this.confirmButton = button("confirm-delete", "Delete", () => actions.remove(song.id));
    this.keepButton = button("keep", "Keep", () => this.#confirmDelete(false));
    this.actions = createElement("div", { className: "actions" }, this.cancel, this.restart, this.remove);
    const question = createElement("span", { textContent: "Delete the song and its stems?" });
    this.confirmation = createElement("div", { className: "actions", hidden: true });
    this.confirmation.append(question, this.confirmButton, this.keepButton);
    this.confirmation.setAttribute("role", "group");
    this.confirmation.setAttribute("aria-label", `Delete ${song.name}?`);
    this.confirmation.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#confirmDelete(false);
    });
    this.line = createElement("li", { className: "song" });
    this.line.append(this.name, this.state, this.bar, this.actions, this.confirmation);
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
    this.bar.hidden = !IN_PROGRESS.includes(song.state);
    if (song.samples) this.bar.value = Math.min(1, song.ready / song.samples);
    else if (song.state === "running") this.bar.removeAttribute("value");
    else this.bar.value = 0;
    this.cancel.hidden = !IN_PROGRESS.includes(song.state);
    this.restart.hidden = song.state === "done" || IN_PROGRESS.includes(song.state);
    this.#keepFocus();
  }

  /** Mark the row as the one in the player, or not. */
  select(on) {
    if (on) this.name.setAttribute("aria-current", "true");
    else this.name.removeAttribute("aria-current");
    this.line.classList.toggle("selected", on);
  }

  #confirmDelete(on) {
    this.actions.hidden = on;
    this.confirmation.hidden = !on;
    (on ? this.keepButton : this.remove).focus();
  }

  // Without this the focus of a button that is hidden now would move to the top of the page.
  #keepFocus() {
    const focused = document.activeElement;
    if (this.line.contains(focused) && focused.closest("[hidden]")) this.name.focus();
  }
}
