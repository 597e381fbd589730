/** Whole stories through the front door, over any driver, on virtual time or on the real one. */
import { Effect, Exit, Option, References, Scope } from "effect"
import { Leat } from "../../Leat.ts"
import { type FaultPlan, faultDriver, randomFaults } from "../FaultTransport.ts"
import { seededRandom } from "../seededRandom.ts"
import { routesOf, type Scenario, type Stage } from "./Scenario.ts"
import { stateOf, StoryJudge } from "./StoryJudge.ts"
import { storyNotes } from "./storyNotes.ts"

/**
 * Tells a story on a stage; the result is everything that is wrong with it, empty when nothing is. What is drawn depends on
 * the seed; without a plan the faults do too. Fails with the transport's error when the stage cannot be opened or read back.
 *
 * @example
 * ```ts
 * const { exit } = simulate(42, tellStory(stage, { ...calm, rates: { fail: 0.1 } }, 42))
 * expect(exit).toEqual(Exit.succeed([]))
 * ```
 */
export const tellStory = Effect.fnUntraced(
  function* (stage: Stage, scenario: Scenario, seed: number, plan?: FaultPlan) {
    const random = seededRandom(seed)
    const judge = new StoryJudge()
    const faults = judge.watched(plan ?? randomFaults(random, scenario.rates))
    const scope = yield* Scope.make()
    const leat = yield* Leat.make({
      source: "simulation",
      journal: judge.history,
      drain: "1 minute",
      drivers: [faultDriver(stage.driver, faults)],
      routes: routesOf(stage, scenario)
    }).pipe(Scope.provide(scope))
    const notes = yield* leat.stream(storyNotes)
    const check = Effect.sync(() => judge.balance(leat))
    const consume = notes.handle("readers", (note, info) =>
      Effect.gen(function* () {
        judge.handled(note, info)
        yield* check
        if (random() < 0.3) yield* Effect.sleep(Math.floor(random() * 20))
        if (random() < scenario.handlerFaults) return yield* Effect.fail(new Error("a planted fault"))
        judge.finished(info)
      })
    )
    const members = yield* Effect.replicateEffect(consume, scenario.consumers)
    for (let index = 0; index < scenario.events; index++) {
      const note = {
        key: `k${Math.floor(random() * scenario.keys)}`,
        text: String(index).padEnd(scenario.textBytes, ".")
      }
      if (scenario.isBurst || random() < 0.5) {
        if (notes.offer(note).admitted) judge.announce(notes.lastId, note)
      } else {
        yield* notes.publish(note, { level: random() < 0.2 ? "stored" : "queued" }).pipe(
          Effect.match({
            onSuccess: ({ id }) => judge.announce(id, note),
            onFailure: (error) => judge.announce("id" in error ? error.id : undefined, note)
          })
        )
      }
      if (!scenario.isBurst && random() < 0.2) yield* Effect.sleep(Math.floor(random() * 10))
      if (random() < scenario.rebalances) {
        yield* members.shift()?.stop ?? Effect.void
        members.push(yield* consume)
      }
      yield* check
    }
    if (!scenario.isClosedEarly) {
      yield* leat.flush
      yield* check
      // What was given up in doubt may still land, and is then the group's too.
      yield* Effect.sleep(scenario.rates.msMax ?? 50)
      yield* Effect.timeoutOption(members[0]?.caughtUp ?? Effect.void, stage.withinMs).pipe(
        Effect.match({
          onSuccess: Option.match({ onNone: () => `not within ${stage.withinMs} ms`, onSome: () => undefined }),
          onFailure: ({ message }) => message
        }),
        Effect.map((why) => {
          if (why !== undefined) judge.complain(`the group did not catch up: ${why}: ${stateOf(leat)}`)
        })
      )
    }
    yield* Effect.forEach(members, ({ stop }) => stop)
    yield* check
    yield* Scope.close(scope, Exit.void)
    yield* check
    return yield* judge.verdict(leat, yield* stage.reader, !scenario.isClosedEarly)
  },
  Effect.scoped,
  Effect.provideService(References.MinimumLogLevel, "None")
)
