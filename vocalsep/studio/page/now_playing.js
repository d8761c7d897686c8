import { coverUrl } from "./api.js";
import { songLabel, songTitle } from "./format.js";

const SKIP_S = 5;

/** The song in the tab's title and in the system's media controls. */
export class NowPlaying {
  #shown = "";

  constructor(player) {
    this.player = player;
    const session = navigator.mediaSession;
    if (!session) return;
    const handlers = {
      play: () => player.play(),
      pause: () => player.pause(),
      seekbackward: ({ seekOffset }) => player.seek(player.position - (seekOffset ?? SKIP_S)),
      seekforward: ({ seekOffset }) => player.seek(player.position + (seekOffset ?? SKIP_S)),
      seekto: ({ seekTime }) => player.seek(seekTime),
    };
    for (const [name, handler] of Object.entries(handlers)) session.setActionHandler(name, handler);
  }

  /** Show `song`, and whether it plays; null for none. */
  update(song) {
    const { playing } = this.player;
    const shown = JSON.stringify([song && songLabel(song), playing]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    document.title = song ? `${playing ? "▶ " : ""}${songLabel(song)} · vocalsep` : "vocalsep studio";
    const session = navigator.mediaSession;
    if (!session) return;
    const artwork = song?.cover ? [{ src: new URL(coverUrl(song.id), location.href).href }] : [];
    const about = song && { title: songTitle(song), artist: song.artist ?? "", album: song.album ?? "", artwork };
    session.metadata = about ? new MediaMetadata(about) : null;
    session.playbackState = song ? (playing ? "playing" : "paused") : "none";
  }
}
