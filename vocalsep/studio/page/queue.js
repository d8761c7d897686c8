/** Copies of the songs, by `get(id)`, whose position in the queue is another now that `ids` wait in this order. */
export function movedInQueue(get, ids) {
  return ids
    .map((id, index) => ({ song: get(id), position: index + 1 }))
    .filter(({ song, position }) => song?.state === "queued" && song.position !== position)
    .map(({ song, position }) => ({ ...song, position }));
}
