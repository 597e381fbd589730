/**
 * The heartbeats of the members in this worker, and the watch over the other members of their groups: one without a heartbeat for its lease
 * is evicted, and its lanes go to the others. A heartbeat has the time of its machine's monotonic clock, so a new member sees at once that
 * a lease has expired; a member with another clock is watched instead (`Beats`).
 */
import { clockName } from "../../clockName.ts"
import { monotonicMs } from "../../clock.ts"
import { Beats } from "./Beats.ts"
import type { GroupCommit } from "../GroupCommit.ts"
import type { MemberRow } from "./groupRows.ts"
import type { Groups } from "./Groups.ts"

interface Beating {
  readonly group: string
  /** Its row. */
  readonly row: number
  readonly isEntered: boolean
}

export interface HeartbeatOptions {
  readonly leaseMs: number
  readonly members: () => Iterable<Beating>
  /** Some of the members here have been evicted themselves. */
  readonly lost: () => void
}

export class Heartbeat {
  readonly #groups: Groups
  readonly #commit: GroupCommit
  readonly #options: HeartbeatOptions
  readonly #beats = new Beats()
  #timer: NodeJS.Timeout | undefined
  /** Timer of the next lease to expire. */
  #expiry: NodeJS.Timeout | undefined
  #lookedMs: number | undefined
  /** The end of the last pause of this process, or of the log. */
  #awakeMs = Number.NEGATIVE_INFINITY

  constructor(groups: Groups, commit: GroupCommit, options: HeartbeatOptions) {
    this.#groups = groups
    this.#commit = commit
    this.#options = options
  }

  start(): void {
    // Three heartbeats in a lease: one may be late, and one lost.
    this.#timer ??= setInterval(() => this.#beat(), Math.max(50, this.#options.leaseMs / 3))
  }

  stop(): void {
    clearInterval(this.#timer)
    clearTimeout(this.#expiry)
    this.#timer = undefined
    this.#lookedMs = undefined
  }

  /**
   * Evicts the members of a group whose lease has expired; inside the write with which a member enters, so that its first lanes are theirs.
   * `sinceMs` is when that was asked for.
   */
  evictExpired(group: string, sinceMs: number): void {
    const nowMs = monotonicMs()
    // The log was busy, so other members may have been unable to write their heartbeats.
    if (nowMs - sinceMs > this.#options.leaseMs / 3) this.#awakeMs = nowMs
    this.#evictOf([group])
  }

  #beat(): void {
    const members = Array.from(this.#options.members())
    const rows = members.filter(({ isEntered }) => isEntered).map(({ row }) => row)
    this.#commit.push({
      wakes: "nobody",
      run: () => {
        this.#noticePause()
        return { alive: this.#groups.beat(rows), isAnyGone: this.#gone(groupsOf(members)).length > 0 }
      },
      done: ({ alive, isAnyGone }) => {
        if (isAnyGone) this.#evict()
        if (alive < rows.length) this.#options.lost()
      },
      // A full volume, mostly, which the others could not write to either: as a pause of all.
      failed: () => (this.#lookedMs = Number.NEGATIVE_INFINITY)
    })
  }

  /** After a pause of this process, perhaps of the whole machine, the other members get half a lease for a heartbeat. */
  #noticePause(): void {
    const { leaseMs } = this.#options
    const nowMs = monotonicMs()
    if (this.#lookedMs !== undefined && nowMs - this.#lookedMs > (leaseMs * 2) / 3) this.#awakeMs = nowMs
    this.#lookedMs = nowMs
  }

  #evict(): void {
    this.#commit.push({
      wakes: "groups",
      run: () => this.#evictOf(groupsOf(this.#options.members())),
      done: () => undefined,
      failed: () => undefined
    })
  }

  #evictOf(groups: Iterable<string>): void {
    for (const { group, id } of this.#gone(groups)) {
      this.#groups.evict(group, id)
      this.#beats.forget(`${id}`)
    }
  }

  /** The members whose lease has expired; sets the timer of the next one to expire. */
  #gone(groups: Iterable<string>): ReadonlyArray<MemberRow> {
    const own = new Set(Array.from(this.#options.members(), ({ row }) => row))
    const nowMs = monotonicMs()
    let nextMs = Number.POSITIVE_INFINITY
    const gone: Array<MemberRow> = []
    for (const member of Array.from(groups, (group) => this.#groups.members(group)).flat()) {
      if (own.has(member.id)) continue
      if (Number.isNaN(member.beat + member.leaseMs + member.atMs)) {
        // A damaged row, for which no lease can be reckoned. A member that lives enters again.
        gone.push(member)
        continue
      }
      const expiryMs = this.#expiryOf(member, nowMs)
      if (expiryMs === undefined) {
        if (this.#beats.isStill(`${member.id}`, member.beat, member.leaseMs)) gone.push(member)
      } else if (expiryMs <= nowMs) gone.push(member)
      else nextMs = Math.min(nextMs, expiryMs)
    }
    clearTimeout(this.#expiry)
    if (this.#timer !== undefined && Number.isFinite(nextMs))
      this.#expiry = setTimeout(() => this.#evict(), nextMs - nowMs + 1)
    return gone
  }

  /** The expiry of a member's lease; undefined if it has another clock. */
  #expiryOf({ clock, atMs, leaseMs }: MemberRow, nowMs: number): number | undefined {
    if (clock !== clockName || atMs > nowMs) return undefined
    return Math.max(atMs + leaseMs, this.#awakeMs + leaseMs / 2)
  }
}

function groupsOf(members: Iterable<Beating>): ReadonlySet<string> {
  return new Set(Array.from(members, ({ group }) => group))
}
