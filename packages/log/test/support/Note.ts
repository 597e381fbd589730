import { Buffer } from "node:buffer"
import type { Contract } from "leat/contract"

/** The smallest contract there is: for tests of what stands around an event, not in it. */
export interface Note {
  readonly key: string
  /** At most 100 bytes. */
  readonly text: string
}

export const noteContract: Contract<Note> = {
  name: "test.Note",
  stream: "test.notes",
  buckets: 8,
  compacted: false,
  unordered: false,
  needs: ["order", "replay", "fsync"],
  keyPath: "key",
  personal: [],
  key: ({ key }) => key,
  encodeInto: ({ key, text }, writer) => {
    writer.uint32(10).string(key).uint32(18).string(text)
  },
  decode: (bytes) => {
    const keyEnd = 2 + (bytes[1] ?? 0)
    const text = (from: number, to: number) => Buffer.from(bytes.subarray(from, to)).toString()
    return { key: text(2, keyEnd), text: text(keyEnd + 2, bytes.length) }
  }
}

/** A route document with everything on one log. */
export function routesTo(directory: string, more: Readonly<Record<string, unknown>> = {}) {
  return {
    version: 1,
    clusters: { local: { transport: "@leat/log", directory, ...more } },
    routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "notes", linger: "1 milli" }] }],
    subscriptions: [{ match: { stream: "*" }, from: "earliest" }]
  }
}
