import { Effect } from "effect"
import { OpeningTrouble, type TransportError } from "leat/transport"
import type { Client, ClientError, KafkaJavascript } from "./client.ts"
import { codeOfThrown, failure, failureOf } from "./failure.ts"
import { Unreachable } from "./Unreachable.ts"

/** Interval of the check whether a client is connected, in milliseconds. */
const lookMs = 10

/** One request to the client, answered by a callback. `what` names its subject in errors. */
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

/** A synchronous call of the client, which may throw. */
export function attempt<A>(operation: string, what: string, run: () => A): Effect.Effect<A, TransportError> {
  return Effect.try({ try: run, catch: (error) => thrown(error, operation, what) })
}

function thrown(error: unknown, operation: string, what: string): TransportError {
  const code = codeOfThrown(error)
  if (code !== undefined) return failureOf({ code, message: "" }, operation, what)
  // Its text is left out: an error about a configuration quotes the configuration.
  return failure("Unsupported", operation, `${what}: the client refuses what it was asked`)
}

/**
 * Connects a client. Fails with the code of the last error event, if there was one, and what the log says of the brokers: the client's own
 * answer says only that no broker answered. A rejection, as of credentials, fails at once: the client itself would retry until its deadline. `poll` makes the client
 * deliver its events meanwhile.
 */
export function connected<C extends Client>(
  kafka: KafkaJavascript,
  client: C,
  timeoutMs: number,
  poll: (client: C) => void
): Effect.Effect<C, TransportError> {
  return Effect.flatMap(OpeningTrouble, (trouble) => connectedOrTold({ kafka, client, timeoutMs, poll, trouble }))
}

interface Connecting<C extends Client> {
  readonly kafka: KafkaJavascript
  readonly client: C
  readonly timeoutMs: number
  readonly poll: (client: C) => void
  readonly trouble: (why: string) => void
}

function connectedOrTold<C extends Client>({
  kafka,
  client,
  timeoutMs,
  poll,
  trouble
}: Connecting<C>): Effect.Effect<C, TransportError> {
  return Effect.callback((resume) => {
    let last: ClientError | undefined
    let isOver = false
    const brokers = new Unreachable()
    client.on("event.log", (entry) => {
      if (!isOver && brokers.heard(entry)) trouble(brokers.why ?? "")
    })
    const end = (result: Effect.Effect<C, TransportError>) => {
      isOver = true
      resume(result)
    }
    client.on("event.error", (error) => {
      if (isOver) return
      last = { code: eventCodes(kafka)(error), message: "" }
      const found = unreachable(last, brokers)
      if (!found.isRetryable) end(Effect.fail(found))
    })
    // Without a listener a failed token refresh would end the process.
    client.on("error", () => {})
    let isPolled = false
    // Polling before the client is connected would end the process.
    const startPolling = () => {
      if (isPolled || !client.isConnected()) return
      isPolled = true
      poll(client)
    }
    const timer = setInterval(startPolling, lookMs)
    client.connect({ timeout: timeoutMs }, (error) => {
      clearInterval(timer)
      if (isOver) {
        // The caller has its answer.
        if (!error) client.disconnect(() => {})
        return
      }
      if (error) return end(Effect.fail(unreachable(last ?? error, brokers)))
      startPolling()
      end(Effect.succeed(client))
    })
  })
}

function unreachable(error: ClientError, { why }: Unreachable): TransportError {
  const { reason, detail } = failureOf(error, "open", "the cluster cannot be reached")
  // No request was sent, so none can have succeeded.
  const isLost = reason === "Timeout" || reason === "Disconnected" || reason === "Unknown"
  return failure(isLost ? "Unavailable" : reason, "open", why === undefined ? detail : `${detail}: ${why}`)
}

/** Finds the code of an error event, which carries only the text of its code. */
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

/** Longest wait for the end of a client, in milliseconds: it may never come while its broker is away. */
const closeMsMax = 5000

/** Ends a client; waits for its end up to a limit. */
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
