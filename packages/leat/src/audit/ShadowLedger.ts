/**
 * Compares two topics by the ids of their records: what stands in one and not in the other, and what is other there. Holds a digest of each event
 * that was seen on one side only, up to a bound, and which sequences it has seen of each bucket of each publisher.
 */
import { Buffer } from "node:buffer"
import { taggedStream } from "../record/CompactHeader.ts"
import { crc32c } from "../record/crc32c.ts"
import type { EventId } from "../record/EventId.ts"
import { readMeta } from "../record/Wire.ts"
import type { ReceivedRecord } from "../transport/index.ts"
import { BucketAudit } from "./BucketAudit.ts"

/** The primary, and the leg that is compared with it. */
export type Side = "primary" | "copy"

const sides = { primary: 0, copy: 1 } as const

/** What is found of one event. `onItsWay`: nothing newer of its publisher stands in its partition of the other side. `unauditable`: nobody can tell. */
export type ShadowFinding = "equal" | "different" | "missing" | "extra" | "onItsWay" | "unauditable"

/** Of one bucket of one publisher, on both sides. */
interface ShadowBucket {
  readonly name: string
  readonly bucket: number
  readonly seen: readonly [BucketAudit, BucketAudit]
  /** The lowest sequence that was seen on each side. */
  readonly lowest: [number, number]
}

/** An event that was seen on one side only. */
interface Lonely {
  readonly side: Side
  readonly of: ShadowBucket
  readonly id: EventId
  readonly timeMs: number
  readonly digest: string
}

interface PartitionFacts {
  readonly isCut: boolean
  isHoled: boolean
  firstMs: number
}

export interface ShadowOptions {
  /** The stream, whose records alone are compared. */
  readonly stream: string
  /** Partitions of each side. */
  readonly partitions: Readonly<Record<Side, number>>
  /** Whether the copy has to have the events of a bucket. */
  readonly takes: (bucket: number) => boolean
  /** Most events that are held because the other side has not shown them yet; what is beyond it is unauditable. */
  readonly heldMax: number
  readonly found: (finding: ShadowFinding, id: EventId, timeMs: number) => void
}

export class ShadowLedger {
  /** Further copies of events on a side. */
  readonly copies: Record<Side, number> = { primary: 0, copy: 0 }
  readonly #options: ShadowOptions
  readonly #tag: string
  readonly #buckets = new Map<string, ShadowBucket>()
  readonly #lonely = new Map<string, Lonely>()
  readonly #partitions = new Map<string, PartitionFacts>()
  /** Epoch milliseconds of the newest event of a publisher in a partition of a side. */
  readonly #newest = new Map<string, number>()

  constructor(options: ShadowOptions) {
    this.#options = options
    this.#tag = taggedStream(options.stream)
  }

  /** `isCut`: its first records are not there any more. */
  partition(side: Side, partition: number, isCut: boolean): void {
    this.#partitions.set(`${side} ${partition}`, { isCut, isHoled: false, firstMs: Number.POSITIVE_INFINITY })
  }

  /** Records between those that are read were taken away by retention or compaction. */
  hole(side: Side, partition: number): void {
    const facts = this.#partitions.get(`${side} ${partition}`)
    if (facts !== undefined) facts.isHoled = true
  }

  /** Epoch milliseconds at which it was offered. */
  timeOf(record: ReceivedRecord): number {
    return readMeta(record.headers, this.#options.stream).timeMs ?? record.timeMs
  }

  record(side: Side, partition: number, record: ReceivedRecord): void {
    const meta = readMeta(record.headers, this.#options.stream)
    const { id, isMarker } = meta
    if (id === undefined || isMarker || meta.isOtherStream === true) return
    const timeMs = meta.timeMs ?? record.timeMs
    const facts = this.#partitions.get(`${side} ${partition}`)
    if (facts !== undefined) facts.firstMs = Math.min(facts.firstMs, timeMs)
    const place = `${side} ${partition} ${id.incarnation}`
    this.#newest.set(place, Math.max(this.#newest.get(place) ?? 0, timeMs))
    if (!this.#options.takes(id.bucket)) return
    const of = this.#bucketOf(id)
    const at = sides[side]
    of.lowest[at] = Math.min(of.lowest[at], id.seq)
    const sighting = of.seen[at].see(id.seq, { partition, timeMs, sinceMs: of.seen[at].lastMs, isTakenAway: false })
    if (sighting === "copy") {
      this.copies[side]++
      return
    }
    this.#match({ side, of, id, timeMs, digest: digestOf(record, meta) })
  }

  /** Nothing more is read: what was seen on one side only is judged. */
  end(): void {
    for (const lonely of this.#lonely.values()) this.#options.found(this.#judge(lonely), lonely.id, lonely.timeMs)
    this.#lonely.clear()
  }

  #match(event: Lonely): void {
    const name = `${event.of.name}/${event.id.seq}`
    const other = this.#lonely.get(name)
    if (other !== undefined) {
      this.#lonely.delete(name)
      this.#options.found(other.digest === event.digest ? "equal" : "different", event.id, event.timeMs)
      return
    }
    if (this.#isGivenUp(event)) return
    this.#lonely.set(name, event)
    if (this.#lonely.size <= this.#options.heldMax) return
    const [[oldest, lonely] = []] = this.#lonely
    if (oldest === undefined || lonely === undefined) return
    this.#lonely.delete(oldest)
    this.#options.found("unauditable", lonely.id, lonely.timeMs)
  }

  /** The other side has shown it, and it was given up because too many were held: it is told already. */
  #isGivenUp({ side, of, id: { seq } }: Lonely): boolean {
    const other = of.seen[1 - sides[side]]
    if (other === undefined || seq >= other.next) return false
    return other.missing.every(({ from, to }) => seq < from || seq >= to)
  }

  #judge({ side, of, id: { incarnation, seq }, timeMs }: Lonely): ShadowFinding {
    const lacking: Side = side === "primary" ? "copy" : "primary"
    const absent = side === "primary" ? "missing" : "extra"
    const partition = of.bucket % this.#options.partitions[lacking]
    const facts = this.#partitions.get(`${lacking} ${partition}`)
    const at = sides[lacking]
    const isBehindFirst = (of.lowest[at] ?? Number.POSITIVE_INFINITY) < seq
    if (facts === undefined || facts.isHoled) return "unauditable"
    // Retention takes the oldest, and a leg may have been added later: what is older than all that is there is not judged.
    if (!isBehindFirst && timeMs < facts.firstMs) return "unauditable"
    const newestMs = this.#newest.get(`${lacking} ${partition} ${incarnation}`) ?? Number.NEGATIVE_INFINITY
    if ((of.seen[at]?.next ?? 0) <= seq && timeMs >= newestMs) return "onItsWay"
    return isBehindFirst || !facts.isCut ? absent : "unauditable"
  }

  #bucketOf({ incarnation, bucket }: EventId): ShadowBucket {
    const name = `${incarnation}/${this.#tag}/${bucket}`
    let found = this.#buckets.get(name)
    if (found === undefined) {
      const lowest: [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
      found = { name, bucket, seen: [new BucketAudit(), new BucketAudit()], lowest }
      this.#buckets.set(name, found)
    }
    return found
  }
}

/**
 * Of the key, the value and the headers that are not leat's own, in their order: the wire may be another. Each part by its length and checksum, so
 * that one in four thousand million changes of a part is not seen.
 */
function digestOf({ key, value }: ReceivedRecord, { headers = [] }: ReturnType<typeof readMeta>): string {
  const parts = [sumOf(key), sumOf(value)]
  if (headers.length === 0) return parts.join(" ")
  const all = headers.flatMap(([name, bytes]) => [Buffer.from(`${name.length} ${name} ${bytes.length} `), bytes])
  return [...parts, sumOf(Buffer.concat(all))].join(" ")
}

function sumOf(bytes: Uint8Array | null): string {
  return bytes === null ? "-" : `${bytes.length}.${crc32c(bytes).toString(36)}`
}
