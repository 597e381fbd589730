// A member of group `g` whose effects lie in SQLite with its inbox. Ends when all is handled, unless it kills itself before, in the transaction of its
// `at`th event or between that and its settle.
//   consumer.ts <directory of the log> <file of the effects> <at, 0: never> <inside | behind> <handle | batch>
import { log } from "@leat/log"
import { open, type PromiseInbox } from "leat/promise"
import { DatabaseSync } from "node:sqlite"
import { noteContract, routesTo } from "../support/Note.ts"

const [directory = "", path = "", at = "0", where = "", how = ""] = process.argv.slice(2)

const database = new DatabaseSync(path, { timeout: 20_000 })
const insert = database.prepare("insert into seen values (?, ?, ?) on conflict do nothing")
const write = database.prepare("insert into effect values (?)")
let handled = 0
let isLast = false

const die = () => process.kill(process.pid, "SIGKILL")

let last: Promise<unknown> = Promise.resolve()
const inbox: PromiseInbox<DatabaseSync> = {
  transaction: (work) => {
    const own = last.then(async () => {
      database.exec("begin immediate")
      try {
        await work(database)
        database.exec("commit")
      } catch (error) {
        database.exec("rollback")
        throw error
      }
      if (isLast) die()
    })
    last = own.catch(() => undefined)
    return own
  },
  record: (_, { group, ids, atMs }) => ids.map((id) => insert.run(group, id, atMs).changes === 1),
  forget: ({ group, beforeMs }) =>
    database.prepare("delete from seen where reader = ? and at_ms < ?").run(group, beforeMs)
}

const effect = async (text: string) => {
  write.run(text)
  await Promise.resolve()
  if (++handled !== Number(at)) return
  if (where === "inside") die()
  isLast = true
}

// They die again and again, and none of them of its event.
const document = {
  ...routesTo(directory, { leaseMs: 300 }),
  subscriptions: [{ match: { stream: "*" }, crashLoop: 1000 }]
}
const leat = await open({ source: "inbox", drivers: [log], routes: document })
const notes = await leat.stream(noteContract)
const subscription =
  how === "handle"
    ? await notes.handle("g", ({ text }) => effect(text), { inbox })
    : await notes.handleBatch(
        "g",
        async (deliveries) => {
          for (const { event } of deliveries) await effect(event.text)
        },
        { inbox, records: 4 }
      )
await subscription.caughtUp()
await leat.close()
