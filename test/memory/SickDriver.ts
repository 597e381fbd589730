/** Clusters that are dead, each in its way, until they get well. Then they answer every send at once, and keep nothing. */
import { Effect } from "effect"
import { type Driver, MemoryBroker, memoryDriver } from "leat"
import { type Run, TransportError, type TransportReason, type Writer } from "leat/transport"

/**
 * `none`: it is well. `closed`: it cannot be opened. `silent`: it takes a send and says nothing more, and a fence does not end. `refusing`: it fails at once, and
 * nothing was written. `doubtful`: it answers at the time-out, and whether something was written is not known. `poisoned`: no record is
 * allowed, and the topic of dead letters is silent.
 */
export type Sickness = "none" | "closed" | "silent" | "refusing" | "doubtful" | "poisoned"

export const sicknesses: ReadonlyArray<Sickness> = ["none", "closed", "silent", "refusing", "doubtful", "poisoned"]

export class SickDriver {
  readonly driver: Driver
  readonly #sickness: Sickness
  readonly #errors = new Map<string, TransportError>()
  #isWell: boolean
  /** Records that were stored, dead letters not counted. */
  stored = 0
  /** Dead letters that were stored. */
  letters = 0

  constructor(sickness: Sickness) {
    this.#sickness = sickness
    this.#isWell = sickness === "none"
    const inner = memoryDriver(new MemoryBroker({ partitions: 4 }))
    this.driver = {
      ...inner,
      name: sickness,
      open: (...asked) =>
        Effect.gen({ self: this }, function* () {
          if (sickness === "closed" && !this.#isWell) return yield* this.#error("open", "Unavailable")
          const transport = yield* inner.open(...asked)
          const fork = Effect.runForkWith(yield* Effect.context())
          const later = (ms: number, run: () => void) => void fork(Effect.delay(Effect.sync(run), ms))
          const openWriter = (topic: string) =>
            Effect.map(transport.openWriter(topic), (writer) => this.#writer(topic, writer, later))
          return { ...transport, openWriter }
        })
    }
  }

  getWell(): void {
    this.#isWell = true
  }

  /** Each is made once: hundreds of thousands of sends fail. */
  #error(operation: string, reason: TransportReason): TransportError {
    const name = `${operation} ${reason}`
    const known = this.#errors.get(name)
    if (known !== undefined) return known
    const error = new TransportError({ reason, transport: this.#sickness, operation, detail: "this cluster is dead" })
    this.#errors.set(name, error)
    return error
  }

  #writer(topic: string, writer: Writer, later: (ms: number, run: () => void) => void): Writer {
    const isLetters = topic.endsWith(".undelivered")
    const send: Writer["send"] = (_partition, _batch, from, to, timeoutMs, answer) => {
      const failed = (fate: Run["fate"], reason: TransportReason) =>
        answer([{ from, to, fate, error: this.#error("send", reason) }])
      if (this.#sickness === "poisoned" && !isLetters) return failed("notStored", "Rejected")
      if (this.#isWell) {
        if (isLetters) this.letters += to - from
        else this.stored += to - from
        return answer([{ from, to, fate: "stored" }])
      }
      if (this.#sickness === "refusing") failed("notStored", "Unavailable")
      else if (this.#sickness === "doubtful") later(timeoutMs, () => failed("unknown", "Timeout"))
    }
    const fence: Writer["fence"] = (partition) =>
      Effect.suspend(() => {
        if (this.#isWell) return writer.fence(partition)
        return this.#sickness === "silent" ? Effect.never : Effect.fail(this.#error("fence", "Unavailable"))
      })
    return { ...writer, send, fence }
  }
}
