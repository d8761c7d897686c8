const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

const known = new Map();

/** The red, green and blue (0 to 255) that the custom property `name` has in the present theme. */
export function rgb(name) {
  if (!known.has(name)) {
    // The property itself is a pair for the two themes; as the colour of something it is one of them.
    probe.style.color = `var(${name})`;
    known.set(name, getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number));
  }
  return known.get(name);
}

/** The same as a CSS colour. */
export function css(name) {
  return `rgb(${rgb(name).join(" ")})`;
}

/** Look the colours up again: the theme has changed. */
export function forget() {
  known.clear();
}
