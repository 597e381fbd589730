import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { MemoryBroker, memoryTransport } from "leat"
import type { Transport } from "leat/transport"
import { expect, it } from "vitest"
import { SwitchableCluster } from "../../src/routes/switch/SwitchableCluster.js"
import { story } from "../publish/stories.js"

it("closes a topic that is opened in the moment in which whoever asked for it gives up", () => {
  let [opened, closed] = [0, 0]
  for (let seed = 1; seed <= 40; seed++)
    story(
      Effect.gen(function* () {
        const memory = memoryTransport(new MemoryBroker({ partitions: 1 }))
        let isOpen = Deferred.makeUnsafe<void>()
        const counted: Transport = {
          ...memory,
          openWriter: (topic) =>
            Effect.andThen(
              Effect.acquireRelease(
                Effect.sync(() => {
                  opened++
                  Deferred.doneUnsafe(isOpen, Effect.void)
                }),
                () => Effect.sync(() => void closed++)
              ),
              memory.openWriter(topic)
            )
        }
        const scope = yield* Scope.make()
        const cluster = yield* Scope.provide(SwitchableCluster.open(Effect.succeed(counted)), scope)
        for (let turns = 0; turns < 8; turns++) {
          isOpen = Deferred.makeUnsafe<void>()
          const own = yield* Scope.make()
          const opening = yield* Effect.forkChild(Scope.provide(cluster.transport.openWriter("notes"), own))
          yield* Deferred.await(isOpen)
          for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
          yield* Fiber.interrupt(opening)
          yield* Scope.close(own, Exit.void)
        }
        yield* Scope.close(scope, Exit.void)
      }),
      seed
    )
  expect(opened).toBe(320)
  expect(closed).toBe(320)
})
