/** The canvas's colours. The same values stand in app.css; a test keeps them equal. */

export interface Palette {
  surface: string;
  ink: string;
  muted: string;
  hair: string;
  accent: string;
  cell: string;
  cellRead: string;
  number: string;
  numberRead: string;
  /** Six hues for keys, told apart by every kind of colour vision, at least 3:1 against the cell. */
  keys: readonly [string, string, string, string, string, string];
}

export const LIGHT: Palette = {
  surface: "#ffffff",
  ink: "#18202b",
  muted: "#566273",
  hair: "#d7dde5",
  accent: "#0b63b0",
  cell: "#e3e8ef",
  cellRead: "#f2f4f7",
  number: "#2d3847",
  numberRead: "#66717f",
  keys: ["#9f285a", "#a57636", "#275116", "#0d9296", "#295ca5", "#581378"],
};

export const DARK: Palette = {
  surface: "#151a21",
  ink: "#e7ebf1",
  muted: "#9aa6b6",
  hair: "#2b343f",
  accent: "#7cc4ff",
  cell: "#28313d",
  cellRead: "#1a2028",
  number: "#c4cedb",
  numberRead: "#8592a2",
  keys: ["#be728a", "#f1995d", "#d7e426", "#55f2ed", "#73baea", "#8a72f7"],
};
