import type { Contract } from "leat/contract"
import protobuf from "protobufjs/minimal.js"

/** The smallest contract there is: for tests of what stands around an event, not in it. */
export interface Note {
  readonly key: string
  readonly text: string
}

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
      const reader = protobuf.Reader.create(bytes)
      let key = ""
      let text = ""
      while (reader.pos < reader.len) {
        if (reader.uint32() === 10) key = reader.string()
        else text = reader.string()
      }
      return { key, text }
    },
    ...options
  }
}
