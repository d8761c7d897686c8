import * as api from "./api.js";
import { byId } from "./dom.js";
import { acceptFiles } from "./drop.js";
import { size } from "./format.js";
import { Library } from "./library.js";
import { report } from "./messages.js";
import { listen } from "./shortcuts.js";
import { stateText } from "./song_row.js";
import { Stage } from "./stage.js";
import { offerThemes } from "./theme.js";
import { Uploads } from "./uploads.js";

const SKIP_S = 5;
const NUDGE_PERCENT = 5;

const stage = new Stage();
const library = new Library(byId("songs"), byId("empty"), {
  select: (id) => {
    choose(id);
    byId("play").focus();
  },
  cancel: (id) => ask(api.cancel, id),
  restart: (id) => ask(api.restart, id),
  remove: async (id) => {
    await attempt(id, async () => {
      await api.remove(id);
      drop(id);
    });
  },
});
const uploads = new Uploads(byId("uploads"), {
  problem: report,
  done: (song) => {
    // The studio's own events can be faster than its answer, and are newer then.
    if (!library.get(song.id)) show(song);
    if (!stage.id) choose(song.id);
  },
});

async function attempt(id, act) {
  const name = library.get(id)?.name;
  try {
    await act();
  } catch (error) {
    report(`${name}: ${error.message}`);
  }
}

const ask = (call, id) => attempt(id, async () => show(await call(id)));

function choose(id) {
  if (id === stage.id) return;
  library.select(id);
  stage.open(library.get(id) ?? null);
  history.replaceState(null, "", id ? `#${id}` : location.pathname);
}

function show(song) {
  const before = library.get(song.id);
  library.show(song);
  if (before && before.state !== song.state) byId("announcer").textContent = `${song.name}: ${stateText(song)}`;
  if (stage.id === song.id) stage.update(song);
  else if (!stage.id && location.hash === `#${song.id}`) choose(song.id);
}

function drop(id) {
  library.drop(id);
  if (stage.id === id) choose(null);
}

// Songs that went while the line was down send no event any more.
async function reconcile() {
  const known = library.ids;
  try {
    const songs = await api.songs();
    const there = new Set(songs.map((song) => song.id));
    for (const id of known) if (!there.has(id)) drop(id);
    for (const song of songs) if (!library.get(song.id)) show(song);
    library.settle();
  } catch (error) {
    report(error.message);
  }
}

async function introduce() {
  try {
    const info = await api.info();
    uploads.limit = info.max_upload_bytes;
    byId("file").accept = info.suffixes.join(",");
    const limits = `up to ${size(info.max_upload_bytes)} and ${info.max_minutes} minutes each`;
    byId("taken").textContent = `Music and videos of nearly every kind, ${limits}.`;
    byId("about").textContent = `vocalsep ${info.vocalsep}, model ${info.model}`;
  } catch (error) {
    report(error.message);
  }
}

offerThemes(byId("theme"), () => stage.recolour());
acceptFiles(byId("drop"), byId("file"), (files) => uploads.add(files));
byId("open-shortcuts").addEventListener("click", () => byId("shortcuts").showModal());
byId("close-shortcuts").addEventListener("click", () => byId("shortcuts").close());
listen({
  " ": () => stage.togglePlay(),
  ArrowLeft: () => stage.skip(-SKIP_S),
  ArrowRight: () => stage.skip(SKIP_S),
  ArrowUp: () => stage.mixer.nudge("vocals", NUDGE_PERCENT),
  ArrowDown: () => stage.mixer.nudge("vocals", -NUDGE_PERCENT),
  Home: () => stage.player.seek(0),
  m: () => stage.mixer.toggleMute("vocals"),
  s: () => stage.mixer.toggleSolo("vocals"),
  l: () => stage.passage.toggle(),
  "?": () => byId("shortcuts").showModal(),
});
introduce();
api.follow({
  song: show,
  gone: drop,
  connected: (on) => {
    byId("connection").hidden = on;
    if (on) reconcile();
  },
});

// For tests, and for whoever looks into the page from the browser's console.
const { player, mixer, passage, waveform, spectrogram } = stage;
window.studio = { player, mixer, passage, waveform, spectrogram, library };
