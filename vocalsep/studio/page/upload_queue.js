import { errorMessage, uploadUrl } from "./api.js";
import { byId, createElement } from "./dom.js";
import { formatBytes } from "./format.js";

const MAX_CONCURRENT = 2;

/** Sends files to the studio, two at once; `list` shows these and the ones that wait. */
export class UploadQueue {
  #waiting = [];
  #sending = 0;

  /** `onUploaded(song)` is called for each file that was accepted, `onError(message)` for each that was not. */
  constructor(list, { onUploaded, onError }) {
    this.list = list;
    this.onUploaded = onUploaded;
    this.onError = onError;
    this.maxBytes = Infinity;
    window.addEventListener("beforeunload", (event) => {
      if (this.#sending > 0) event.preventDefault();
    });
  }

  /** Queue `files`; those of more than `maxBytes` are refused at once, and not after they were sent. */
  add(files) {
    for (const file of files) {
      if (file.size > this.maxBytes) {
        const limit = formatBytes(this.maxBytes);
        this.onError(`${file.name} has ${formatBytes(file.size)}; the studio takes files of up to ${limit}.`);
      } else {
        this.#waiting.push(this.#addRow(file));
      }
    }
    this.#sendNext();
  }

  #addRow(file) {
    const status = createElement("span", { className: "quiet", textContent: "Waits to be sent" });
    const bar = createElement("progress", { max: 1, value: 0 });
    bar.setAttribute("aria-label", `Sending ${file.name}`);
    const cancel = createElement("button", { type: "button", textContent: "Cancel" });
    cancel.setAttribute("aria-label", `Cancel sending ${file.name}`);
    const name = createElement("span", { className: "name", textContent: file.name });
    const row = { file, status, bar, request: null };
    row.line = createElement("li", { className: "upload" }, name, status, bar, cancel);
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
    if (line.contains(document.activeElement)) byId("file").focus();
    line.remove();
  }

  #sendNext() {
    while (this.#sending < MAX_CONCURRENT && this.#waiting.length > 0) this.#send(this.#waiting.shift());
  }

  #send(row) {
    this.#sending += 1;
    const request = new XMLHttpRequest();
    row.request = request;
    row.status.textContent = "Sending";
    request.open("POST", uploadUrl(row.file.name));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => {
      row.bar.value = event.loaded / Math.max(1, event.total);
      const percent = Math.floor(row.bar.value * 100);
      row.status.textContent = percent < 100 ? `Sending: ${percent} %` : "Sent, being checked";
    });
    request.addEventListener("load", () => this.#handleResponse(row));
    request.addEventListener("error", () => {
      this.onError(`${row.file.name} could not be sent: the connection to the studio broke, or the file was changed.`);
    });
    request.addEventListener("loadend", () => {
      this.#sending -= 1;
      this.#remove(row);
      this.#sendNext();
    });
    request.send(row.file);
  }

  #handleResponse({ file, request }) {
    if (request.status === 201) this.onUploaded(JSON.parse(request.responseText));
    else this.onError(`${file.name}: ${errorMessage(request.status, request.responseText)}`);
  }
}
