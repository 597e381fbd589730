/** A process that leaves its leat open, run by `processEnd.test.ts` with the name of what it does last: `node leftOpen.ts handle`. */
import { open, type PromiseInbox } from "leat/promise"
import { noteContract } from "../contracts/Note.ts"

const leat = await open({ source: "test" })
const notes = await leat.stream(noteContract())
const inbox: PromiseInbox<undefined> = {
  transaction: (work) => work(undefined),
  record: (_, { ids }) => ids.map(() => true),
  forget: () => undefined
}

const last: Readonly<Record<string, () => Promise<unknown>>> = {
  publish: () => notes.publish({ key: "k", text: "1" }),
  handle: async () => {
    const handling = await notes.handle("g", () => undefined)
    await notes.publish({ key: "k", text: "1" })
    await handling.caughtUp()
  },
  handleBatch: () => notes.handleBatch("g", () => undefined),
  inbox: () => notes.handle("g", () => undefined, { inbox }),
  loop: () => {
    void notes.subscribe("g").next()
    return Promise.resolve()
  }
}
await last[process.argv[2] ?? ""]?.()
console.log("at its end")
