/**
 * An effect that an application gives beside its handlers, as what a ledger store does: run so that whatever it does ends nobody but itself. It may throw
 * in place of giving one, give a promise (which nothing checks in a program without types), fail, die, or interrupt itself; none of these may pass on
 * to the fiber that asks for it, as a fiber that is joined would pass it on. The runtime ends the whole fiber of what gives no effect somewhere inside,
 * so the effect has a fiber of its own, of which nothing but the exit is looked at.
 */
import { Cause, Effect, Exit, Fiber, Option } from "effect"
import { isObject, kindOf } from "./takes.ts"
import { textOfThrown } from "./thrown.ts"

/** How long whoever is interrupted waits for the end of the effect, in milliseconds: a query of a database that answers no more does not let itself be interrupted. */
const endMs = 5000

/**
 * Why it has not succeeded, as a sentence; undefined: it has. `name` says what gives the effect: `save of the ledger store`. Whoever is interrupted
 * meanwhile interrupts it, and waits five seconds for its end; `left` is run where it has not ended by then.
 *
 * @example
 * ```ts
 * yield* effectTrouble("save of the ledger store", () => Promise.resolve())
 * // "save of the ledger store gave a promise and no effect; give Effect.promise(() => ...)"
 * ```
 */
export function effectTrouble(
  name: string,
  give: () => unknown,
  left: Effect.Effect<void> = Effect.void
): Effect.Effect<string | undefined> {
  return Effect.suspend(() => {
    let given: unknown
    try {
      given = give()
    } catch (error) {
      return Effect.succeed(textOf(error))
    }
    try {
      if (!Effect.isEffect(given)) return Effect.succeed(noEffect(name, given))
    } catch (error) {
      const what = `an object that throws when it is looked at, and no effect; give an effect, as Effect.void`
      return Effect.succeed(`${name} gave ${what}: ${textOf(error)}`)
    }
    const running = given as Effect.Effect<unknown, unknown>
    return Effect.acquireUseRelease(
      Effect.forkDetach(Effect.interruptible(running), { startImmediately: true }),
      (fiber) => Fiber.await(fiber),
      (fiber) => ended(fiber, left)
    ).pipe(Effect.map((exit) => (Exit.isSuccess(exit) ? undefined : causeText(name, exit.cause))))
  })
}

/** Interrupts it. */
function ended(fiber: Fiber.Fiber<unknown, unknown>, left: Effect.Effect<void>): Effect.Effect<void> {
  if (fiber.pollUnsafe() !== undefined) return Effect.void
  fiber.interruptUnsafe()
  const end = Effect.timeoutOption(Fiber.await(fiber), endMs)
  return Effect.flatMap(end, (exit) => (Option.isNone(exit) ? left : Effect.void))
}

function noEffect(name: string, given: unknown): string {
  const isPromise = isObject(given) && typeof given["then"] === "function"
  // Nobody else hears how it ends: without this its rejection would end the process.
  if (isPromise) Promise.resolve(given).catch(() => undefined)
  const what = isPromise ? "a promise" : kindOf(given)
  return `${name} gave ${what} and no effect; give ${isPromise ? "Effect.promise(() => ...)" : "an effect, as Effect.void"}`
}

function causeText(name: string, cause: Cause.Cause<unknown>): string {
  return Cause.hasInterruptsOnly(cause) ? `${name} interrupted itself` : textOf(Cause.squash(cause))
}

/** A failure has a message, and anything can be thrown. */
function textOf(thrown: unknown): string {
  try {
    if (isObject(thrown) && typeof thrown["message"] === "string" && thrown["message"] !== "") return thrown["message"]
  } catch {
    // A getter that throws: then its text is asked for.
  }
  return textOfThrown(thrown)
}
