import { byId } from "./dom.js";
import { problemText, text } from "./language.js";

const SENTENCES = {
  failed: "song_failed",
  cancelled: "song_cancelled",
  interrupted: "song_interrupted",
  running: "song_begins",
};

/** Whether anything of a song can be played, now or in a moment. */
export const isPlayable = (song) =>
  Boolean(song) && (song.state === "done" || (song.state === "running" && song.ready > 0));

/** What is shown in place of the player while a song cannot be played: why, and what can be done about it. */
export class SongStatus {
  #song = null;

  /** `actions` are functions of the song: restart, cancel, remove. */
  constructor(actions) {
    for (const name of ["restart", "cancel", "delete"]) {
      byId(`waiting-${name}`).addEventListener("click", () => actions[name === "delete" ? "remove" : name](this.#song));
    }
  }

  /** Show the state of `song`; null for none. */
  update(song) {
    this.#song = song;
    const playable = !song || isPlayable(song);
    const inProgress = ["queued", "running"].includes(song?.state);
    const hadFocus = byId("waiting").contains(document.activeElement);
    byId("song-view").classList.toggle("not-playable", !playable);
    byId("waiting").hidden = playable;
    if (playable) {
      if (hadFocus) byId("play").focus();
      return;
    }
    const sentence = this.#sentence(song);
    if (byId("waiting-text").textContent !== sentence) byId("waiting-text").textContent = sentence;
    byId("waiting-text").classList.toggle("failure", song.state === "failed");
    byId("waiting-bar").hidden = song.state !== "running";
    byId("waiting-bar").removeAttribute("value");
    byId("waiting-restart").hidden = inProgress;
    byId("waiting-cancel").hidden = !inProgress;
    if (hadFocus && document.activeElement.closest("[hidden]")) {
      byId(inProgress ? "waiting-cancel" : "waiting-restart").focus();
    }
  }

  #sentence(song) {
    if (song.state === "queued") {
      return song.position > 1 ? text("song_waits", { position: song.position }) : text("song_next");
    }
    if (song.state === "cancelled") return text("song_cancelled");
    const reason = song.error ? ` ${problemText(song.error_code, song.error_values, song.error)}` : "";
    return text(SENTENCES[song.state]) + reason;
  }
}
