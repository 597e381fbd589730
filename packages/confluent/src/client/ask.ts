import { Effect } from "effect"
import type { TransportError } from "leat/transport"
import type { Client, ClientError, KafkaJavascript } from "./client.ts"
import { codeOfThrown, failure, failureOf } from "./failure.ts"

/** How often a client that connects is looked at, in milliseconds. */
const lookMs = 10

/** One question to the client that is answered through a callback. `what` says in errors what it was about. */
export function ask<A>(
  operation: string,
  what: string,
  start: (done: (error: ClientError | null | undefined, value: A) => void) => void
): Effect.Effect<A, TransportError> {
  return Effect.callback((resume) => {
    try {
      start((error, value) => resume(error ? Effect.fail(failureOf(error, operation, what)) : Effect.succeed(value)))
    } catch (error) {
      resume(Effect.fail(thrown(error, operation, what)))
    }
  })
}

/** Something that the client does at once, or refuses by throwing. */
export function attempt<A>(operation: string, what: string, run: () => A): Effect.Effect<A, TransportError> {
  return Effect.try({ try: run, catch: (error) => thrown(error, operation, what) })
}

function thrown(error: unknown, operation: string, what: string): TransportError {
  const code = codeOfThrown(error)
  if (code !== undefined) return failureOf({ code, message: "" }, operation, what)
  // Its text is not repeated: what refuses a configuration quotes it.
  return failure("Unsupported", operation, `${what}: the client refuses what it was asked`)
}

/**
 * Connects a client; fails with the code of the last error event where there was one, because the client's own answer is only that
 * nobody answered, and as soon as one says that we are refused: the client itself would try again until its time is over. `poll` makes
 * it hand out its events meanwhile.
 */
export function connected<C extends Client>(
  kafka: KafkaJavascript,
  client: C,
  timeoutMs: number,
  poll: (client: C) => void
): Effect.Effect<C, TransportError> {
  return Effect.callback((resume) => {
    let last: ClientError | undefined
    let isOver = false
    const end = (result: Effect.Effect<C, TransportError>) => {
      isOver = true
      resume(result)
    }
    client.on("event.error", (error) => {
      if (isOver) return
      last = { code: eventCodes(kafka)(error), message: "" }
      const found = unreachable(last, undefined)
      if (!found.isRetryable) end(Effect.fail(found))
    })
    // Without a listener an error of a token would end the process.
    client.on("error", () => {})
    let isPolled = false
    // Not before it is connected, which would end the process.
    const startPolling = () => {
      if (isPolled || !client.isConnected()) return
      isPolled = true
      poll(client)
    }
    const timer = setInterval(startPolling, lookMs)
    client.connect({ timeout: timeoutMs }, (error) => {
      clearInterval(timer)
      if (isOver) {
        // Nobody waits for it any more.
        if (!error) client.disconnect(() => {})
        return
      }
      if (error) return end(Effect.fail(unreachable(error, last)))
      startPolling()
      end(Effect.succeed(client))
    })
  })
}

function unreachable(error: ClientError, last: ClientError | undefined): TransportError {
  const found = failureOf(last ?? error, "open", "the cluster cannot be reached")
  // Nothing was asked of it that could have been done all the same.
  const isLost = found.reason === "Timeout" || found.reason === "Disconnected" || found.reason === "Unknown"
  return isLost ? failure("Unavailable", "open", found.detail) : found
}

/** Error events come as text alone, the one that belongs to their code: this finds the code again. */
export function eventCodes(kafka: KafkaJavascript): (error: ClientError) => number {
  const codes = textsOf(kafka)
  return ({ code, message }) => (code === -1 ? (codes.get(message) ?? -1) : code)
}

const known = new WeakMap<KafkaJavascript, ReadonlyMap<string, number>>()

function textsOf(kafka: KafkaJavascript): ReadonlyMap<string, number> {
  const found = known.get(kafka)
  if (found !== undefined) return found
  const texts = new Map<string, number>()
  for (const code of Object.values(kafka.CODES.ERRORS)) {
    try {
      kafka.Producer.prototype._errorWrap(code)
    } catch (error) {
      const text = error instanceof Error ? error.message : ""
      texts.set((text.split(": ")[1] ?? text).toLowerCase(), code)
    }
  }
  known.set(kafka, texts)
  return texts
}

/** How long the end of a client is waited for, in milliseconds: with its broker away it may never come. */
const closeMsMax = 5000

/** Ends a client; what does not end in time is left to itself. */
export function closed(close: (done: () => void) => void): Effect.Effect<void> {
  return Effect.callback<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), closeMsMax)
    const done = () => {
      clearTimeout(timer)
      resume(Effect.void)
    }
    try {
      close(done)
    } catch {
      done()
    }
  })
}
