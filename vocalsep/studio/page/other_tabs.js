const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("vocalsep.studio") : null;

/** Tell the browser's other tabs of the studio `data` under `name`. */
export function tellOtherTabs(name, data = null) {
  channel?.postMessage({ name, data });
}

/** Call `action(data)` when another tab tells `name`. */
export function onOtherTab(name, action) {
  channel?.addEventListener("message", (event) => {
    if (event.data.name === name) action(event.data.data);
  });
}
