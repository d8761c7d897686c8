import * as api from "./api.js";

const REPORT_INTERVAL_MS = 5000;

/** Does what remote controls ask of the player, and tells them what it plays. */
export class RemoteCommands {
  #reported = "";
  #hasPlayed = false;

  /** `view` is the song view, `openSong(id)` opens a song and resolves once it is loaded. */
  constructor(view, openSong) {
    this.view = view;
    this.openSong = openSong;
    view.player.addEventListener("change", () => this.report());
    view.mixer.addEventListener("change", () => this.report());
    setInterval(() => {
      if (view.player.playing) this.report(true);
    }, REPORT_INTERVAL_MS);
  }

  /** Do a command: {command, value}. */
  async run({ command, value }) {
    const { player, mixer, keyTempo } = this.view;
    const actions = {
      play: () => this.view.play(),
      pause: () => player.pause(),
      next: () => api.nextEntry(),
      restart: () => player.seek(0),
      seek: () => this.view.seekSong(value),
      vocals: () => mixer.setLevel("vocals", value),
      accompaniment: () => mixer.setLevel("accompaniment", value),
      key: () => keyTempo.set({ ...keyTempo.wanted, key: value }),
      tempo: () => keyTempo.set({ ...keyTempo.wanted, tempo: value }),
      song: () => this.openSong(value),
    };
    this.#hasPlayed = true;
    await actions[command]?.();
    this.report();
  }

  /** Begin an entry of the party: {song, key, tempo}. */
  async begin({ song, key, tempo }) {
    const { view } = this;
    view.player.pause();
    await this.openSong(song);
    if (view.id !== song || view.song.state !== "done") return;
    const settled = new Promise((resolve) => view.keyTempo.addEventListener("settled", resolve, { once: true }));
    view.keyTempo.set({ key, tempo });
    await settled;
    // Somebody may have chosen another song meanwhile.
    if (view.id !== song) return;
    view.player.seek(0);
    view.play();
  }

  /** Tell the studio what plays, where it has changed, or in any case with `always`. */
  report(always = false) {
    const { player, mixer, keyTempo, id } = this.view;
    this.#hasPlayed ||= player.playing;
    if (!this.#hasPlayed) return;
    const state = { song: id, playing: player.playing, ...mixer.gains(), ...keyTempo.wanted };
    const reported = JSON.stringify(state);
    if (reported === this.#reported && !always) return;
    this.#reported = reported;
    // A remote control that misses a report gets the next.
    api.reportPlayer({ ...state, position: this.view.songPosition, duration: player.duration }).catch(() => {});
  }
}
