import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { describe, expect, it } from "vitest"
import { Shared } from "../../src/publish/Shared.js"
import { story } from "./stories.js"

describe("what is shared by name", () => {
  it("has closed when its scope has, also where its last holder closes it at that moment", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const [begun, closing] = [Deferred.makeUnsafe<void>(), Deferred.makeUnsafe<void>()]
        let isClosed = false
        const shared = new Shared<string, never>(scope, (name) =>
          Effect.acquireRelease(Effect.succeed(name), () =>
            Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(closing)).pipe(
              Effect.andThen(Effect.sync(() => void (isClosed = true)))
            )
          )
        )
        const holder = yield* Scope.make()
        expect(yield* Scope.provide(shared.get("a"), holder)).toBe("a")
        const leaving = yield* Effect.forkChild(Scope.close(holder, Exit.void))
        yield* Deferred.await(begun)
        const ending = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* Effect.sleep("1 second")
        expect(ending.pollUnsafe()).toBeUndefined()
        yield* Deferred.succeed(closing, undefined)
        yield* Fiber.join(ending)
        expect(isClosed).toBe(true)
        yield* Fiber.join(leaving)
      })
    ))
})
