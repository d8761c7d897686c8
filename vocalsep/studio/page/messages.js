import { byId, createElement } from "./dom.js";
import { text } from "./language.js";

const list = byId("messages");
const TITLES = { upload: "errors_upload", song: "errors_song", other: "errors_other" };
const groups = new Map();

/**
 * Show the message of an error in its group ("upload", "song" or "other") until it is dismissed; `retry`, if given, is
 * called when the user wants to try again.
 */
export function showMessage(message, { group = "other", retry = null } = {}) {
  if (!groups.has(group)) groups.set(group, new MessageGroup(group));
  groups.get(group).add(message, retry);
}

/** Messages of one kind: one line, or a title and a list. */
class MessageGroup {
  #entries = [];

  constructor(name) {
    this.name = name;
    this.title = createElement("p", { className: "message-title" });
    this.items = createElement("ul", { tabIndex: 0 });
    this.again = createElement("button", { type: "button", textContent: text("try_again") });
    this.dismissButton = createElement("button", { type: "button", className: "plain", textContent: text("dismiss") });
    const buttons = createElement("div", { className: "actions" }, this.again, this.dismissButton);
    this.line = createElement("div", { className: "message" });
    this.line.append(createElement("div", { className: "message-text" }, this.title, this.items), buttons);
    this.again.addEventListener("click", () => this.#retry());
    this.dismissButton.addEventListener("click", () => this.#close());
    list.append(this.line);
  }

  add(message, retry) {
    if (!this.#entries.some((entry) => entry.message === message)) this.#entries.push({ message, retry });
    const single = this.#entries.length === 1;
    this.title.textContent = text(TITLES[this.name], { count: this.#entries.length });
    this.title.hidden = single;
    this.items.replaceChildren(
      ...this.#entries.map((entry) => createElement("li", { textContent: entry.message, translate: false })),
    );
    this.again.hidden = !this.#entries.some((entry) => entry.retry);
  }

  #retry() {
    const entries = this.#entries.filter((entry) => entry.retry);
    this.#close();
    for (const entry of entries) entry.retry();
  }

  #close() {
    const next = this.line.nextElementSibling ?? this.line.previousElementSibling;
    this.line.remove();
    groups.delete(this.name);
    (next?.querySelector("button:not([hidden])") ?? byId("main")).focus();
  }
}
