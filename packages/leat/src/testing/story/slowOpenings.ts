/** Where legs come and go, a topic takes its time to open, and fails to now and then; a connection takes its time to close. */
import { Effect } from "effect"
import { type Driver, TransportError } from "../../transport/index.ts"
import { one } from "./World.ts"

/** Time that it takes, in milliseconds. */
const openingMs = [0, 0, 20, 300, 3000] as const

/** Part of the tries that fail and may be tried again. */
const failing = 0.15

/** Topics that are made for records that leat keeps for itself are as quick as ever. */
export function slowOpenings(driver: Driver, topics: ReadonlySet<string>, random: () => number): Driver {
  const refused = new TransportError({
    reason: "Unavailable",
    transport: driver.name,
    operation: "openWriter",
    detail: "drawn"
  })
  return {
    ...driver,
    open: (...asked) =>
      Effect.gen(function* () {
        yield* Effect.addFinalizer(() => Effect.sleep(one(random, openingMs)))
        const transport = yield* driver.open(...asked)
        return {
          ...transport,
          openWriter: (topic) =>
            Effect.suspend(() => {
              if (!topics.has(topic)) return transport.openWriter(topic)
              const opening = random() < failing ? Effect.fail(refused) : transport.openWriter(topic)
              return Effect.delay(opening, one(random, openingMs))
            })
        }
      })
  }
}
