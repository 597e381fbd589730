import protobuf from "protobufjs/minimal.js"
import type { Contract } from "../../contract/Contract.ts"

/** What is published in a story. */
export interface StoryNote {
  readonly key: string
  readonly text: string
}

/** The contract of stories: eight buckets, ordered by key, and no needs that a transport could lack. */
export const storyNotes: Contract<StoryNote> = {
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
  }
}
