/**
 * Call `onFiles(files)` for files and folders dropped anywhere on the page, or chosen with `input`, which `buttons`
 * open. The page has the class "over" while files are dragged over it.
 */
export function setupFileDrop(input, buttons, onFiles) {
  let depth = 0;
  const highlight = (on) => document.body.classList.toggle("over", on);

  document.addEventListener("dragenter", (event) => {
    if (event.dataTransfer?.types.includes("Files")) highlight(++depth > 0);
  });
  document.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    highlight(depth > 0);
  });
  // Without this the browser would leave the page and open the file.
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    depth = 0;
    highlight(false);
    onFiles(await droppedFiles(event.dataTransfer));
  });
  for (const button of buttons) button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    onFiles([...input.files]);
    // So that the same file can be chosen again.
    input.value = "";
  });
}

// The entries must be taken before the first await: the browser empties the transfer afterwards.
async function droppedFiles(transfer) {
  const entries = [...(transfer?.items ?? [])].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (entries.length === 0) return [...(transfer?.files ?? [])];
  const parts = await Promise.all(entries.map(filesOf));
  return parts.flat();
}

/** All files of a file system entry, those of a folder and its folders in the order of their names. */
export async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const children = [];
  // A reader gives at most 100 entries at a time, and none at the end.
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    children.push(...some);
  }
  children.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
  const parts = await Promise.all(children.map(filesOf));
  // Of a folder only what can be a song: there are covers and lists in it too.
  return parts.flat().map((file) => Object.assign(file, { fromFolder: true }));
}
