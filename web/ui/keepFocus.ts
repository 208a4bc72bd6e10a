/** Who has the keyboard keeps it when what they stand on goes: it moves to what comes next. */

const STOPS = 'a[href], button, input, select, textarea, summary, [tabindex="0"]:not([aria-disabled="true"])';

/** A place of the keyboard, and everything that could have it when it came there, in order. */
type Place = { at: HTMLElement; around: HTMLElement[] };

export function keepFocus(root: HTMLElement): () => void {
  let place: Place | null = null;
  /** Where the keyboard was before it went into a popover, and that popover: both may go together. */
  let opener: Place | null = null;
  let popover: Element | null = null;

  function came(event: FocusEvent) {
    const at = event.target as HTMLElement;
    place = { at, around: [...root.querySelectorAll<HTMLElement>(STOPS)] };
    popover = at.closest("[popover]");
    if (!popover) opener = place;
  }

  function left(event: FocusEvent) {
    const from = event.target;
    if (event.relatedTarget !== null) return;
    // What is taken out of the page is gone a moment later; what still stands was left on purpose.
    queueMicrotask(() => {
      if (from === place?.at && place?.at.isConnected) place = null;
    });
  }

  function check() {
    // A button that is at work cannot have the keyboard: where it stood counts, not whether it still had it.
    const closed = popover?.isConnected === false;
    const gone = closed && opener ? opener : place;
    if (gone === null || (gone.at.isConnected && !closed)) return;
    place = popover = null;
    if (document.activeElement !== null && document.activeElement !== document.body) return;
    const next = gone.at.isConnected ? gone.at : neighbour(gone);
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
function neighbour({ at, around }: Place): HTMLElement | null {
  const index = around.indexOf(at);
  const can = (each: HTMLElement) =>
    each.isConnected && each.tabIndex >= 0 && !each.matches(":disabled") && each.checkVisibility();
  // A list in a popover keeps the keyboard to itself.
  const popover = around.find((each) => can(each) && each.closest("[popover]"))?.closest("[popover]");
  const here = (each: HTMLElement) => can(each) && (!popover || popover.contains(each));
  return around.slice(index + 1).find(here) ?? around.slice(0, Math.max(0, index)).findLast(here) ?? null;
}
