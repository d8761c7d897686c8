import { errorMessage, uploadUrl } from "./api.js";
import { byId, createElement } from "./dom.js";
import { formatBytes } from "./format.js";
import { text } from "./language.js";
import { showMessage } from "./messages.js";

/** Sends files to the studio, one after another, so that an album keeps its order; `list` shows those not yet sent. */
export class UploadQueue {
  #waiting = [];
  #sending = null;
  #accepted = 0;

  /** `onUploaded(song, isFirst)` is called for each file that was accepted; `isFirst` of those added together. */
  constructor(list, onUploaded) {
    this.list = list;
    this.onUploaded = onUploaded;
    this.maxBytes = Infinity;
    this.suffixes = null;
    window.addEventListener("beforeunload", (event) => {
      if (this.busy) event.preventDefault();
    });
  }

  /** Whether files are being sent. */
  get busy() {
    return this.#sending !== null;
  }

  /** Queue `files`; those of more than `maxBytes` are refused at once, and not after they were sent. */
  add(files) {
    if (!this.busy) this.#accepted = 0;
    for (const file of files) {
      if (
        file.fromFolder &&
        this.suffixes &&
        !this.suffixes.some((suffix) => file.name.toLowerCase().endsWith(suffix))
      ) {
        continue;
      }
      if (file.size > this.maxBytes) {
        const values = { name: file.name, size: formatBytes(file.size), limit: formatBytes(this.maxBytes) };
        showMessage(text("error_too_large", values), { group: "upload" });
      } else {
        this.#waiting.push(this.#addRow(file));
      }
    }
    this.#sendNext();
  }

  #addRow(file) {
    const status = createElement("span", { className: "quiet small", textContent: text("upload_waits") });
    const bar = createElement("progress", { max: 1, value: 0 });
    bar.setAttribute("aria-label", text("upload_progress", { name: file.name }));
    const cancel = createElement("button", { type: "button", className: "plain", textContent: text("cancel") });
    cancel.setAttribute("aria-label", `${text("cancel")}: ${file.name}`);
    const name = createElement("span", { className: "name", textContent: file.name, translate: false });
    const row = { file, status, bar, request: null };
    row.line = createElement("li", { className: "upload" }, name, status, cancel, bar);
    cancel.addEventListener("click", () => this.#cancel(row));
    this.list.append(row.line);
    return row;
  }

  #cancel(row) {
    if (row.request) {
      row.request.abort();
    } else {
      this.#waiting.splice(this.#waiting.indexOf(row), 1);
      this.#remove(row);
    }
  }

  #remove({ line }) {
    if (line.contains(document.activeElement)) byId("main").focus();
    line.remove();
  }

  #sendNext() {
    if (!this.#sending && this.#waiting.length > 0) this.#send(this.#waiting.shift());
  }

  #send(row) {
    this.#sending = row;
    const request = new XMLHttpRequest();
    row.request = request;
    row.status.textContent = text("upload_sending", { percent: 0 });
    request.open("POST", uploadUrl(row.file.name));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => {
      row.bar.value = event.loaded / Math.max(1, event.total);
      const percent = Math.floor(row.bar.value * 100);
      row.status.textContent = percent < 100 ? text("upload_sending", { percent }) : text("upload_checked");
    });
    request.addEventListener("load", () => this.#handleResponse(row));
    request.addEventListener("error", () => this.#fail(row, text("error_not_sent")));
    request.addEventListener("loadend", () => {
      this.#sending = null;
      this.#remove(row);
      this.#sendNext();
    });
    request.send(row.file);
  }

  #handleResponse(row) {
    const { status, responseText } = row.request;
    if (status === 201) {
      this.#accepted += 1;
      this.onUploaded(JSON.parse(responseText), this.#accepted === 1);
    } else this.#fail(row, errorMessage(status, responseText));
  }

  #fail({ file }, reason) {
    showMessage(`${file.name}: ${reason}`, { group: "upload", retry: () => this.add([file]) });
  }
}
