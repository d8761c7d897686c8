import { detail, uploadUrl } from "./api.js";
import { byId, element } from "./dom.js";
import { size } from "./format.js";

const AT_ONCE = 2;

/** Sends files to the studio, two at a time; the others wait their turn in `list`. */
export class Uploads {
  #waiting = [];
  #sending = 0;

  /** `done(song)` follows each file taken, `problem(sentence)` each that was not. */
  constructor(list, { done, problem }) {
    this.list = list;
    this.done = done;
    this.problem = problem;
    this.limit = Infinity;
    window.addEventListener("beforeunload", (event) => {
      if (this.#sending > 0) event.preventDefault();
    });
  }

  /** Queue `files`; those beyond `limit` bytes are refused here, before minutes go into sending them. */
  add(files) {
    for (const file of files) {
      if (file.size > this.limit) {
        this.problem(`${file.name} has ${size(file.size)}; the studio takes files of up to ${size(this.limit)}.`);
      } else {
        this.#waiting.push(this.#row(file));
      }
    }
    this.#next();
  }

  #row(file) {
    const said = element("span", { className: "quiet", textContent: "Waits to be sent" });
    const bar = element("progress", { max: 1, value: 0 });
    bar.setAttribute("aria-label", `Sending ${file.name}`);
    const cancel = element("button", { type: "button", textContent: "Cancel" });
    cancel.setAttribute("aria-label", `Cancel sending ${file.name}`);
    const name = element("span", { className: "name", textContent: file.name });
    const row = { file, said, bar, request: null };
    row.line = element("li", { className: "upload" }, name, said, bar, cancel);
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

  #next() {
    while (this.#sending < AT_ONCE && this.#waiting.length > 0) this.#send(this.#waiting.shift());
  }

  #send(row) {
    this.#sending += 1;
    const request = new XMLHttpRequest();
    row.request = request;
    row.said.textContent = "Sending";
    request.open("POST", uploadUrl(row.file.name));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => {
      row.bar.value = event.loaded / Math.max(1, event.total);
      const percent = Math.floor(row.bar.value * 100);
      row.said.textContent = percent < 100 ? `Sending: ${percent} %` : "Sent, being checked";
    });
    request.addEventListener("load", () => this.#answered(row));
    request.addEventListener("error", () => {
      this.problem(`${row.file.name} could not be sent: the connection to the studio broke, or the file was changed.`);
    });
    request.addEventListener("loadend", () => {
      this.#sending -= 1;
      this.#remove(row);
      this.#next();
    });
    request.send(row.file);
  }

  #answered({ file, request }) {
    if (request.status === 201) this.done(JSON.parse(request.responseText));
    else this.problem(`${file.name}: ${detail(request.status, request.responseText)}`);
  }
}
