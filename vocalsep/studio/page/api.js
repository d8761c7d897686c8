import { problemText, text } from "./language.js";
import { STEMS } from "./stems.js";

/** The message of an error response, from its status and body text. */
export function errorMessage(status, body) {
  try {
    const { detail, code, values } = JSON.parse(body);
    if (typeof detail === "string" && detail) return problemText(code, values, detail);
  } catch {
    // Not JSON: a proxy between the page and the studio answered.
  }
  return text("error_status", { status });
}

/** An Error with the studio's message, for a response that is not ok. */
export async function responseError(response) {
  return new Error(errorMessage(response.status, await response.text()));
}

async function call(method, path, { json, signal, keepalive } = {}) {
  const request = { method, signal, keepalive, cache: "no-store" };
  if (json !== undefined) {
    request.body = JSON.stringify(json);
    request.headers = { "Content-Type": "application/json" };
  }
  let response;
  try {
    response = await fetch(path, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error(text("error_no_answer"));
  }
  if (!response.ok) throw Object.assign(await responseError(response), { status: response.status });
  return response.status === 204 ? null : response.json();
}

const songPath = (id) => `/api/songs/${encodeURIComponent(id)}`;
const query = (values) => new URLSearchParams(values).toString();

export const info = () => call("GET", "/api/info");

/** The song that comes with vocalsep, as a File. */
export async function exampleSong() {
  const response = await fetch("/api/example-song");
  if (!response.ok) throw await responseError(response);
  return new File([await response.blob()], "Paper Lantern.ogg");
}
export const network = () => call("GET", "/api/network");
export const networkCodeUrl = (address) => `/api/network/qr.svg?address=${address}`;

export const uploadUrl = (name) => `/api/songs?${query({ name })}`;
export const rename = (id, names) => call("PATCH", songPath(id), { json: names });
export const remove = (id) => call("DELETE", songPath(id));
export const removeSeveral = (ids) => call("POST", "/api/songs/delete", { json: { ids } });
export const restart = (id) => call("POST", `${songPath(id)}/restart`);

/** Cancel a separation; `keep` makes a shorter song of what is separated. */
export const cancel = (id, keep = false) => call("POST", `${songPath(id)}/cancel${keep ? "?keep=true" : ""}`);

/** Separate a song again, from another of its audio streams: a number from 1. */
export const restartWithStream = (id, stream) =>
  call("POST", `${songPath(id)}/restart?${query({ audio_stream: stream })}`);

export const peaks = (id) => call("GET", `${songPath(id)}/peaks`);
export const originalUrl = (id) => `${songPath(id)}/original`;
export const coverUrl = (id) => `${songPath(id)}/cover`;

/** The URL of each stem's WAV file; `version` is {key, tempo}, or null for the original key and tempo. */
export function stemUrls(id, version) {
  const suffix = version ? `?${query({ key: version.key, tempo: version.tempo })}` : "";
  return Object.fromEntries(STEMS.map((stem) => [stem, `${songPath(id)}/stems/${stem}.wav${suffix}`]));
}

/**
 * Make a song's stems in another `key` (semitones) and `tempo` (percent), first what comes after `start` seconds of the
 * song: {key, tempo, samples}.
 */
export const makeVersion = (id, key, tempo, start, signal) =>
  call("POST", `${songPath(id)}/versions?${query({ key, tempo, start })}`, { signal });

export const settings = (id) => call("GET", `${songPath(id)}/settings`);

/** Save some of a song's settings, also while the page is being closed. */
export const saveSettings = (id, changes) =>
  call("PATCH", `${songPath(id)}/settings`, { json: changes, keepalive: true });

export const analysis = (id) => call("GET", `${songPath(id)}/analysis`);

export const startExport = (id, request) => call("POST", `${songPath(id)}/exports`, { json: request });
export const removeExport = (id, client) =>
  call("DELETE", `/api/exports/${encodeURIComponent(id)}?${query({ client })}`);

export const lyrics = (id) => call("GET", `${songPath(id)}/lyrics`);
export const lyricsFileUrl = (id) => `${songPath(id)}/lyrics.lrc`;
export const saveLyrics = (id, lyrics) => call("PUT", `${songPath(id)}/lyrics`, { json: lyrics });
export const removeLyrics = (id) => call("DELETE", `${songPath(id)}/lyrics`);

/** Save the words of an LRC file or plain text; `source` is "file" or "user". The answer has `problems`, sentences. */
export async function saveLyricsText(id, content, source) {
  const headers = { "Content-Type": "text/plain; charset=utf-8" };
  const path = `${songPath(id)}/lyrics?${query({ source })}`;
  const response = await fetch(path, { method: "PUT", body: content, headers });
  if (!response.ok) throw await responseError(response);
  return response.json();
}

const entryPath = (entry) => `/api/party/entries/${encodeURIComponent(entry)}`;

export const party = () => call("GET", "/api/party");
export const addToParty = (entry) => call("POST", "/api/party/entries", { json: entry });
export const changeEntry = (entry, changes) => call("PATCH", entryPath(entry), { json: changes });
export const removeEntry = (entry) => call("DELETE", entryPath(entry));
export const nextEntry = () => call("POST", "/api/party/next");
export const playEntry = (entry) => call("POST", "/api/party/current", { json: { entry } });
export const command = (name, value = null) => call("POST", "/api/remote", { json: { command: name, value } });
export const reportPlayer = (state) => call("PUT", "/api/player", { json: state });

const recordingPath = (id, recording) => `${songPath(id)}/recordings/${encodeURIComponent(recording)}`;

export const recordings = (id) => call("GET", `${songPath(id)}/recordings`);
export const recordingUrl = (id, recording) => `${recordingPath(id, recording)}/file`;
export const changeRecording = (id, recording, changes) =>
  call("PATCH", recordingPath(id, recording), { json: changes });
export const removeRecording = (id, recording) => call("DELETE", recordingPath(id, recording));

/** Send a recording, a WAV file as Blob, with `about`: {name, start, latency_ms, level, key, tempo}. */
export async function sendRecording(id, wav, about) {
  const response = await fetch(`${songPath(id)}/recordings?${query(about)}`, { method: "POST", body: wav });
  if (!response.ok) throw await responseError(response);
  return response.json();
}
