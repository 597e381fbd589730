/**
 * What a `ReadLane` has to say, told the slow way: one list of positions, searched from the start for every question, no heap, no
 * counters, no chains. It is written from the rules of the lane and shares no code with it.
 */

/** One handler's share of the lane: a record, a bundle of records, or one position without a record. */
export interface Share {
  readonly key: string
  positions: Array<{ readonly at: number; readonly bytes: number }>
  state: "waiting" | "running" | "parked" | "aside" | "ended"
  /** `done`, or the term and the reason of another end. */
  ended: string | undefined
  attempts: number
  firstMs: number
  retryAtMs: number
  /** When it came to be the first of its key, counted in moves. */
  readyAt: number | undefined
  /** Whether a later record may join it. */
  isOpen: boolean
  /** What was left of another that was cut: it waits for no more. */
  isRest: boolean
  /** How often it has waited for the end of an outage. */
  waits: number
  /** Why its key stands, and what it failed with before it was set aside. */
  stands: Halt | undefined
  failedWith: { readonly tag: string; readonly detail: string; readonly move?: ModelSettings["nextTier"] }
}

interface Halt {
  readonly scope: "lane" | "key"
  readonly tag: string
  readonly position: number
  readonly attempts: number
  readonly detail: string
}

export interface ModelOptions {
  readonly start: number
  readonly abandoned: number
  readonly crashLoop: number
  readonly alonePositions: number
  readonly unordered: boolean
  readonly bundleRecords: number | undefined
  readonly bundleWaitMs: number
  /** Records of this key were seen before. */
  readonly seenKey: string | undefined
}

export interface ModelSettings {
  readonly concurrency: number
  readonly bufferBytesMax: number
  readonly settleEveryMs: number
  /** A retry topic, for what fails when its retries are used up. */
  readonly nextTier: { readonly tier: number; readonly delayMs: number } | undefined
}

/** What the policy of the test says, by hand: again in so many milliseconds, dropped, dead-lettered, or the lane halts. */
export type Ruled = number | "drop" | "aside" | "move" | "halt"
export type Ruling = (tag: string, attempts: number, elapsedMs: number, hasTier: boolean) => Ruled

export class ReadModel {
  end: number
  settled: number
  halted: Halt | undefined
  /** Most of what is handled fails. */
  isOutage = false
  isRevoked = false
  shares: Array<Share> = []
  readonly #options: ModelOptions
  readonly #rule: Ruling
  #settings: ModelSettings
  #settledAtMs = Number.NEGATIVE_INFINITY
  #moves = 0
  /** When the batch that waits is given all the same. */
  #dueMs = Infinity
  #aloneLeft: number
  #isAsked: boolean

  constructor(options: ModelOptions, settings: ModelSettings, rule: Ruling) {
    this.#options = options
    this.#settings = settings
    this.#rule = rule
    this.end = options.start
    this.settled = options.start
    this.#aloneLeft = options.abandoned >= options.crashLoop ? options.alonePositions : 0
    this.#isAsked = options.abandoned <= options.crashLoop
  }

  configure(settings: ModelSettings): void {
    this.#settings = settings
  }

  /** Records at positions that rise, then `next`; what lies between has no records. */
  received(
    records: ReadonlyArray<{ readonly at: number; readonly key: string; readonly bytes: number }>,
    next: number,
    gap: string
  ): void {
    for (const { at, key, bytes } of records) {
      this.#gap(at, gap)
      this.#hold(at, key, bytes)
      this.end = at + 1
    }
    this.#gap(next, gap)
  }

  /** The one that `next` has to give. */
  next(nowMs: number): Share | undefined {
    const busy = this.#span("running") + this.#span("aside")
    if (this.#isStanding || (this.#isAlone && (busy > 0 || this.watermark > this.settled))) return undefined
    const parked = this.#in("parked").filter(({ stands }) => stands === undefined)
    const [due] = parked
      .filter(({ retryAtMs }) => retryAtMs <= nowMs)
      .toSorted((a, b) => a.retryAtMs - b.retryAtMs || first(a) - first(b))
    const [ready] = this.#in("waiting")
      .filter(({ readyAt }) => readyAt !== undefined)
      .toSorted((a, b) => (a.readyAt ?? 0) - (b.readyAt ?? 0) || first(a) - first(b))
    const mayBegin = !(this.#isAlone && this.#in("parked").length + this.#in("aside").length > 0)
    if (due === undefined && mayBegin && ready !== undefined && this.#waits(ready, nowMs)) return undefined
    const share = due ?? (mayBegin ? ready : undefined)
    if (share === undefined) return undefined
    if (share === ready) this.#dueMs = Infinity
    share.attempts++
    if (share.attempts === 1) share.firstMs = nowMs
    share.state = "running"
    if (this.#isAsked) return share
    this.#isAsked = true
    if (first(share) !== this.#options.start) return share
    this.failed(share, "CrashLoop", `${this.#options.abandoned} holders of this lane were lost at this position`, nowMs)
    return this.next(nowMs)
  }

  /** Whether its handler waits until it is full: only the last of all can become so. */
  #waits(share: Share, nowMs: number): boolean {
    const { bundleRecords = 1, bundleWaitMs } = this.#options
    const mayGrow =
      share.isOpen && !share.isRest && share === this.shares.at(-1) && share.positions.length < bundleRecords
    if (bundleWaitMs === 0 || !mayGrow || this.#isFull) return false
    if (this.#dueMs === Infinity) this.#dueMs = nowMs + bundleWaitMs
    return nowMs < this.#dueMs
  }

  get #isFull(): boolean {
    const held = this.shares.filter((share) => first(share) >= this.watermark).flatMap(({ positions }) => positions)
    return held.reduce((sum, { bytes }) => sum + bytes, 0) >= this.#settings.bufferBytesMax
  }

  ended(share: Share, how: string): void {
    if (share.state !== "running") return
    share.state = "ended"
    share.ended = how
    this.#findReady()
  }

  failed(share: Share, tag: string, detail: string, nowMs: number): void {
    if (share.state !== "running") return
    const { nextTier } = this.#settings
    const ruled = this.#rule(tag, share.attempts, nowMs - share.firstMs, nextTier !== undefined)
    if (typeof ruled === "string" && share.positions.length > 1) {
      this.#takeApart(share)
      return this.park(share, nowMs)
    }
    this.#apply(share, ruled, tag, detail, nowMs)
  }

  #apply(share: Share, ruled: Ruled, tag: string, detail: string, nowMs: number): void {
    const { nextTier } = this.#settings
    if (ruled === "drop") this.ended(share, `dropped ${tag}`)
    else if (ruled === "halt") this.halt(share, tag, detail, nowMs)
    else if (ruled === "aside") this.#setAside(share, { tag, detail }, nowMs)
    else if (ruled === "move") this.#setAside(share, { tag, detail, move: nextTier }, nowMs)
    else this.park(share, nowMs + ruled)
  }

  /** Each of its positions becomes a share of its own, which counts the attempts. */
  #takeApart(share: Share): ReadonlyArray<Share> {
    const [own, ...others] = share.positions
    share.positions = own === undefined ? [] : [own]
    share.isOpen = false
    const rest = others.map((one) => ({ ...share, positions: [one], state: "waiting" as const, readyAt: undefined }))
    this.shares.splice(this.shares.indexOf(share) + 1, 0, ...rest)
    return [share, ...rest]
  }

  /** Some of its positions failed, the others are done. */
  failedInParts(share: Share, tags: ReadonlyMap<number, string>, detail: string, nowMs: number): void {
    if (share.state !== "running") return
    const singles = this.#takeApart(share)
    for (const [index, one] of singles.entries())
      if (!tags.has(index)) Object.assign(one, { state: "ended", ended: "done" })
    const index = Math.min(...tags.keys())
    const judged = singles[index]
    if (judged === undefined) return
    judged.state = "running"
    this.failed(judged, tags.get(index) ?? "", detail, nowMs)
    this.#findReady()
  }

  #setAside(share: Share, failedWith: Share["failedWith"], nowMs: number): void {
    if (this.isOutage && failedWith.tag !== "CrashLoop") {
      // The jitter of 0.2 at a chance of 0.5 takes a tenth away.
      const waitMs = 0.9 * Math.min(1000 * 2 ** share.waits, 30_000)
      share.waits++
      return this.park(share, nowMs + waitMs)
    }
    share.state = "aside"
    share.failedWith = failedWith
  }

  /** It is stored where it was set aside, or refused for good. */
  setAside(share: Share, fault: string | undefined, nowMs: number, isTooLarge = false): void {
    if (share.state !== "aside") return
    const { tag, detail, move } = share.failedWith
    if (fault === undefined) {
      share.state = "ended"
      share.ended = `${move === undefined ? "deadLettered" : "moved"} ${tag}`
      return this.#findReady()
    }
    const where = move === undefined ? "dead-lettered" : "moved to a retry topic"
    const why = `${detail}; it cannot be ${where}: ${fault}`
    if (move !== undefined && isTooLarge) {
      share.state = "running"
      return this.#apply(share, this.#rule(tag, share.attempts, nowMs - share.firstMs, false), tag, why, nowMs)
    }
    share.state = "parked"
    share.retryAtMs = nowMs
    share.stands = { scope: "key", tag, position: first(share), attempts: share.attempts, detail: why }
  }

  halt(share: Share, tag: string, detail: string, nowMs: number): void {
    if (share.state !== "running") return
    this.halted ??= { scope: "lane", tag, position: first(share), attempts: share.attempts, detail }
    this.park(share, nowMs)
  }

  park(share: Share, retryAtMs: number): void {
    if (share.state !== "running") return
    share.state = "parked"
    share.retryAtMs = retryAtMs
  }

  split(share: Share, count: number): void {
    if (share.state !== "running" || count >= share.positions.length) return
    const rest = {
      ...share,
      positions: share.positions.slice(count),
      state: "waiting" as const,
      attempts: 0,
      readyAt: undefined,
      isRest: true
    }
    share.positions = share.positions.slice(0, count)
    this.shares.splice(this.shares.indexOf(share) + 1, 0, rest)
  }

  resume(nowMs: number): void {
    this.halted = undefined
    for (const share of this.#in("parked")) Object.assign(share, { attempts: 0, retryAtMs: nowMs, stands: undefined })
  }

  settleDue(nowMs: number, isFinal: boolean): number | undefined {
    const isDue = isFinal || nowMs >= this.#settledAtMs + this.#settings.settleEveryMs
    if (this.watermark <= this.settled || !isDue) return undefined
    this.#settledAtMs = nowMs
    return this.watermark
  }

  notStored(againAtMs: number): void {
    this.#settledAtMs = Math.min(this.#settledAtMs, againAtMs - this.#settings.settleEveryMs)
  }

  stored(position: number): void {
    if (this.#isAlone) {
      this.#aloneLeft -= position - this.settled
      this.#settledAtMs = Number.NEGATIVE_INFINITY
    }
    this.settled = position
  }

  handBack(): void {
    const { watermark } = this
    this.isRevoked = true
    this.end = watermark
    // What its handlers say from now on is heard by nobody.
    for (const share of this.shares) if (first(share) >= watermark) share.state = "ended"
    this.shares = this.shares.filter((share) => first(share) < watermark)
  }

  get watermark(): number {
    const open = this.shares.find(({ state }) => state !== "ended")
    return open === undefined ? this.end : first(open)
  }

  /** All that can be asked of the lane. */
  get facts() {
    const { concurrency, settleEveryMs } = this.#settings
    const { watermark } = this
    const isFull = this.#isFull
    const ready = this.#in("waiting").filter(({ readyAt }) => readyAt !== undefined)
    const ends: Record<string, number> = {}
    for (const { ended, positions } of this.shares)
      if (ended !== undefined) ends[ended] = (ends[ended] ?? 0) + positions.length
    return {
      end: this.end,
      watermark,
      halted: this.halted,
      haltedKeys: this.shares.flatMap(({ stands }) => (stands === undefined ? [] : [stands])),
      isRevoked: this.isRevoked,
      running: this.#span("running") + this.#span("aside"),
      parked: this.#span("parked"),
      unread: this.#span("waiting"),
      wantsMore:
        this.halted === undefined &&
        !this.isRevoked &&
        !isFull &&
        ready.length - (this.#dueMs === Infinity ? 0 : 1) < concurrency,
      blockedAt: isFull ? watermark : undefined,
      retryDueMs: this.#isStanding
        ? Infinity
        : Math.min(
            this.#dueMs,
            ...this.#in("parked").flatMap(({ stands, retryAtMs }) => (stands === undefined ? [retryAtMs] : []))
          ),
      settleDueMs: watermark > this.settled ? this.#settledAtMs + settleEveryMs : Infinity,
      ends
    }
  }

  get #isAlone(): boolean {
    return this.#aloneLeft > 0
  }

  get #isStanding(): boolean {
    const isFull = this.#span("running") >= this.#settings.concurrency
    return this.halted !== undefined || this.isRevoked || isFull
  }

  #in(state: Share["state"]): ReadonlyArray<Share> {
    return this.shares.filter((share) => share.state === state)
  }

  #span(state: Share["state"]): number {
    return this.#in(state).flatMap(({ positions }) => positions).length
  }

  #gap(next: number, reason: string): void {
    for (; this.end < next; this.end++) this.#endAtOnce(this.end, `skipped ${reason}`)
  }

  /** Neighbours that end alike are kept as one. */
  #endAtOnce(at: number, how: string): void {
    this.shares.push(shareOf("", at, this.shares.at(-1)?.ended === how ? 0 : 128, how, false))
  }

  #hold(at: number, key: string, bytes: number): void {
    const { bundleRecords, seenKey, unordered } = this.#options
    if (key === seenKey) return this.#endAtOnce(at, "duplicate")
    const last = this.shares.at(-1)
    const joins = last?.state === "waiting" && last.isOpen && last.positions.length < (bundleRecords ?? 1)
    if (joins) last.positions.push({ at, bytes })
    else {
      const isBundle = bundleRecords !== undefined
      // Where there is no order, each is a key of its own; of bundles all are of one.
      const of = isBundle ? "" : unordered ? `${at}` : key
      this.shares.push(shareOf(of, at, bytes, undefined, isBundle && !this.#isAlone))
    }
    this.#findReady()
  }

  #findReady(): void {
    this.#moves++
    const seen = new Set<string>()
    for (const share of this.shares) {
      if (share.state === "ended" || seen.has(share.key)) continue
      seen.add(share.key)
      share.readyAt ??= this.#moves
    }
  }
}

function shareOf(key: string, at: number, bytes: number, ended: string | undefined, isOpen: boolean): Share {
  const state = ended === undefined ? "waiting" : "ended"
  return {
    key,
    positions: [{ at, bytes }],
    state,
    ended,
    attempts: 0,
    firstMs: 0,
    retryAtMs: 0,
    readyAt: undefined,
    isOpen,
    isRest: false,
    waits: 0,
    stands: undefined,
    failedWith: { tag: "", detail: "" }
  }
}

/** The first position of a share. */
function first({ positions }: Share): number {
  return positions[0]?.at ?? Number.NaN
}
