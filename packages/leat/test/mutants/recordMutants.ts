import type { Mutant } from "./Mutant.ts"

export const recordMutants: ReadonlyArray<Mutant> = [
  {
    name: "a trace context that goes on behind its end is one",
    file: "record/traceparent.ts",
    find: `if (text.startsWith("00") && text.length > traceparentLength) return false`,
    replace: ``,
    foundBy: "consume/consuming.test.ts",
    test: "gives a trace context of another program only where it is one"
  },
  {
    name: "a trace context that is none is given to handlers",
    file: "consume/DeliveryInfo.ts",
    find: `return traceparent !== undefined && isTraceparent(traceparent) ? traceparent : undefined`,
    replace: `return isTraceparent("") ? undefined : traceparent`,
    foundBy: "consume/consuming.test.ts",
    test: "gives a trace context of another program only where it is one"
  },
  {
    name: "a batch that is used again tells the waiters of the last use",
    file: "record/RecordBatch.ts",
    find: `this.#awaited.length = 0`,
    replace: `void this.#awaited`,
    foundBy: "record/RecordBatch.test.ts",
    test: "forgets everything of its last use"
  },
  {
    name: "a copy of a range has the offsets of the whole",
    file: "record/RecordBatch.ts",
    find: `if (start > 0) for (const column of`,
    replace: `if (start < 0) for (const column of`,
    foundBy: "record/copies.test.ts",
    test: "a copy of a range begins with the bytes of its"
  },
  {
    name: "columns that grow forget their flags",
    file: "record/RecordBatch.ts",
    find: `this.#flags = widened(this.#flags, new Uint8Array(length))`,
    replace: `this.#flags = new Uint8Array(length)`,
    foundBy: "record/RecordBatch.test.ts",
    test: "is a plain array of records, whatever is done to it"
  },
  {
    name: "a waiter of a part of a range is told of all of it",
    file: "record/RecordBatch.ts",
    find: `const overlap = Math.min(to, entry.to) - Math.max(from, entry.from)`,
    replace: `const overlap = Math.min(to, entry.to) - entry.from`,
    foundBy: "record/RecordBatch.test.ts",
    test: "is a plain array of records, whatever is done to it"
  },
  {
    name: "a notice goes with every copy of the batch",
    file: "record/RecordBatch.ts",
    find: `copy.#notice = { ...notice, index: notice.index - from }`,
    replace: `copy.#notice = { ...notice, index: 0 }`,
    foundBy: "record/RecordBatch.test.ts",
    test: "stays with its record in a copy of a range"
  },
  {
    name: "an id of another stream with a slash is read as an id",
    file: "record/EventId.ts",
    find: String.raw`\/([^/]+)\/(0|`,
    replace: String.raw`\/(.+)\/(0|`,
    foundBy: "record/EventId.test.ts",
    test: '/a/1/2/3"'
  },
  {
    name: "incarnations of one millisecond are alike",
    file: "record/EventId.ts",
    find: `bytes.set(random.subarray(0, 10), 6)`,
    replace: `bytes.set(random.subarray(0, 1), 6)`,
    foundBy: "record/EventId.test.ts",
    test: "is written in groups of 8, 4, 4, 4 and 12 digits"
  },
  {
    name: "headers of 64 bytes and more have a length of one byte",
    file: "record/Headers.ts",
    find: `  while (rest > 127) {
    target[at++]`,
    replace: `  while (rest > 255) {
    target[at++]`,
    foundBy: "record/Headers.test.ts",
    test: "headers of 64 bytes come back"
  },
  {
    name: "a header's name is remembered by its length",
    file: "record/Headers.ts",
    find: `if (known !== undefined && isAt(known.bytes, source, from, length)) return known.text`,
    replace: `if (known !== undefined && known.bytes.length === length) return known.text`,
    foundBy: "record/ContextHeaders.test.ts",
    test: "are read back as they were said"
  },
  {
    name: "a byte order mark at the beginning of a name is eaten",
    file: "record/Headers.ts",
    find: `new TextDecoder("utf-8", { ignoreBOM: true })`,
    replace: `new TextDecoder("utf-8")`,
    foundBy: "record/Wire.test.ts",
    test: "is read back with its id"
  },
  {
    name: "keys hash otherwise than Java's",
    file: "record/Key.ts",
    find: `if (rest >= 2) h ^=`,
    replace: `if (rest > 2) h ^=`,
    foundBy: "record/Key.test.ts",
    test: "of foobar is Java's"
  },
  {
    name: "a key beyond ASCII is cut to its low bytes",
    file: "record/Key.ts",
    find: `      if (code > 127) break
      scratch[at] = code`,
    replace: `      if (code > 255) break
      scratch[at] = code`,
    foundBy: "record/Key.test.ts",
    test: "writes é as UTF-8"
  },
  {
    name: "a number that is no integer is a key",
    file: "record/Key.ts",
    find: `!Number.isSafeInteger(key))`,
    replace: `!Number.isFinite(key))`,
    foundBy: "record/Key.test.ts",
    test: "refuses what is no key: 1.5"
  },
  {
    name: "context is carried over to the next event",
    file: "record/ContextHeaders.ts",
    find: `    this.length = 0
    this.count = 0
    this.traceparent = undefined
  }`,
    replace: `    this.traceparent = undefined
  }`,
    foundBy: "worlds"
  },
  {
    name: "headers that outgrow their bytes lose the first of them",
    file: "record/ContextHeaders.ts",
    find: `this.bytes.copy(larger, 0, 0, this.length)`,
    replace: `this.bytes.copy(larger, 0, 1, this.length)`,
    foundBy: "record/ContextHeaders.test.ts",
    test: "keep what was written before they outgrow"
  },
  {
    name: "the cause of an event wins over what its publisher says",
    file: "record/ContextHeaders.ts",
    find: `return own === undefined ? otherwise : own`,
    replace: `return otherwise === undefined ? own : otherwise`,
    foundBy: "record/ContextHeaders.test.ts",
    test: "are completed by the event that is handled and the"
  },
  {
    name: "the checksum leaves out the last seven bytes",
    file: "record/crc32c.ts",
    find: `for (; at < to; at++)`,
    replace: `for (; at < to - 7; at++)`,
    foundBy: "record/crc32c.test.ts",
    test: "is what RFC 3720 says"
  },
  {
    name: "a forwarded record without a value becomes an empty one",
    file: "record/batchOf.ts",
    find: `const kind = value === null ? "tombstone" : "event"`,
    replace: `const kind = value === null && key === null ? "tombstone" : "event"`,
    foundBy: "conformance"
  },
  {
    name: "an event is what a caller's header says of it",
    file: "record/Wire.ts",
    find: `return !isCompact && readAttribute`,
    replace: `return readAttribute`,
    foundBy: "record/Wire.test.ts",
    test: "says who it is by leat's own headers"
  },
  {
    name: "anybody can announce drops",
    file: "record/Wire.ts",
    find: `if (notice !== undefined && (meta.id !== undefined || meta.isMarker))`,
    replace: `if (notice !== undefined)`,
    foundBy: "record/Wire.test.ts",
    test: "announce no drops"
  },
  {
    name: "only one of two spellings of a name is kept for leat",
    file: "record/keptHeaders.ts",
    find: `own : kept.get(spelled(name))`,
    replace: `own : kept.get(name)`,
    foundBy: "record/ContextHeaders.test.ts",
    test: "under the name ce-type"
  },
  {
    name: "what is said to have no cause is caused by what is handled",
    file: "record/ContextHeaders.ts",
    find: `own.cause === "none" ? undefined : own.cause`,
    replace: `own.cause === "none" ? around?.cause : own.cause`,
    foundBy: "promise/causes.test.ts",
    test: "has no cause where it is said that there is none"
  },
  {
    name: "trace state goes along into another trace",
    file: "record/ContextHeaders.ts",
    find: `return isSameTrace(traceparent, cause.traceparent) ? state : undefined`,
    replace: `return isSameTrace(traceparent, traceparent) ? state : undefined`,
    foundBy: "promise/causes.test.ts",
    test: "has the trace state of the handled event in its trace only"
  }
]
