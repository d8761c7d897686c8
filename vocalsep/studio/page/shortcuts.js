const TEXT_CONTROLS = "input:not([type=range]), select, textarea";
const BUTTONS = "button, a[href], summary";
const SLIDER_KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home"];
const REPEATABLE = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];

/**
 * Call `actions`, functions by the value of KeyboardEvent.key, when their key is pressed and the focused control does
 * not use it itself.
 */
export function setupShortcuts(actions) {
  let clicked = null;
  let spaceHandled = false;

  document.addEventListener("pointerdown", (event) => {
    clicked = event.target.closest(BUTTONS);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Tab") clicked = null;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!(key in actions) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]") || usesKey(event.target, key, clicked)) return;
    event.preventDefault();
    spaceHandled = key === " ";
    if (!event.repeat || REPEATABLE.includes(key)) actions[key]();
  });
  // Some browsers press a focused button when Space is released.
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && spaceHandled) event.preventDefault();
    spaceHandled = false;
  });
}

function usesKey(target, key, clicked) {
  if (target.closest(TEXT_CONTROLS)) return true;
  if (target.closest("input[type=range]")) return SLIDER_KEYS.includes(key);
  // Space presses a button that was reached with the keyboard. After a click on a button, Space plays and pauses.
  const button = target.closest(BUTTONS);
  return key === " " && button !== null && button !== clicked;
}
