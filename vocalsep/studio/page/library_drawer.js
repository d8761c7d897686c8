import { byId } from "./dom.js";

const NARROW = matchMedia("(max-width: 979px)");

/** The list of songs as a drawer on narrow windows; on wide ones it is always there. */
export class LibraryDrawer {
  #open = false;

  constructor() {
    byId("open-library").addEventListener("click", () => this.#set(true));
    byId("close-library").addEventListener("click", () => this.close());
    byId("backdrop").addEventListener("click", () => this.close());
    byId("library").addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#open) this.close();
    });
    NARROW.addEventListener("change", () => this.#set(false));
    this.#set(false);
  }

  /** Close the drawer. */
  close() {
    if (!this.#open) return;
    this.#set(false);
    byId("open-library").focus();
  }

  #set(open) {
    this.#open = open && NARROW.matches;
    byId("library").classList.toggle("open", this.#open);
    byId("library").inert = NARROW.matches && !this.#open;
    byId("backdrop").hidden = !this.#open;
    byId("open-library").setAttribute("aria-expanded", this.#open);
    // What is behind the drawer cannot be used while it is open.
    for (const element of [byId("main"), document.querySelector("header.top"), document.querySelector("footer")]) {
      element.inert = this.#open;
    }
    if (this.#open) byId("close-library").focus();
  }
}
