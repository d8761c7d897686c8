import { byId, createElement } from "./dom.js";

const menu = byId("song-menu");
let opener = null;

menu.addEventListener("keydown", (event) => {
  const items = [...menu.children];
  const index = items.indexOf(document.activeElement);
  const targets = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: items.length - 1 };
  if (!(event.key in targets)) return;
  event.preventDefault();
  items.at(targets[event.key] % items.length).focus();
});
menu.addEventListener("toggle", (event) => {
  opener?.setAttribute("aria-expanded", event.newState === "open");
});

/** Open a menu at `button` with `items`, each {name, label, action, style}. */
export function openMenu(button, label, items) {
  opener = button;
  menu.setAttribute("aria-label", label);
  const entries = items.map((item) => {
    const entry = createElement("button", {
      type: "button",
      className: `plain ${item.style ?? ""}`,
      textContent: item.label,
    });
    entry.dataset.action = item.name;
    entry.setAttribute("role", "menuitem");
    entry.addEventListener("click", () => {
      menu.hidePopover();
      button.focus();
      item.action();
    });
    return entry;
  });
  menu.replaceChildren(...entries);
  menu.showPopover();
  const box = button.getBoundingClientRect();
  const { offsetWidth, offsetHeight } = menu;
  menu.style.left = `${Math.max(8, Math.min(box.right - offsetWidth, innerWidth - offsetWidth - 8))}px`;
  const below = box.bottom + 4;
  menu.style.top = `${below + offsetHeight < innerHeight ? below : Math.max(8, box.top - offsetHeight - 4)}px`;
  entries[0].focus();
}
