/**
 * Make one tree of elements like another, changing only what differs: what has the focus keeps it, what was opened,
 * ticked, typed or scrolled stays so.
 */
(() => {
  const keyOf = (node) =>
    node.nodeType === 1 ? node.id || node.dataset?.key || node.getAttribute("href") || null : null;

  const isAlike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

  /** What a person has done to an element; the server knows nothing of it. */
  const isOwn = (element, name) =>
    (element.nodeName === "DETAILS" && name === "open") ||
    (element.nodeName === "INPUT" && (name === "value" || name === "checked")) ||
    // The row that the keys have come to.
    (element.nodeName === "TR" && name === "class");

  function attributes(from, to) {
    for (const { name } of [...from.attributes]) {
      if (!to.hasAttribute(name) && !isOwn(from, name)) from.removeAttribute(name);
    }
    for (const { name, value } of [...to.attributes]) {
      if (from.getAttribute(name) !== value && !isOwn(from, name)) from.setAttribute(name, value);
    }
  }

  function children(from, to) {
    const keyed = new Map();
    for (const child of from.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
    let at = from.firstChild;
    for (const wanted of [...to.childNodes]) {
      const key = keyOf(wanted);
      let found = at && isAlike(at, wanted) ? at : null;
      if (!found && key && keyed.has(key) && isAlike(keyed.get(key), wanted)) found = keyed.get(key);
      if (!found) {
        from.insertBefore(wanted, at);
        continue;
      }
      if (found === at) at = at.nextSibling;
      else from.insertBefore(found, at);
      keyed.delete(key);
      morph(found, wanted);
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  function morph(from, to) {
    if (from.nodeType !== 1) {
      if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
      return;
    }
    if (from.isEqualNode(to)) return;
    attributes(from, to);
    if (from.nodeName !== "SELECT" || document.activeElement !== from) children(from, to);
  }

  globalThis.dashboardMorph = (element, html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    const like = element.cloneNode(false);
    like.append(template.content);
    morph(element, like);
  };
})();
