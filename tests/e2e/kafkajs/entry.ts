// KafkaJS as the page of a test loads it: untouched, over a MessagePort instead of a socket.

import { Buffer } from "buffer";
import { EventEmitter } from "events";
import { Kafka, logLevel, type RetryOptions } from "kafkajs";

declare global {
  interface Window {
    kafkajs: typeof api;
  }
}

/** What KafkaJS asks of a `net.Socket`. */
class PortSocket extends EventEmitter {
  private port: MessagePort | null = null;
  private ended = false;

  constructor(onConnect: () => void) {
    super();
    window.brooklet.connect(1).then(
      (port) => {
        if (this.ended) return port.close();
        this.port = port;
        port.onmessage = ({ data }) => {
          if (data instanceof ArrayBuffer) this.emit("data", Buffer.from(data));
        };
        port.addEventListener("close", () => this.over());
        onConnect();
      },
      (why: unknown) => this.emit("error", why),
    );
  }

  write(data: Buffer) {
    const frame = new Uint8Array(data).buffer;
    this.port?.postMessage(frame, [frame]);
    return true;
  }

  end() {
    this.port?.close();
    this.over();
  }

  private over() {
    if (this.ended) return;
    this.ended = true;
    this.emit("end");
  }

  unref() {}
  setKeepAlive() {}
}

const api = {
  connect(clientId: string, retry: RetryOptions = {}) {
    const options = {
      clientId,
      brokers: ["b1:9092"],
      logLevel: logLevel.NOTHING,
      retry,
      socketFactory: ({ onConnect }: { onConnect: () => void }) => new PortSocket(onConnect),
    };
    return new Kafka(options as never);
  },
};
window.kafkajs = api;
