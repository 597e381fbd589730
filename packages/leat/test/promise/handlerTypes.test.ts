import { Effect } from "effect"
import type { PromiseStream } from "leat/promise"
import { describe, expect, it } from "vitest"
import type { Note } from "../contracts/Note.js"

interface Inserted {
  readonly rows: number
}

const seen: Array<string> = []
const byKey = new Map<string, Note>()
const insert = ({ text }: Note): Promise<Inserted> => Promise.resolve({ rows: text.length })
const insertAll = (notes: ReadonlyArray<Note>): Promise<ReadonlyArray<Inserted>> => Promise.all(notes.map(insert))

/** What compiles, and what does not: `tsc` is what tests it. */
async function handlers(notes: PromiseStream<Note>, entry: { readonly status: string; readonly name: string }) {
  await notes.handle("g", () => undefined)
  await notes.handle("g", async () => undefined)
  await notes.handle("g", ({ text }) => seen.push(text))
  await notes.handle("g", (note) => byKey.set(note.key, note))
  await notes.handle("g", ({ key }) => byKey.delete(key))
  await notes.handle("g", insert)
  await notes.handle("g", async (note) => insert(note))
  await notes.handle("g", (note) => insertAll([note]))
  await notes.handle("g", async () => [entry])
  await notes.handle("g", (note, { signal }) => (signal.aborted ? undefined : insert(note)))
  await notes.handle("g", insert, { onTombstone: ({ key }) => byKey.delete(key) })

  // @ts-expect-error Nobody waits for them.
  await notes.handle("g", (note) => [insert(note)])
  // @ts-expect-error Nobody waits for them, here either.
  await notes.handle("g", async (note) => [note].map(insert))
  // @ts-expect-error It does not run.
  await notes.handle("g", () => Effect.void)
  // @ts-expect-error It does not run.
  await notes.handle("g", async () => Effect.void)
  // @ts-expect-error It is not called.
  await notes.handle("g", () => insert)
  // @ts-expect-error They are not called.
  await notes.handle("g", () => [insert])
  // @ts-expect-error It does not run.
  await notes.handle("g", function* () {
    yield 1
  })
  // @ts-expect-error It does not run.
  await notes.handle("g", async function* () {
    yield 1
  })
  // @ts-expect-error It counts as handled: a failure is thrown.
  await notes.handle("g", () => new Error("it failed"))
  // @ts-expect-error It counts as handled, here too.
  await notes.handle("g", async () => [new Error("it failed")])
}

/** What a handler of batches gave would look like an answer for each event. */
async function batches(notes: PromiseStream<Note>) {
  await notes.handleBatch("g", async (all) => {
    await insertAll(all.map(({ event }) => event))
  })
  await notes.handleBatch("g", (all) => void seen.push(String(all.length)))
  // @ts-expect-error Which of them failed is said with `PartlyFailed`.
  await notes.handleBatch("g", (all) => Promise.allSettled(all.map(({ event }) => insert(event))))
  // @ts-expect-error As other libraries do.
  await notes.handleBatch("g", async (all) => ({ batchItemFailures: all.slice(1) }))
}

describe("the types of handlers", () => {
  it("take what an insert gives, and nothing that nobody waits for", () => expect([handlers, batches]).toHaveLength(2))
})
