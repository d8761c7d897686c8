const TYPING = "input:not([type=range]), select, textarea";
const PRESSED = "button, a[href], summary";
const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home"];
const REPEATS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];

/** Run `actions`, functions by the value of KeyboardEvent.key, where the key is not the focused control's own. */
export function listen(actions) {
  let clicked = null;
  let taken = false;

  document.addEventListener("pointerdown", (event) => {
    clicked = event.target.closest(PRESSED);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Tab") clicked = null;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!(key in actions) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]") || owns(event.target, key, clicked)) return;
    event.preventDefault();
    taken = key === " ";
    if (!event.repeat || REPEATS.includes(key)) actions[key]();
  });
  // Some browsers press a focused button when Space is let go.
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && taken) event.preventDefault();
    taken = false;
  });
}

function owns(target, key, clicked) {
  if (target.closest(TYPING)) return true;
  if (target.closest("input[type=range]")) return ARROWS.includes(key);
  // Space presses a button reached by keyboard; one that was only clicked gives it to play and pause.
  const button = target.closest(PRESSED);
  return key === " " && button !== null && button !== clicked;
}
