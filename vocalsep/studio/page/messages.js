import { byId, createElement } from "./dom.js";

const list = byId("messages");

/** Show `text` in a line that stays until it is dismissed. */
export function showMessage(text) {
  const dismiss = createElement("button", { type: "button", className: "plain", textContent: "Dismiss" });
  dismiss.setAttribute("aria-label", `Dismiss: ${text}`);
  const line = createElement("div", { className: "message" }, createElement("p", { textContent: text }), dismiss);
  dismiss.addEventListener("click", () => {
    const next = line.nextElementSibling ?? line.previousElementSibling;
    line.remove();
    (next?.querySelector("button") ?? byId("file")).focus();
  });
  list.append(line);
}
