/** Whether a key that is pressed here is typed into something, which has an undo of its own. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches(`textarea, select, input:not(${NO_TEXT})`))
  );
}

/** Inputs that hold no text. */
const NO_TEXT = ["range", "checkbox", "radio", "button", "submit", "reset", "color", "file", "image"]
  .map((type) => `[type=${type}]`)
  .join();
