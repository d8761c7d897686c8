import * as api from "./api.js";
import { byId, createElement } from "./dom.js";
import { CLIENT } from "./events.js";
import { formatBytes } from "./format.js";
import { problemText, text } from "./language.js";
import { showMessage } from "./messages.js";
import { loadPreference, savePreference } from "./preferences.js";

const UNFINISHED = ["queued", "running"];
const MAX_REMEMBERED = 100;

/** The downloads that this browser asked for: progress while they are made, and then a link. */
export class Exports {
  #rows = new Map();
  #startedHere = new Set();
  #known = new Map();

  /** `getTitle(id)` returns the title of a song; `onChange()` is called when a download begins or ends. */
  constructor(getTitle, onChange) {
    this.getTitle = getTitle;
    this.onChange = onChange;
    this.list = byId("jobs");
  }

  /** Whether any is unfinished. */
  get busy() {
    return [...this.#rows.values()].some((row) => UNFINISHED.includes(row.state));
  }

  /** Ask for a file of `song`; `request` is as the studio takes it. It is saved once it is made. */
  async start(song, request) {
    try {
      const answer = await api.startExport(song.id, { ...request, client: CLIENT });
      this.#startedHere.add(answer.id);
      savePreference("exports", [...loadPreference("exports", []), answer.id].slice(-MAX_REMEMBERED));
      // Its events can come before this answer, and are newer then.
      const one = this.#known.get(answer.id) ?? answer;
      const wasShown = this.#rows.has(one.id);
      this.show(one);
      if (wasShown && one.state === "done") this.#save(this.#rows.get(one.id));
    } catch (error) {
      showMessage(error.message, { retry: () => this.start(song, request) });
    }
  }

  /** Show the exports of the studio's snapshot: those that this browser asked for. */
  showAll(exports) {
    const ids = new Set(exports.map((one) => one.id));
    for (const id of this.#rows.keys()) if (!ids.has(id)) this.remove(id);
    for (const one of exports) this.show(one);
  }

  /** Show an export as it is now. */
  show(one) {
    this.#known.set(one.id, one);
    if (!loadPreference("exports", []).includes(one.id)) return;
    const row = this.#rows.get(one.id) ?? this.#addRow(one);
    const wasUnfinished = UNFINISHED.includes(row.state);
    row.state = one.state;
    const name = one.name || this.getTitle(one.song);
    row.name.textContent = name;
    row.bar.setAttribute("aria-label", text("export_progress", { name }));
    for (const control of [row.link, row.cancel, row.dismiss]) {
      control.setAttribute("aria-label", `${control.textContent}: ${name}`);
    }
    row.link.hidden = one.state !== "done";
    row.bar.hidden = !UNFINISHED.includes(one.state);
    row.cancel.hidden = row.bar.hidden;
    row.dismiss.hidden = !row.bar.hidden;
    if (one.state === "running") row.bar.value = one.progress;
    else row.bar.removeAttribute("value");
    row.status.textContent = this.#status(one);
    row.line.dataset.state = one.state;
    if (one.state === "done") {
      row.link.href = one.url;
      row.link.download = one.name;
      if (wasUnfinished && this.#startedHere.has(one.id)) this.#save(row);
    }
    this.onChange();
  }

  /** Remove an export that is gone. */
  remove(id) {
    this.#known.delete(id);
    this.#rows.get(id)?.line.remove();
    this.#rows.delete(id);
    this.list.hidden = this.#rows.size === 0;
    this.onChange();
  }

  #status(one) {
    if (one.state === "queued") return text("export_waits");
    if (one.state === "running") return text("export_made", { percent: Math.floor(100 * one.progress) });
    if (one.state === "failed") {
      return text("export_failed", { reason: problemText(one.error_code, one.error_values, one.error) });
    }
    if (one.state === "cancelled") return text("state_cancelled");
    return [formatBytes(one.bytes ?? 0), ...(one.remarks ?? [])].join(" · ");
  }

  #addRow(one) {
    const row = {
      state: "queued",
      name: createElement("span", { className: "name", translate: false }),
      status: createElement("span", { className: "quiet small" }),
      bar: createElement("progress", { max: 1 }),
      link: createElement("a", { className: "button", textContent: text("save_file") }),
      cancel: createElement("button", { type: "button", className: "plain", textContent: text("cancel") }),
      dismiss: createElement("button", { type: "button", className: "plain", textContent: text("dismiss") }),
    };
    row.cancel.addEventListener("click", () => this.#cancel(one.id));
    row.dismiss.addEventListener("click", () => this.#dismiss(one.id));
    row.line = createElement(
      "li",
      { className: "job" },
      row.name,
      row.status,
      row.link,
      row.cancel,
      row.dismiss,
      row.bar,
    );
    row.line.dataset.id = one.id;
    this.#rows.set(one.id, row);
    this.list.prepend(row.line);
    this.list.hidden = false;
    return row;
  }

  #save(row) {
    row.link.click();
  }

  async #cancel(id) {
    try {
      await api.removeExport(id, CLIENT);
      this.remove(id);
    } catch (error) {
      showMessage(error.message);
    }
    byId("download-karaoke").focus();
  }

  #dismiss(id) {
    savePreference(
      "exports",
      loadPreference("exports", []).filter((other) => other !== id),
    );
    this.#rows.get(id).line.remove();
    this.#rows.delete(id);
    this.list.hidden = this.#rows.size === 0;
    byId("download-karaoke").focus();
  }
}
