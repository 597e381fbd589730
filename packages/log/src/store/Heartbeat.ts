/**
 * The heartbeats of the members in this worker, and the watch over the other members of their groups: one without a heartbeat for
 * its lease is evicted, and its lanes go to the others.
 */
import { Beats } from "./Beats.ts"
import type { GroupCommit } from "./GroupCommit.ts"
import type { Groups } from "./Groups.ts"
import type { Store } from "./Store.ts"

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

/** A member seen without a sign of life since `beat`. */
interface Still {
  readonly id: number
  readonly beat: number
  readonly group: string
}

export class Heartbeat {
  readonly #store: Store
  readonly #groups: Groups
  readonly #commit: GroupCommit
  readonly #options: HeartbeatOptions
  readonly #beats = new Beats()
  #timer: NodeJS.Timeout | undefined

  constructor(store: Store, groups: Groups, commit: GroupCommit, options: HeartbeatOptions) {
    this.#store = store
    this.#groups = groups
    this.#commit = commit
    this.#options = options
  }

  start(): void {
    // Three in a lease: one may be late, and one lost.
    this.#timer ??= setInterval(() => this.#beat(), Math.max(50, this.#options.leaseMs / 3))
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #beat(): void {
    const members = Array.from(this.#options.members())
    const rows = members.filter(({ isEntered }) => isEntered).map(({ row }) => row)
    this.#commit.push({
      wakes: "nobody",
      run: () => ({ alive: this.#groups.beat(rows), still: this.#still(members) }),
      done: ({ alive, still }) => {
        for (const one of still) this.#evict(one)
        if (alive < rows.length) this.#options.lost()
      },
      failed: () => undefined
    })
  }

  #still(members: ReadonlyArray<Beating>): ReadonlyArray<Still> {
    const own = new Set(members.map(({ row }) => row))
    return [...new Set(members.map(({ group }) => group))].flatMap((group) =>
      this.#groups
        .members(group)
        .filter(({ id, beat, leaseMs }) => !own.has(id) && this.#beats.isStill(`${id}`, beat, leaseMs))
        .map(({ id, beat }) => ({ id, beat, group }))
    )
  }

  #evict({ id, beat, group }: Still): void {
    this.#commit.push({
      wakes: "groups",
      run: () => {
        // It may have come back to life in between, or another has evicted it.
        if (this.#groups.member(id)?.beat === beat) this.#groups.evict(group, id)
      },
      done: () => this.#beats.forget(`${id}`),
      failed: () => undefined
    })
  }
}
