// Stands for `crypto`, `zlib`, `util`, `assert`, `net` and `tls` in the bundle.

import { Buffer } from "buffer";

const absent = (name: string) => () => {
  throw new Error(`${name} is not there in a browser`);
};

export const randomBytes = (size: number) => Buffer.from(crypto.getRandomValues(new Uint8Array(size)));
export const promisify = (call: unknown) => call;
export const inspect = (value: unknown) => JSON.stringify(value);
export const gzip = absent("zlib.gzip");
export const unzip = absent("zlib.unzip");
export const isIP = () => 0;
export const connect = absent("net.connect");

export default Object.assign(
  (value: unknown, message?: string) => {
    if (!value) throw new Error(message);
  },
  { randomBytes, promisify, inspect, gzip, unzip, isIP, connect },
);
