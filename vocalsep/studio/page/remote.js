import * as api from "./api.js";
import { byId, createElement } from "./dom.js";
import { StudioEvents } from "./events.js";
import { formatKey, formatKeyTempo, songLabel } from "./format.js";
import { loadLanguage, text } from "./language.js";
import { showMessage } from "./messages.js";
import { loadPreference, savePreference } from "./preferences.js";

const TEMPO_STEP = 5;

await loadLanguage();

const songs = new Map();
let party = { entries: [], current: null };
let player = null;

async function tryAction(action) {
  try {
    await action();
  } catch (error) {
    showMessage(error.message, { retry: () => tryAction(action) });
  }
}

const send = (name, value) => tryAction(() => api.command(name, value));
const label = (id) => (songs.has(id) ? songLabel(songs.get(id)) : text("song_gone"));

function showPlayer() {
  byId("remote-song").textContent = player?.song ? label(player.song) : text("remote_nothing");
  byId("remote-play").textContent = text(player?.playing ? "pause" : "play");
  byId("remote-vocals").value = Math.round(100 * (player?.vocals ?? 0));
  byId("key").textContent = formatKey(player?.key ?? 0);
  byId("tempo").textContent = player?.tempo ?? 100;
}

function showParty() {
  const waiting = party.entries.filter((entry) => entry.id !== party.current);
  byId("line-empty").hidden = waiting.length > 0;
  byId("remote-next").disabled = waiting.length === 0;
  byId("party-line").replaceChildren(
    ...waiting.map((entry) => {
      const version = entry.key || entry.tempo !== 100 ? formatKeyTempo(entry.key, entry.tempo) : "";
      const name = [entry.singer, label(entry.song), version].filter(Boolean).join(" · ");
      const remove = createElement("button", { type: "button", className: "plain danger", textContent: "✕" });
      remove.setAttribute("aria-label", `${text("delete")}: ${name}`);
      remove.addEventListener("click", () => tryAction(() => api.removeEntry(entry.id)));
      return createElement(
        "li",
        { className: "job" },
        createElement("span", { className: "name", translate: false, textContent: name }),
        remove,
      );
    }),
  );
}

function showSongs() {
  const wanted = byId("search").value.trim().toLowerCase().split(/\s+/);
  const found = [...songs.values()].filter((song) => {
    const words = [songLabel(song), song.album ?? "", song.name].join(" ").toLowerCase();
    return song.state === "done" && wanted.every((word) => words.includes(word));
  });
  byId("no-match").hidden = found.length > 0;
  byId("songs").replaceChildren(
    ...found.map((song) => {
      const add = createElement("button", { type: "button", translate: false, textContent: songLabel(song) });
      add.addEventListener("click", () => addToLine(song));
      return createElement("li", {}, add);
    }),
  );
}

async function addToLine(song) {
  const singer = byId("singer").value.trim();
  savePreference("singer", singer);
  await tryAction(() => api.addToParty({ song: song.id, singer, key: 0, tempo: 100, next: false }));
}

function showAll() {
  showSongs();
  showParty();
  showPlayer();
}

byId("singer").value = loadPreference("singer", "");
byId("search").addEventListener("input", showSongs);
byId("remote-play").addEventListener("click", () => send(player?.playing ? "pause" : "play"));
byId("remote-restart").addEventListener("click", () => send("restart"));
byId("remote-next").addEventListener("click", () => tryAction(api.nextEntry));
byId("remote-vocals").addEventListener("change", () => send("vocals", byId("remote-vocals").value / 100));
for (const [name, step] of [
  ["key", 1],
  ["tempo", TEMPO_STEP],
]) {
  const initial = name === "key" ? 0 : 100;
  byId(`${name}-down`).addEventListener("click", () => send(name, (player?.[name] ?? initial) - step));
  byId(`${name}-up`).addEventListener("click", () => send(name, (player?.[name] ?? initial) + step));
}

const events = new StudioEvents(() => false, { plays: false });
const handlers = {
  snapshot: (snapshot) => {
    songs.clear();
    for (const song of snapshot.songs) songs.set(song.id, song);
    party = snapshot.party ?? party;
    player = snapshot.player;
    showAll();
  },
  song: (song) => {
    songs.set(song.id, song);
    showAll();
  },
  gone: ({ id }) => {
    songs.delete(id);
    showAll();
  },
  party: (state) => {
    party = state;
    showParty();
  },
  player: (state) => {
    player = state;
    showPlayer();
  },
  connection: (connected) => {
    byId("connection").hidden = connected;
  },
};
for (const [name, handler] of Object.entries(handlers)) events.addEventListener(name, ({ detail }) => handler(detail));
showAll();
