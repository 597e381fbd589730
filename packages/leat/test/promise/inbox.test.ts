import { DatabaseSync } from "node:sqlite"
import { Effect } from "effect"
import { type MemoryBroker, memoryDriver, MemoryBroker as Broker } from "leat"
import { open, PartlyFailed, type PromiseInbox } from "leat/promise"
import { describe, expect, it, onTestFinished } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { storeAgain } from "../consume/inboxes.ts"
import { routes } from "../consume/support.ts"

/** As the guide has it: one connection, one transaction at a time. */
function sqliteInbox() {
  const database = new DatabaseSync(":memory:")
  database.exec(
    "create table effect (text text); create table seen (reader text, id text, at_ms integer, primary key (reader, id))"
  )
  const insert = database.prepare("insert into seen values (?, ?, ?) on conflict do nothing")
  const write = database.prepare("insert into effect values (?)")
  const commits: Array<() => void> = []
  let last: Promise<unknown> = Promise.resolve()
  const inbox: PromiseInbox<DatabaseSync> = {
    transaction: (work) => {
      const own = last.then(async () => {
        database.exec("begin")
        try {
          await work(database)
          commits.shift()?.()
          database.exec("commit")
        } catch (error) {
          database.exec("rollback")
          throw error
        }
      })
      last = own.catch(() => undefined)
      return own
    },
    record: (_, { group, ids, atMs }) => ids.map((id) => insert.run(group, id, atMs).changes === 1),
    forget: ({ group, beforeMs }) =>
      database.prepare("delete from seen where reader = ? and at_ms < ?").run(group, beforeMs)
  }
  return {
    inbox,
    /** What happens right before the next commits. */
    commits,
    write: (tx: DatabaseSync, text: string) => {
      expect(tx).toBe(database)
      write.run(text)
    },
    effects: () =>
      database
        .prepare("select text from effect order by rowid")
        .all()
        .map(({ text }) => text),
    ids: () => database.prepare("select count(*) as count from seen").get()?.["count"]
  }
}

async function opened(
  document: unknown = routes(),
  contract = noteContract(),
  broker: MemoryBroker = new Broker({ partitions: 1 })
) {
  const leat = await open({ source: "test", routes: document, drivers: [memoryDriver(broker)] })
  onTestFinished(() => leat.close())
  return { leat, notes: await leat.stream(contract) }
}

const again = [{ on: ["*"], retry: { times: 5, baseMs: 1 }, then: "halt" as const }]

describe("an inbox of promises", () => {
  it("knows what another subscription has handled, and counts it as a copy", async () => {
    const store = sqliteInbox()
    const broker = new Broker({ partitions: 1 })
    const { leat, notes } = await opened(routes(), noteContract(), broker)
    await notes.publish({ key: "k", text: "1" })
    await Effect.runPromise(storeAgain(broker))
    const handler = async ({ text }: { readonly text: string }, _: object, tx: DatabaseSync) => {
      await Promise.resolve()
      store.write(tx, text)
    }
    const subscription = await notes.handle("g", handler, { inbox: store.inbox })
    await subscription.caughtUp()
    expect(leat.ledger.snapshot().lanes).toMatchObject([{ done: 1, duplicate: 1 }])
    expect(store.effects()).toEqual(["1"])
  })

  it("has the effect of each event once, with many handlers at the same time, some of which fail", async () => {
    const store = sqliteInbox()
    const { notes } = await opened()
    await notes.publishAll(Array.from({ length: 30 }, (_, at) => ({ key: `k${at}`, text: `${at}` })))
    const subscription = await notes.handle(
      "g",
      async ({ text }, { attempt }, tx) => {
        store.write(tx, text)
        await Promise.resolve()
        if (Number(text) % 3 === attempt) throw new RangeError("not now")
      },
      { inbox: store.inbox, policy: again, concurrency: 10 }
    )
    await subscription.caughtUp()
    const effects = store.effects()
    expect([effects.length, new Set(effects).size, store.ids()]).toEqual([30, 30, 30])
  })

  it("has done nothing when its commit fails: the event is handled again", async () => {
    const store = sqliteInbox()
    const { notes } = await opened()
    store.commits.push(() => {
      throw new RangeError("the disk is full")
    })
    await notes.publish({ key: "k", text: "1" })
    const attempts: Array<number> = []
    const subscription = await notes.handle(
      "g",
      async ({ text }, { attempt }, tx) => {
        attempts.push(attempt)
        await Promise.resolve()
        store.write(tx, text)
      },
      { inbox: store.inbox, policy: again }
    )
    await subscription.caughtUp()
    expect([attempts, store.effects()]).toEqual([[1, 2], ["1"]])
  })

  it("is done when it is committed, although its handler was told to end", async () => {
    const store = sqliteInbox()
    const { leat, notes } = await opened()
    await notes.publish({ key: "k", text: "1" })
    const subscription = await notes.handle(
      "g",
      async ({ text }, { signal }, tx) => {
        await new Promise((resolve) => signal.addEventListener("abort", resolve))
        store.write(tx, text)
      },
      { inbox: store.inbox, policy: [{ on: ["*"], timeoutMs: 10, then: "halt" }] }
    )
    await subscription.caughtUp()
    expect(leat.ledger.snapshot().lanes).toMatchObject([{ done: 1, duplicate: 0 }])
    expect(store.effects()).toEqual(["1"])
  })

  it("holds for batches, of which a part may fail, and for tombstones", async () => {
    const store = sqliteInbox()
    const { leat, notes } = await opened(routes(), noteContract({ compacted: true }))
    await notes.publishAll(["1", "2", "3"].map((text) => ({ key: text, text })))
    const calls: Array<string> = []
    const charging = await notes.handleBatch(
      "batches",
      (deliveries, tx) => {
        calls.push(deliveries.map(({ event }) => event.text).join(""))
        for (const { event } of deliveries) store.write(tx, event.text)
        const index = deliveries.findIndex(({ event }) => event.text === "2")
        if (index >= 0) throw new PartlyFailed({ failures: [{ index, error: new RangeError("planted") }] })
      },
      { inbox: store.inbox, policy: [{ on: ["RangeError"], then: "drop" }] }
    )
    await charging.caughtUp()
    expect([calls, store.effects()]).toEqual([
      ["123", "1", "2", "3"],
      ["1", "3"]
    ])
    notes.offerTombstone("1")
    await notes.flush()
    const removing = await notes.handle("tombstones", () => undefined, {
      inbox: store.inbox,
      onTombstone: ({ key }, tx) => store.write(tx, `no ${key}`)
    })
    await removing.caughtUp()
    expect(store.effects()).toEqual(["1", "3", "no 1"])
    expect(leat.ledger.snapshot().lanes.every(({ balanced }) => balanced)).toBe(true)
  })

  it("leaves what a handler publishes its cause, and lets it stop its own subscription", async () => {
    const store = sqliteInbox()
    const { notes } = await opened()
    const { id } = await notes.publish({ key: "k", text: "1" })
    const subscription = await notes.handle(
      "g",
      async ({ text }, _, tx) => {
        store.write(tx, text)
        notes.offer({ key: "k", text: "caused" })
        await subscription.stop()
      },
      { inbox: store.inbox }
    )
    await subscription.ended
    const caused: Array<string | undefined> = []
    await notes.flush()
    const reading = await notes.handle("other", ({ text }, { causationId }) => {
      if (text === "caused") caused.push(causationId)
    })
    await reading.caughtUp()
    expect(caused).toEqual([`${id.incarnation}/${id.stream}/${id.bucket}/${id.seq}`])
    expect(store.effects()).toEqual(["1"])
  })

  it("may reject, throw, or answer late: its handlers fail, and what cannot be one is refused", async () => {
    const { inbox } = sqliteInbox()
    const { notes } = await opened()
    await notes.publish({ key: "k", text: "1" })
    const told = async (bent: Partial<PromiseInbox<DatabaseSync>>) => {
      const subscription = await notes.handle("g", () => undefined, { inbox: { ...inbox, ...bent }, policy: [] })
      await subscription.caughtUp().catch(() => undefined)
      const [halt] = subscription.halted()
      await subscription.stop()
      return `${halt?.tag}: ${halt?.detail}`
    }
    const away = () => {
      throw new RangeError("away")
    }
    expect([
      await told({ transaction: away }),
      await told({ transaction: () => Promise.reject(new RangeError("away")) }),
      await told({ transaction: () => Promise.resolve() }),
      await told({ record: away }),
      await told({ record: () => [] })
    ]).toEqual([
      "RangeError: away",
      "RangeError: away",
      "InboxFault: the transaction of the inbox ended without running what it was given",
      "RangeError: away",
      "InboxFault: record of the inbox has to answer with 1 booleans, one for each id"
    ])
    const none = { inbox: { transaction: () => undefined } } as unknown as { readonly inbox: PromiseInbox<string> }
    await expect(notes.handle("g", () => undefined, none)).rejects.toThrow("inbox.record: is no function")
    const loop = { inbox } as object
    await expect(notes.subscribe("g", loop).next()).rejects.toThrow("inbox: is for handle and handleBatch")
  })
})
