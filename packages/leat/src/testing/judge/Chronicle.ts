/**
 * What happened in a story, as plain facts: what was asked for, what was told, where each leg went, what raw reads show and
 * what handlers got. The judge reads nothing else, so a history can also be written by hand.
 */
import type { Header } from "../../record/Headers.ts"
import type { Place } from "../../ledger/Ledger.ts"
import type { RejectReason } from "../../publish/Admission.ts"

/**
 * What a caller was told. `durable`: stored, or on a disk; `gone`: the call was interrupted, or its process crashed, which says nothing of the
 * event.
 */
export type Said = RejectReason | "admitted" | "durable" | "stored" | "notStored" | "gone"

/** One event that was offered, by whatever call. */
export interface Call {
  /** Unique in the story; stands in the event's text, or in its correlation id. */
  readonly serial: number
  /** Number of the leat that was called. */
  readonly leat: number
  readonly stream: string
  readonly api: "offer" | "publish" | "publishAll" | "tombstone"
  readonly key: string
  /** Expected bytes; null: a tombstone. */
  readonly value: Uint8Array | null
  /** Headers that every copy must carry, in this order, behind those of leat. */
  readonly headers: ReadonlyArray<Header>
  /** When it was called; all times are ticks of the chronicle. */
  readonly beganAt: number
  /** When it was encoded last: from then on it stands in the queue. */
  attemptedAt: number | undefined
  /** How often its event was encoded. */
  attempts: number
  admittedAt: number | undefined
  endedAt: number | undefined
  said: Said | undefined
  /** The id that the caller was told. */
  saidId: string | undefined
  /** What shows that there was room when it was rejected for want of it. */
  room: string | undefined
}

/** One leg of an event: what the journal says of it. */
export interface LegFact {
  readonly leat: number
  readonly sink: string
  readonly stream: string
  /** `incarnation/stream/bucket/seq`. */
  readonly id: string
  readonly bucket: number
  readonly seq: number
  readonly admittedAt: number
  /** The event, as soon as somebody has said which it is: the caller's receipt, or a raw read. */
  serial: number | undefined
  place: Place
  attempts: number
  mayBeStored: boolean
  /** How often it was to be dead-lettered, whatever became of that. */
  timesSetAside: number
  /** How often it was told to be in the spill. */
  timesSpilled: number
  /** When its fallback had it; undefined: it never went there. */
  fellBackAt?: number | undefined
}

/** One record in the topic of what could not be published to a sink. */
export interface UndeliveredFact extends Omit<Copy, "lane" | "seq"> {
  /** Where it was to be stored, as it says itself. */
  readonly meantFor: { readonly topic: string | undefined; readonly partition: number | undefined }
  /** As it says: where it failed, and with what. */
  readonly stage: string | undefined
  readonly tag: string | undefined
}

/** One record that a raw read found. */
export interface Copy {
  readonly sink: string
  readonly partition: number
  /** Of what stands in a fallback: index of its cluster. */
  readonly cluster?: number | undefined
  readonly position: bigint
  /** As `LegFact.id`; undefined: the record has none. */
  readonly id: string | undefined
  /** Everything of the id but the sequence. */
  readonly lane: string
  readonly seq: number
  /** What the record itself says; undefined where it says nothing that can be read. */
  readonly serial: number | undefined
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: ReadonlyArray<Header>
}

/** One event in the hands of one handler. */
export interface Handling {
  readonly group: string
  /** Number of the member, over all groups. */
  readonly member: number
  readonly key: string
  readonly id: string | undefined
  readonly serial: number | undefined
  /** The one that the group reads, or that of its replays. */
  readonly topic: string
  readonly partition: number
  readonly position: bigint
  /** Whether it was the only one of its call. */
  readonly isAlone: boolean
  readonly beganAt: number
  endedAt: number | undefined
  isDone: boolean
  /** It failed for good, as its event does again and again. */
  isPoison: boolean
  /** Whether it was begun after its lane had been taken back. */
  readonly isTakenBack: boolean
  /** Of a record in a retry topic: how it came there. */
  readonly moved?: MoveFact | undefined
  /** Wall clock when it began, and how often that had jumped; absent where nobody looked. */
  readonly wall?: WallTime | undefined
}

/** What the wall clock showed, in epoch milliseconds, and how often it had jumped. */
export interface WallTime {
  readonly ms: number
  readonly jumps: number
}

/** What a record in a retry topic says of how it came there. */
export interface MoveFact {
  /** Where it was read first. */
  readonly origin: NonNullable<LetterFact["origin"]>
  /** How often it was moved, this time included. */
  readonly moves: number
  /** Epoch milliseconds when it was moved, and from which on it may be handled. */
  readonly atMs: number
  readonly dueMs: number
}

/** One record that a raw read found in a retry topic. */
export interface RetryFact extends Omit<LetterFact, "origin"> {
  /** The number of the topic, from 1. */
  readonly tier: number
  /** Undefined: it does not say. */
  readonly moved: MoveFact | undefined
}

/** One record as it was set aside, or replayed: in a topic of dead letters, or in that of replays. */
export interface LetterFact {
  readonly group: string
  /** The topic that it lies in, and where. */
  readonly topic: string
  readonly partition: number
  readonly position: bigint
  /** Where it was read before; undefined: of a replay, or it does not say. */
  readonly origin: { readonly topic: string; readonly partition: number; readonly position: bigint } | undefined
  /** As `LegFact.id`. */
  readonly id: string | undefined
  readonly replays: number
  /** Of the failure; undefined: of a replay. */
  readonly tag: string | undefined
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** Without those that say what it is. */
  readonly headers: ReadonlyArray<Header>
}

/** A group, and what may be asked of it. */
export interface GroupFact {
  readonly group: string
  readonly sink: string
  readonly stream: string
  /** Whether lanes were lost, settles refused or pulls failed: then an event may be handled again. */
  mayRepeat: boolean
  /** Whether it had settled everything when the story ended, so that it must have had everything. */
  isWhole: boolean
  readonly isOrdered: boolean
  /** What becomes of an event that fails for good; `retry`: none ends so. */
  readonly ending: "retry" | "deadLetter" | "drop"
  /** Delays of its retry topics, in milliseconds, the first tier first; none when absent. */
  readonly delaysMs?: ReadonlyArray<number> | undefined
  /** The topic that its stream falls back to and stays in, which it reads too; absent: there is none. */
  readonly fallback?: string | undefined
}

/** A stream and its destinations. */
export interface StreamFact {
  readonly stream: string
  /** Sinks of the required legs that all tables have. */
  readonly required: ReadonlyArray<string>
  /** Legs that only some tables have, or that take a share of the keys; absent: none. */
  readonly mirrors?: ReadonlyArray<{ readonly sink: string; readonly isRequired: boolean }>
  readonly sinks: ReadonlyArray<string>
  readonly isOrdered: boolean
}

/** The sinks of a table, with the buckets that they take; undefined: all. */
export type TableSinks = ReadonlyMap<string, ReadonlyArray<number> | undefined>

/** For so long the table in force in a leat had the mirrors of its streams, or some of them; ticks of the chronicle. */
export interface TableFact {
  readonly leat: number
  readonly sinks: TableSinks
  readonly from: number
  /** Undefined: until the end. */
  until: number | undefined
}

/** What the ledger of a leat said of one stream at the end. */
export interface StreamBooks {
  readonly leat: number
  readonly stream: string
  readonly offered: number
  readonly admitted: number
  readonly rejected: Readonly<Record<string, number>>
  readonly waiting: number
}

/** What the ledger of a leat said of one leg at the end. */
export interface LegBooks {
  readonly leat: number
  readonly stream: string
  readonly sink: string
  readonly admitted: number
  readonly stored: number
  readonly deadLettered: number
  readonly dropped: number
  /** In the spill. */
  readonly spilled: number
  /** Stored by the fallback. */
  readonly fellBack: number
  /** Of the ended: what an earlier process had left in the spill, or what was sent on from the fallback. */
  readonly recovered: number
}

/** A leat that ran in the story: a process of its own. */
export interface ProcessFact {
  readonly leat: number
  /** The disk that its legs spill to; undefined: there is none. */
  readonly disk: number | undefined
  /** Whether processes with that disk ran at the same time; otherwise each has it when the one before has gone. */
  readonly isShared: boolean
  isCrashed: boolean
  /** When it was begun; absent where nobody looked. */
  readonly openedAt?: number | undefined
}

/** The fallback of a sink. */
export interface FallbackFact {
  /** `cluster/topic` of what it stands in for. */
  readonly sink: string
  readonly back: "redrive" | "stay"
  /** How often a lane of it was given to a process that sends on. */
  given: number
}

/** What an audit said of one sink at the end. */
export interface AuditFact {
  readonly sink: string
  /** Whether what stays in its fallback was read too. */
  readonly hasFallback: boolean
  readonly events: number
  readonly copies: number
  /** Announced as dropped, and not there. */
  readonly dropped: number
  readonly missing: number
  /** Whether everything that was dropped had to be announced: its leats closed in peace, and the topic takes records without a key. */
  readonly isAnnounced: boolean
}

/** Something that went wrong on purpose, or came in between. */
export interface MishapFact {
  readonly mishap: string
  readonly leat: number
  /** The states that the leat was in. */
  readonly states: ReadonlyArray<string>
  readonly at: number
}

/** What can be wrong with a story. */
export type VerdictKind =
  /** Told stored, and the cluster does not have it; or a group settled past it without having had it. */
  | "lost"
  /** More copies than attempts, or handled again although nothing had failed. */
  | "doubled"
  /** Behind a later one of its bucket or key. */
  | "reordered"
  /** Value, key, headers or id are not those that were offered. */
  | "garbled"
  /** What the caller was told is not what happened. */
  | "toldWrongly"
  /** Something never ended. */
  | "hung"
  /** Something is held although nobody needs it. */
  | "leaked"
  /** A waiting publish was passed over too often. */
  | "unfair"
  /** Two countings of the same thing differ. */
  | "unbalanced"

/** One thing that is wrong, and what shows it. */
export interface Verdict {
  readonly kind: VerdictKind
  readonly evidence: string
}

/**
 * Names a record in the hands of a group.
 *
 * @example
 * ```ts
 * placeName("billing", { topic: "orders", partition: 0, position: 17n }) // "billing orders/0/17"
 * ```
 */
export function placeName(
  group: string,
  { topic, partition, position }: Pick<Handling, "topic" | "partition" | "position">
): string {
  return `${group} ${topic}/${partition}/${position}`
}

/**
 * Names a move of a record to a retry topic: the one that makes it so many.
 *
 * @example
 * ```ts
 * moveName("billing", { topic: "orders", partition: 0, position: 17n }, 1) // "billing orders/0/17 moved 1"
 * ```
 */
export function moveName(group: string, origin: MoveFact["origin"], moves: number): string {
  return `${placeName(group, origin)} moved ${moves}`
}

/**
 * The facts of one story, in the order they were noted.
 *
 * @example
 * ```ts
 * const chronicle = new Chronicle()
 * const call = chronicle.begin({ serial: 1, leat: 0, stream: "notes", api: "publish", key: "k", value, headers: [] })
 * chronicle.end(call, "stored")
 * judge(chronicle) // [{ kind: "lost", ... }]: no copy was read
 * ```
 */
export class Chronicle {
  /** Streams, and where they go. */
  readonly streams: Array<StreamFact> = []
  /** Groups, and what may be asked of them. */
  readonly groups: Array<GroupFact> = []
  /** Which legs there were when; in between a table was being put in force. */
  readonly tables: Array<TableFact> = []
  /** By serial. */
  readonly calls = new Map<number, Call>()
  /** By leat, sink and id. */
  readonly legs = new Map<string, LegFact>()
  /** In the order in which they began. */
  readonly handlings: Array<Handling> = []
  /** In the order in which they came. */
  readonly mishaps: Array<MishapFact> = []
  /** What raw reads found at the end. */
  readonly copies: Array<Copy> = []
  /** What raw reads found in fallbacks, by the sink that they stand in for. */
  readonly fallen: Array<Copy> = []
  /** By the sink that they stand in for. */
  readonly fallbacks = new Map<string, FallbackFact>()
  /** What fallbacks said that they have stored, whether or not a process lived to hear it, by the sink that they stand in for and id. */
  readonly storedInFallback = new Set<string>()
  /** What raw reads found in topics of dead letters. */
  readonly letters: Array<LetterFact> = []
  /** What raw reads found in topics of replays. */
  readonly replays: Array<LetterFact> = []
  /** Letters of which a record beside them says that they were replayed. */
  readonly resolved: Array<Pick<LetterFact, "group" | "topic" | "partition" | "position">> = []
  /** What raw reads found in topics of what could not be published; the headers are those that the records had. */
  readonly undelivered: Array<UndeliveredFact> = []
  /** How many sends of an event were answered without a word of what became of it, by the `cluster/topic` that they were for, and its id; of a spill its name ends with `.spill`, of a fallback with `.fallback`. */
  readonly doubts = new Map<string, number>()
  /** How many sends to a partition of a topic of such letters have had no answer at all, by `cluster/topic/partition`. */
  readonly unanswered = new Map<string, number>()
  /** The leats that there were. */
  readonly processes: Array<ProcessFact> = []
  /** How often a spill was given to a process, by `disk cluster/topic`. */
  readonly owners = new Map<string, number>()
  /** When a dead letter was first stored, by `placeName` of its record. */
  readonly lettersStored = new Map<string, number>()
  /** When a record was first stored in a retry topic, by `moveName`. */
  readonly movesStored = new Map<string, { readonly at: number; readonly wall: WallTime }>()
  /** What was pulled of retry topics, by `placeName`. */
  readonly pulledMoves = new Map<string, MoveFact>()
  /** What raw reads found in retry topics. */
  readonly retries: Array<RetryFact> = []
  /** What the ledgers said of streams at the end. */
  readonly streamBooks: Array<StreamBooks> = []
  /** What the ledgers said of legs at the end. */
  readonly legBooks: Array<LegBooks> = []
  /** When events of a stream were rejected because their time was over, by `leat stream`: their callers are told later. */
  readonly timeouts = new Map<string, Array<number>>()
  /** What audits found, by reading alone. */
  readonly audits: Array<AuditFact> = []
  /** What was seen to be wrong while the story ran. */
  readonly noticed: Array<Verdict> = []
  #tick = 0

  /** The time of the chronicle: rises by one with each call. */
  tick(): number {
    return ++this.#tick
  }

  /** Something was seen to be wrong. */
  notice(kind: VerdictKind, evidence: string): void {
    if (this.noticed.length < 20) this.noticed.push({ kind, evidence })
  }

  /** A mishap came, to a leat in these states. */
  mishap(mishap: string, leat: number, found: ReadonlyArray<string>): void {
    this.mishaps.push({ mishap, leat, states: found, at: this.tick() })
  }

  /** A leat has a table in force, with these sinks; or undefined, another one is being put in force. */
  table(leat: number, sinks: TableSinks | undefined): void {
    const last = this.tables.findLast((table) => table.leat === leat)
    if (last !== undefined) last.until ??= this.tick()
    if (sinks !== undefined) this.tables.push({ leat, sinks, from: this.tick(), until: undefined })
  }

  /** An event is offered. */
  begin(call: Pick<Call, "serial" | "leat" | "stream" | "api" | "key" | "value" | "headers">): Call {
    const begun: Call = {
      ...call,
      beganAt: this.tick(),
      attemptedAt: undefined,
      attempts: 0,
      admittedAt: undefined,
      endedAt: undefined,
      said: undefined,
      saidId: undefined,
      room: undefined
    }
    this.calls.set(begun.serial, begun)
    return begun
  }

  /** Its caller has an answer. */
  end(call: Call, said: Said, saidId?: string): void {
    call.endedAt = this.tick()
    call.said = said
    call.saidId = saidId
  }

  /** An event was rejected, as a journal is told. */
  reject(leat: number, stream: string, reason: string): void {
    if (reason !== "timeout") return
    const name = `${leat} ${stream}`
    const ticks = this.timeouts.get(name)
    if (ticks === undefined) this.timeouts.set(name, [this.tick()])
    else ticks.push(this.tick())
  }

  /** A leg moved, as a journal is told. `from` is undefined on admission. */
  move(
    leg: Pick<LegFact, "leat" | "sink" | "stream" | "id" | "bucket" | "seq">,
    from: Place | undefined,
    to: Place
  ): void {
    const name = `${leg.leat} ${leg.sink} ${leg.id}`
    const found = this.legs.get(name)
    if (found === undefined) {
      if (from !== undefined) this.notice("unbalanced", `${leg.id} left ${from} of ${leg.sink} before it was admitted`)
      const fresh = { admittedAt: this.tick(), serial: undefined, attempts: 0, mayBeStored: false }
      const counts = { timesSetAside: 0, timesSpilled: to === "spilled" ? 1 : 0 }
      this.legs.set(name, { ...leg, ...fresh, ...counts, place: to })
      return
    }
    if (found.place !== from)
      this.notice("unbalanced", `${leg.id} moved from ${from ?? "nowhere"} to ${to}, but was ${found.place}`)
    if (to === "inFlight") found.attempts++
    if (to === "deadLettering") found.timesSetAside++
    if (to === "spilled") found.timesSpilled++
    if (to === "fellBack") found.fellBackAt = this.tick()
    if (from === "inFlight" && to !== "stored") found.mayBeStored = true
    found.place = to
  }

  /** A send of an event was answered without a word of what became of it. */
  doubt(name: string): void {
    this.doubts.set(name, (this.doubts.get(name) ?? 0) + 1)
  }

  /** How often the spill of a sink was given to a process, on the disk of a leat. */
  ownersOf({ leat, sink }: Pick<LegFact, "leat" | "sink">): number {
    const disk = this.processes.find((process) => process.leat === leat)?.disk
    return disk === undefined ? 0 : (this.owners.get(`${disk} ${sink}`) ?? 0)
  }

  /** Finds out which event each leg is of, by what callers were told and by what raw reads show. */
  identify(): void {
    const serialOf = new Map<string, number>()
    for (const { id, serial } of [...this.undelivered, ...this.copies, ...this.fallen])
      if (id !== undefined && serial !== undefined) serialOf.set(id, serial)
    for (const { saidId, serial } of this.calls.values()) if (saidId !== undefined) serialOf.set(saidId, serial)
    for (const leg of this.legs.values()) {
      leg.serial = serialOf.get(leg.id)
      const call = this.calls.get(leg.serial ?? -1)
      if (call !== undefined) call.admittedAt ??= leg.admittedAt
    }
  }
}
