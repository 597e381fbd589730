/**
 * A route document in a file that is followed: what is written there is put in force while the process runs.
 *
 * The file is read again and again, and its text compared. That sees what editors, `mv` and the symlinks of Kubernetes do, on every file system; a
 * watcher of the operating system follows one inode, and sees only some of it. A text counts when two looks in a row have found it: a file that is
 * being written is not taken half.
 */
import { Duration, Effect, Option, Result } from "effect"
import { isObject, kindOf } from "../given/takes.ts"
import { textOfThrown } from "../given/thrown.ts"
import { idleSleep } from "../idleSleep.ts"
import * as Telemetry from "../Telemetry.ts"
import type { ReferenceReaders } from "./References.ts"
import { type RouteError, type RouteFault, routeError } from "./Routes.ts"

/**
 * Where the document is.
 *
 * @example
 * ```ts
 * const leat = await open({ source: "mobile-app", routes: { file: "routes.yaml" } })
 * ```
 */
export interface RoutesFile {
  /** Path of a YAML or JSON file; a relative one against the working directory. */
  readonly file: string
  /** From one look to the next; a second when absent. */
  readonly every?: Duration.Input | undefined
}

const everyDefault = Duration.seconds(1)
const everyMsMin = 10
const everyMsMax = 3_600_000

/** A text that was refused is tried again, since some reasons pass, with pauses of 1, 2, 4 looks and so on up to this. */
const pauseLooksMax = 64

const fields: ReadonlyArray<string> = ["file", "every"]
const documentFields: ReadonlyArray<string> = ["version", "clusters", "routes"]

/** Whether the option names a file and is no document itself. */
export function isRoutesFile(routes: unknown): routes is RoutesFile {
  if (!isObject(routes)) return false
  try {
    return Object.hasOwn(routes, "file") && !documentFields.some((field) => Object.hasOwn(routes, field))
  } catch {
    // A proxy that is revoked: it is refused as a document that cannot be read.
    return false
  }
}

/** What is wrong with the option, apart from what the file says. */
export function routesFileFaults(routes: RoutesFile): ReadonlyArray<RouteFault> {
  const { file, every }: { readonly [K in keyof RoutesFile]: unknown } = routes
  const found: Array<RouteFault> = Object.keys(routes)
    .filter((name) => !fields.includes(name))
    .map((name) => ({
      path: `routes.${name}`,
      message: `is not known here; a file of routes has ${fields.join(", ")}`
    }))
  if (typeof file !== "string" || file === "" || file.includes("\0"))
    found.push({
      path: "routes.file",
      message: `is the path of a file, and not ${file === "" ? "empty" : kindOf(file)}`
    })
  const ms = every === undefined ? everyMsMin : everyMs(every)
  if (ms >= everyMsMin && ms <= everyMsMax) return found
  return [...found, { path: "routes.every", message: 'is a duration from 10 milliseconds to an hour, as "5 seconds"' }]
}

/** NaN: it is none. */
function everyMs(every: unknown): number {
  return Option.getOrElse(Option.map(Duration.fromInput(every as Duration.Input), Duration.toMillis), () => NaN)
}

/** The text of the file as it is. */
export function readRoutesFile({ file }: RoutesFile, readers: ReferenceReaders): Effect.Effect<string, RouteError> {
  return Effect.mapError(readers.file(file), (words) => {
    const message = `the file ${file} ${words}; correct the path, or put the file there`
    return routeError("routes.file", message)
  })
}

/** What following needs of an open leat. */
export interface Following {
  /** The text that is in force. */
  readonly text: string
  readonly readers: ReferenceReaders
  readonly swap: (text: string) => Effect.Effect<void, RouteError>
  /** Of the table in force. */
  readonly version: () => number
}

/** Follows a file until it is interrupted. Tells the log of each version that is in force, and once of each that is refused, with every fault. */
export function followRoutesFile(routes: RoutesFile, following: Following): Effect.Effect<never> {
  const { file, every = everyDefault } = routes
  const { readers, version } = following
  // A driver that throws over a section ends no following.
  const swap = (text: string): Effect.Effect<void, RouteError> =>
    Effect.catchDefect(
      Effect.suspend(() => following.swap(text)),
      (thrown) => Effect.fail(routeError("routes", `cannot be read: ${textOfThrown(thrown)}`))
    )
  return Effect.gen(function* () {
    let { text: inForce } = following
    let seen: string | undefined = inForce
    let told = ""
    let [pauseLooks, looksLeft] = [1, 0]
    const warnOnce = (sentence: string): Effect.Effect<void> => {
      if (sentence === told) return Effect.void
      told = sentence
      return Telemetry.warn(sentence)
    }
    for (;;) {
      yield* idleSleep(everyMs(every))
      const look = yield* Effect.result(readers.file(file))
      const text = Result.isSuccess(look) ? look.success : undefined
      if (Result.isFailure(look))
        yield* warnOnce(`the routes file ${file} ${look.failure}; version ${version()} stays in force`)
      if (text !== seen) {
        seen = text
        pauseLooks = 1
        looksLeft = 0
        continue
      }
      if (text === undefined) continue
      if (text === inForce) told = ""
      if (text === inForce || looksLeft-- > 0) continue
      const swapped = yield* Effect.result(swap(text))
      if (Result.isSuccess(swapped)) {
        inForce = text
        told = ""
        yield* Telemetry.inform(`version ${version()} of the routes file ${file} is in force`)
        continue
      }
      looksLeft = pauseLooks
      pauseLooks = Math.min(pauseLooks * 2, pauseLooksMax)
      const faults = swapped.failure.message.replaceAll("\n", "; ")
      yield* warnOnce(`the routes file ${file} was refused, and version ${version()} stays in force: ${faults}`)
    }
  })
}
