import { Effect, Schema } from "effect"
import type { Announcement } from "leat/transport"

/** Version of the files. */
export const ledgerFormat = 1

/** Who announces: the process, or the worker thread of one, that has to be gone before anything is counted as lost. */
export interface LedgerOwner {
  /** Host name. */
  readonly host: string
  /** Process id. */
  readonly pid: number
  /** When it began, on which boot of the machine: ids are given again. Absent where nothing says so. */
  readonly begin?: string
  /** The worker thread that announces, and when it began. Absent in the main thread, and where nothing says so. */
  readonly thread?: string
}

/** What stands in one file. */
export interface LedgerFile extends Announcement {
  readonly format: typeof ledgerFormat
  readonly owner: LedgerOwner
  /** The names of the clusters that are the log of this directory; absent in files of earlier versions. */
  readonly clusters?: ReadonlyArray<string>
}

const Count = Schema.Number
const Counts = Schema.Record(Schema.String, Count)

const Stream = Schema.Struct({
  stream: Schema.String,
  offered: Count,
  admitted: Count,
  rejected: Counts,
  waiting: Count,
  balanced: Schema.Boolean,
  sequences: Schema.Array(Schema.Tuple([Count, Count]))
})

const Leg = Schema.Struct({
  stream: Schema.String,
  sink: Schema.String,
  epoch: Count,
  buckets: Schema.optionalKey(Schema.Struct({ from: Count, to: Count })),
  admitted: Count,
  stored: Count,
  deadLettered: Counts,
  dropped: Counts,
  droppedMayBeStored: Count,
  queued: Count,
  inFlight: Count,
  inDoubt: Count,
  // Files of earlier versions do not say it.
  deadLettering: Count.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0))),
  fellBack: Count.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0))),
  recovered: Count.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0))),
  movedIn: Count.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0))),
  movedOut: Count.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0))),
  spilled: Count.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0))),
  unannounced: Schema.optionalKey(Schema.Array(Schema.Tuple([Count, Count, Count]))),
  balanced: Schema.Boolean
})

const Lane = Schema.Struct({
  group: Schema.String,
  stream: Schema.String,
  lane: Schema.String,
  start: Schema.String,
  end: Schema.String,
  positions: Count,
  done: Count,
  // Files of earlier versions do not say it.
  moved: Counts.pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  deadLettered: Counts,
  dropped: Counts,
  duplicate: Count,
  skipped: Counts,
  parked: Count,
  inFlight: Count,
  unread: Count,
  balanced: Schema.Boolean
})

const Objective = Schema.Struct({
  stream: Schema.String,
  sink: Schema.String,
  epoch: Count,
  loss: Count,
  windowMs: Count,
  state: Schema.Literals(["ok", "ticket", "page"]),
  burns: Schema.Array(Schema.Struct({ windowMs: Count, coversMs: Count, ended: Count, lost: Count, burn: Count }))
})

const File = Schema.Struct({
  format: Schema.Literal(ledgerFormat),
  owner: Schema.Struct({
    host: Schema.String,
    pid: Schema.Int,
    begin: Schema.optionalKey(Schema.String),
    thread: Schema.optionalKey(Schema.String)
  }),
  clusters: Schema.optionalKey(Schema.Array(Schema.String)),
  incarnation: Schema.String.check(Schema.isPattern(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)),
  source: Schema.String,
  announcedAtMs: Count,
  isClosed: Schema.Boolean,
  streams: Schema.Array(Stream),
  legs: Schema.Array(Leg),
  lanes: Schema.Array(Lane),
  objectives: Schema.optionalKey(Schema.Array(Objective))
})

/** Reads the text of a file; none where it is not one of this version. */
export const decodeLedgerFile = Schema.decodeUnknownOption(Schema.fromJsonString(File))
