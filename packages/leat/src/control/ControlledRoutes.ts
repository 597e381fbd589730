/**
 * The route document of a fleet, as one process has it: what the control stream says is put in force here, and what is applied here is written there.
 * What a process refuses stays refused there alone, and its beat says which version it has, and why no later one.
 */
import { Effect, Result } from "effect"
import { idleSleep } from "../idleSleep.ts"
import { versionIn } from "../routes/documentVersion.ts"
import * as Telemetry from "../Telemetry.ts"
import { ControlError } from "./ControlError.ts"
import type { ControlStream } from "./ControlStream.ts"
import { placesFault, type PlacesOf } from "./places.ts"
import {
  type FleetProcess,
  type PastDocument,
  pastDocuments,
  processesOf,
  textBackTo,
  versionAt,
  applyFault
} from "./fleet.ts"

/** Where the fleet is with its document, as this process has read it. Versions are those that stand in the documents. */
export interface ControlStatus {
  /** Of the document that was applied last; 0: none, and each process has its own. */
  readonly version: number
  /** Of the one that is in force here; 0: the own one. */
  readonly applied: number
  /** What this process refuses, with every fault; absent: nothing. */
  readonly refused?: { readonly version: number; readonly why: string }
  /** Why the control stream is not followed at the moment; absent: it is. */
  readonly trouble?: string
  /** The processes, by incarnation, with the version that was in force there at their last beat. Who is gone stays for a while. */
  readonly processes: ReadonlyArray<FleetProcess>
}

/** A document that was applied. */
export interface AppliedTable {
  /** As the document says. */
  readonly version: number
}

/** Puts a document in force, or says every fault. */
type Take = (document: string) => Effect.Effect<void, { readonly message: string }>

const refused = (detail: string): ControlError => new ControlError({ reason: "Refused", detail })

/** From one look at what was read to the next one, in milliseconds. */
const lookMs = 250
/** A document that was refused is tried again, since some reasons pass, with pauses that double, in milliseconds. */
const [againMsMin, againMsMax] = [1000, 60_000]

/** What it needs of the control stream. */
export type WrittenStream = Pick<ControlStream, "control" | "trouble" | "beat" | "write">

export class ControlledRoutes {
  #stream: WrittenStream | undefined
  #trouble: string | undefined
  /** A number of the stream, and not the version that stands in the document; so it is wherever only this class and the stream look. */
  #applied = 0
  #refused: ControlStatus["refused"]

  /** The stream, once it is open; until then, why it is not. */
  connected(stream: WrittenStream): void {
    this.#stream = stream
    this.#trouble = undefined
  }

  failed(why: string): void {
    this.#trouble = why
  }

  /** What the fleet has applied; undefined: nothing, or nobody knows. */
  get table(): { readonly version: number; readonly document: string } | undefined {
    const control = this.#stream?.control
    return control === undefined || control.version === 0 ? undefined : control
  }

  get applied(): number {
    return this.#applied
  }

  /** What it refuses, and why, in one line; empty: nothing. */
  get refusal(): string {
    const { version, why = "" } = this.#refused ?? {}
    return version === undefined ? "" : `version ${version}: ${why.replaceAll("\n", "; ")}`
  }

  /** A document that the process has begun with. */
  took(version: number): void {
    this.#applied = version
    this.#refused = undefined
  }

  refuses(number: number, why: string): Effect.Effect<void> {
    const version = this.#versionAt(number)
    const isTold = this.#refused?.version === version && this.#refused.why === why
    this.#refused = { version, why }
    const faults = why.replaceAll("\n", "; ")
    return isTold
      ? Effect.void
      : Effect.andThen(
          Telemetry.warn(
            `version ${version} of the routes, which was applied to the fleet, was refused, and what was in force stays in force here: ${faults}`
          ),
          this.#beat
        )
  }

  /** At once: whoever has applied it waits for that. */
  get #beat(): Effect.Effect<void> {
    return Effect.suspend(() => this.#stream?.beat ?? Effect.void)
  }

  status(): ControlStatus {
    const control = this.#stream?.control
    const trouble = this.#stream === undefined ? (this.#trouble ?? "not open yet") : this.#stream.trouble
    return {
      version: this.#versionAt(control?.version ?? 0),
      applied: this.#versionAt(this.#applied),
      ...(this.#refused === undefined ? {} : { refused: this.#refused }),
      ...(trouble === undefined ? {} : { trouble }),
      processes: control === undefined ? [] : processesOf(control)
    }
  }

  #versionAt(number: number): number {
    const control = this.#stream?.control
    return control === undefined ? 0 : versionAt(control, number)
  }

  /** The documents that were applied last, oldest first, as far as they are kept. */
  history(): ReadonlyArray<PastDocument> {
    const control = this.#stream?.control
    return control === undefined ? [] : pastDocuments(control)
  }

  /** The text of an older version under a new number, above this one too. */
  textBackTo(version: number, above = 0): Effect.Effect<string, ControlError> {
    return Effect.flatMap(this.#opened, ({ control }) => {
      const found = textBackTo(control, version, above)
      return "text" in found ? Effect.succeed(found.text) : Effect.fail(refused(found.fault))
    })
  }

  get #opened(): Effect.Effect<WrittenStream, ControlError> {
    return Effect.suspend(() => {
      if (this.#stream !== undefined) return Effect.succeed(this.#stream)
      return Effect.fail(new ControlError({ reason: "Unreachable", detail: this.#trouble ?? "it is not open yet" }))
    })
  }

  /**
   * Writes a document for all, which moves the streams that it puts elsewhere; `relaxed`: of these, such as need not keep their order. It counts where nobody
   * was first.
   */
  apply(
    document: string,
    reason: string,
    placesOf: PlacesOf,
    relaxed?: ReadonlySet<string>
  ): Effect.Effect<AppliedTable, ControlError> {
    return Effect.gen({ self: this }, function* () {
      const stream = yield* this.#opened
      const { control } = stream
      const fault = applyFault(control, document)
      if (fault !== undefined) return yield* refused(fault)
      const places = yield* placesOf(control, document)
      const wrong = placesFault(control, document, places)
      if (wrong !== undefined) return yield* refused(wrong)
      const written = yield* stream.write({ kind: "table", base: control.version, document, places, relaxed }, reason)
      const version = versionIn(document)
      if (!written.counts) {
        const last = pastDocuments(written.control).at(-1)
        const detail = `somebody else has applied version ${last?.version} meanwhile; look at that and apply again`
        return yield* new ControlError({ reason: "Overtaken", detail })
      }
      const others = Array.from(written.control.streams.keys()).filter((name) => !places.has(name))
      if (others.length === 0) return { version }
      const detail = `version ${version} is applied, and says nothing of where ${others.join(", ")} lies, which was placed meanwhile; apply it again with a higher version`
      return yield* new ControlError({ reason: "Overtaken", detail })
    })
  }

  /** Puts in force what the stream says, until it is interrupted. */
  follow(take: Take): Effect.Effect<never> {
    return Effect.gen({ self: this }, function* () {
      let [tried, againMs, leftMs] = [0, againMsMin, 0]
      for (;;) {
        yield* idleSleep(lookMs)
        const { table } = this
        if (table === undefined || table.version === this.#applied) continue
        leftMs -= lookMs
        if (table.version === tried && leftMs > 0) continue
        if (table.version !== tried) againMs = againMsMin
        tried = table.version
        const taken = yield* Effect.result(take(table.document))
        if (Result.isSuccess(taken)) {
          this.took(table.version)
          const version = this.#versionAt(table.version)
          yield* Telemetry.inform(`version ${version} of the routes, which was applied to the fleet, is in force`)
          yield* this.#beat
          continue
        }
        yield* this.refuses(table.version, taken.failure.message)
        leftMs = againMs
        againMs = Math.min(againMs * 2, againMsMax)
      }
    })
  }
}
