// Mounts the page.
export {};
