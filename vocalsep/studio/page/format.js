import { language, text } from "./language.js";

/** A time in seconds as text, such as 3:05 or 1:02:09; with `digits` decimals. */
export function formatTime(seconds, digits = 0) {
  const factor = 10 ** digits;
  const time = Math.max(0, Math.floor(seconds * factor + 1e-6)) / factor;
  const twoDigits = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(time / 60);
  const rest = (time % 60).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${twoDigits(minutes % 60)}:${rest}`;
}

/** A number of bytes as text, such as 12 MB. */
export function formatBytes(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const value = bytes / 1000 ** step;
  const options = {
    style: "unit",
    unit: units[step],
    unitDisplay: "short",
    maximumFractionDigits: value < 10 && step ? 1 : 0,
  };
  return new Intl.NumberFormat(language(), options).format(value);
}

/** A linear gain as text, such as "25 %". */
export const formatGain = (gain) => `${Math.round(100 * gain)} %`;

/** A key in semitones as text, such as "+2". */
export const formatKey = (key) => (key > 0 ? `+${key}` : `${key}`.replace("-", "−"));

/** A key in semitones and a tempo in percent as text, such as "key +2, tempo 90 %". */
export function formatKeyTempo(key, tempo) {
  return text("key_and_tempo", { key: formatKey(key), tempo });
}

/** An audio stream of a file as text, such as "2: eng, Commentary, 2 channels, default". */
export function formatAudioStream({ number, language: code, title, channels, default: isDefault }) {
  const count = text("channels", { count: channels });
  return `${number}: ${[code, title, count, isDefault && text("default_stream")].filter(Boolean).join(", ")}`;
}

/** The title of a song, and its artist where it is known. */
export const songTitle = (song) => song.title || song.name;
export const songLabel = (song) => [songTitle(song), song.artist].filter(Boolean).join(" – ");

/** A song's length in seconds, or null where it is not known yet. */
export function songSeconds(song) {
  if (typeof song.duration === "number") return song.duration;
  const samples = song.state === "done" ? song.ready : song.samples;
  return song.sample_rate && samples ? samples / song.sample_rate : null;
}
