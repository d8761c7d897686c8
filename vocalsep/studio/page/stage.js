import * as api from "./api.js";
import { byId } from "./dom.js";
import { loadLanguage, text } from "./language.js";
import { onOtherTab, tellOtherTabs } from "./other_tabs.js";
import { WordsStage } from "./words_stage.js";

await loadLanguage();

const stage = new WordsStage(byId("words-lines"));
let state = null;
let received = 0;

async function showWords(song) {
  byId("stage-title").textContent = song?.label ?? text("words");
  document.title = song?.label ?? text("words");
  const lyrics = song ? await api.lyrics(song.id).catch(() => null) : null;
  if (song?.id === state?.song?.id) stage.setLyrics(lyrics, song?.title ?? "");
}

// The player tells its position ten times a second; in between it is computed.
function animate() {
  if (state) {
    const elapsed = state.playing ? ((performance.now() - received) / 1000) * state.rate : 0;
    stage.update(state.seconds + elapsed);
  }
  requestAnimationFrame(animate);
}

onOtherTab("words-position", (data) => {
  const changed = data.song?.id !== state?.song?.id;
  state = data;
  received = performance.now();
  if (changed) showWords(data.song);
});
onOtherTab("words-changed", () => showWords(state?.song));
byId("words-full").addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen();
});
tellOtherTabs("words-window");
animate();
