import { logTransport, readLedgers } from "@leat/log"
import { expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Audit } from "leat"
import { batchOf } from "leat/testing"
import { EventIdCursor, type Transport } from "leat/transport"
import { Buffer } from "node:buffer"
import { join } from "node:path"
import { describe } from "vitest"
import { Child } from "../support/Child.js"
import { temporaryDirectory } from "../support/temporary.js"

type Phases = ReadonlyArray<readonly [how: string, events: number]>

/** What a process said of itself before it was killed. */
interface Said {
  readonly incarnation: string
  /** `bucket/seq` of what it had in memory. */
  readonly held: ReadonlyArray<string>
}

const killed = Effect.fnUntraced(function* (directory: string, kind: string, phases: Phases) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => new Child("crash/loser.ts", [directory, kind, JSON.stringify(phases)])),
    (one) => Effect.sync(() => one[Symbol.dispose]())
  )
  const how = yield* Effect.promise(() => child.ended)
  expect([how, child.errors]).toEqual(["SIGKILL", child.errors])
  const [said] = child.lines as ReadonlyArray<Said>
  if (said === undefined) throw new Error(`a process said nothing: ${child.errors}`)
  return said
})

/** The ids of everything in all topics of a log, as `incarnation/bucket/seq`, the first in hexadecimal. */
const idsIn = Effect.fnUntraced(function* (transport: Transport) {
  const ids = new Set<string>()
  const cursor = new EventIdCursor()
  for (const topic of yield* transport.topics ?? Effect.succeed([]))
    for (const { partition } of yield* transport.bounds(topic))
      yield* Stream.runForEach(transport.read(topic, partition, { fromPosition: 0n }), ({ records }) =>
        Effect.sync(() => {
          for (const { headers, key, value } of records) {
            const { bytes, headersAt } = batchOf([{ key, value, headers }]).columns(0, 1)
            if (!cursor.read(bytes, headersAt[0] ?? 0)) continue
            ids.add(`${Buffer.from(cursor.incarnation).toString("hex")}/${cursor.bucket}/${cursor.seq}`)
          }
        })
      )
  return ids
})

/** What is lost of each process, by raw reads of all topics, and what the ledgers and the audit say of it. */
const judged = Effect.fnUntraced(function* (directory: string, all: ReadonlyArray<Said>) {
  const { ledgers } = yield* readLedgers(join(directory, "main"))
  const main = yield* logTransport({ directory: join(directory, "main") })
  const aside = yield* logTransport({ directory: join(directory, "aside") })
  const there = new Set([...(yield* idsIn(main)), ...(yield* idsIn(aside))])
  const report = yield* Audit.topic(main, "notes", { streams: ["test.notes"], cluster: "main", ledgers })
  return all.map(({ incarnation, held }) => {
    const ledger = ledgers.find((one) => one.incarnation === incarnation)
    const [told] = ledger?.crashLosses ?? []
    const audited = report.gone.find((one) => one.incarnation === incarnation)
    const numbers = (one: typeof told | typeof audited) => ({
      crashLost: one?.crashLost,
      stored: one?.stored,
      missing: one?.missing,
      excess: one?.excess
    })
    return {
      truth: held.filter((id) => !there.has(`${incarnation.replaceAll("-", "")}/${id}`)).length,
      told: numbers(told),
      audited: numbers(audited)
    }
  })
})

describe("what ledgers and audits say is lost with a process that was killed", () => {
  const cases: ReadonlyArray<readonly [string, string, ReadonlyArray<Phases>, ReadonlyArray<number>]> = [
    [
      "beside what was dropped without an answer, and is stored",
      "drop",
      [
        [
          ["lose", 40],
          ["hold", 24]
        ]
      ],
      [24]
    ],
    [
      "beside what was dropped, and is not stored",
      "drop",
      [
        [
          ["ok", 10],
          ["fail", 40],
          ["hold", 24]
        ]
      ],
      [24]
    ],
    [
      "beside what it dropped of the spill of another process",
      "spill",
      [
        [["fail", 40]],
        [
          ["recover", 40],
          ["hold", 24]
        ]
      ],
      [0, 24]
    ],
    [
      "beside a fallback that was sent on",
      "fallback",
      [
        [
          ["fail", 40],
          ["back", 0],
          ["ok", 10],
          ["hold", 24]
        ]
      ],
      [24]
    ],
    [
      "beside what it dropped of the fallback of another process",
      "fallback",
      [
        [["fail", 40]],
        [
          ["rejectLeft", 40],
          ["back", 0],
          ["ok", 1],
          ["hold", 24]
        ]
      ],
      [0, 24]
    ]
  ]
  it.live.each(cases)(
    "is what really is, %s",
    ([, kind, processes, expected]) =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const all: Array<Said> = []
        for (const phases of processes) {
          // What the one before has left is old by then.
          if (all.length > 0) yield* Effect.sleep("1200 millis")
          all.push(yield* killed(directory, kind, phases))
        }
        const found = yield* judged(directory, all)
        expect(found.map(({ truth }) => truth)).toEqual(expected)
        for (const { truth, told, audited } of found) {
          expect(told).toMatchObject({ crashLost: truth, missing: 0, excess: 0 })
          expect(audited).toEqual(told)
        }
      }),
    90_000
  )
})
