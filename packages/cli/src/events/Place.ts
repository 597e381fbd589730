import type { ReceivedRecord } from "leat/transport"
import type { FoundContract } from "./Contracts.ts"

/** A partition that is read, and the next position to read there. */
export interface Place {
  readonly topic: string
  readonly partitions: number
  readonly compacted: boolean
  readonly partition: number
  /** Of the topic, where the command line says which. */
  readonly contract: FoundContract | undefined
  /** A time until the first look, then a position. */
  at: { readonly fromPosition: bigint } | { readonly fromTimeMs: number }
}

/** A record and where it stands. */
export interface Found {
  readonly place: Place
  readonly record: ReceivedRecord
}
