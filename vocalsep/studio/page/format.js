/** A time in seconds as text, such as 3:05 or 1:02:09. */
export function formatTime(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const twoDigits = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes}:${twoDigits(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${twoDigits(minutes % 60)}:${twoDigits(whole % 60)}`;
}

/** A number of bytes as text, such as 12 MB. */
export function formatBytes(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const value = bytes / 1000 ** step;
  return `${value < 10 && step > 0 ? value.toFixed(1) : Math.round(value)} ${units[step]}`;
}

/** A key in semitones and a tempo in percent as text, such as "key +2, tempo 90 %". */
export function formatKeyTempo(key, tempo) {
  return `key ${key > 0 ? "+" : ""}${key}, tempo ${tempo} %`;
}

/** An audio stream of a file as text, such as "2: eng, Commentary, 2 channels, default". */
export function formatAudioStream({ number, language, title, channels, default: isDefault }) {
  const count = `${channels} channel${channels === 1 ? "" : "s"}`;
  return `${number}: ${[language, title, count, isDefault && "default"].filter(Boolean).join(", ")}`;
}
