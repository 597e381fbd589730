/** How handling a record can fail, and what stands still because of it. */
import { Cause } from "effect"
import { withJson } from "../given/withJson.ts"
import { type Position, TransportError } from "../transport/index.ts"

/** What the policy is asked about, and a sentence for a person. */
export interface FailedWith {
  readonly tag: string
  readonly detail?: string
  /** It could not be decoded: no handler had it. */
  readonly isUnread?: boolean
  /** As it was thrown. */
  readonly error?: unknown
}

/** How a handler ended, when it did not succeed. */
export type Failure =
  | FailedWith
  | { readonly skip: "control" | "otherStream" | "otherType" }
  /** Of a bundle: by the index of the record, from 0; the others are done. */
  | { readonly parts: ReadonlyMap<number, FailedWith> }
  /** It is done, but so many of its records had been done before. */
  | { readonly copies: number }
  /** Of a bundle: nothing of it is done, and each record is to be handled by itself. */
  | { readonly apart: true }

/** Why a lane, or one key of it, stands still until a person says `resume`. */
export interface ReadHalted {
  /** `key`: the others go on. */
  readonly scope: "lane" | "key"
  /** What the policy was asked about; `Defect` when leat itself, or the driver, has a fault. */
  readonly tag: string
  /** The record that failed; the first that is not finished, when no single one did. */
  readonly position: Position
  /** Attempts made so far. */
  readonly attempts: number
  /** One sentence for a person. */
  readonly detail: string
  /** What the handler failed with; absent when no handler did. Not enumerable: who prints a halt gets no stack. */
  readonly error?: unknown
}

/** A halt with what the handler failed with. */
export function haltWith<H extends ReadHalted>(given: H, error: unknown): H {
  const halt = withJson(given)
  return error === undefined ? halt : Object.defineProperty(halt, "error", { value: error, enumerable: false })
}

/** What a call of a driver ended with: what it dies of is none of its own errors. */
export function transportErrorOf(transport: string, operation: string, cause: Cause.Cause<unknown>): TransportError {
  const error = Cause.squash(cause)
  if (error instanceof TransportError) return error
  return new TransportError({ reason: "Unknown", transport, operation, detail: String(error), cause: error })
}
