import { showMessage } from "./messages.js";

/**
 * Call `onFiles(files)` for files dropped anywhere on the page or chosen with `input`; `zone` gets the class "over"
 * while files are dragged over the page.
 */
export function setupFileDrop(zone, input, onFiles) {
  let depth = 0;
  const highlight = (on) => zone.classList.toggle("over", on);

  document.addEventListener("dragenter", () => highlight(++depth > 0));
  document.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    highlight(depth > 0);
  });
  // Without this the browser would leave the page and open the file.
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    highlight(false);
    onFiles(droppedFiles(event.dataTransfer));
  });
  input.addEventListener("change", () => {
    onFiles([...input.files]);
    // So that the same file can be chosen again.
    input.value = "";
  });
}

function droppedFiles(transfer) {
  if (!transfer) return [];
  const folders = new Set();
  for (const item of transfer.items) {
    const entry = item.webkitGetAsEntry?.();
    if (entry?.isDirectory) folders.add(entry.name);
  }
  for (const name of folders) showMessage(`${name} is a folder: drop the songs in it instead.`);
  return [...transfer.files].filter((file) => !folders.has(file.name));
}
