/**
 * The sign of life of the members in this worker, and the watch over the other members of their groups: whose heart stands still
 * for its lease is put out, and what it held goes to those that stay.
 */
import { Beats } from "./Beats.ts"
import type { GroupCommit } from "./GroupCommit.ts"
import type { Groups } from "./Groups.ts"
import type { Store } from "./Store.ts"

interface Beating {
  readonly topic: string
  readonly group: string
  /** Its row; undefined while it has none. */
  readonly row: number | undefined
}

export interface HeartbeatOptions {
  readonly leaseMs: number
  readonly members: () => Iterable<Beating>
  /** Some of the members here have been put out themselves. */
  readonly lost: () => void
}

/** A member seen without a sign of life since `beat`. */
interface Still {
  readonly id: number
  readonly beat: number
  readonly of: Beating
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
    const rows = members.flatMap(({ row }) => (row === undefined ? [] : [row]))
    this.#commit.push({
      wakes: "nobody",
      run: () => ({ alive: this.#groups.beat(rows), still: this.#still(members) }),
      done: ({ alive, still }) => {
        for (const one of still) this.#putOut(one)
        if (alive < rows.length) this.#options.lost()
      },
      failed: () => undefined
    })
  }

  #still(members: ReadonlyArray<Beating>): ReadonlyArray<Still> {
    return members.flatMap((of) => {
      const topic = this.#store.topics.find(of.topic)
      if (topic === undefined) return []
      return this.#groups
        .members(topic, of.group)
        .filter(({ id, beat, leaseMs }) => id !== of.row && this.#beats.isStill(`${id}`, beat, leaseMs))
        .map(({ id, beat }) => ({ id, beat, of }))
    })
  }

  #putOut({ id, beat, of }: Still): void {
    this.#commit.push({
      wakes: "groups",
      run: () => {
        // It may have come back to life in between, or another has put it out.
        if (this.#groups.member(id)?.beat !== beat) return
        this.#groups.leave(this.#store.topics.get(of.topic), of.group, id)
      },
      done: () => this.#beats.forget(`${id}`),
      failed: () => undefined
    })
  }
}
