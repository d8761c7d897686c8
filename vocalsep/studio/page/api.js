import { STEMS } from "./stems.js";

/** The sentence that says what went wrong, from an error's status and body text. */
export function detail(status, body) {
  try {
    const said = JSON.parse(body).detail;
    if (typeof said === "string" && said) return said;
  } catch {
    // Not JSON: something between the page and the studio answered.
  }
  return `The studio answered with error ${status}.`;
}

/** An Error with the server's sentence, for a response that is not ok. */
export async function failure(response) {
  return new Error(detail(response.status, await response.text()));
}

async function call(method, path) {
  let response;
  try {
    response = await fetch(path, { method, cache: "no-store" });
  } catch {
    throw new Error("The studio does not answer. Is it still running?");
  }
  if (!response.ok) throw await failure(response);
  return response.status === 204 ? null : response.json();
}

const songPath = (id) => `/api/songs/${encodeURIComponent(id)}`;
const versionQuery = ({ key, tempo }) => `key=${key}&tempo=${tempo}`;

export const info = () => call("GET", "/api/info");
export const songs = () => call("GET", "/api/songs");
export const remove = (id) => call("DELETE", songPath(id));
export const cancel = (id) => call("POST", `${songPath(id)}/cancel`);
export const restart = (id) => call("POST", `${songPath(id)}/restart`);
export const peaks = (id) => call("GET", `${songPath(id)}/peaks`);

/** Make the version of a song at `key` semitones and `tempo` percent; its length comes in samples. */
export const makeVersion = (id, key, tempo) => call("POST", `${songPath(id)}/versions?${versionQuery({ key, tempo })}`);

export const uploadUrl = (name) => `/api/songs?name=${encodeURIComponent(name)}`;
export const originalUrl = (id) => `${songPath(id)}/original`;
export const stemsZipUrl = (id, format) => `${songPath(id)}/stems.zip?format=${format}`;

/** Where the WAV file of each stem is; `version` is {key, tempo}, or null for the song's own key and tempo. */
export function stemUrls(id, version) {
  const query = version ? `?${versionQuery(version)}` : "";
  return Object.fromEntries(STEMS.map((stem) => [stem, `${songPath(id)}/stems/${stem}.wav${query}`]));
}

/** Where the mix is: `gains` are linear, 0 to 1; `key` in semitones, `tempo` in percent. */
export function mixUrl(id, gains, { key, tempo }, format) {
  const levels = `vocals=${gains.vocals}&accompaniment=${gains.accompaniment}`;
  return `${songPath(id)}/mix?${levels}&${versionQuery({ key, tempo })}&format=${format}`;
}

const RETRY_MS = 3000;

/** Follow the studio: `song(song)` and `gone(id)` at each change, `connected(bool)` as the line comes and goes. */
export function follow({ song, gone, connected }) {
  const source = new EventSource("/api/events");
  source.addEventListener("song", (event) => song(JSON.parse(event.data)));
  source.addEventListener("gone", (event) => gone(JSON.parse(event.data).id));
  source.addEventListener("open", () => connected(true));
  source.addEventListener("error", () => {
    connected(false);
    // The browser itself tries again only after a broken line, not after an error status.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => follow({ song, gone, connected }), RETRY_MS);
  });
}
