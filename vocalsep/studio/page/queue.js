/** Copies of those of `songs` (a Map by id) whose position in the queue is another, now that `ids` wait in this order. */
export function movedInQueue(songs, ids) {
  return ids
    .map((id, index) => ({ song: songs.get(id), position: index + 1 }))
    .filter(({ song, position }) => song?.state === "queued" && song.position !== position)
    .map(({ song, position }) => ({ ...song, position }));
}
