/**
 * What a `WriteLane` has to say, told the slow way: lists of records, and for each question all of them are looked at. It is written
 * from the rules of the lane and shares no code with it.
 */
import {
  type Answer,
  type Batch,
  countOf,
  type ModelRecord,
  type ModelRules,
  type ModelWaiter,
  type Range,
  rangeOf,
  type Ruling
} from "./writeModelParts.ts"

export class WriteModel {
  halted: { readonly tag: string; readonly attempts: number; readonly detail: string } | undefined
  isGated = false
  isSealed = false
  dueMs = Infinity
  admitted = 0
  movedIn = 0
  movedOut = 0
  stored = 0
  deadLettered: Record<string, number> = {}
  dropped: Record<string, number> = {}
  mayBeStored = 0
  retries = 0
  /** Drops that no record has announced. */
  unannounced: ReadonlyArray<string> = []
  readonly waiters: Array<ModelWaiter> = []
  recycled: Array<string> = []
  batches: Array<Batch> = []
  open: Batch | undefined
  readonly #moves: Array<string> = []
  readonly #stream: string
  readonly #rules: ModelRules
  readonly #rule: Ruling
  #openedAtMs = 0
  #notBeforeMs = 0
  #begun = 0

  constructor(stream: string, rules: ModelRules, rule: Ruling) {
    this.#stream = stream
    this.#rules = rules
    this.#rule = rule
  }

  begin(nowMs: number): void {
    const before = this.open
    this.open = { id: this.#begun++, ranges: [rangeOf([])], bytes: 0, isReusable: true }
    this.#openedAtMs = nowMs
    this.batches.push(this.open)
    if (before !== undefined && countOf(before) === 0) this.#recycle(before)
  }

  /** A record for the open batch; returns whether the batch is full, or begins to linger. A marker is all of its batch. */
  appended(record: ModelRecord, bytes: number): boolean {
    const { open } = this
    if (open === undefined) throw new Error("there is no open batch")
    open.ranges = [rangeOf([...open.ranges.flatMap(({ records }) => records), record])]
    open.bytes += bytes
    if (!record.isMarker) this.admitted++
    this.#move([record], undefined, "queued")
    const { batchBytes, batchRecords } = this.#rules
    const isFull = record.isMarker || open.bytes >= batchBytes || countOf(open) >= batchRecords
    if (isFull) this.open = undefined
    return isFull || countOf(open) === 1
  }

  refused(bucket: number, seq: number, reason: string): void {
    this.admitted++
    this.#endRecords("dropped", [{ bucket, seq, isMarker: false, timeMs: 0, waiters: [] }], undefined, reason, false)
  }

  /** The range that is to leave. */
  take(nowMs: number): Range | undefined {
    this.dueMs = Infinity
    if (this.halted !== undefined || this.isGated) return undefined
    const aside = this.#all.filter(({ state }) => state === "deadLettering").flatMap(({ records }) => records)
    if (aside.length >= this.#rules.lettersMax) return undefined
    // What is set aside is passed over, and so is a batch of which all else is on its way.
    const batch = this.batches.find(({ ranges }) =>
      ranges.some(({ state }) => state !== "inFlight" && state !== "deadLettering")
    )
    const range = batch?.ranges.find(({ state }) => state !== "deadLettering" && state !== "inFlight")
    if (batch === undefined || range === undefined || countOf(batch) === 0) return undefined
    if (batch.ranges.some(({ state }) => state === "inFlight")) return undefined
    const lingersUntilMs = batch === this.open && !this.isSealed ? this.lingerDueMs : 0
    const untilMs = this.#notBeforeMs > nowMs ? this.#notBeforeMs : lingersUntilMs
    if (untilMs > nowMs) {
      this.dueMs = untilMs
      return undefined
    }
    if (batch === this.open) this.open = undefined
    if (range.attempts === 0) range.firstMs = nowMs
    else this.retries += range.records.length
    range.attempts++
    range.state = "inFlight"
    if (!range.mayBeStored) {
      range.said = this.unannounced
      this.unannounced = []
    }
    this.#move(range.records, "queued", "inFlight")
    return range
  }

  /** A range that is to say less than there is has said this much of it, in so many ranges of drops. */
  said(range: Range, texts: ReadonlyArray<string>, ranges: number): void {
    range.saidIn = ranges
    if (range.saidMax === Infinity || range.mayBeStored) return
    this.unannounced = range.said.filter((text) => !texts.includes(text))
    range.said = range.said.filter((text) => texts.includes(text))
  }

  /** The answer to a range that is on its way, in parts. */
  settled(range: Range, answers: ReadonlyArray<Answer>, nowMs: number, isBehind: boolean): void {
    const batch = this.batches.find(({ ranges }) => ranges.includes(range))
    if (batch === undefined || range.state !== "inFlight") return
    let from = 0
    const left: Array<Range> = []
    // What is not stored without a reason is so because of a part that has one.
    const others = answers.some(({ fate, isExplained }) => fate !== "stored" && isExplained)
    for (const answer of answers) {
      const records = range.records.slice(from, from + answer.count)
      const part: Range = { ...range, records, said: from === 0 ? range.said : [] }
      from += answer.count
      const isOfOthers = others && answer.fate === "notStored" && !answer.isExplained
      if (answer.fate === "stored") this.#store(part)
      else left.push(...this.#failed(batch, part, answer, nowMs, isBehind || isOfOthers))
    }
    range.state = "ended"
    this.#replace(batch, range, left)
  }

  clearDoubt(): void {
    for (const range of this.#all.filter(({ state }) => state === "inDoubt")) {
      range.state = "queued"
      this.#move(range.records, "inDoubt", "queued")
    }
  }

  dropDoubt(reason: string): void {
    for (const batch of this.batches.slice())
      for (const range of batch.ranges) if (range.state === "inDoubt") this.#drop(batch, range, reason)
  }

  /** Drops a batch of which nothing is on its way or may be stored; returns how many records that are. */
  dropBatch(batch: Batch, reason: string): number {
    const count = countOf(batch)
    if (batch.ranges.some(({ state, mayBeStored }) => state !== "queued" || mayBeStored)) return 0
    if (count > 0 && batch === this.open) this.open = undefined
    if (count > 0) for (const range of batch.ranges) this.#drop(batch, range, reason)
    return count
  }

  flush(): void {
    if (this.open !== undefined && countOf(this.open) > 0) this.open = undefined
  }

  resume(nowMs: number, wallMs: number): void {
    this.halted = undefined
    this.#notBeforeMs = 0
    for (const range of this.#all) {
      // The attempt that runs has begun.
      Object.assign(range, { attempts: range.state === "inFlight" ? 1 : 0, firstMs: nowMs })
      if (range.state !== "queued") continue
      for (const record of range.records) record.timeMs = Math.min(record.timeMs, wallMs)
    }
  }

  abandon(reason: string): void {
    this.open = undefined
    this.isSealed = true
    this.halted = undefined
    this.#notBeforeMs = 0
    for (const batch of this.batches.slice()) for (const range of batch.ranges) this.#drop(batch, range, reason)
  }

  /** What became of the letters of records that were set aside together. */
  letterAnswered(
    seqs: ReadonlyArray<number>,
    failure: { readonly tag: string; readonly attempts: number; readonly detail: string },
    faults: ReadonlyArray<string | undefined>,
    topic: string
  ): void {
    const batch = this.batches.find(({ ranges }) =>
      ranges.some(({ state, records }) => state === "deadLettering" && records[0]?.seq === seqs[0])
    )
    const range = batch?.ranges.find(({ records }) => records[0]?.seq === seqs[0])
    if (batch === undefined || range === undefined) return
    const left: Array<Range> = []
    let before: string | undefined
    for (const [index, record] of range.records.entries()) {
      const fault = faults[index]
      if (fault === undefined) {
        this.#endRecords("deadLettered", [record], "deadLettering", failure.tag, range.mayBeStored)
      } else {
        this.#move([record], "deadLettering", "queued")
        this.halted ??= { ...failure, detail: `${failure.detail}; and ${topic} refuses it too: ${fault}` }
        const last = left.at(-1)
        // Those that are refused alike stay together.
        if (last !== undefined && before === fault)
          left[left.length - 1] = { ...last, records: [...last.records, record] }
        else left.push({ ...range, state: "queued", records: [record] })
      }
      before = fault
    }
    range.state = "ended"
    this.#replace(batch, range, left)
  }

  /** All leaves, but for what may be stored and is, as `isStored` says. Returns the records that go, and the drops that are left to announce. */
  moveOut(isStored: (seq: number) => boolean): {
    readonly taken: ReadonlyArray<number>
    readonly told: ReadonlyArray<string>
  } {
    this.open = undefined
    const taken: Array<number> = []
    for (const batch of this.batches.slice()) {
      for (const range of batch.ranges) {
        const { state } = range
        if (state !== "queued") this.isSealed = true
        if (state === "inFlight") batch.isReusable = false
        const couldBeStored = range.mayBeStored || state === "inFlight"
        const first = range.records[0]
        // What is stored has announced it.
        if (!(couldBeStored && first !== undefined && isStored(first.seq)))
          this.unannounced = [...this.unannounced, ...range.said]
        range.state = "ended"
        for (const record of range.records) {
          if (couldBeStored && isStored(record.seq)) this.#store({ ...range, records: [record] }, state)
          else {
            this.#move([record], state, "movedOut")
            if (!record.isMarker) this.movedOut++
            taken.push(record.seq)
          }
        }
      }
      batch.ranges = []
      this.#recycle(batch)
    }
    const told = this.unannounced
    this.unannounced = []
    return { taken, told }
  }

  /** Whether nothing of it was tried. */
  get isUnsent(): boolean {
    return this.#all.every(({ state, attempts, mayBeStored }) => state === "queued" && attempts === 0 && !mayBeStored)
  }

  /** Batches of another lane's events, in front of all others or behind them. */
  moveIn(batches: ReadonlyArray<ReadonlyArray<ModelRecord>>, isInFront: boolean): ReadonlyArray<Batch> {
    if (!isInFront) this.flush()
    const all = batches.map((records): Batch => {
      this.movedIn += records.length
      this.#move(records, "movedOut", "queued")
      return { id: this.#begun++, ranges: [rangeOf(records)], bytes: 0, isReusable: true }
    })
    const own = this.batches.filter((one) => one !== this.open)
    const open = this.open === undefined ? [] : [this.open]
    this.batches = isInFront ? [...all, ...this.batches] : [...own, ...all, ...open]
    return all
  }

  /** One more waits for every event that has not ended. */
  await(): void {
    const records = this.#all.flatMap((range) => range.records.filter(({ isMarker }) => !isMarker))
    for (const { waiters } of records) waiters.push(this.waiters.length)
    this.waiters.push({ pending: records.length, stored: 0, deadLettered: {}, dropped: {}, mayBeStored: 0 })
  }

  get lingerDueMs(): number {
    return this.open === undefined ? 0 : this.#openedAtMs + this.#rules.lingerMs
  }

  /** Ranges that have not ended, with where they are. */
  get census(): ReadonlyArray<string> {
    return this.#all
      .filter(({ records }) => records.length > 0)
      .map(({ records, state }) => `${records.map(({ seq }) => seq).join(" ")} ${state}`)
  }

  /** All that can be asked of the lane, and the moves since this was asked last. */
  get facts() {
    const {
      admitted,
      batches,
      census,
      deadLettered,
      dropped,
      dueMs,
      halted,
      isSealed,
      lingerDueMs,
      mayBeStored,
      movedIn,
      movedOut,
      retries,
      stored
    } = this
    const unannounced = this.unannounced.toSorted()
    return {
      account: { admitted, movedIn, movedOut, stored, deadLettered, dropped, mayBeStored },
      moves: this.#moves.splice(0).toSorted(),
      census,
      pending: batches.reduce((sum, batch) => sum + countOf(batch), 0),
      waiters: this.waiters,
      unannounced,
      recycled: this.recycled,
      halted,
      isSealed,
      isEmpty: batches.length === 0,
      isIdle: batches.length === 0 && unannounced.length === 0,
      openRecords: this.open === undefined ? undefined : countOf(this.open),
      dueMs,
      lingerDueMs,
      retries
    }
  }

  get #all(): ReadonlyArray<Range> {
    return this.batches.flatMap(({ ranges }) => ranges)
  }

  #failed(batch: Batch, part: Range, { fate, tag, detail }: Answer, nowMs: number, isBehind: boolean) {
    const couldBeStored = part.mayBeStored || fate === "unknown"
    if (fate === "unknown") batch.isReusable = false
    const state = fate === "unknown" && this.#rules.canFence ? ("inDoubt" as const) : ("queued" as const)
    const again: Range = { ...part, state, mayBeStored: couldBeStored }
    if (!couldBeStored) {
      this.unannounced = [...this.unannounced, ...part.said]
      again.said = []
    }
    const ruled = isBehind ? 0 : this.#rule(tag, part.attempts, nowMs - part.firstMs)
    // The retries of what is refused are the range's, and its ending that of each record.
    const isHalving = tag === "TooLarge" || (tag === "Rejected" && typeof ruled === "string")
    const isHalved = !isBehind && isHalving && fate === "notStored" && part.records.length > 1
    // What is too large with what it announces says less.
    const isShortened = !isBehind && !isHalved && tag === "TooLarge" && part.said.length > 0 && !couldBeStored
    if (isShortened) again.saidMax = Math.floor(part.saidIn / 2)
    if (ruled === "drop" && !isHalved && !isShortened) {
      this.#giveUp(again, "inFlight", tag)
      return []
    }
    const isMarker = part.records.every((record) => record.isMarker)
    if (ruled === "deadLetter" && !isHalved && !isShortened) {
      if (isMarker) {
        this.#giveUp(again, "inFlight", tag)
        return []
      }
      this.#move(part.records, "inFlight", "deadLettering")
      this.unannounced = [...this.unannounced, ...again.said]
      return [{ ...again, state: "deadLettering" as const, said: [] }]
    }
    this.#move(part.records, "inFlight", state)
    if (isBehind || isHalved || isShortened) again.attempts--
    else if (typeof ruled === "string") this.halted = { tag, attempts: part.attempts, detail }
    else this.#notBeforeMs = Math.max(this.#notBeforeMs, nowMs + ruled)
    if (!isHalved) return [again]
    const middle = Math.floor(part.records.length / 2)
    return [
      { ...again, records: part.records.slice(0, middle) },
      { ...again, records: part.records.slice(middle), said: [] }
    ]
  }

  #store({ records }: Range, from = "inFlight"): void {
    this.stored += records.filter(({ isMarker }) => !isMarker).length
    this.#move(records, from, "stored")
    this.#tell(records, (waiter) => waiter.stored++)
  }

  #drop(batch: Batch, range: Range, reason: string): void {
    const { state } = range
    if (state === "inFlight") {
      batch.isReusable = false
      range.mayBeStored = true
    }
    range.state = "ended"
    this.#giveUp(range, state, reason)
    this.#replace(batch, range, [])
  }

  #giveUp({ records, said, mayBeStored }: Range, from: string, reason: string): void {
    this.unannounced = [...this.unannounced, ...said]
    this.#endRecords("dropped", records, from, reason, mayBeStored)
  }

  #endRecords(
    ending: "deadLettered" | "dropped",
    records: ReadonlyArray<ModelRecord>,
    from: string | undefined,
    reason: string,
    mayBeStored: boolean
  ): void {
    const events = records.filter(({ isMarker }) => !isMarker)
    const told = ending === "dropped" ? reason : "deadLettered"
    this.unannounced = [...this.unannounced, ...events.map(({ bucket, seq }) => `${bucket}:${seq}:${told}`)]
    if (events.length > 0) this[ending][reason] = (this[ending][reason] ?? 0) + events.length
    if (mayBeStored) this.mayBeStored += events.length
    this.#move(records, from, ending, reason)
    this.#tell(records, (waiter) => {
      waiter[ending][reason] = (waiter[ending][reason] ?? 0) + 1
      if (mayBeStored) waiter.mayBeStored++
    })
  }

  #tell(records: ReadonlyArray<ModelRecord>, tell: (waiter: ModelWaiter) => void): void {
    for (const at of records.flatMap(({ waiters }) => waiters)) {
      const waiter = this.waiters[at]
      if (waiter === undefined) continue
      waiter.pending--
      tell(waiter)
    }
  }

  #move(records: ReadonlyArray<ModelRecord>, from: string | undefined, to: string, reason = "none"): void {
    for (const { bucket, seq, isMarker } of records)
      if (!isMarker && from !== to)
        this.#moves.push(`${this.#stream} ${bucket}:${seq} ${from ?? "nowhere"} ${to} ${reason}`)
  }

  #replace(batch: Batch, range: Range, by: ReadonlyArray<Range>): void {
    batch.ranges = batch.ranges.flatMap((one) => (one === range ? by : [one]))
    if (batch.ranges.length === 0) this.#recycle(batch)
  }

  #recycle(batch: Batch): void {
    this.batches = this.batches.filter((one) => one !== batch)
    this.recycled.push(`${batch.id} ${batch.isReusable ? "reusable" : "held"}`)
  }
}
