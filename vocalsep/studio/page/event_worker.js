import { openEventStream } from "./event_stream.js";
import { movedInQueue } from "./queue.js";

// One stream for all tabs of the browser: each connection would take one of the six that a browser opens to a server.
const tabs = new Map();
const state = { songs: new Map(), exports: new Map(), party: null, player: null, connected: null };
let stream = null;
let active = null;

function send(port, name, data) {
  port.postMessage({ name, data });
}

function remember(name, data) {
  if (name === "snapshot") {
    state.songs = new Map(data.songs.map((song) => [song.id, song]));
    state.exports = new Map((data.exports ?? []).map((one) => [one.id, one]));
    state.party = data.party ?? null;
    state.player = data.player ?? null;
  } else if (name === "song") state.songs.set(data.id, data);
  else if (name === "gone") state.songs.delete(data.id);
  else if (name === "queue") {
    for (const song of movedInQueue((id) => state.songs.get(id), data.ids)) state.songs.set(song.id, song);
  } else if (name === "export") state.exports.set(data.id, data);
  else if (name === "export_gone") state.exports.delete(data.id);
  else if (name === "party" || name === "player") state[name] = data;
  else if (name === "connection") state.connected = data;
}

function snapshot() {
  const { songs, exports, party, player } = state;
  return { songs: [...songs.values()], exports: [...exports.values()], party, player };
}

function onEvent(name, data) {
  remember(name, data);
  // What is to be played is for one page: the last one that was used.
  if (name === "remote") {
    if (active) send(active, name, data);
    return;
  }
  if (name === "party" && active) send(active, "party_turn", data);
  for (const port of tabs.keys()) send(port, name, data);
}

function updateStream(client) {
  const wanted = [...tabs.values()].some((tab) => tab.wanted);
  if (wanted && !stream) stream = openEventStream(client, onEvent);
  if (!wanted && stream) {
    stream.close();
    stream = null;
    state.connected = null;
  }
}

self.addEventListener("connect", ({ ports: [port] }) => {
  port.addEventListener("message", ({ data }) => {
    if (data.leave) {
      tabs.delete(port);
      if (active === port) active = null;
    } else {
      const before = tabs.get(port);
      tabs.set(port, data);
      if (data.plays && (data.active || !active)) active = port;
      // A tab that comes back gets everything as it is now.
      if (data.wanted && !before?.wanted && stream && state.connected) {
        send(port, "connection", true);
        send(port, "snapshot", snapshot());
      }
    }
    updateStream(data.client);
  });
  port.start();
});
