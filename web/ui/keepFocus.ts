/** Who has the keyboard keeps it when what they stand on goes: it moves to what comes next. */

const STOPS = 'a[href], button, input, select, textarea, summary, [tabindex="0"]:not([aria-disabled="true"])';

export function keepFocus(root: HTMLElement): () => void {
  let at: HTMLElement | null = null;
  /** Everything that could have the focus when it came to `at`, in order. */
  let around: HTMLElement[] = [];

  function came(event: FocusEvent) {
    at = event.target as HTMLElement;
    around = [...root.querySelectorAll<HTMLElement>(STOPS)];
  }

  function left(event: FocusEvent) {
    const from = event.target;
    if (event.relatedTarget !== null) return;
    // What is taken out of the page is gone a moment later; what still stands was left on purpose.
    queueMicrotask(() => {
      if (from === at && at?.isConnected) at = null;
    });
  }

  function check() {
    if (at === null || at.isConnected) return;
    const free = document.activeElement === null || document.activeElement === document.body;
    const next = free ? neighbour(at, around) : null;
    at = null;
    next?.focus({ preventScroll: true });
  }

  root.addEventListener("focusin", came);
  root.addEventListener("focusout", left);
  const watch = new MutationObserver(check);
  watch.observe(root, { childList: true, subtree: true });
  return () => {
    watch.disconnect();
    root.removeEventListener("focusin", came);
    root.removeEventListener("focusout", left);
  };
}

/** The nearest after what is gone, else before it, that can still have the keyboard. */
function neighbour(gone: HTMLElement, around: HTMLElement[]): HTMLElement | null {
  const index = around.indexOf(gone);
  const can = (each: HTMLElement) =>
    each.isConnected && each.tabIndex >= 0 && !each.matches(":disabled") && each.checkVisibility();
  // A list in a popover keeps the keyboard to itself.
  const popover = around.find((each) => can(each) && each.closest("[popover]"))?.closest("[popover]");
  const here = (each: HTMLElement) => can(each) && (!popover || popover.contains(each));
  return around.slice(index + 1).find(here) ?? around.slice(0, Math.max(0, index)).findLast(here) ?? null;
}
