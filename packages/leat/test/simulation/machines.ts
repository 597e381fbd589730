/**
 * Explores the bare machines: one write lane, a partition, one read lane, no fibers and no clock. Each step is drawn by a seed,
 * and what must hold is checked as it goes, on sets that every move changes by one.
 */
import { seededRandom } from "leat/testing"
import { sum } from "../../src/ledger/Counts.ts"
import { Ledger, type WriteAccount, type Place } from "../../src/ledger/Ledger.ts"
import type { Policy } from "../../src/Policy.ts"
import type { HeldRecord } from "../../src/consume/HeldRecord.ts"
import { OutageWatch } from "../../src/OutageWatch.ts"
import { ReadLane } from "../../src/consume/ReadLane.ts"
import { RecordBatch } from "../../src/record/RecordBatch.ts"
import { type ReceivedRecord, type Run, TransportError, type TransportReason } from "../../src/transport/index.ts"
import { Backlog } from "../../src/publish/Backlog.ts"
import type { Span } from "../../src/publish/Span.ts"
import type { Halted, LaneHome } from "../../src/publish/LaneHome.ts"
import { WriteLane } from "../../src/publish/WriteLane.ts"
import { type Sending, WritePartition } from "../../src/publish/WritePartition.ts"

/** A mistake in the driver of the machines, which the exploration has to find. */
export type PlantedRace = "sendsWithoutFence" | "settlesWhatIsRunning"

export interface Exploration {
  readonly legs: number
  readonly steps: number
  /** Hash of every choice and of every end. */
  readonly trace: string
  /** The first thing that was wrong. */
  readonly wrong: string | undefined
}

const places = [
  "queued",
  "inFlight",
  "inDoubt",
  "deadLettering",
  "stored",
  "deadLettered",
  "dropped",
  "spilled",
  "fellBack",
  "movedOut"
] as const satisfies ReadonlyArray<Place>
const policy: Policy = [
  { on: ["Rejected"], then: "drop" },
  { on: ["Corrupt"], then: "deadLetter" },
  // Gives up while a request may still land: what is sent next must wait for the fence all the same.
  { on: ["Timeout"], retry: { times: 1, baseMs: 5 }, then: "drop" },
  { on: ["*"], retry: { baseMs: 5, factor: 2, maxDelayMs: 100 }, then: "halt" }
]
const keys = 8
const noValue = new Uint8Array(0)

/** Runs until `legs` legs have been admitted and everything has ended. */
export function explore(seed: number, legs: number, race?: PlantedRace): Exploration {
  return new Exploring(seed, legs, race).run()
}

class Exploring {
  readonly #random: () => number
  readonly #legs: number
  readonly #race: PlantedRace | undefined
  readonly #ledger: Ledger
  readonly #account: WriteAccount
  readonly #write: WriteLane
  readonly #partition: WritePartition
  #read: ReadLane
  /** Where each leg is, by sequence: index into `places`; and how many are where. */
  readonly #place: Int8Array
  readonly #count = {
    queued: 0,
    inFlight: 0,
    inDoubt: 0,
    deadLettering: 0,
    spilled: 0,
    fellBack: 0,
    movedOut: 0,
    stored: 0,
    deadLettered: 0,
    dropped: 0
  }
  /** Sequence at each position of the partition. */
  readonly #log: Array<number> = []
  /** Requests that may still land, oldest first. */
  #late: Array<ReadonlyArray<number>> = []
  readonly #kept: Array<RecordBatch> = []
  readonly #begun = new Backlog()
  /** On their way, in the order of the sends. */
  readonly #sendings: Array<Sending> = []
  /** A range that was handed over earlier and not answered was not stored: the partition takes none of those behind it. */
  #isRefusing = false
  /** On their way to the dead letters. */
  #aside: Array<readonly [Span, Halted]> = []
  /** Whose letter was refused: they come late, behind later ones of their key. */
  readonly #refusedLetters = new Set<number>()
  #running: Array<HeldRecord> = []
  /** Positions whose handler has finished, in any holding of the lane. */
  readonly #handled: Array<boolean> = []
  readonly #lastByKey = new Int32Array(keys).fill(-1)
  readonly #firstSeen: Uint8Array
  #settled = 0n
  #admitted = 0
  #steps = 0
  #nowMs = 0
  #hash = 0x811c9dc5
  #wrong: string | undefined

  constructor(seed: number, legs: number, race: PlantedRace | undefined) {
    this.#random = seededRandom(seed)
    this.#legs = legs
    this.#race = race
    this.#place = new Int8Array(legs).fill(-1)
    this.#firstSeen = new Uint8Array(legs)
    this.#ledger = new Ledger({ moved: (_, __, seq, from, to) => this.#moved(seq, from, to) })
    this.#account = this.#ledger.account("notes", "sink", 1)
    const rules = { policy, lingerMs: 5, batchBytes: 2048, batchRecords: 32, retries: 0, outage: undefined }
    const canFence = race !== "sendsWithoutFence"
    // With more than one range on its way, or with one: by the seed.
    this.#partition = new WritePartition({ rules, pipeline: 1 + (seed % 4), canFence })
    const home: LaneHome = {
      ledger: this.#ledger,
      rules,
      recordBytesMax: 1024 * 1024,
      canFence,
      // Few of them have to wait at once here: by the seed the lane waits too.
      lettersMax: 1 + (seed % 5) ** 2,
      deadLetters: "sink.undelivered",
      setAside: (_, span, failure) => void this.#aside.push([span, failure]),
      recycle: (_, queued) => {
        this.#begun.remove(queued)
        if (!queued.isReusable) return
        queued.batch.reset()
        this.#kept.push(queued.batch)
      }
    }
    this.#write = new WriteLane(home, this.#account)
    this.#read = this.#hold()
  }

  run(): Exploration {
    while (this.#wrong === undefined && !this.#isDone) this.#step()
    if (this.#wrong === undefined) this.#verify()
    const trace = (this.#hash >>> 0).toString(16).padStart(8, "0")
    return { legs: this.#admitted, steps: this.#steps, trace, wrong: this.#wrong }
  }

  get #isDone(): boolean {
    const isWritten = this.#admitted === this.#legs && this.#write.pending === 0 && this.#late.length === 0
    return isWritten && this.#settled === BigInt(this.#log.length)
  }

  #step(): void {
    this.#steps++
    const drawn = this.#random()
    this.#note(drawn * 65_536)
    if (this.#steps > this.#legs * 50 + 10_000) this.#wrong = "it does not end"
    else if (drawn < 0.3) this.#append()
    else if (drawn < 0.5) this.#stepWrite()
    else if (drawn < 0.55) this.#stepLate()
    else if (drawn < 0.6) this.#nowMs += Math.floor(this.#random() * 20)
    else if (drawn < 0.99) this.#stepRead()
    else if (drawn < 0.993) this.#begun.dropOldest("overflow")
    else if (drawn < 0.997) this.#answerLetters()
    else this.#moveRead()
    if ((this.#steps & 63) === 0) this.#balance()
  }

  /** A burst of records for one lane, as a sink commits them. */
  #append(): void {
    const burst = Math.min(this.#legs - this.#admitted, 1 + Math.floor(this.#random() * 16))
    for (let index = 0; index < burst; index++) {
      let batch = this.#write.open
      if (batch === undefined) {
        batch = this.#kept.pop() ?? new RecordBatch(4096)
        this.#begun.add(this.#write.begin(batch, this.#nowMs))
      }
      const end = batch.bytes + 32
      batch.place(0, this.#admitted, Float64Array.of(this.#nowMs))
      batch.commit(true, batch.bytes + 1, batch.bytes + 2, end, "event")
      this.#admitted++
      this.#write.appended()
    }
    this.#partition.ready(this.#write)
  }

  #stepWrite(): void {
    const oldest = this.#sendings[0]
    if (oldest !== undefined && this.#random() < 0.5) return this.#answer(oldest)
    this.#partition.ready(this.#write)
    const command = this.#partition.next(this.#nowMs)
    if (command._tag === "Wait") this.#nowMs = Math.max(this.#nowMs, command.untilMs)
    else if (command._tag === "Send") this.#sendings.push(command)
    else if (command._tag === "Fence") this.#fence()
    else if (oldest !== undefined) this.#answer(oldest)
    else if (this.#admitted === this.#legs) this.#write.flush()
  }

  #fence(): void {
    if (this.#random() < 0.2)
      return this.#partition.fenced({ tag: "Unavailable", detail: "" }, this.#nowMs, this.#random())
    this.#late = []
    this.#partition.fenced(undefined, this.#nowMs, this.#random())
  }

  /** The broker's answer to a send: stored, refused, a stored prefix, or none, with the request lost, done or still to come. */
  #answer(sending: Sending): void {
    const { batch, from, to } = sending
    this.#sendings.shift()
    const drawn = this.#random()
    const seqs: Array<number> = []
    for (let index = from; index < to; index++) seqs.push(batch.seq[index] ?? 0)
    const settle = (runs: ReadonlyArray<Run>) => {
      sending.answer(runs)
      this.#isRefusing = this.#sendings.length > 0 && (this.#isRefusing || !isStored)
      this.#partition.settle(this.#nowMs, this.#random())
    }
    let isStored = false
    if (this.#isRefusing) return settle([failed(from, to, drawn < 0.5 ? "notStored" : "unknown", "Unavailable")])
    if (drawn < 0.7) {
      this.#log.push(...seqs)
      isStored = true
      return settle([{ from, to, fate: "stored" }])
    }
    if (drawn < 0.8) return settle([failed(from, to, "notStored", "Unavailable")])
    if (drawn < 0.85) {
      const middle = from + Math.floor(this.#random() * (to - from + 1))
      this.#log.push(...seqs.slice(0, middle - from))
      return settle([{ from, to: middle, fate: "stored" }, failed(middle, to, "notStored", "Throttled")])
    }
    if (drawn < 0.86) return settle([failed(from, to, "notStored", "Rejected")])
    if (drawn < 0.87) return settle([failed(from, to, "notStored", "Corrupt")])
    if (drawn < 0.92) {
      this.#log.push(...seqs)
      isStored = true
    } else if (drawn < 0.97) this.#late.push(seqs)
    settle([failed(from, to, "unknown", "Timeout")])
  }

  /** Letters are stored, or some are refused for good: then the lane stands until somebody resumes it. */
  #answerLetters(): void {
    const [span, failure] = this.#aside.shift() ?? []
    if (span === undefined || failure === undefined) return
    const isRefused = this.#random() < 0.3
    const faults = Array.from({ length: span.to - span.from }, (_, index) =>
      isRefused && index % 2 === 1 ? "no" : undefined
    )
    const { seq } = span.queued.batch
    for (const [index, fault] of faults.entries())
      if (fault !== undefined) this.#refusedLetters.add(seq[span.from + index] ?? 0)
    this.#write.letterAnswered(span, failure, faults)
    this.#write.resume(this.#nowMs, this.#nowMs)
    this.#partition.ready(this.#write)
  }

  /** A request that was given up lands, or is lost. */
  #stepLate(): void {
    const seqs = this.#late.shift()
    if (seqs !== undefined && this.#random() < 0.7) this.#log.push(...seqs)
  }

  #stepRead(): void {
    const lane = this.#read
    const { end } = lane.census()
    if (lane.wantsMore && Number(end) < this.#log.length) {
      const next = Math.min(this.#log.length, Number(end) + 1 + Math.floor(this.#random() * 64))
      const records: Array<ReceivedRecord> = []
      for (let at = Number(end); at < next; at++) records.push(recordOf(at, this.#log[at] ?? 0))
      lane.received({ records, next: BigInt(next) })
    }
    for (let one = lane.next(this.#nowMs); one !== undefined; one = lane.next(this.#nowMs)) {
      this.#begin(one)
      this.#running.push(one)
    }
    const index = Math.floor(this.#random() * this.#running.length)
    const [ended] = this.#running.splice(index, 1)
    if (ended !== undefined) this.#finish(ended)
    const due = this.#race === "settlesWhatIsRunning" ? lane.census().end : lane.settleDue(this.#nowMs, false)
    if (due !== undefined && due > this.#settled) this.#settle(due)
    if (this.#running.length === 0) this.#nowMs += 1
  }

  #begin({ position, key }: HeldRecord): void {
    const seq = this.#log[Number(position)] ?? 0
    if (this.#firstSeen[seq] === 1 || this.#refusedLetters.has(seq)) return
    this.#firstSeen[seq] = 1
    const of = key.charCodeAt(0)
    if (seq < (this.#lastByKey[of] ?? -1)) this.#wrong ??= `seq ${seq} was first handled after a later one of its key`
    this.#lastByKey[of] = seq
  }

  #finish(held: HeldRecord): void {
    const isFault = this.#random() < 0.1
    if (!isFault) this.#handled[Number(held.position)] = true
    this.#read.finished(held, isFault ? { tag: "Planted" } : undefined, this.#nowMs)
  }

  #settle(position: bigint): void {
    for (let at = this.#settled; at < position; at++)
      if (this.#handled[Number(at)] !== true) this.#wrong ??= `position ${at} was settled before it was handled`
    this.#read.settled(position)
    this.#settled = position
  }

  /** The lane goes to another holder, with handlers still running: what they had not settled comes again. */
  #moveRead(): void {
    this.#read.revoke()
    this.#read.handBack()
    this.#running = []
    this.#read = this.#hold()
  }

  #hold(): ReadLane {
    return new ReadLane(
      {
        start: this.#settled,
        abandoned: 0,
        crashLoop: 3,
        unordered: false,
        random: this.#random,
        outage: new OutageWatch(() => undefined)
      },
      { policy, concurrency: 4, bufferBytesMax: 64 * 1024, settleEveryMs: 5 }
    )
  }

  #moved(seq: number, from: Place | undefined, to: Place): void {
    const was = places[this.#place[seq] ?? -1]
    if (was !== from) this.#wrong ??= `seq ${seq} left ${from ?? "nowhere"}, but was ${was ?? "nowhere"}`
    if (was !== undefined) this.#count[was]--
    this.#count[to]++
    this.#place[seq] = places.indexOf(to)
    this.#note(seq * 8 + places.indexOf(to))
  }

  /** The sets, the ledger's counters and the lane's own census tell the same. */
  #balance(): void {
    const { queued, inFlight, inDoubt, deadLettering, stored, deadLettered, dropped } = this.#count
    const [account] = this.#ledger.accounts
    const pending = queued + inFlight + inDoubt + deadLettering
    if (pending + stored + deadLettered + dropped !== this.#admitted)
      this.#wrong ??= "the sets do not partition the legs"
    if (account?.stored !== stored || sum(account.deadLettered) !== deadLettered || sum(account.dropped) !== dropped)
      this.#wrong ??= "the ledger does not tell what the sets tell"
    if (this.#write.pending !== pending) this.#wrong ??= "the lane does not hold what the sets tell"
  }

  /** The partition against what was told, once all has ended. */
  #verify(): void {
    this.#balance()
    const isThere = new Uint8Array(this.#legs)
    let last = -1
    for (const seq of this.#log) {
      if (this.#refusedLetters.has(seq)) {
        isThere[seq] = 1
        continue
      }
      if (isThere[seq] === 0 && seq < last) this.#wrong ??= `the partition first holds seq ${seq} after ${last}`
      isThere[seq] = 1
      last = Math.max(last, seq)
    }
    for (let seq = 0; seq < this.#legs; seq++)
      if (places[this.#place[seq] ?? -1] === "stored" && isThere[seq] === 0)
        this.#wrong ??= `seq ${seq} was told stored and is lost`
  }

  /** FNV-1a over the choices. */
  #note(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, 0x01000193)
  }
}

function failed(from: number, to: number, fate: "notStored" | "unknown", reason: TransportReason): Run {
  return {
    from,
    to,
    fate,
    error: new TransportError({ reason, transport: "explored", operation: "send", detail: "drawn" })
  }
}

function recordOf(at: number, seq: number): ReceivedRecord {
  return { position: BigInt(at), key: Uint8Array.of(seq % keys), value: noValue, headers: [], timeMs: 0 }
}
