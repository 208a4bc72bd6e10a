/** Calls once for any number of asks: at the next picture, or soon where the page is not seen. */
export function perFrame(act: () => void): { ask(): void; now(): void } {
  let asked = false;
  const now = () => {
    asked = false;
    act();
  };
  return {
    ask() {
      if (asked) return;
      asked = true;
      // A page in the background has no pictures, and one that goes there has none left.
      const hidden = setTimeout(() => asked && now(), document.hidden ? 0 : 1000);
      requestAnimationFrame(() => {
        clearTimeout(hidden);
        if (asked) now();
      });
    },
    now,
  };
}
