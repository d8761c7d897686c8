import * as api from "./api.js";
import { byId } from "./dom.js";
import { setupFileDrop } from "./file_drop.js";
import { formatBytes } from "./format.js";
import { showMessage } from "./messages.js";
import { setupShortcuts } from "./shortcuts.js";
import { SongList } from "./song_list.js";
import { stateText } from "./song_row.js";
import { SongView } from "./song_view.js";
import { setupThemeButton } from "./theme.js";
import { UploadQueue } from "./upload_queue.js";

const SKIP_S = 5;
const VOCALS_STEP_PERCENT = 5;

const songView = new SongView({
  onStream: (id, stream) => tryAction(id, async () => showSong(await api.restartWithStream(id, stream))),
});
const songList = new SongList(byId("songs"), byId("empty"), {
  select: (id) => {
    openSong(id);
    byId("play").focus();
  },
  cancel: (id) => tryAction(id, async () => showSong(await api.cancel(id))),
  restart: (id) => tryAction(id, async () => showSong(await api.restart(id))),
  remove: (id) =>
    tryAction(id, async () => {
      await api.remove(id);
      removeSong(id);
    }),
});
const uploadQueue = new UploadQueue(byId("uploads"), {
  onError: showMessage,
  onUploaded: (song) => {
    // The studio's event can come before its answer to the upload, and is newer then.
    if (!songList.get(song.id)) showSong(song);
    if (!songView.id) openSong(song.id);
  },
});

async function tryAction(id, action) {
  const name = songList.get(id)?.name;
  try {
    await action();
  } catch (error) {
    showMessage(`${name}: ${error.message}`);
    if (songView.id === id) songView.resetStream();
  }
}

function openSong(id) {
  if (id === songView.id) return;
  songList.select(id);
  songView.open(songList.get(id) ?? null);
  history.replaceState(null, "", id ? `#${id}` : location.pathname);
}

function showSong(song) {
  const before = songList.get(song.id);
  songList.show(song);
  if (before && before.state !== song.state) byId("announcer").textContent = `${song.name}: ${stateText(song)}`;
  if (songView.id === song.id) songView.update(song);
  else if (!songView.id && location.hash === `#${song.id}`) openSong(song.id);
}

function removeSong(id) {
  songList.remove(id);
  if (songView.id === id) openSong(null);
}

// Of songs that were deleted while the connection was broken there is no event.
async function reloadSongs() {
  const shownIds = songList.ids;
  try {
    const songs = await api.songs();
    const ids = new Set(songs.map((song) => song.id));
    for (const id of shownIds) if (!ids.has(id)) removeSong(id);
    for (const song of songs) if (!songList.get(song.id)) showSong(song);
    songList.updateEmptyNote();
  } catch (error) {
    showMessage(error.message);
  }
}

async function showInfo() {
  try {
    const info = await api.info();
    uploadQueue.maxBytes = info.max_upload_bytes;
    byId("file").accept = info.suffixes.join(",");
    const limits = `up to ${formatBytes(info.max_upload_bytes)} and ${info.max_minutes} minutes each`;
    byId("taken").textContent = `Music and videos of nearly every kind, ${limits}.`;
    byId("about").textContent = `vocalsep ${info.vocalsep}, model ${info.model}`;
  } catch (error) {
    showMessage(error.message);
  }
}

setupThemeButton(byId("theme"), () => songView.recolour());
setupFileDrop(byId("drop"), byId("file"), (files) => uploadQueue.add(files));
byId("open-shortcuts").addEventListener("click", () => byId("shortcuts").showModal());
byId("close-shortcuts").addEventListener("click", () => byId("shortcuts").close());
setupShortcuts({
  " ": () => songView.togglePlay(),
  ArrowLeft: () => songView.skip(-SKIP_S),
  ArrowRight: () => songView.skip(SKIP_S),
  ArrowUp: () => songView.mixer.nudge("vocals", VOCALS_STEP_PERCENT),
  ArrowDown: () => songView.mixer.nudge("vocals", -VOCALS_STEP_PERCENT),
  Home: () => songView.player.seek(0),
  m: () => songView.mixer.toggleMute("vocals"),
  s: () => songView.mixer.toggleSolo("vocals"),
  l: () => songView.loopRegion.toggle(),
  "?": () => byId("shortcuts").showModal(),
});
showInfo();
api.subscribe({
  onSong: showSong,
  onRemoved: removeSong,
  onConnection: (connected) => {
    byId("connection").hidden = connected;
    if (connected) reloadSongs();
  },
});

// For tests, and for the browser's console.
const { player, mixer, loopRegion, waveform, spectrogram } = songView;
window.studio = { player, mixer, loopRegion, waveform, spectrogram, songList };
