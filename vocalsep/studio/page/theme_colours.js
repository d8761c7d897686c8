const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

const cache = new Map();

/** Red, green and blue (0 to 255) of the custom property `name` in the current theme. */
export function rgb(name) {
  if (!cache.has(name)) {
    // The property is a pair of colours, one for each theme; the computed colour of an element is the current one.
    probe.style.color = `var(${name})`;
    cache.set(
      name,
      getComputedStyle(probe)
        .color.match(/[\d.]+/g)
        .slice(0, 3)
        .map(Number),
    );
  }
  return cache.get(name);
}

/** The custom property `name` in the current theme, as a CSS colour. */
export function cssColour(name) {
  return `rgb(${rgb(name).join(" ")})`;
}

/** Forget all colours, because the theme has changed. */
export function clearColourCache() {
  cache.clear();
}
