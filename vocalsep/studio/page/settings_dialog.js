import * as api from "./api.js";
import { byId, createElement } from "./dom.js";
import { text } from "./language.js";
import { loadPreference, savePreference } from "./preferences.js";

/** The dialog with the theme, the addresses for other devices, and the keyboard shortcuts. */
export class SettingsDialog {
  constructor() {
    byId("open-settings").addEventListener("click", () => this.open());
    byId("close-settings").addEventListener("click", () => byId("settings").close());
    byId("use-shortcuts").checked = loadPreference("shortcuts", true);
    byId("use-shortcuts").addEventListener("change", () => savePreference("shortcuts", this.shortcutsEnabled));
  }

  /** Whether keys without modifiers are shortcuts. */
  get shortcutsEnabled() {
    return byId("use-shortcuts").checked;
  }

  /** Open the dialog. */
  async open() {
    byId("settings").showModal();
    try {
      this.#showAddresses((await api.network()).addresses);
    } catch {
      // Without an answer there is nothing to show; the page says by itself that the studio is gone.
      this.#showAddresses([]);
    }
  }

  #showAddresses(addresses) {
    byId("network").hidden = addresses.length === 0;
    byId("network-code").hidden = addresses.length === 0;
    if (addresses.length > 0) byId("network-code").src = api.networkCodeUrl(0);
    byId("addresses").replaceChildren(
      ...addresses.map((address) =>
        createElement("li", {}, createElement("a", { href: address, textContent: address })),
      ),
    );
  }
}

/** Say on the page where songs go: true also for a visitor from the network. */
export function showPrivacy(isOnNetwork) {
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  const key = isLocal ? (isOnNetwork ? "private_shared" : "private_local") : "private_visitor";
  for (const element of document.querySelectorAll(".private")) {
    element.textContent = text(key, { host: location.hostname });
  }
}
