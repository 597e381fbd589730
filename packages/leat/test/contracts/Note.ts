import type { Contract } from "leat/contract"

/** The smallest contract there is: for tests of what stands around an event, not in it. */
export interface Note {
  readonly key: string
  readonly text: string
}

const decoder = new TextDecoder("utf-8", { fatal: true })

export function noteContract(options: Partial<Contract<Note>> = {}): Contract<Note> {
  return {
    name: "test.Note",
    stream: "test.notes",
    buckets: 8,
    compacted: false,
    unordered: false,
    needs: [],
    keyPath: "key",
    personal: [],
    key: ({ key }) => key,
    encodeInto: ({ key, text }, writer) => {
      if (text === "invalid") throw new Error("this text cannot be encoded")
      writer.uint32(10).string(key).uint32(18).string(text)
    },
    decode: (bytes) => {
      const read = (at: number) => decoder.decode(bytes.subarray(at + 2, at + 2 + (bytes[at + 1] ?? 0)))
      const key = read(0)
      return { key, text: read(2 + (bytes[1] ?? 0)) }
    },
    ...options
  }
}
