import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { MemoryBroker, memoryTransport } from "leat"
import { simulate } from "leat/testing"
import { HeldLane, type Lane, OfferedLanes, TransportError } from "leat/transport"
import { expect, it } from "vitest"
import { ScriptedSource } from "./ScriptedSource.ts"

function laneOf(partition: number) {
  const source = new ScriptedSource(0n)
  const options = { transport: "test", topic: "t", group: "g", partition, start: 0n, abandoned: 0 }
  return { source, held: new HeldLane(options, source) }
}

it("releases what nobody took when its stream is no longer run, and what is given later, after saying so", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const program = Effect.gen(function* () {
      const lanes = yield* OfferedLanes.make
      const given = [laneOf(0), laneOf(1), laneOf(2)]
      const said: Array<string> = []
      const takeNoMore = Effect.sync(() => said.push(`${given.flatMap(({ source }) => source.overs).length} released`))
      const taken: Array<Lane> = []
      // Takes one, and is busy with it for ever.
      const running = yield* Effect.forkChild(
        Stream.runForEach(lanes.stream(Effect.asVoid(takeNoMore)), (lane) => {
          taken.push(lane)
          return Effect.never
        })
      )
      for (const { held } of given) lanes.offer(held)
      yield* Effect.sleep(1)
      yield* Fiber.interrupt(running)
      const late = laneOf(3)
      lanes.offer(late.held)
      expect(taken.map(({ partition }) => partition)).toEqual([0])
      expect([...given, late].map(({ source }) => source.overs)).toEqual([[], ["released"], ["released"], ["released"]])
      expect(said).toEqual(["0 released"])
    })
    Effect.runSync(simulate(seed, program).exit)
  }
})

it("fails after the lanes before", () => {
  const program = Effect.gen(function* () {
    const lanes = yield* OfferedLanes.make
    lanes.offer(laneOf(0).held)
    lanes.fail(new TransportError({ reason: "Closed", transport: "test", operation: "subscribe", detail: "a test" }))
    const taken: Array<number> = []
    const error = yield* Effect.flip(
      Stream.runForEach(lanes.stream(Effect.void), ({ partition }) => Effect.sync(() => taken.push(partition)))
    )
    expect([taken, error.reason]).toEqual([[0], "Closed"])
  })
  Effect.runSync(simulate(1, program).exit)
})

it("memory: lanes that a leaving member has not taken go to the others at once, not when it is gone", () => {
  const program = Effect.gen(function* () {
    const transport = memoryTransport(new MemoryBroker({ partitions: 4 }))
    const subscription = { topic: "t", group: "g", from: "earliest", drainMs: 60_000 } as const
    const scope = yield* Scope.make()
    const running = yield* Effect.forkChild(
      Stream.runForEach(transport.subscribe(subscription), () => Effect.never).pipe(Scope.provide(scope))
    )
    yield* Effect.sleep(1)
    yield* Fiber.interrupt(running)
    const others: Array<number> = []
    yield* Effect.forkScoped(
      Stream.runForEach(transport.subscribe(subscription), ({ partition }) => Effect.sync(() => others.push(partition)))
    )
    yield* Effect.sleep(1)
    // The one that it took is still its own to drain.
    expect(others).toEqual([1, 2, 3])
    yield* Scope.close(scope, Exit.void)
    yield* Effect.sleep(1)
    expect(others).toEqual([1, 2, 3, 0])
  })
  Effect.runSync(simulate(3, Effect.scoped(program)).exit)
})
