/** A spill in a log whose answers are lost: the log tells what it has already as stored, and not where. */
import { log } from "@leat/log"
import { Effect, type Scope } from "effect"
import { Leat, MemoryBroker, memoryDriver } from "leat"
import { type FaultPlan, faultDriver, waitUntil } from "leat/testing"
import type { Capabilities, Driver, Transport } from "leat/transport"
import { expect, it } from "vitest"
import { noteContract } from "./support/Note.ts"
import { temporaryDirectory } from "./support/temporary.ts"

const contractOf = (stream: string) => ({ ...noteContract, stream, needs: [] })

const fencing = (driver: Driver, how: Capabilities["fencing"]): Driver => ({
  ...driver,
  open: (...asked) =>
    Effect.map(driver.open(...asked), (inner): Transport => ({
      ...inner,
      capabilities: { ...inner.capabilities, fencing: how }
    }))
})

const run = <E>(program: Effect.Effect<void, E, Scope.Scope>) => Effect.runPromise(Effect.scoped(program))
const until = (what: string, is: () => boolean) => waitUntil(what, Effect.sync(is), { withinMs: 20_000 })

for (const [how, lost] of [
  ["hard", 1],
  ["hard", 2],
  ["none", 1],
  ["none", 2]
] as const)
  it(
    `is fenced and asked again, and its records are sent on in order and told once: fencing ${how}, ${lost} lost`,
    { timeout: 60_000 },
    () =>
      run(
        Effect.gen(function* () {
          const directory = yield* temporaryDirectory
          const far = new MemoryBroker({ partitions: 1 })
          let farFaults: FaultPlan = { send: () => ({ kind: "fail", reason: "Unavailable" }) }
          let sends = 0
          const leat = yield* Leat.make({
            source: "test",
            drain: "3 seconds",
            routes: {
              version: 1,
              clusters: { far: { transport: "memory" }, disk: { transport: "@leat/log", directory } },
              policies: { leg: [{ on: ["passing"], then: "spill" }] },
              routes: [
                {
                  match: { stream: "*" },
                  to: [
                    {
                      cluster: "far",
                      topic: "notes",
                      wire: "cloudevents",
                      policy: "leg",
                      linger: "1 milli",
                      timeout: "5 seconds",
                      spill: { cluster: "disk" }
                    }
                  ]
                }
              ]
            },
            drivers: [
              fencing(faultDriver(memoryDriver(far), { send: (call) => farFaults.send?.(call) }), how),
              faultDriver(log, { send: () => (sends++ < lost ? { kind: "loseResponse" } : undefined) })
            ]
          })
          const streams = [yield* leat.stream(contractOf("test.a")), yield* leat.stream(contractOf("test.b"))]
          for (const [index, stream] of streams.entries())
            for (let at = 0; at < 4; at++) stream.offer({ key: "k", text: `${index}${at}` })
          const sum = (name: "spilled" | "stored") =>
            leat.ledger.snapshot().legs.reduce((total, leg) => total + leg[name], 0)
          yield* until("all is on disk", () => sum("spilled") === 8)
          farFaults = {}
          yield* until("all is stored", () => sum("stored") === 8)
          expect(leat.ledger.snapshot().legs).toMatchObject([
            { stored: 4, spilled: 0, dropped: {}, balanced: true },
            { stored: 4, spilled: 0, dropped: {}, balanced: true }
          ])
          for (const stream of streams) yield* stream.publish({ key: "k", text: "last" })
          const texts: Array<string> = []
          const topic = far.topic("notes").partitions[0]
          for (let batch = topic?.read(0n, topic.end); batch !== undefined; batch = topic?.read(batch.next, topic.end))
            for (const { value } of batch.records) if (value !== null) texts.push(noteContract.decode(value).text)
          for (const index of ["0", "1"])
            expect(texts.filter((text) => text.startsWith(index))).toEqual([0, 1, 2, 3].map((at) => `${index}${at}`))
          expect(texts.slice(-2)).toEqual(["last", "last"])
        })
      )
  )
