/**
 * An effect that an application gives beside its handlers, as what a ledger store does: run so that whatever it does ends nobody but itself. It may throw
 * in place of giving one, give a promise (which nothing checks in a program without types), fail, die, or interrupt itself; none of these may pass on
 * to the fiber that asks for it, as a fiber that is joined would pass it on. The runtime ends the whole fiber of what gives no effect somewhere inside,
 * so the effect has a fiber of its own, of which nothing but the exit is looked at.
 */
import { Cause, Effect, Exit, Fiber } from "effect"
import { isObject, kindOf } from "./takes.ts"
import { textOfThrown } from "./thrown.ts"

/**
 * Why it has not succeeded, as a sentence; undefined: it has. `name` says what gives the effect: `save of the ledger store`. Whoever is interrupted
 * meanwhile interrupts it, and waits for that.
 *
 * @example
 * ```ts
 * yield* effectTrouble("save of the ledger store", () => Promise.resolve())
 * // "save of the ledger store gave a promise and no effect; give Effect.promise(() => ...)"
 * ```
 */
export function effectTrouble(name: string, give: () => unknown): Effect.Effect<string | undefined> {
  return Effect.suspend(() => {
    let given: unknown
    try {
      given = give()
    } catch (error) {
      return Effect.succeed(textOf(error))
    }
    if (!Effect.isEffect(given)) return Effect.succeed(noEffect(name, given))
    const running = given as Effect.Effect<unknown, unknown>
    return Effect.acquireUseRelease(
      Effect.forkDetach(Effect.interruptible(running), { startImmediately: true }),
      (fiber) => Fiber.await(fiber),
      (fiber) => Fiber.interrupt(fiber)
    ).pipe(Effect.map((exit) => (Exit.isSuccess(exit) ? undefined : causeText(name, exit.cause))))
  })
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
