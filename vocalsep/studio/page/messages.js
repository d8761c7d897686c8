import { byId, element } from "./dom.js";

const list = byId("messages");

/** Show `text` as a line that stays until it is dismissed. */
export function report(text) {
  const dismiss = element("button", { type: "button", className: "plain", textContent: "Dismiss" });
  dismiss.setAttribute("aria-label", `Dismiss: ${text}`);
  const line = element("div", { className: "message" }, element("p", { textContent: text }), dismiss);
  dismiss.addEventListener("click", () => {
    const next = line.nextElementSibling ?? line.previousElementSibling;
    line.remove();
    (next?.querySelector("button") ?? byId("file")).focus();
  });
  list.append(line);
}
