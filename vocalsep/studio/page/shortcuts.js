const TEXT_CONTROLS = "input:not([type=range], [type=checkbox], [type=radio]), select, textarea";
const BUTTONS = "button, a[href], summary, input[type=checkbox], input[type=radio]";

/**
 * Call `actions`, functions by the value of KeyboardEvent.key, when their key is pressed, the focused control does not
 * use it itself, and `isEnabled()`: who speaks to the computer may want to switch all keys without modifiers off.
 */
export function setupShortcuts(actions, isEnabled) {
  let clicked = null;
  let spaceHandled = false;

  document.addEventListener("pointerdown", (event) => {
    clicked = event.target.closest("label")?.control ?? event.target.closest(BUTTONS);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Tab") clicked = null;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!(key in actions) || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (!isEnabled() || document.querySelector("dialog[open], [popover]:popover-open")) return;
    if (usesKey(event.target, key, clicked)) return;
    event.preventDefault();
    spaceHandled = key === " ";
    if (!event.repeat) actions[key]();
  });
  // Some browsers press a focused button when Space is released.
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && spaceHandled) event.preventDefault();
    spaceHandled = false;
  });
}

function usesKey(target, key, clicked) {
  if (target.closest(TEXT_CONTROLS)) return true;
  // Space presses a button that was reached with the keyboard. After a click on a button, Space plays and pauses.
  const button = target.closest(BUTTONS);
  return key === " " && button !== null && button !== clicked;
}
