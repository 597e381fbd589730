import type { From } from "leat/transport"
import type { Fault } from "../Fault.ts"
import type { Calls } from "../Message.ts"
import type { Claim } from "./Groups.ts"

/** A member of a group in this worker. */
export interface Member {
  readonly number: number
  readonly topic: string
  readonly group: string
  readonly from: From
  readonly drainMs: number
  /** Its row; undefined until it has joined, and again when its lease has expired. */
  row: number | undefined
  /** Takes no more lanes. */
  isLeaving: boolean
}

/** Answers one call of the main thread. */
export interface Answer<A> {
  readonly done: (answer: A) => void
  readonly failed: (fault: Fault, mayBeStored: boolean) => void
}

export type Pulled = Calls["pull"]["answer"]

/** A pull that waits for records. */
export interface Pull extends Answer<Pulled> {
  readonly from: number
}

/** A lane in the hands of a member here. */
export interface Holding {
  readonly number: number
  readonly member: Member
  readonly claim: Claim
  state: "held" | "revoked" | "released"
  isTouched: boolean
  pull: Pull | undefined
  deadline: NodeJS.Timeout | undefined
}
