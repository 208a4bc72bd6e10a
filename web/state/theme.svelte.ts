/** Dark or light: what the system says until a person says otherwise, which is remembered. */

const KEY = "brooklet.theme";

export class Theme {
  dark = $state(false);

  constructor() {
    const system = matchMedia("(prefers-color-scheme: dark)");
    const chosen = read();
    this.set(chosen ? chosen === "dark" : system.matches);
    system.addEventListener("change", (event) => {
      if (read() === null) this.set(event.matches);
    });
  }

  toggle() {
    this.set(!this.dark);
    try {
      localStorage.setItem(KEY, this.dark ? "dark" : "light");
    } catch {
      // Storage may be forbidden; then the choice lasts as long as the page.
    }
  }

  private set(dark: boolean) {
    this.dark = dark;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  }
}

function read(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
