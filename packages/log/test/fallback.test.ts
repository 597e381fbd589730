/** A log that is away beside one that takes its place, or two of which the first one is away later: two processes of one host, told apart by their leats. */
import { log } from "@leat/log"
import { Effect, type Scope, Stream } from "effect"
import { Leat, readMeta } from "leat"
import { type FaultPlan, faultDriver, waitUntil } from "leat/testing"
import type { Driver } from "leat/transport"
import { expect, it } from "vitest"
import { noteContract } from "./support/Note.ts"
import { temporaryDirectory } from "./support/temporary.ts"

const contract = { ...noteContract, needs: [] }
const run = <E>(program: Effect.Effect<void, E, Scope.Scope>) => Effect.runPromise(Effect.scoped(program))
const until = (what: string, is: () => boolean) => waitUntil(what, Effect.sync(is), { withinMs: 20_000 })
const isAway: FaultPlan = { send: () => ({ kind: "fail", reason: "Unavailable" }), fence: () => "Unavailable" }

it.each([
  ["redrive", "two"],
  ["stay", "two"],
  ["redrive", "three"],
  ["stay", "three"]
] as const)("everything that is to %s is in one of %s logs, in order", { timeout: 60_000 }, (back, logs) =>
  run(
    Effect.gen(function* () {
      const [main, second, third] = yield* Effect.all([temporaryDirectory, temporaryDirectory, temporaryDirectory])
      const isSeveral = logs === "three"
      let faults: FaultPlan = {}
      let secondFaults: FaultPlan = {}
      const faulty = (name: string, plan: () => FaultPlan): Driver => ({
        ...faultDriver(log, { send: (call) => plan().send?.(call), fence: (call) => plan().fence?.(call) }),
        name
      })
      const drivers = [faulty("away", () => faults), faulty("second", () => secondFaults), log]
      const routes = {
        version: 1,
        clusters: {
          main: { transport: "away", directory: main },
          second: { transport: "second", directory: second },
          third: { transport: "@leat/log", directory: third }
        },
        policies: { leg: [{ on: ["passing"], then: "fallback" }] },
        routes: [
          {
            match: { stream: "*" },
            to: [
              {
                cluster: "main",
                topic: "notes",
                policy: "leg",
                linger: "1 milli",
                timeout: "5 seconds",
                fallback: isSeveral
                  ? ["second", "third"].map((cluster) => ({ cluster, back }))
                  : { cluster: "second", back }
              }
            ]
          }
        ]
      }
      const made = Leat.make({ source: "test", drain: "3 seconds", routes, drivers })
      const [one, other] = [yield* made, yield* made]
      const streams = [yield* one.stream(contract), yield* other.stream(contract)]
      const seen: Array<string> = []
      yield* streams[0]?.handle("g", ({ text }) => Effect.sync(() => void seen.push(text))) ?? Effect.void
      const publishAll = (from: number, to: number) =>
        Effect.forEach(
          streams,
          (stream, index) =>
            stream.publishAll(
              Array.from({ length: to - from }, (_, at) => ({ key: `k${at % 5}`, text: `${index} ${from + at}` }))
            ),
          { concurrency: 2 }
        )
      yield* publishAll(0, 20)
      faults = isAway
      yield* publishAll(20, 40)
      if (isSeveral) secondFaults = isAway
      yield* publishAll(40, 60)
      const sum = (name: "stored" | "fellBack" | "recovered") =>
        [one, other].reduce((total, leat) => total + (leat.ledger.snapshot().legs[0]?.[name] ?? 0), 0)
      expect([sum("stored"), sum("fellBack")]).toEqual([40, 80])
      if (back === "stay") yield* until("what fell back is handled", () => seen.length === 120)
      if (isSeveral) {
        const { length } = yield* (yield* one.transport("main")).bounds("notes")
        const rows = yield* (yield* one.transport("third")).bounds(`main.notes.${length}.fallback`)
        expect(rows.reduce((total, { end }) => total + Number(end), 0)).toBe(40)
      }
      faults = {}
      secondFaults = {}
      yield* until("both are back", () =>
        [one, other].every((leat) => leat.sinks()[0]?.fallback?.partitions.length === 0)
      )
      yield* publishAll(60, 80)
      expect(sum("recovered")).toBe(back === "redrive" ? 80 : 0)
      yield* until("all is handled", () => seen.length === 160)
      expect(new Set(seen).size).toBe(160)
      for (const leat of [one, other]) expect(leat.ledger.snapshot().balanced).toBe(true)
      if (back === "stay") return
      // The log knows its events, so not even a copy is there.
      const transport = yield* one.transport("main")
      const rows = yield* transport.bounds("notes")
      const read = yield* Effect.forEach(rows, ({ partition }) =>
        Stream.runCollect(transport.read("notes", partition, { fromPosition: 0n }))
      )
      const last = new Map<string, number>()
      for (const { headers } of read.flat().flatMap(({ records }) => records)) {
        const { id } = readMeta(headers, contract.stream)
        if (id === undefined) continue
        const bucket = `${id.incarnation} ${id.bucket}`
        expect(id.seq).toBe((last.get(bucket) ?? -1) + 1)
        last.set(bucket, id.seq)
      }
      expect([...last.values()].reduce((total, seq) => total + seq + 1, 0)).toBe(160)
    })
  )
)
