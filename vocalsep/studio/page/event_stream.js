const RETRY_MS = 3000;
const EVENTS = [
  "snapshot",
  "song",
  "gone",
  "queue",
  "export",
  "export_gone",
  "settings",
  "lyrics",
  "analysis",
  "recording",
  "recording_gone",
  "party",
  "player",
  "remote",
];

/**
 * Listen to the studio as `client`, and call `onEvent(name, data)` for each event, and for "connection" with whether
 * there is one. The stream that is returned has `close()`.
 */
export function openEventStream(client, onEvent) {
  let source = null;
  let timer = 0;

  const open = () => {
    source = new EventSource(`/api/events?client=${client}`);
    for (const name of EVENTS) source.addEventListener(name, (event) => onEvent(name, JSON.parse(event.data)));
    source.addEventListener("open", () => onEvent("connection", true));
    source.addEventListener("error", () => {
      onEvent("connection", false);
      // The browser reconnects by itself only after a broken connection, not after an error status.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, RETRY_MS);
    });
  };
  open();
  return {
    close() {
      clearTimeout(timer);
      source.close();
    },
  };
}
