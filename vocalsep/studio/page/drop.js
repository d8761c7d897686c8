import { report } from "./messages.js";

/** Take files dropped anywhere on the page or chosen with `input`; `zone` lights up while files hover. */
export function acceptFiles(zone, input, take) {
  let depth = 0;
  const light = (on) => zone.classList.toggle("over", on);

  document.addEventListener("dragenter", () => light(++depth > 0));
  document.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    light(depth > 0);
  });
  // Without this the browser would leave the page and open the file.
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    light(false);
    take(filesOf(event.dataTransfer));
  });
  input.addEventListener("change", () => {
    take([...input.files]);
    // So that the same file can be chosen again.
    input.value = "";
  });
}

function filesOf(transfer) {
  if (!transfer) return [];
  const folders = new Set();
  for (const item of transfer.items) {
    const entry = item.webkitGetAsEntry?.();
    if (entry?.isDirectory) folders.add(entry.name);
  }
  for (const name of folders) report(`${name} is a folder: drop the songs in it instead.`);
  return [...transfer.files].filter((file) => !folders.has(file.name));
}
