// Elements of the page. Text is only ever set as text: what a run calls itself is never markup.

const SVG = "http://www.w3.org/2000/svg";

/** h("a.big", {href}, "text", child, [children]): handlers are on...; null and false children are left out. */
export function h(what, props = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  return fill(document.createElement(tag), classes, props, children);
}

export function svg(what, props = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  return fill(document.createElementNS(SVG, tag), classes, props, children);
}

function fill(element, classes, props, children) {
  if (classes.length) element.classList.add(...classes);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Put children into an element in place of what is there, unless they would look the same: focus and selection stay. */
export function show(element, ...children) {
  const fresh = document.createElement("div");
  fresh.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  if (fresh.innerHTML !== element.innerHTML) element.replaceChildren(...fresh.childNodes);
}
