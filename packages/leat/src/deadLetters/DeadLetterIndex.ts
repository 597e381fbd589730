/**
 * What one partition of dead letters holds, as a synchronous state machine: which letters it has, which of them say the same, and what
 * became of each.
 *
 * - A letter is resolved by a record behind it that names its place. Without one it is open.
 * - Letters of one origin (topic, partition, position and replays, with the same key and value) are one letter, at the place of the first:
 *   a consumer that was in doubt, or died before it settled, writes it again. One that comes behind the resolution is another letter: the
 *   group has read the event anew, and failed anew.
 * - A resolution with another partition, or with another key than the letter's, was copied here from other positions. It resolves nothing.
 *
 * @example
 * ```ts
 * const index = new DeadLetterIndex(0)
 * for (const record of records) index.add(record)
 * index.at(17n) // { position: 17n, duplicates: 0, resolution: undefined }
 * ```
 */
import { crc32c } from "../record/crc32c.ts"
import { type DeadLetter, readDeadLetter, readResolution, type DeadLetterResolution } from "../record/DeadLetter.ts"
import type { Position, ReceivedRecord } from "../transport/index.ts"

/** One letter: where it stands first, and what became of it. */
export interface IndexedLetter {
  readonly position: Position
  /** How many more records say the same. */
  duplicates: number
  resolution: DeadLetterResolution | undefined
  /** Checksum of its key. */
  readonly keySum: number
}

export class DeadLetterIndex {
  readonly #partition: number
  readonly #byPosition = new Map<Position, IndexedLetter>()
  /** Open letters by their origin. */
  readonly #openBy = new Map<string, IndexedLetter>()

  constructor(partition: number) {
    this.#partition = partition
  }

  /** Takes the next record of the partition. */
  add(record: ReceivedRecord): void {
    const resolution = readResolution(record.headers)
    if (resolution === undefined) this.#addLetter(record)
    else this.#resolve(resolution, sumOf(record.key))
  }

  /** The letter that stands at this position; undefined: none does, or it says what one before it says. */
  at(position: Position): IndexedLetter | undefined {
    const letter = this.#byPosition.get(position)
    return letter?.position === position ? letter : undefined
  }

  #addLetter({ position, key, value, headers }: ReceivedRecord): void {
    const keySum = sumOf(key)
    const origin = originOf(readDeadLetter(headers)?.letter, `${keySum}/${sumOf(value)}`)
    const known = origin === undefined ? undefined : this.#openBy.get(origin)
    if (known !== undefined && known.resolution === undefined) {
      known.duplicates++
      this.#byPosition.set(position, known)
      return
    }
    const letter = { position, duplicates: 0, resolution: undefined, keySum }
    this.#byPosition.set(position, letter)
    if (origin !== undefined) this.#openBy.set(origin, letter)
  }

  #resolve(resolution: DeadLetterResolution, keySum: number): void {
    const letter = this.#byPosition.get(resolution.position)
    if (letter === undefined || letter.keySum !== keySum || resolution.partition !== this.#partition) return
    // Of two people at once, one may have dropped what the other has replayed: its group has it.
    if (letter.resolution === undefined || resolution.how === "replayed") letter.resolution = resolution
  }
}

/** What two letters of one failure have in common; undefined where the letter does not say where it comes from. */
function originOf(letter: DeadLetter | undefined, sums: string): string | undefined {
  const { topic, partition, position, replays } = letter ?? {}
  if (topic === undefined || partition === undefined || position === undefined) return undefined
  return `${partition}/${position}/${replays}/${sums}/${topic}`
}

function sumOf(bytes: Uint8Array | null): number {
  return bytes === null ? -1 : crc32c(bytes)
}
