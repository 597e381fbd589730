import { describeKafka } from "@leat/brokers/vitest"
import { kafkajsTransport } from "@leat/kafkajs"
import { Deferred, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { waitUntil } from "leat/testing"
import { expect, it } from "vitest"
import { benchAt, numbered, run, send } from "./support/bench.ts"
import { reasonOf } from "./support/member.ts"

const partitions = 4

/** A deterministic chance. */
function chanceOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
}

/** Where each partition is at: who holds it, and how far the group has settled it. */
class Ledger {
  readonly holder = new Map<number, string>()
  readonly settled = new Map<number, bigint>()
  readonly seen = new Map<number, Set<bigint>>()
  readonly faults: Array<string> = []
  /** Who was given a partition while another one held it, and by whom. */
  readonly overlaps: Array<{ readonly what: string; readonly earlier: string }> = []
  /** Holds that ended because the broker had given the partition to somebody else. */
  readonly lost = new Set<string>()

  begin(partition: number, member: string, start: bigint): void {
    const other = this.holder.get(partition)
    if (other !== undefined) {
      const what = `${partition} was given to ${member} while ${other} held it`
      this.overlaps.push({ what, earlier: `${partition} of ${other}` })
    }
    if (start !== (this.settled.get(partition) ?? 0n))
      this.faults.push(`${partition} begins at ${start}, and ${this.settled.get(partition) ?? 0n} is settled`)
    this.holder.set(partition, member)
  }

  end(partition: number, member: string, exit: Exit.Exit<unknown, unknown>): void {
    if (reasonOf(exit) === "LaneLost") this.lost.add(`${partition} of ${member}`)
    if (this.holder.get(partition) === member) this.holder.delete(partition)
  }
}

describeKafka(
  "members that come and go",
  (bootstrap) => {
    /** Joins as leat does; the effect that it gives is the first step of leaving, and ends when every lane is released. */
    const one = Effect.fnUntraced(function* (ledger: Ledger, topic: string, name: string, chance: () => number) {
      const transport = yield* kafkajsTransport({ brokers: bootstrap.split(",") })
      const leaving = yield* Deferred.make<void>()
      let held = 0
      const running = yield* transport.subscribe({ topic, group: topic, from: "earliest", drainMs: 10_000 }).pipe(
        Stream.runForEach((lane) => {
          held++
          ledger.begin(lane.partition, name, lane.start)
          const handled = lane.batches.pipe(
            Stream.runForEach(({ records, next }) => {
              const seen = ledger.seen.get(lane.partition) ?? new Set()
              ledger.seen.set(lane.partition, seen)
              for (const { position } of records) seen.add(position)
              const settled = Effect.andThen(
                lane.settle(next),
                Effect.sync(() => ledger.settled.set(lane.partition, next))
              )
              return Effect.andThen(Effect.sleep(chance() * 50), Effect.uninterruptible(settled))
            })
          )
          return Effect.raceFirst(handled, Deferred.await(leaving)).pipe(
            Effect.exit,
            Effect.map((exit) => ledger.end(lane.partition, name, exit)),
            Effect.andThen(lane.release),
            Effect.andThen(Effect.sync(() => held--)),
            Effect.forkScoped
          )
        }),
        Effect.forkScoped
      )
      return Effect.gen(function* () {
        yield* Fiber.interrupt(running)
        yield* Effect.sleep(chance() * 500)
        yield* Deferred.succeed(leaving, undefined)
        yield* waitUntil(
          "every lane is released",
          Effect.sync(() => held === 0)
        )
      })
    })

    it.each(Array.from({ length: Number(process.env["LEAT_RUNS"] ?? 2) }, (_, index) => index + 1))(
      "hand every record on once, and no partition to two of them (seed %i)",
      (seed) =>
        run(
          Effect.gen(function* () {
            const { topic, writer, transport } = yield* benchAt(bootstrap, partitions)
            const chance = chanceOf(seed)
            const ledger = new Ledger()
            const members: Array<{ readonly scope: Scope.Closeable; readonly leave: Effect.Effect<void, unknown> }> = []
            const writing = { isOver: false }
            const write = Effect.gen(function* () {
              while (!writing.isOver) {
                yield* send(writer, numbered(5), { partition: Math.floor(chance() * partitions) })
                yield* Effect.sleep(20)
              }
            })
            const written = yield* Effect.forkScoped(write)
            const leave = ({ scope, leave: first }: (typeof members)[number]) =>
              Effect.andThen(first, Scope.close(scope, Exit.void))
            for (let step = 0; step < 8; step++) {
              const scope = yield* Scope.make()
              members.push({ scope, leave: yield* Scope.provide(one(ledger, topic, `${seed}.${step}`, chance), scope) })
              yield* Effect.sleep(300 + chance() * 1500)
              if (members.length < 3) continue
              for (const goer of members.splice(Math.floor(chance() * members.length), 1)) yield* leave(goer)
            }
            writing.isOver = true
            yield* Fiber.join(written)
            yield* waitUntil(
              "all is settled",
              Effect.map(transport.bounds(topic, topic), (bounds) =>
                bounds.every(({ end, settled }) => (settled ?? 0n) === end)
              ),
              { withinMs: 25_000 }
            )
            yield* Effect.forEach(members, leave)
            expect(ledger.faults).toEqual([])
            // A broker that is starved may take a member for dead: that one is told, and it does not come again and again.
            expect(ledger.overlaps.filter(({ earlier }) => !ledger.lost.has(earlier))).toEqual([])
            expect(ledger.overlaps.length).toBeLessThanOrEqual(1)
            const ends = (yield* transport.bounds(topic)).map(({ end }) => Number(end))
            expect(Array.from({ length: partitions }, (_, partition) => ledger.seen.get(partition)?.size ?? 0)).toEqual(
              ends
            )
          })
        ),
      60_000
    )
  },
  { isConcurrent: true }
)
