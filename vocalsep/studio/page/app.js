import * as api from "./api.js";
import { byId } from "./dom.js";
import { StudioEvents } from "./events.js";
import { Exports } from "./exports.js";
import { setupFileDrop } from "./file_drop.js";
import { formatBytes, formatTime, songLabel } from "./format.js";
import { loadLanguage, text } from "./language.js";
import { LibraryDrawer } from "./library_drawer.js";
import { showMessage } from "./messages.js";
import { Party } from "./party.js";
import { ask } from "./question.js";
import { movedInQueue } from "./queue.js";
import { RemoteCommands } from "./remote_commands.js";
import { SettingsDialog, showPrivacy } from "./settings_dialog.js";
import { setupShortcuts } from "./shortcuts.js";
import { SongList } from "./song_list.js";
import { openMenu } from "./song_menu.js";
import { stateText } from "./song_row.js";
import { SongView } from "./song_view.js";
import { setupTheme } from "./theme.js";
import { UploadQueue } from "./upload_queue.js";

await loadLanguage();

const drawer = new LibraryDrawer();
const settingsDialog = new SettingsDialog();
const songView = new SongView({
  onStream: (id, stream) => tryAction(id, async () => showSong(await api.restartWithStream(id, stream))),
  onDownload: (song, request) => exports.start(song, request),
  songActions: { restart: restartSong, cancel: cancelSong, remove: removeWhenConfirmed },
});
const songList = new SongList({
  select: (id) => {
    openSong(id);
    drawer.close();
    byId("play").focus({ preventScroll: true });
  },
  openMenu: showSongMenu,
  removeSeveral,
});
const exports = new Exports(
  (id) => (songList.get(id) ? songLabel(songList.get(id)) : ""),
  () => events.update(),
);
const uploadQueue = new UploadQueue(byId("uploads"), (song, isFirst) => {
  // The studio's event can come before its answer to the upload, and is newer then.
  if (!songList.get(song.id)) showSong(song);
  if (!openedId || (isFirst && !songView.player.playing)) openSong(song.id);
});
const events = new StudioEvents(() => songView.player.playing || exports.busy || uploadQueue.busy);
const party = new Party((id) => songList.get(id));
const remoteCommands = new RemoteCommands(songView, openSong);
let renamedId = null;
let openedId = null;
let turn = null;

async function tryAction(id, action) {
  const song = songList.get(id);
  try {
    await action();
  } catch (error) {
    showMessage(`${song ? songLabel(song) : ""}: ${error.message}`, {
      group: "song",
      retry: () => tryAction(id, action),
    });
    if (songView.id === id) songView.resetStream();
  }
}

function restartSong({ id }) {
  return tryAction(id, async () => showSong(await api.restart(id)));
}

async function cancelSong(song) {
  let keep = false;
  if (song.state === "running" && song.ready > 0) {
    const time = formatTime(song.ready / song.sample_rate);
    const answer = await ask(text("cancel_question", { name: songLabel(song), time }), [
      { label: text("cancel_discard"), value: "discard", style: "danger" },
      { label: text("cancel_keep", { time }), value: "keep" },
      { label: text("cancel_go_on"), value: null, style: "primary" },
    ]);
    if (!answer) return;
    keep = answer === "keep";
  }
  await tryAction(song.id, async () => showSong(await api.cancel(song.id, keep)));
}

async function confirmDelete(question) {
  const answers = [
    { label: text("delete"), value: "delete", style: "danger" },
    { label: text("keep"), value: null, style: "primary" },
  ];
  return (await ask(question, answers)) === "delete";
}

async function removeWhenConfirmed(song) {
  if (!(await confirmDelete(text("delete_question", { name: songLabel(song) })))) return;
  await tryAction(song.id, async () => {
    await api.remove(song.id);
    removeSong(song.id);
  });
}

async function removeSeveral(ids) {
  if (!(await confirmDelete(text("delete_several_question", { count: ids.length })))) return;
  try {
    const { deleted, missing } = await api.removeSeveral(ids);
    for (const id of [...deleted, ...missing]) removeSong(id);
  } catch (error) {
    showMessage(error.message, { retry: () => removeSeveral(ids) });
  }
}

function showSongMenu(song, button) {
  const inProgress = ["queued", "running"].includes(song.state);
  const items = [{ name: "rename", label: text("rename"), action: () => openRename(song) }];
  if (song.state === "done") {
    const version = song.id === songView.id ? songView.keyTempo.wanted : { key: 0, tempo: 100 };
    items.push({ name: "sing", label: text("sing_menu"), action: () => party.openForm(song, version) });
  }
  if (inProgress) items.push({ name: "cancel", label: text("cancel"), action: () => cancelSong(song) });
  if ((!inProgress && song.state !== "done") || song.partial) {
    items.push({ name: "restart", label: text("restart"), action: () => restartSong(song) });
  }
  items.push({ name: "delete", label: text("delete_song"), action: () => removeWhenConfirmed(song), style: "danger" });
  openMenu(button, text("menu_of", { name: songLabel(song) }), items);
}

function openRename(song) {
  renamedId = song.id;
  byId("rename-text").value = song.title || song.name;
  byId("rename-artist").value = song.artist ?? "";
  byId("rename").showModal();
  byId("rename-text").select();
}

function setupRename() {
  byId("rename-cancel").addEventListener("click", () => byId("rename").close());
  byId("rename-form").addEventListener("submit", () => {
    const id = renamedId;
    const names = { title: byId("rename-text").value.trim(), artist: byId("rename-artist").value.trim() };
    tryAction(id, async () => showSong(await api.rename(id, names)));
  });
}

async function openSong(id) {
  if (id === openedId) return;
  openedId = id;
  songList.select(id);
  history.replaceState(null, "", id ? `#${id}` : location.pathname);
  showMain(id);
  await songView.open(songList.get(id) ?? null);
  // It may have changed while its settings were fetched.
  if (id && songView.id === id) songView.update(songList.get(id));
}

async function tryExample() {
  try {
    uploadQueue.add([await api.exampleSong()]);
  } catch (error) {
    showMessage(error.message, { group: "upload", retry: tryExample });
  }
}

// One of three: the drop zone while there are no songs, a hint to choose one, or the player.
function showMain(id) {
  const isEmpty = songList.ids.length === 0;
  document.body.classList.toggle("empty", isEmpty);
  byId("welcome").hidden = !isEmpty;
  byId("no-song").hidden = isEmpty || Boolean(id);
  if (!id) byId("song-view").hidden = true;
}

function showSong(song) {
  const before = songList.get(song.id);
  songList.show(song);
  if (before && before.state !== song.state) byId("announcer").textContent = `${songLabel(song)}: ${stateText(song)}`;
  if (songView.id === song.id) songView.update(songList.get(song.id));
  else if (location.hash === `#${song.id}`) openSong(song.id);
}

function removeSong(id) {
  if (!songList.get(id)) return;
  songList.remove(id);
  if (openedId === id) openSong(null);
  showMain(openedId);
}

// Of songs that were deleted while the connection was broken there is no event.
function showSnapshot(snapshot) {
  const ids = new Set(snapshot.songs.map((song) => song.id));
  for (const id of songList.ids) if (!ids.has(id)) removeSong(id);
  for (const song of snapshot.songs) showSong(song);
  exports.showAll(snapshot.exports);
  if (snapshot.party) {
    turn = snapshot.party.current;
    party.show(snapshot.party);
  }
  if (!openedId && songList.ids.length > 0) openSong(songList.first);
  showMain(openedId);
}

// Only the page that was used last hears of it, and only a new turn counts.
function beginTurn({ entries, current }) {
  const entry = entries.find((one) => one.id === current);
  if (current !== turn && entry) remoteCommands.begin(entry);
  turn = current;
}

async function showInfo() {
  try {
    const info = await api.info();
    uploadQueue.maxBytes = info.max_upload_bytes;
    uploadQueue.suffixes = info.suffixes;
    byId("file").accept = info.suffixes.join(",");
    const limits = { size: formatBytes(info.max_upload_bytes), minutes: info.max_minutes };
    for (const element of document.querySelectorAll(".taken")) element.textContent = text("taken", limits);
    byId("about").textContent = `vocalsep ${info.vocalsep} · ${info.model}`;
    showPrivacy(info.network);
  } catch (error) {
    showMessage(error.message, { retry: showInfo });
  }
}

setupTheme(() => songView.recolour());
setupRename();
setupFileDrop(byId("file"), document.querySelectorAll(".add-songs"), (files) => uploadQueue.add(files));
byId("try-example").addEventListener("click", tryExample);
setupShortcuts(
  {
    " ": () => songView.togglePlay(),
    m: () => songView.mixer.toggleMute("vocals"),
    s: () => songView.mixer.toggleSolo("vocals"),
    l: () => songView.loopRegion.toggle(),
    "?": () => settingsDialog.open(),
  },
  () => settingsDialog.shortcutsEnabled,
);
showInfo();
songView.player.addEventListener("change", () => events.update());
const handlers = {
  snapshot: showSnapshot,
  song: showSong,
  gone: ({ id }) => removeSong(id),
  queue: ({ ids }) => movedInQueue((id) => songList.get(id), ids).forEach(showSong),
  export: (one) => exports.show(one),
  export_gone: ({ id }) => exports.remove(id),
  lyrics: ({ id }) => id === songView.id && songView.words.reload(),
  analysis: ({ id }) => id === songView.id && songView.practice.reload(),
  recording: ({ song }) => song === songView.id && songView.recordings.reload(),
  recording_gone: ({ song }) => song === songView.id && songView.recordings.reload(),
  party: (state) => party.show(state),
  party_turn: beginTurn,
  remote: (command) => remoteCommands.run(command),
  connection: (connected) => {
    byId("connection").hidden = connected;
  },
};
for (const [name, handler] of Object.entries(handlers)) events.addEventListener(name, ({ detail }) => handler(detail));

// For tests, and for the browser's console.
const { player, mixer, loopRegion, keyTempo, waveform, spectrogram } = songView;
window.studio = { player, mixer, loopRegion, keyTempo, waveform, spectrogram, songList, songView, exports, events };
