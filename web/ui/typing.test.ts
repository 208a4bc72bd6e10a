import { expect, test } from "vitest";
import { isTyping } from "./typing";

const made = (html: string): Element => {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  return document.body.appendChild(parsed.body.firstElementChild as Element);
};

test.each([
  "<textarea></textarea>",
  "<select><option>a</option></select>",
  "<input>",
  ...["text", "search", "number", "email", "url", "tel", "password", "date", "time"].map(
    (t) => `<input type=${t}>`,
  ),
])("Ctrl+Z in %s is the field's own", (html) => {
  expect(isTyping(made(html))).toBe(true);
});

test("Ctrl+Z in text that can be edited is that text's own", () => {
  const text = made("<p contenteditable>a</p>") as HTMLElement;
  Object.defineProperty(text, "isContentEditable", { value: true });
  expect(isTyping(text)).toBe(true);
});

test.each([
  "<button>a</button>",
  "<canvas></canvas>",
  ...["range", "checkbox", "radio", "button", "file", "color"].map((t) => `<input type=${t}>`),
])("Ctrl+Z on %s is the page's", (html) => {
  expect(isTyping(made(html))).toBe(false);
});

test("Ctrl+Z on nothing is the page's", () => {
  expect(isTyping(null)).toBe(false);
  expect(isTyping(window)).toBe(false);
});
