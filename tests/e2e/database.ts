// The page's database, changed by hand as a person with the developer tools would.

import type { Page } from "@playwright/test";

export const database = (workspace: string) => `brooklet:${workspace}`;

export interface LogValue {
  replica: string;
  offset: number;
  bytes: number;
}

/** Removes every object store but the logs, and every other database of the page. */
export const keepOnlyLogs = (page: Page, workspace: string) =>
  page.evaluate(async (kept) => {
    const settled = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const gone: string[] = [];
    for (const { name = "" } of await indexedDB.databases()) {
      if (name === kept) continue;
      await settled(indexedDB.deleteDatabase(name));
      gone.push(name);
    }
    const look = await settled(indexedDB.open(kept));
    const version = look.version + 1;
    look.close();
    const request = indexedDB.open(kept, version);
    request.onupgradeneeded = () => {
      for (const store of [...request.result.objectStoreNames]) {
        if (store === "log") continue;
        request.result.deleteObjectStore(store);
        gone.push(store);
      }
    };
    (await settled(request)).close();
    return gone;
  }, database(workspace));

/** What the `log` store holds, in key order. */
export const logValues = (page: Page, workspace: string): Promise<LogValue[]> =>
  page.evaluate(async (name) => {
    const db = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(name);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const store = db.transaction("log").objectStore("log");
    const found = await new Promise<LogValue[]>((resolve, reject) => {
      const all: LogValue[] = [];
      const cursor = store.openCursor();
      cursor.onerror = () => reject(cursor.error);
      cursor.onsuccess = () => {
        const at = cursor.result;
        if (!at) return resolve(all);
        const [replica, offset] = at.key as [string, number];
        all.push({ replica, offset, bytes: at.value.byteLength ?? -1 });
        at.continue();
      };
    });
    db.close();
    return found;
  }, database(workspace));

/** Deletes a value of the `log` store, or flips one bit in its middle. */
export const damage = (page: Page, workspace: string, at: LogValue, how: "delete" | "flip") =>
  page.evaluate(
    async ({ name, key, how }) => {
      const settled = <T>(request: IDBRequest<T>) =>
        new Promise<T>((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const db = await settled(indexedDB.open(name));
      const store = db.transaction("log", "readwrite").objectStore("log");
      if (how === "delete") await settled(store.delete(key));
      else {
        const value = await settled(store.get(key));
        const bytes = new Uint8Array(value.buffer ?? value);
        const middle = bytes.length >> 1;
        bytes[middle] = (bytes[middle] ?? 0) ^ 1;
        await settled(store.put(value, key));
      }
      db.close();
    },
    { name: database(workspace), key: [at.replica, at.offset], how },
  );
