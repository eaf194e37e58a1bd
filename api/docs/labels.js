// RapiDoc names its fields and its parts for the eye only, and scrolls by mouse only. This adds what is missing, as it draws them.

const unnamed = "input:not([aria-label]), textarea:not([aria-label]), select:not([aria-label]), nav:not([aria-label])";
const watched = new WeakSet();

function watch(root) {
  if (watched.has(root)) return;
  watched.add(root);
  new MutationObserver(() => name(root)).observe(root, { childList: true, subtree: true });
  name(root);
}

function name(root) {
  for (const part of root.querySelectorAll(unnamed)) {
    const fallback = part.getAttribute("part")?.split(" ").at(-1) ?? part.localName;
    part.ariaLabel = part.dataset.pname || part.placeholder || fallback;
  }
  for (const text of root.querySelectorAll("pre:not([tabindex])")) text.tabIndex = 0; // so that keys scroll it
  for (const inner of root.querySelectorAll("api-request, tag-input")) if (inner.shadowRoot) watch(inner.shadowRoot);
}

await customElements.whenDefined("rapi-doc");
watch(document.querySelector("rapi-doc").shadowRoot);
