import { STEMS } from "./stems.js";

/** The message of an error response, from its status and body text. */
export function errorMessage(status, body) {
  try {
    const message = JSON.parse(body).detail;
    if (typeof message === "string" && message) return message;
  } catch {
    // Not JSON: a proxy between the page and the studio answered.
  }
  return `The studio answered with error ${status}.`;
}

/** An Error with the studio's message, for a response that is not ok. */
export async function responseError(response) {
  return new Error(errorMessage(response.status, await response.text()));
}

async function call(method, path) {
  let response;
  try {
    response = await fetch(path, { method, cache: "no-store" });
  } catch {
    throw new Error("The studio does not answer. Is it still running?");
  }
  if (!response.ok) throw await responseError(response);
  return response.status === 204 ? null : response.json();
}

const songPath = (id) => `/api/songs/${encodeURIComponent(id)}`;
const versionQuery = ({ key, tempo }) => `key=${key}&tempo=${tempo}`;

export const info = () => call("GET", "/api/info");
export const songs = () => call("GET", "/api/songs");
export const remove = (id) => call("DELETE", songPath(id));
export const cancel = (id) => call("POST", `${songPath(id)}/cancel`);
export const restart = (id) => call("POST", `${songPath(id)}/restart`);

/** Separate a song again, from another of its audio streams: a number from 1. */
export const restartWithStream = (id, stream) =>
  call("POST", `${songPath(id)}/restart?audio_stream=${encodeURIComponent(stream)}`);

export const peaks = (id) => call("GET", `${songPath(id)}/peaks`);

/** Make a song's stems in another `key` (semitones) and `tempo` (percent): {key, tempo, samples}. */
export const makeVersion = (id, key, tempo) => call("POST", `${songPath(id)}/versions?${versionQuery({ key, tempo })}`);

export const uploadUrl = (name) => `/api/songs?name=${encodeURIComponent(name)}`;
export const originalUrl = (id) => `${songPath(id)}/original`;
export const stemsZipUrl = (id, format) => `${songPath(id)}/stems.zip?format=${format}`;

/** The URL of each stem's WAV file; `version` is {key, tempo}, or null for the original key and tempo. */
export function stemUrls(id, version) {
  const query = version ? `?${versionQuery(version)}` : "";
  return Object.fromEntries(STEMS.map((stem) => [stem, `${songPath(id)}/stems/${stem}.wav${query}`]));
}

/** The URL of a mix: `gains` are linear, 0 to 1; `key` is in semitones, `tempo` in percent. */
export function mixUrl(id, gains, { key, tempo }, format) {
  const levels = `vocals=${gains.vocals}&accompaniment=${gains.accompaniment}`;
  return `${songPath(id)}/mix?${levels}&${versionQuery({ key, tempo })}&format=${format}`;
}

const RETRY_MS = 3000;

/**
 * Listen to the studio's events: `onSong(song)` is called for each change of a song, `onRemoved(id)` for each song that
 * was deleted, and `onConnection(connected)` when the connection opens or breaks.
 */
export function subscribe({ onSong, onRemoved, onConnection }) {
  const source = new EventSource("/api/events");
  source.addEventListener("song", (event) => onSong(JSON.parse(event.data)));
  source.addEventListener("gone", (event) => onRemoved(JSON.parse(event.data).id));
  source.addEventListener("open", () => onConnection(true));
  source.addEventListener("error", () => {
    onConnection(false);
    // The browser reconnects by itself only after a broken connection, not after an error status.
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(() => subscribe({ onSong, onRemoved, onConnection }), RETRY_MS);
    }
  });
}
